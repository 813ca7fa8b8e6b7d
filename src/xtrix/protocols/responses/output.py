"""Writes the items of an answer: messages, reasoning, calls, searches.

Each kind of item has its own events for its beginning, its pieces and its end, and its form as a
whole. One item is open at a time, and only the open one can be added to.

Source: openai-python 3.57.0, `ResponseStreamEvent` and `ResponseOutputItem` (read 2026-11), and
what the clients were seen to need: a delta before every `done`, equal ids in all events of an item.
"""

from typing import Any, TypeAlias

from xtrix import json
from xtrix.answer import CallStart, Citation
from xtrix.protocols.responses.frames import Fragments, Frames, LongString, raw

Json = dict[str, Any]

COMPLETED = "completed"
INCOMPLETE = "incomplete"
_IN_PROGRESS = "in_progress"


class Deltas:
    """A string that is written in pieces."""

    def __init__(self, frames: Frames, event: str, place: str, after: str = "") -> None:
        """`place` is JSON that says where the string belongs, `after` what follows it."""
        self.body = LongString()
        self._frames = frames
        self._before = f'event: {event}\ndata: {{"type":"{event}","sequence_number":'
        self._between = f',{place},"delta":"'
        self._after = f'"{after}}}\n\n'

    def add(self, text: str) -> None:
        """Writes a piece."""
        piece = raw(text)
        self.body.add(piece)
        self._frames.delta(self._before, f"{self._between}{piece}{self._after}")

    def add_with(self, text: str, members: str) -> None:
        """Writes a piece with other `members` after it."""
        piece = raw(text)
        self.body.add(piece)
        self._frames.delta(self._before, f'{self._between}{piece}"{members}}}\n\n')


class _Item:
    """One item. Its first events are written when it is made, the rest when it is closed."""

    prefix = ""

    def __init__(self, frames: Frames, token: str, index: int) -> None:
        """`token` is the answer's, `index` the item's place among all items."""
        self.id = f"{self.prefix}_{token}_{index}"
        self.growing: Deltas | None = None
        """The string that is being written."""
        self._frames = frames
        self._index = index
        self._place = f'"item_id":"{self.id}","output_index":{index}'

    def _added(self, item: Json) -> None:
        event = "response.output_item.added"
        line = json.encode_line({"id": self.id} | item)
        self._frames.tell(event, f',"output_index":{self._index},"item":{line}')

    def _done(self, item: Fragments) -> Fragments:
        event = "response.output_item.done"
        self._frames.tell(event, f',"output_index":{self._index},"item":', *item)
        return item


class Message(_Item):
    """Text and refusals."""

    prefix = "msg"

    def __init__(self, frames: Frames, token: str, index: int) -> None:
        super().__init__(frames, token, index)
        self._parts: list[Fragments] = []
        self._part: _TextPart | _RefusalPart | None = None
        self._added({"type": "message", "status": _IN_PROGRESS, "role": "assistant", "content": []})

    def text(self, text: str, logprobs: list[Json] | None) -> None:
        """Writes a piece of text."""
        if not isinstance(self._part, _TextPart):
            self._close_part()
            self._part = _TextPart(self._frames, self._next_place())
            self.growing = self._part.deltas
        self._part.add(text, logprobs)

    def cite(self, citations: list[Citation]) -> None:
        """Adds the sources of the text since the last call."""
        if isinstance(self._part, _TextPart):
            self._part.cite(citations)

    def refuse(self, text: str) -> None:
        """Writes a piece of a refusal."""
        if not isinstance(self._part, _RefusalPart):
            self._close_part()
            self._part = _RefusalPart(self._frames, self._next_place())
            self.growing = self._part.deltas
        self._part.deltas.add(text)

    def close(self, status: str) -> Fragments:
        """Writes the item's end, and returns the whole item."""
        self._close_part()
        head = f'{{"id":"{self.id}","type":"message","status":"{status}","role":"assistant"'
        return self._done([f'{head},"content":[', *joined(self._parts), "]}"])

    def _next_place(self) -> str:
        return f'{self._place},"content_index":{len(self._parts)}'

    def _close_part(self) -> None:
        if self._part:
            self._parts.append(self._part.close())
        self._part = self.growing = None


