"""Reads an answer of an OpenAI-compatible upstream, whole or streamed, for a Writer.

Some upstreams leave out what OpenAI sends (indexes, ids, a finish reason, [DONE]), and repeat what
OpenAI sends once. Only the first choice is read, because no more are asked for. The end of the
answer is written at the end of the stream, so that the usage is known, wherever it comes.

Sources, read 2026-11: platform.openai.com/docs/api-reference/chat, openrouter.ai/docs (errors,
reasoning), docs.vllm.ai (`stop_reason`), docs.sglang.ai (`matched_stop`).
"""

from xtrix import json
from xtrix.answer import Citation, Finish, FinishReason, Served, Usage, Writer, served_by
from xtrix.errors import UpstreamError, bad_response, truncated
from xtrix.openai.errors import error_of
from xtrix.prompt import Json
from xtrix.protocol import Answering
from xtrix.protocols.chat.answer import (
    choice_index,
    finish_reason,
    trim,
    unknown_reason,
    usage_of,
)
from xtrix.protocols.chat.blocks import REFUSAL, TEXT, Blocks, Piece
from xtrix.protocols.chat.pieces import PIECEWISE
from xtrix.protocols.chat.tools import ToolCalls, may_begin
from xtrix.sse import Event
from xtrix.upstream import decode_answer, decode_event

_REASONS = {"length": FinishReason.LENGTH, "content_filter": FinishReason.FILTERED}
_PLAIN = {"content"}
"""The only member of most deltas."""
_DETAILS = "reasoning_details"
_RETURNED = (_DETAILS, "thinking_blocks")
"""Lists in a message that OpenRouter and LiteLLM need back with it."""
_STOPPED_BY = ("stop_reason", "matched_stop")
"""Where vLLM and SGLang name the stop sequence that ended a choice."""
_FAILED = {"message": "The upstream could not finish its answer."}


class Reader:
    """Reads one answer."""

    def __init__(self, writer: Writer, of: Answering) -> None:
        self.finished = False
        self.usage = Usage()
        self.lone_text: str | None = None
        self.advances = False
        self.unknown_stop_reason: str | None = None
        self._writer = writer
        self._stops = of.expected.stop
        self._blocks = Blocks(writer, of)
        self._calls = ToolCalls(f"call_{of.stamp.token}")
        self._choice: int | None = None
        """The index of the choice that is read; None before the answer has begun."""
        self._tier: str | None = None
        self._reason: object = None
        self._stopped_by: str | None = None
        self._logprobs: list[Json] = []
        """Log probabilities of tokens without text, which are written with the next text."""

    @property
    def served(self) -> Served:
        """As `Reader` has it."""
        return served_by(self._tier)

    def feed(self, event: Event) -> None:
        """Reads one event. Raises UpstreamError."""
        self.lone_text = None
        self.advances = False
        if self.finished or not event.data.strip():
            return
        if event.data == "[DONE]":
            self._end()
            return
        chunk = decode_event(event.data)
        if event.name == "error":
            raise _error(chunk.get("error") or chunk)
        self._read(chunk, "delta")

    def close(self) -> None:
        """The upstream's stream has ended. Raises UpstreamError if the answer had not."""
        self.lone_text = None
        if self.finished:
            return
        if not self._reason:
            raise truncated()
        self._end()

    def whole(self, body: bytes) -> None:
        """Reads a whole answer. Raises UpstreamError."""
        answer = decode_answer(body)
        first = answer.get("choices")
        if isinstance(first, list) and first and not answer.get("error"):
            message = first[0].get("message") if isinstance(first[0], dict) else None
            if not isinstance(message, dict):
                raise bad_response("a choice without a message")
        elif not answer.get("error"):
            raise bad_response("no choices")
        self._read(answer, "message")
        self._end()

    def moved(self, count: int, text: str) -> None:
        """Some events were written by the fast path."""
        del count
        self._blocks.moved(text)

    def _read(self, chunk: Json, member: str) -> None:
        """Reads `delta` of a chunk, or `message` of a whole answer."""
        if chunk.get("error"):
            raise _error(chunk["error"])
        usage = usage_of(chunk.get("usage"))
        if usage is None and "x_groq" in chunk:
            usage = usage_of(_member(chunk, "x_groq").get("usage"))
        if usage and any(usage):
            self.usage = usage
        tier = chunk.get("service_tier")
        self._tier = tier if isinstance(tier, str) else self._tier
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise bad_response("choices that are no list")
        before = (self._blocks.open, self._blocks.writes + 1, False)
        is_plain = not usage and len(choices) == 1
        for choice in choices:
            if isinstance(choice, dict):
                is_plain = self._read_choice(choice, member) and is_plain
        after = (self._blocks.open, self._blocks.writes, self._blocks.holds)
        if is_plain and before == after and self._blocks.last is not None:
            self.lone_text = json.encode(self._blocks.last)

    def _read_choice(self, choice: Json, member: str) -> bool:
        """Reads `choice`. Returns whether another text in it would change only that text."""
        index = choice_index(choice, 0)
        if choice.get("error") or choice.get("finish_reason") == "error":
            raise _error(choice.get("error") or _FAILED)
        if self._choice is None:
            self._choice = index
            self._writer.begin(self.usage, self._tier)
        elif index != self._choice:
            return False
        if choice.get("logprobs"):
            self._logprobs += _items(_member(choice, "logprobs").get("content"))
        is_plain = not self._logprobs
        delta = _member(choice, member)
        message = trim(delta)
        if message.keys() == _PLAIN and not delta.get(_DETAILS):
            self._read_text(message)  # the form of most events
        else:
            is_plain &= self._read_message(delta, message, is_whole=member == "message")
        ends = bool(choice.get("finish_reason")) and not self._reason
        self.advances |= bool(message or delta.get(_DETAILS)) or ends
        self._reason = choice.get("finish_reason") or self._reason
        if self._stops:
            named = [choice.get(name) for name in _STOPPED_BY]
            self._stopped_by = next((it for it in named if it in self._stops), self._stopped_by)
        return is_plain and not self._reason

    def _read_message(self, delta: Json, message: Json, *, is_whole: bool) -> bool:
        """Like `_read_choice`, for the choice's message or delta, which is trimmed to `message`."""
        citations = _citations(delta.get("annotations"))
        self._blocks.cite(citations)
        reasoning = _text(message, "reasoning_content")
        returned = {name: _items(delta.get(name)) for name in _RETURNED if delta.get(name)}
        reasoning = reasoning or "".join(map(_returned_text, [*returned.values()][:1]))
        if reasoning:
            is_named = isinstance(delta.get("reasoning"), str) and not delta.get(
                "reasoning_content"
            )
            self._blocks.reason("reasoning" if is_named else "reasoning_content", reasoning)
        for name, items in returned.items():
            self._blocks.give_back(name, items)
        self._read_text(message)
        if _text(message, "refusal"):
            self._blocks.put(REFUSAL, Piece(_text(message, "refusal")))
        calls = _calls(message, is_whole=is_whole)
        for fragment in self._calls.feed(calls):
            self._blocks.call(fragment)
        return not (citations or returned or any(map(may_begin, calls)))

    def _read_text(self, message: Json) -> None:
        text = _text(message, "content")
        if text:
            self._blocks.put(TEXT, Piece(text, self._logprobs or None))
            self._logprobs = []

    def _end(self) -> None:
        """Writes the end. Raises UpstreamError if there was no answer."""
        if self._choice is None:
            raise truncated()
        reason = _REASONS.get(finish_reason(self._reason, called=False), FinishReason.STOP)
        self._blocks.end(is_cut=reason is FinishReason.LENGTH)
        if self._blocks.has_refused and reason is FinishReason.STOP:
            reason = FinishReason.REFUSED
        stopped_by = self._stopped_by if reason is FinishReason.STOP else None
        self.unknown_stop_reason = unknown_reason([self._reason])
        self._writer.end(Finish(reason, self.usage, self._tier, stopped_by))
        self.finished = True


def _error(value: object) -> UpstreamError:
    return error_of(value if isinstance(value, dict) else {"message": value})


def _member(fields: Json, name: str) -> Json:
    """The object `name` in `fields`; an empty one if there is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _text(fields: Json, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _items(value: object) -> list[Json]:
    """The objects in a list; none if it is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _calls(message: Json, *, is_whole: bool) -> list[object]:
    """The fragments of calls in a delta, or the calls of a whole message, each with an index."""
    calls: list[object] = [*_items(message.get("tool_calls"))]
    if is_whole:
        calls = [{**call, "index": at} for at, call in enumerate(_items(calls))]
    function = _member(message, "function_call")
    return [*calls, {"index": "function_call", "function": function}] if function else calls


def _returned_text(items: list[Json]) -> str:
    """The readable text in a list that the upstream needs back."""
    named = (item.get(PIECEWISE.get(str(item.get("type")), "")) for item in items)
    return "".join(text for text in named if isinstance(text, str))


def _citations(annotations: object) -> list[Citation]:
    """The annotations of a message that have a URL."""
    found = [_member(each, "url_citation") for each in _items(annotations)]
    return [
        Citation(each["url"], _text(each, "title"), *_span(each))
        for each in found
        if _text(each, "url")
    ]


def _span(fields: Json) -> tuple[int | None, int | None]:
    """Where a citation's passage begins and ends; None twice if the values are not valid."""
    start, end = fields.get("start_index"), fields.get("end_index")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end:
        return None, None
    return start, end
