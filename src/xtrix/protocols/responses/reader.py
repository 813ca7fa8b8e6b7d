"""Reads answers of Responses, whole or streamed, for a Writer.

A whole answer is read as a stream of which only the last event came, so that both are read in the
same way. Items are written one after the other: the events of an item wait until those before it
have ended.

Servers other than OpenAI's leave out events (the lifecycle, an item's beginning or end, all deltas,
the list in `response.completed`), give every item the number 0, or use another id in each event. So
every piece is taken from wherever it comes first, and counts once.

Source: developers.openai.com/api/docs/api-reference/responses-streaming, openai-python 3.57.0, and
what vLLM, llama.cpp, Ollama and LiteLLM were reported to send (all read 2026-11).
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from xtrix import json
from xtrix.answer import (
    CallStart,
    Citation,
    Finish,
    FinishReason,
    Served,
    Usage,
    Writer,
    served_by,
)
from xtrix.errors import UpstreamError, bad_response, truncated
from xtrix.openai.errors import error_of
from xtrix.prompt import Sealed
from xtrix.protocol import Answering
from xtrix.protocols.responses.usage import decode_usage
from xtrix.redact import word
from xtrix.sse import Event
from xtrix.upstream import decode_answer, decode_event, member

Json = dict[str, Any]

_INCOMPLETE = {
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
}
_CALLS = {"function_call", "custom_tool_call"}
_PARAGRAPH = "\n\n"
"""The text between two parts of one piece of reasoning."""
_ADDED = "response.output_item.added"
_DONE = "response.output_item.done"


class _Item:
    """One item of the answer, until it has been written."""

    def __init__(self, value: Json) -> None:
        self.value = value
        """The item, as it came last."""
        self.kind = _string(value, "type")
        self.is_added = False
        """Whether its beginning has come, and not only a piece of it."""
        self.is_over = False
        """Whether the upstream has sent all of it."""
        self.is_begun = False
        """Whether the Writer has begun this call."""
        self.held: list[Json] = []
        """Its events, while another item is being written."""
        self.part: tuple[str, int] | None = None
        """The kind and index of the part that is being written."""
        self.heard: set[tuple[str, int]] = set()
        """The parts of which something was written."""
        self.citations: dict[int, list[Json]] = {}
        self.pieces: list[str] = []
        """The pieces of a call that are written later."""


class _Key(NamedTuple):
    """How an event identifies its item."""

    kind: str
    at: int | None
    """The item's `output_index`."""
    id: str | None

    def looser(self) -> list["_Key"]:
        """The keys under which the item may be found, the most certain one first."""
        keys = [self]
        if self.at is not None and self.id:
            keys += [self._replace(id=None), self._replace(at=None)]
        elif self.at is None and self.id:
            keys.append(self._replace(id=None))
        return keys


class _Piece(NamedTuple):
    """A piece of a part: a delta, or all of it."""

    kind: str
    place: int
    text: str
    is_delta: bool = True
    logprobs: list[Json] | None = None


