"""Turns a Chat Completions answer into blocks for a Writer, one at a time.

Chat Completions has no blocks. Reasoning, text and calls come in any order, and fragments of
several calls may be mixed. If a text is interrupted, it becomes two blocks. A call cannot be
interrupted, so everything else is held back until its arguments are whole, or until the end.
"""

from collections import deque
from typing import NamedTuple, TypeAlias

from xtrix.answer import CallStart, Citation, ToolName, Writer
from xtrix.errors import bad_response
from xtrix.prompt import Json, Origin, Sealed
from xtrix.protocol import Answering
from xtrix.protocols.chat.encode_tools import unwrap_custom
from xtrix.protocols.chat.pieces import Pieces, Progress, Returns

Key: TypeAlias = str | int
"""A kind of text, or the index of a call."""

THINKING = "thinking"
TEXT = "text"
REFUSAL = "refusal"

_CALL_MEMBERS = {"index", "id", "type", "function", "custom"}


class Piece(NamedTuple):
    """A piece of a block."""

    text: str
    logprobs: list[Json] | None = None


class _Call:
    """One call of the answer."""

    def __init__(self, call_id: str, kind: str, extra: Json) -> None:
        self.id = call_id
        self.kind = kind
        """The kind that the upstream gives: `function` or `custom`."""
        self.extra = extra
        self.start: CallStart | None = None
        """The start of the call; None until its name has come."""
        self.nameless: list[Piece] = []
        """Pieces that came before its name."""
        self.given = Pieces()
        """Its arguments, if the Writer gets them at the call's end."""
        self.progress = Progress()
        self.is_empty = True
        self.is_over = False

    @property
    def is_buffered(self) -> bool:
        """Whether its arguments are written in one piece at its end, as for a custom tool."""
        return self.start is not None and self.start.tool.kind == "custom"

    def is_whole(self) -> bool:
        """Whether its arguments are known to be whole. Plain text never is, before the end."""
        return self.kind == "function" and self.progress.is_whole()


class Blocks:
    """The blocks of one answer."""

    def __init__(self, writer: Writer, of: Answering) -> None:
        self.writes = 0
        """How often the Writer was called."""
        self.last: str | None = None
        """The last text that was written, if another could be written in the same way."""
        self.open: Key | None = None
        self.has_refused = False
        self._writer = writer
        self._tools = of.expected.tools
        self._origin: Origin = of.origin
        self._calls: dict[int, _Call] = {}
        self._held: deque[tuple[Key, list[Piece]]] = deque()
        """The blocks that must wait, in the order in which they came."""
        self._held_calls: dict[int, list[Piece]] = {}
        """The calls among these blocks."""
        self._returns = Returns(keeps_text=of.expected.reasoning_back)
        self._citations: list[Citation] = []
        self._has_ended_text = False

    @property
    def holds(self) -> bool:
        """Whether something waits for the open call."""
        return bool(self._held)

    def put(self, key: Key, piece: Piece) -> None:
        """Adds text of the kind `key`, or of the call `key`. Raises UpstreamError."""
        if isinstance(key, int) and self._calls[key].start is None:
            self._calls[key].nameless.append(piece)
        elif key != self.open and self._is_busy():
            self._hold(key, piece)
        else:
            self._tell(key, piece)
            while self._held and not self._is_busy():
                self._take_up()

    def call(self, fragment: Json) -> None:
        """Adds a fragment of a call, in the form that `ToolCalls` gives it.

        Raises UpstreamError.
        """
        index = fragment["index"]
        kind = "custom" if "custom" in fragment else "function"
        members = fragment[kind]
        call = self._calls.get(index)
        if call is None:
            extra = {key: it for key, it in fragment.items() if key not in _CALL_MEMBERS}
            call = self._calls[index] = _Call(fragment["id"], kind, extra)
        if members.get("name"):
            call.start = CallStart(call.id, self._tool(members["name"], kind))
            early = "".join(piece.text for piece in call.nameless)
            call.nameless.clear()
            self.put(index, Piece(early))
        text = members.get("input" if kind == "custom" else "arguments")
        if text:
            self.put(index, Piece(text))

    def reason(self, name: str, text: str) -> None:
        """Adds reasoning, which the upstream calls `name`."""
        self._returns.name = name
        self.put(THINKING, Piece(text))

    def give_back(self, name: str, items: list[Json]) -> None:
        """Adds to the list `name`, which the upstream needs back. Raises UpstreamError."""
        if self.open is None:
            self.put(THINKING, Piece(""))
        self._returns.add(name, items)

    def cite(self, citations: list[Citation]) -> None:
        """Adds sources of the answer's text. Their places are counted from its beginning."""
        self._citations += citations

    def end(self, *, is_cut: bool) -> None:
        """Closes what is open; `is_cut` if the limit may have cut it off. Raises UpstreamError."""
        while self._held:
            self._take_up()
        if any(call.nameless for call in self._calls.values()):
            raise bad_response("a call without a name")
        self._close(is_cut=is_cut)
        if self._citations and self._has_ended_text:
            self._end_text()

    def moved(self, text: str) -> None:
        """The fast path has added `text`, the inside of a JSON string, to the open block."""
        if self.open == THINKING:
            self._returns.moved(text)
        elif isinstance(self.open, int):
            self._calls[self.open].progress.moved(text)

    def _tool(self, name: str, kind: str) -> ToolName:
        tool = self._tools.get(name)
        return tool or ToolName(name, "custom" if kind == "custom" else "function")

    # Waiting blocks

    def _is_busy(self) -> bool:
        """Whether a call is open whose arguments are not whole yet."""
        return isinstance(self.open, int) and not self._calls[self.open].is_whole()

    def _hold(self, key: Key, piece: Piece) -> None:
        if isinstance(key, int) and key in self._held_calls:
            self._held_calls[key].append(piece)
        elif self._held and self._held[-1][0] == key:
            self._held[-1][1].append(piece)
        elif not self._is_late(key, piece):
            self._held.append((key, [piece]))
            if isinstance(key, int):
                self._held_calls[key] = self._held[-1][1]

    def _take_up(self) -> None:
        """Writes what has waited longest."""
        key, pieces = self._held.popleft()
        if isinstance(key, int):
            del self._held_calls[key]
        for piece in pieces:
            self._tell(key, piece)

    def _is_late(self, key: Key, piece: Piece) -> bool:
        """Whether the call `key` has already ended.

        Raises UpstreamError if that loses something.
        """
        is_over = isinstance(key, int) and self._calls[key].is_over
        if is_over and piece.text.strip():
            raise bad_response("a piece of a call that was over")
        return is_over

    # Calls on the Writer

    def _tell(self, key: Key, piece: Piece) -> None:
        if key != self.open:
            if self._is_late(key, piece):
                return
            self._close()
            self.open = key
            if isinstance(key, int):
                self._begin_call(self._calls[key])
        if piece.text:
            self._tell_text(key, piece)

    def _tell_text(self, key: Key, piece: Piece) -> None:
        text, logprobs = piece
        self.last = None if key == REFUSAL else text
        if isinstance(key, int):
            call = self._calls[key]
            call.is_empty = False
            call.progress.add(text)
            if call.is_buffered:
                call.given.add(text)
                return
            self._writer.arguments(text)
        elif key == TEXT:
            self._writer.text(text, logprobs)
        elif key == REFUSAL:
            self.has_refused = True
            self._writer.refusal(text)
        else:
            self._returns.reason(text)
            self._writer.thinking(text)
        self.writes += 1

    def _begin_call(self, call: _Call) -> None:
        assert call.start is not None
        if call.extra:
            self._end_thinking({"tool_calls": [{"id": call.id, **call.extra}]})
        self._writer.call(call.start)
        self.writes += 1

    def _close(self, *, is_cut: bool = False) -> None:
        """Ends the open block, and writes what must come back and belongs to no other block."""
        key, self.open = self.open, None
        if isinstance(key, int):
            self._end_call(self._calls[key], is_cut=is_cut)
        elif key == TEXT:
            self._end_text()
        value = self._returns.take()
        if key == THINKING or value:
            self._end_thinking(value)

    def _end_call(self, call: _Call, *, is_cut: bool) -> None:
        text = call.given.take()
        if call.is_buffered and call.kind == "function":
            text = unwrap_custom(text)
        elif call.is_empty and not (call.is_buffered or is_cut):
            text = "{}"  # an empty text is not JSON
        if text:
            self._writer.arguments(text)
        self._writer.call_end()
        self.writes += 1
        call.is_over = True

    def _end_text(self) -> None:
        citations = self._citations
        if self._has_ended_text:
            # Their places count from the beginning of the whole text, and this block is a later
            # part of it.
            citations = [each._replace(start=None, end=None) for each in citations]
        self._writer.text_end(citations)
        self.writes += 1
        self._citations = []
        self._has_ended_text = True

    def _end_thinking(self, value: Json) -> None:
        self._writer.thinking_end(Sealed(value, self._origin) if value else None)
        self.writes += 1