class _TextPart:
    """A message's part of text."""

    def __init__(self, frames: Frames, place: str) -> None:
        self.deltas = Deltas(frames, "response.output_text.delta", place, ',"logprobs":[]')
        self._frames = frames
        self._place = place
        self._annotations: list[Json] = []
        self._logprobs = LongString()
        self._block_start = 0
        """The beginning of the upstream's block of text, as a mark."""
        part = '{"type":"output_text","text":"","annotations":[],"logprobs":[]}'
        frames.tell("response.content_part.added", f',{place},"part":{part}')

    def add(self, text: str, logprobs: list[Json] | None) -> None:
        if not logprobs:
            self.deltas.add(text)
            return
        line = json.encode_line(logprobs)
        self.deltas.add_with(text, f',"logprobs":{line}')
        self._logprobs.add(f",{line[1:-1]}" if self._logprobs else line[1:-1])

    def cite(self, citations: list[Citation]) -> None:
        text = self.deltas.body
        start, end = self._block_start, text.mark()
        self._block_start = end
        if not citations:
            return
        first, last = text.length(start), text.length(end)
        for citation in citations:
            annotation = {
                "type": "url_citation",
                "url": citation.url,
                "title": citation.title,
                "start_index": first + (citation.start or 0),
                "end_index": last if citation.end is None else first + citation.end,
            }
            line = json.encode_line(annotation)
            index = len(self._annotations)
            event = "response.output_text.annotation.added"
            members = f',{self._place},"annotation_index":{index},"annotation":{line}'
            self._frames.tell(event, members)
            self._annotations.append(annotation)

    def close(self) -> Fragments:
        text = self.deltas.body.chunks()
        logprobs = self._logprobs.chunks()
        members: Fragments = [f',{self._place},"text":"', *text, '","logprobs":[', *logprobs, "]"]
        self._frames.tell("response.output_text.done", *members)
        middle = f'","annotations":{json.encode_line(self._annotations)},"logprobs":['
        part: Fragments = ['{"type":"output_text","text":"', *text, middle, *logprobs, "]}"]
        self._frames.tell("response.content_part.done", f',{self._place},"part":', *part)
        return part


class _RefusalPart:
    """A message's part that says why the model refuses to answer."""

    def __init__(self, frames: Frames, place: str) -> None:
        self.deltas = Deltas(frames, "response.refusal.delta", place)
        self._frames = frames
        self._place = place
        part = '{"type":"refusal","refusal":""}'
        frames.tell("response.content_part.added", f',{place},"part":{part}')

    def close(self) -> Fragments:
        refusal = self.deltas.body.chunks()
        self._frames.tell("response.refusal.done", f',{self._place},"refusal":"', *refusal, '"')
        part: Fragments = ['{"type":"refusal","refusal":"', *refusal, '"}']
        self._frames.tell("response.content_part.done", f',{self._place},"part":', *part)
        return part


class Reasoning(_Item):
    """One block of reasoning: its readable summary, and what its provider needs back."""

    prefix = "rs"

    def __init__(self, frames: Frames, token: str, index: int) -> None:
        super().__init__(frames, token, index)
        self.encrypted: str | None = None
        """The string for the block, which the client sends back."""
        self._place = f'{self._place},"summary_index":0'
        self._added({"type": "reasoning", "summary": []})

    def text(self, text: str) -> None:
        """Writes a piece of the summary."""
        if self.growing is None:
            event = "response.reasoning_summary_part.added"
            part = '{"type":"summary_text","text":""}'
            self._frames.tell(event, f',{self._place},"part":{part}')
            event = "response.reasoning_summary_text.delta"
            self.growing = Deltas(self._frames, event, self._place)
        self.growing.add(text)

    def close(self, status: str) -> Fragments:
        """Writes the item's end, and returns the whole item. Reasoning has no status."""
        del status
        summary = self._close_part() if self.growing else []
        head = f'{{"id":"{self.id}","type":"reasoning","summary":['
        sealed = (
            f',"encrypted_content":{json.encode_line(self.encrypted)}' if self.encrypted else ""
        )
        return self._done([head, *summary, f"]{sealed}}}"])

    def _close_part(self) -> Fragments:
        assert self.growing is not None
        text = self.growing.body.chunks()
        self.growing = None
        event = "response.reasoning_summary_text.done"
        self._frames.tell(event, f',{self._place},"text":"', *text, '"')
        part: Fragments = ['{"type":"summary_text","text":"', *text, '"}']
        event = "response.reasoning_summary_part.done"
        self._frames.tell(event, f',{self._place},"part":', *part)
        return part


class Call(_Item):
    """A call of a function, or of a custom tool, which takes text."""

    kind = "function_call"
    field = "arguments"
    events = "response.function_call_arguments"
    prefix = "fc"
    nothing = "{}"
    """The text for empty arguments."""
    is_named_again = True
    """Whether its last event contains the name."""

    def __init__(self, frames: Frames, token: str, index: int, call: CallStart) -> None:
        super().__init__(frames, token, index)
        self._call = call
        self.growing = Deltas(frames, f"{self.events}.delta", self._place)
        self._added(self._identity(_IN_PROGRESS) | {self.field: ""})

    def arguments(self, text: str) -> None:
        """Writes a piece of the arguments."""
        assert self.growing is not None
        self.growing.add(text)

    def close(self, status: str) -> Fragments:
        """Writes the item's end, and returns the whole item.

        Clients that add up deltas need at least one.
        """
        assert self.growing is not None
        given = self.growing.body
        if not given and status == COMPLETED:
            self.growing.add(self.nothing)
        name = f',"name":{json.encode_line(self._call.tool.name)}' if self.is_named_again else ""
        place = f',{self._place}{name},"{self.field}":"'
        self._frames.tell(f"{self.events}.done", place, *given.chunks(), '"')
        self.growing = None
        head = json.encode_line(self._identity(status))[:-1]
        return self._done([f'{head},"{self.field}":"', *given.chunks(), '"}'])

    def _identity(self, status: str) -> Json:
        tool = self._call.tool
        group = {} if tool.namespace is None else {"namespace": tool.namespace}
        own = {
            "id": self.id,
            "type": self.kind,
            "status": status,
            "call_id": self._call.id,
            "name": tool.name,
            **group,
        }
        extra = self._call.extra
        return own | {name: extra[name] for name in extra if name not in {*own, self.field}}


class CustomCall(Call):
    """A call of a custom tool."""

    kind = "custom_tool_call"
    field = "input"
    events = "response.custom_tool_call_input"
    prefix = "ctc"
    nothing = ""
    is_named_again = False


class SearchCall(_Item):
    """A call of the client's own search for tools, which is written at once."""

    prefix = "tsc"

    def __init__(self, frames: Frames, token: str, index: int, call: CallStart) -> None:
        super().__init__(frames, token, index)
        self._call_id = call.id
        self._given = LongString()
        self._added(self._whole(_IN_PROGRESS, {}))

    def arguments(self, text: str) -> None:
        """Adds a piece of the arguments."""
        self._given.add(raw(text))

    def close(self, status: str) -> Fragments:
        """Writes the item's end, and returns the whole item."""
        try:
            given = json.decode_object(self._given.text() or "{}")
        except ValueError:
            given = {}  # the arguments were cut off
        return self._done([json.encode_line(self._whole(status, given))])

    def _whole(self, status: str, given: Json) -> Json:
        return {
            "id": self.id,
            "type": "tool_search_call",
            "status": status,
            "execution": "client",
            "call_id": self._call_id,
            "arguments": given,
        }


class WebSearch(_Item):
    """A web search by the provider."""

    prefix = "ws"

    def __init__(self, frames: Frames, token: str, index: int, action: Json) -> None:
        super().__init__(frames, token, index)
        self._action = action
        self._added(self._whole(_IN_PROGRESS))
        for state in (_IN_PROGRESS, "searching", COMPLETED):
            frames.tell(f"response.web_search_call.{state}", f",{self._place}")

    def close(self, status: str) -> Fragments:
        """Writes the item's end, and returns it.

        The search is over, even if the answer was cut off.
        """
        del status
        return self._done([json.encode_line(self._whole(COMPLETED))])

    def _whole(self, status: str) -> Json:
        kind = "web_search_call"
        return {"id": self.id, "type": kind, "status": status, "action": self._action}


class Compaction(_Item):
    """A summary that replaces the conversation so far."""

    prefix = "cmp"

    def __init__(self, frames: Frames, token: str, encrypted: str) -> None:
        super().__init__(frames, token, 0)
        self._item = {"type": "compaction", "encrypted_content": encrypted}
        self._added(self._item)

    def close(self, status: str) -> Fragments:
        """Writes the item's end, and returns the whole item. It has no status."""
        del status
        return self._done([json.encode_line({"id": self.id} | self._item)])


Item: TypeAlias = Message | Reasoning | Call | SearchCall | WebSearch | Compaction

CALLS: dict[str, type[Call] | type[SearchCall]] = {
    "function": Call,
    "custom": CustomCall,
    "search": SearchCall,
}
"""The items for calls, by the kind of their tool."""


def joined(parts: list[Fragments]) -> Fragments:
    """`parts` with commas between them."""
    fragments: Fragments = []
    for part in parts:
        if fragments:
            fragments.append(",")
        fragments += part
    return fragments