class Reader:
    """Reads one response."""

    def __init__(self, writer: Writer, of: Answering) -> None:
        self.finished = False
        self.usage = Usage()
        self.served: Served = {}
        self.lone_text: str | None = None
        self.advances = False
        self.unknown_stop_reason: str | None = None
        self._writer = writer
        self._expected = of.expected
        self._origin = of.origin
        self._token = of.stamp.token
        self._begun = False
        self._is_cut = False
        """Whether the upstream says that the answer is incomplete."""
        self._says = 0
        """The number of calls on the Writer."""
        self._call_count = 0
        self._items: list[_Item] = []
        self._open: deque[_Item] = deque()
        """The items that have not ended. The first one is being written."""
        self._by_key: dict[_Key, _Item] = {}
        """The last item for each key."""

    def feed(self, event: Event) -> None:
        """Reads one event. Raises UpstreamError."""
        self.lone_text = None
        self.advances = False
        if self.finished or not event.data.strip():
            return
        if event.data == "[DONE]":
            raise truncated()
        payload = decode_event(event.data)
        says = self._says
        kind = _string(payload, "type") or event.name
        self._read(payload, kind)
        self.advances = advances(kind, payload)
        if self._says != says + 1:
            self.lone_text = None  # the event had more than its text

    def close(self) -> None:
        """The upstream's stream has ended. Raises UpstreamError if the response has not."""
        if not self.finished:
            raise truncated()

    def whole(self, body: bytes) -> None:
        """Reads a whole answer. Raises UpstreamError."""
        answer = decode_answer(body)
        if answer.get("error"):
            raise error_of(answer["error"])
        if not isinstance(answer.get("output"), list):
            raise bad_response("no output")
        self._end(answer, _string(answer, "status") or "completed")

    def moved(self, count: int, text: str) -> None:
        """Some events were written by the fast path. They change nothing here."""

    def _read(self, payload: Json, kind: str) -> None:
        if kind == "error" or (payload.get("error") and not kind.startswith("response.")):
            raise error_of(payload.get("error") or payload)
        if kind in LIFECYCLE:
            self._see(payload)
            return
        status = TERMINAL.get(kind)
        if status:
            response = payload.get("response")
            response = response if isinstance(response, dict) else {}
            self._end(response, _string(response, "status") or status)
            return
        if advances(kind, payload):
            self._begin()
        if kind == _ADDED:
            self._add(payload)
        elif kind == _DONE:
            self._complete(payload)
        elif kind in _EVENTS:
            self._hear(payload, kind)

    def _see(self, payload: Json) -> None:
        """Reads the beginning of the response.

        The answer begins with its first item. Until then an error sets the status, and another
        target may be tried. Raises UpstreamError if it has failed already.
        """
        response = payload.get("response")
        if failure := failure_of(response):
            raise failure
        if isinstance(response, dict):
            self.usage = decode_usage(response.get("usage")) or self.usage

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._say(self._writer.begin, self.usage, None)

    def _say(self, tell: Callable[..., None], *given: Any) -> None:
        self._says += 1
        tell(*given)

    # Which item an event belongs to

    def _add(self, payload: Json) -> None:
        value = member(payload, "item")
        key = _Key(_string(value, "type"), _number(payload, "output_index"), _id_of(value))
        item = self._by_key.get(key) if key.id else None
        if item is None or item.is_over:
            # A piece of the item may have come before.
            item = self._by_key.get(key._replace(id=None))
            item = item if item and not item.is_added else None
        if item is None or item.is_over:
            item = self._new(value, key)
        item.is_added = True
        item.value = value
        if self._open[0] is item:
            self._begin_call(item)

    def _new(self, value: Json, key: _Key) -> _Item:
        item = _Item(value)
        self._items.append(item)
        self._open.append(item)
        for each in {*key.looser(), key._replace(at=None, id=None)}:
            self._by_key[each] = item
        return item

    def _find(self, key: _Key) -> _Item | None:
        """The item of an event: by its index and id together, or else by either."""
        return next((found for each in key.looser() if (found := self._by_key.get(each))), None)

    def _complete(self, payload: Json) -> None:
        value = member(payload, "item")
        key = _Key(_string(value, "type"), _number(payload, "output_index"), _id_of(value))
        item = self._find(key)
        if item and item.is_over and _id_of(item.value) == key.id:
            return
        if item is None or item.is_over:
            item = self._new(value, key)
        self._finish(item, value)

    def _finish(self, item: _Item, value: Json) -> None:
        item.is_over = True
        self._take(item, {"type": _DONE, "item": value})

    def _hear(self, payload: Json, kind: str) -> None:
        """Reads an event about a part of an item."""
        item_kind, is_delta = _EVENTS[kind]
        key = _Key(item_kind, _number(payload, "output_index"), _string(payload, "item_id") or None)
        item = self._find(key)
        if item is None or item.is_over:
            # A late event is repeated by its item, unless it is a piece of text.
            if not is_delta or (item and item_kind in _CALLS):
                return
            item = self._new({"type": item_kind, **({"id": key.id} if key.id else {})}, key)
        self._take(item, {**payload, "type": kind})

    def _take(self, item: _Item, payload: Json) -> None:
        """Writes an event of `item`, or keeps it until the items before it have ended."""
        item.held.append(payload)
        while self._open and self._open[0].held:
            first = self._open[0]
            held, first.held = first.held, []
            for event in held:
                self._tell(first, event)
            if self._open and self._open[0] is not first:
                self._begin_call(self._open[0])

    def _tell(self, item: _Item, payload: Json) -> None:
        if payload["type"] != _DONE:
            _HANDLERS[payload["type"]](self, item, payload)
            return
        # Reasoning goes back to its issuer unchanged, so all of it is kept.
        is_kept = item.kind == "reasoning"
        item.value = payload["item"] if is_kept else _merged(item.value, payload["item"])
        self._open.popleft()
        finish = _FINISH.get(item.kind)
        if finish:
            finish(self, item)

    # Messages and reasoning: parts of text

    def _text(self, item: _Item, payload: Json) -> None:
        self._piece(item, _piece(payload, "text", "content_index"))

    def _refusal(self, item: _Item, payload: Json) -> None:
        self._piece(item, _piece(payload, "refusal", "content_index"))

    def _summary(self, item: _Item, payload: Json) -> None:
        self._piece(item, _piece(payload, "summary", "summary_index"))

    def _thought(self, item: _Item, payload: Json) -> None:
        self._piece(item, _piece(payload, "content", "content_index"))

    def _annotation(self, item: _Item, payload: Json) -> None:
        annotation = payload.get("annotation")
        if isinstance(annotation, dict):
            item.citations.setdefault(_index(payload, "content_index"), []).append(annotation)

    def _part(self, item: _Item, payload: Json) -> None:
        """Reads a whole part of a message."""
        self._message_part(item, _index(payload, "content_index"), payload.get("part"))

    def _message_part(self, item: _Item, index: int, part: object) -> None:
        if not isinstance(part, dict):
            return
        kind = {"output_text": "text", "text": "text", "refusal": "refusal"}.get(
            _string(part, "type")
        )
        if kind is None:
            return
        text = _string(part, "refusal") if kind == "refusal" else _string(part, "text")
        logprobs = _logprobs(part.get("logprobs"))
        self._piece(item, _Piece(kind, index, text, is_delta=False, logprobs=logprobs))
        found = part.get("annotations")
        annotations = (
            [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        )
        if len(annotations) > len(item.citations.get(index, ())):
            item.citations[index] = annotations

    def _piece(self, item: _Item, piece: _Piece) -> None:
        part = (piece.kind, piece.place)
        if not piece.text or (not piece.is_delta and part in item.heard):
            return
        if item.kind == "reasoning":
            # Summary and text contain the same. The one that comes first is written.
            if any(kind != piece.kind for kind, _ in item.heard):
                return
            if item.part and item.part != part:
                self._say(self._writer.thinking, _PARAGRAPH)
        elif item.part != part:
            self._end_part(item)
        item.part = part
        item.heard.add(part)
        if piece.kind == "refusal":
            self._say(self._writer.refusal, piece.text)
        elif piece.kind == "text":
            self._say(self._writer.text, piece.text, piece.logprobs)
        else:
            self._say(self._writer.thinking, piece.text)
        if piece.is_delta and piece.kind != "refusal" and not piece.logprobs:
            self.lone_text = json.encode(piece.text)

    def _end_part(self, item: _Item) -> None:
        if item.part and item.part[0] == "text":
            found = [_citation(each) for each in item.citations.get(item.part[1], ())]
            self._say(self._writer.text_end, [each for each in found if each])
        item.part = None

    def _finish_message(self, item: _Item) -> None:
        for index, part in enumerate(_list(item.value, "content")):
            self._message_part(item, index, part)
        self._end_part(item)

    def _finish_reasoning(self, item: _Item) -> None:
        for kind in ("summary", "content"):
            for index, part in enumerate(_list(item.value, kind)):
                text = _string(part, "text") if isinstance(part, dict) else ""
                self._piece(item, _Piece(kind, index, text, is_delta=False))
        # Without its content it refers to something that the upstream has not stored.
        is_sealed = bool(_string(item.value, "encrypted_content"))
        if item.heard or is_sealed:
            sealed = Sealed(item.value, self._origin) if is_sealed else None
            self._say(self._writer.thinking_end, sealed)

    # Calls

    def _begin_call(self, item: _Item) -> None:
        """Writes the beginning of a call, once it has a name."""
        name = _string(item.value, "name")
        if item.kind not in _CALLS or not name or item.is_begun:
            return
        item.is_begun = True
        tool = self._expected.tool(name)
        if item.kind == "custom_tool_call":
            tool = tool._replace(kind="custom")
        elif tool.kind == "custom":
            tool = tool._replace(kind="function")  # its arguments are JSON, whatever was declared
        call_id = _string(item.value, "call_id") or _string(item.value, "id")
        call_id = call_id or f"call_{self._token}_{self._call_count}"
        self._call_count += 1
        self._say(self._writer.call, CallStart(call_id, tool))
        pieces, item.pieces = item.pieces, []
        for piece in pieces if item.kind == "function_call" else ():
            self._arguments(item, piece)

    def _arguments_delta(self, item: _Item, payload: Json) -> None:
        text = _string(payload, "delta")
        if text:
            self._arguments(item, text)
            self.lone_text = json.encode(text)

    def _arguments_done(self, item: _Item, payload: Json) -> None:
        if not _string(item.value, "name"):
            item.value = {**item.value, "name": payload.get("name")}
        if not item.heard and not item.pieces:
            self._arguments(item, _string(payload, "arguments"))

    def _arguments(self, item: _Item, text: str) -> None:
        if text and item.is_begun:
            item.heard.add(("arguments", 0))
            self._say(self._writer.arguments, text)
        elif text:
            item.pieces.append(text)

    def _input_delta(self, item: _Item, payload: Json) -> None:
        item.pieces.append(_string(payload, "delta"))

    def _input_done(self, item: _Item, payload: Json) -> None:
        if not _string(item.value, "input"):
            item.value = {**item.value, "input": payload.get("input")}

    def _finish_call(self, item: _Item) -> None:
        self._begin_call(item)
        breaks_off = self._is_cut and not item.is_over
        if not item.is_begun and not breaks_off:
            raise bad_response("a call without a name")
        if not item.is_begun:
            return
        is_cut = breaks_off or item.value.get("status") == "incomplete"
        if item.kind == "function_call":
            given = _text_given(item, "arguments")
            if not item.heard:
                self._arguments(item, given or ("" if is_cut else "{}"))
        elif not is_cut:
            # A part of a text is of no use; the finish reason will say that it was cut off.
            given = _text_given(item, "input") or "".join(item.pieces)
            if given:
                self._say(self._writer.arguments, given)
        self._say(self._writer.call_end)

    def _finish_search(self, item: _Item) -> None:
        action = item.value.get("action")
        action = action if isinstance(action, dict) else {}
        queries = [each for each in _list(action, "queries") if isinstance(each, str)]
        query = _string(action, "query")
        if not queries and query:
            queries = [query]
        found = [each for each in _list(action, "sources") if isinstance(each, dict)]
        sources = [
            {"url": each["url"], "title": _string(each, "title")}
            for each in found
            if isinstance(each.get("url"), str)
        ]
        if queries or sources:
            self._say(self._writer.search, queries, sources)

    # The end

    def _end(self, response: Json, status: str) -> None:
        """Reads the end of the response. Raises UpstreamError if it failed."""
        if failure := failure_of(response, status):
            raise failure
        if status in {"queued", "in_progress"}:
            raise bad_response("a response that has not ended")
        self.usage = decode_usage(response.get("usage")) or self.usage
        self.served = served_by(response.get("service_tier"))
        details = response.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        # llama.cpp's server says that it is completed in this case too (its server of 2026-10,
        # observed).
        is_full = 0 < (self._expected.limit or 0) <= self.usage.completion
        self._is_cut = status == "incomplete" or why is not None or is_full
        self._begin()
        self._settle(_list(response, "output"))
        reason = FinishReason.STOP
        if self._is_cut:
            reason = _INCOMPLETE.get(str(why), FinishReason.LENGTH)
            is_known = str(why) in _INCOMPLETE or (is_full and why is None)
            self.unknown_stop_reason = None if is_known else word(why)
        elif status != "completed":
            self.unknown_stop_reason = word(status)
        self._writer.end(Finish(reason, self.usage, self.served.get("service_tier")))
        self.finished = True

    def _settle(self, output: list[Any]) -> None:
        """Writes everything in the whole `output` that was not written yet, and ends open items."""
        matcher = _Matcher(self._items)
        for value in output:
            if not isinstance(value, dict):
                continue
            item = matcher.take(value)
            if item is None:
                item = self._new(value, _Key(_string(value, "type"), None, _id_of(value)))
            if not item.is_over:
                self._finish(item, value)
        while self._open:
            item = self._open[0]
            self._take(item, {"type": _DONE, "item": item.value})


class _Matcher:
    """Finds the items of a stream for those of the whole answer.

    Items are found by id, by the id of a call, or else by kind and order, because some servers make
    new ids.
    """

    def __init__(self, items: list[_Item]) -> None:
        self._by_id: dict[str, _Item] = {}
        self._by_kind: dict[str, deque[_Item]] = {}
        self._taken: set[int] = set()
        for item in items:
            for key in _identities(item.value):
                self._by_id.setdefault(key, item)
            self._by_kind.setdefault(item.kind, deque()).append(item)

    def take(self, value: Json) -> _Item | None:
        """The item that `value` repeats; None if it did not come before."""
        kind = _string(value, "type")
        for key in _identities(value):
            found = self._by_id.get(key)
            if found and found.kind == kind and id(found) not in self._taken:
                return self._take(found)
        of_kind = self._by_kind.get(kind, deque())
        while of_kind:
            found = of_kind.popleft()
            if id(found) not in self._taken:
                return self._take(found)
        return None

    def _take(self, item: _Item) -> _Item:
        self._taken.add(id(item))
        return item


LIFECYCLE = {"response.created", "response.in_progress", "response.queued"}
TERMINAL = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
_TEXT = ("message", Reader._text)
_SUMMARY = ("reasoning", Reader._summary)
_THOUGHT = ("reasoning", Reader._thought)
_PARTS: dict[str, tuple[str, Callable[[Reader, _Item, Json], None]]] = {
    "response.output_text.delta": _TEXT,
    "response.output_text.done": _TEXT,
    "response.refusal.delta": ("message", Reader._refusal),
    "response.refusal.done": ("message", Reader._refusal),
    "response.content_part.done": ("message", Reader._part),
    "response.output_text.annotation.added": ("message", Reader._annotation),
    "response.reasoning_summary_text.delta": _SUMMARY,
    "response.reasoning_summary_text.done": _SUMMARY,
    "response.reasoning_text.delta": _THOUGHT,
    "response.reasoning_text.done": _THOUGHT,
    # The name in Open Responses.
    "response.reasoning.delta": _THOUGHT,
    "response.reasoning.done": _THOUGHT,
    "response.function_call_arguments.delta": ("function_call", Reader._arguments_delta),
    "response.function_call_arguments.done": ("function_call", Reader._arguments_done),
    "response.custom_tool_call_input.delta": ("custom_tool_call", Reader._input_delta),
    "response.custom_tool_call_input.done": ("custom_tool_call", Reader._input_done),
}
_HANDLERS = {kind: handler for kind, (_, handler) in _PARTS.items()}
_EVENTS = {kind: (item_kind, kind.endswith(".delta")) for kind, (item_kind, _) in _PARTS.items()}
"""The kind of item that each event belongs to, and whether the event is a delta."""
_FINISH: dict[str, Callable[[Reader, _Item], None]] = {
    "message": Reader._finish_message,
    "reasoning": Reader._finish_reasoning,
    **dict.fromkeys(_CALLS, Reader._finish_call),
    "web_search_call": Reader._finish_search,
}


def advances(kind: str, payload: Json) -> bool:
    """Whether an event of this kind contains a part of the answer; see `Reader.advances`.

    It does if it belongs to an item of the output, also to one of an unknown kind.
    """
    is_about_item = kind in _EVENTS or "output_index" in payload or "item_id" in payload
    return (is_about_item and payload.get("delta") != "") or kind in TERMINAL


def failure_of(response: object, default: str | None = None) -> UpstreamError | None:
    """Why a response failed or was cancelled; None if neither.

    `default` is the status of a response that has none, by the event that it comes in.
    """
    fields = response if isinstance(response, dict) else {}
    status = fields.get("status") or default
    if fields.get("error") or status == "failed":
        return error_of(fields.get("error") or "The upstream's response failed.")
    return truncated() if status == "cancelled" else None


def _identities(value: Json) -> list[str]:
    return [each for name in ("id", "call_id") if (each := _string(value, name))]


def _piece(payload: Json, kind: str, index: str) -> _Piece:
    """The piece in a delta, or in the event that ends a part."""
    is_delta = payload["type"].endswith(".delta")
    field = "delta" if is_delta else "refusal" if kind == "refusal" else "text"
    logprobs = _logprobs(payload.get("logprobs"))
    return _Piece(kind, _index(payload, index), _string(payload, field), is_delta, logprobs)


def _merged(before: Json, after: Json) -> Json:
    """An item at its end, with members that only its beginning had."""
    return {**before, **{name: it for name, it in after.items() if it is not None}}


def _text_given(item: _Item, field: str) -> str:
    """The arguments of a call as text. Some servers send an object."""
    given = item.value.get(field)
    return json.encode(given) if isinstance(given, dict) else _string(item.value, field)


def _citation(annotation: Json) -> Citation | None:
    """A citation with a URL. Other annotations name files that only the upstream has."""
    url = annotation.get("url")
    if annotation.get("type", "url_citation") != "url_citation" or not isinstance(url, str):
        return None
    start, end = annotation.get("start_index"), annotation.get("end_index")
    return Citation(
        url,
        _string(annotation, "title"),
        start if type(start) is int else None,
        end if type(end) is int else None,
    )


def _logprobs(value: object) -> list[Json] | None:
    """Log probabilities in the form of Chat Completions, if there are any."""
    if not isinstance(value, list) or not value:
        return None
    return [
        {
            "token": each.get("token", ""),
            "logprob": each.get("logprob"),
            "bytes": each.get("bytes"),
            "top_logprobs": [
                {
                    "token": top.get("token", ""),
                    "logprob": top.get("logprob"),
                    "bytes": top.get("bytes"),
                }
                for top in _list(each, "top_logprobs")
                if isinstance(top, dict)
            ],
        }
        for each in value
        if isinstance(each, dict)
    ]


def _id_of(value: Json) -> str | None:
    return _string(value, "id") or None


def _string(fields: Json, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(fields: Json, name: str) -> int | None:
    value = fields.get(name)
    return value if type(value) is int else None


def _index(fields: Json, name: str) -> int:
    return _number(fields, name) or 0


def _list(fields: Json, name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []
