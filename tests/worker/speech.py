"""What upstreams of each dialect say: events, whole answers and errors, as bytes.

Written from the vendors' documentation (platform.claude.com/docs/en/build-with-claude/streaming,
platform.openai.com/docs/api-reference/chat-streaming and …/responses-streaming, read November
2026), not from the
Worker, so that it can judge the Worker. It knows nothing of HTTP.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Event = bytes
"""One server-sent event as it stands on the wire, the blank line included."""

INPUT_TOKENS = 12
OUTPUT_TOKENS = 7


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for; its arguments' JSON comes in these fragments."""

    id: str
    name: str
    fragments: Sequence[str]


class Dialect(Protocol):
    """The events and bodies of one dialect."""

    name: str
    model: str
    """The model a client asks for to be served by the simulated provider of this dialect."""
    path: str
    ends_after_finish: int
    """How many events of a stream follow the one that carries the finish reason."""

    def text(self, deltas: Sequence[str]) -> list[Event]:
        """Returns a stream with these deltas and a normal end."""

    def tools(self, calls: Sequence[ToolCall], said: str = "") -> list[Event]:
        """Returns a stream that says something and then asks for these calls."""

    def thinking(self, thoughts: Sequence[str], deltas: Sequence[str]) -> list[Event]:
        """Returns a stream that thinks before it speaks."""

    def delta(self, text: str) -> Event:
        """Returns the event of one delta of text."""

    def idle(self) -> Event:
        """Returns an event without content, which a client must ignore."""

    def whole(self, text: str) -> bytes:
        """Returns the body of an answer that is not streamed."""

    def error(self, kind: str, message: str) -> bytes:
        """Returns the body of an error answer."""

    def error_event(self, kind: str, message: str) -> Event:
        """Returns an error in mid-stream."""


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class _Anthropic:
    name = "anthropic"
    model = "claude-sim"
    path = "/v1/messages"
    ends_after_finish = 1

    def text(self, deltas: Sequence[str]) -> list[Event]:
        return self._message(self._block(0, _TEXT_BLOCK, self._text_deltas(deltas)), "end_turn")

    def tools(self, calls: Sequence[ToolCall], said: str = "") -> list[Event]:
        events = self._block(0, _TEXT_BLOCK, self._text_deltas([said])) if said else []
        for index, call in enumerate(calls, start=1 if said else 0):
            start = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": f} for f in call.fragments]
            events += self._block(index, start, deltas)
        return self._message(events, "tool_use")

    def thinking(self, thoughts: Sequence[str], deltas: Sequence[str]) -> list[Event]:
        start = {"type": "thinking", "thinking": "", "signature": ""}
        thinking = [{"type": "thinking_delta", "thinking": thought} for thought in thoughts]
        signature = {"type": "signature_delta", "signature": "c2lnbmVk"}
        blocks = self._block(0, start, [*thinking, signature])
        return self._message(
            blocks + self._block(1, _TEXT_BLOCK, self._text_deltas(deltas)), "end_turn"
        )

    def delta(self, text: str) -> Event:
        (delta,) = self._text_deltas([text])
        return _event("content_block_delta", index=0, delta=delta)

    def idle(self) -> Event:
        return _event("ping")

    def whole(self, text: str) -> bytes:
        content = [{"type": "text", "text": text}]
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
        ending = {"stop_reason": "end_turn", "stop_sequence": None}
        return _compact({**_MESSAGE, "content": content, **ending, "usage": usage})

    def error(self, kind: str, message: str) -> bytes:
        return _compact({"type": "error", "error": {"type": kind, "message": message}})

    def error_event(self, kind: str, message: str) -> Event:
        return b"event: error\ndata: " + self.error(kind, message) + b"\n\n"

    def _text_deltas(self, deltas: Sequence[str]) -> list[Mapping[str, str]]:
        return [{"type": "text_delta", "text": text} for text in deltas]

    def _block(
        self, index: int, start: Mapping[str, object], deltas: Sequence[Mapping[str, str]]
    ) -> list[Event]:
        return [
            _event("content_block_start", index=index, content_block=start),
            *(_event("content_block_delta", index=index, delta=delta) for delta in deltas),
            _event("content_block_stop", index=index),
        ]

    def _message(self, events: Sequence[Event], stop_reason: str) -> list[Event]:
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
        unended: Mapping[str, object] = {"content": [], "stop_reason": None, "stop_sequence": None}
        ending = {"stop_reason": stop_reason, "stop_sequence": None}
        return [
            _event("message_start", message={**_MESSAGE, **unended, "usage": usage}),
            *events,
            _event("message_delta", delta=ending, usage={"output_tokens": OUTPUT_TOKENS}),
            _event("message_stop"),
        ]


_MESSAGE = {"id": "msg_sim01", "type": "message", "role": "assistant", "model": "claude-served"}
_TEXT_BLOCK: dict[str, object] = {"type": "text", "text": ""}


def _event(kind: str, **fields: object) -> Event:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _compact({"type": kind, **fields}))


class _OpenAI:
    name = "openai"
    model = "gpt-sim"
    path = "/v1/chat/completions"
    ends_after_finish = 2

    def text(self, deltas: Sequence[str]) -> list[Event]:
        return self._completion([{"content": text} for text in deltas], "stop")

    def tools(self, calls: Sequence[ToolCall], said: str = "") -> list[Event]:
        deltas: list[dict[str, object]] = [{"content": said}] if said else []
        for index, call in enumerate(calls):
            function = {"name": call.name, "arguments": ""}
            start = {"index": index, "id": call.id, "type": "function", "function": function}
            fragments = [{"index": index, "function": {"arguments": f}} for f in call.fragments]
            deltas += [{"tool_calls": [part]} for part in [start, *fragments]]
        return self._completion(deltas, "tool_calls")

    def thinking(self, thoughts: Sequence[str], deltas: Sequence[str]) -> list[Event]:
        thinking = [{"reasoning_content": text} for text in thoughts]
        return self._completion([*thinking, *({"content": text} for text in deltas)], "stop")

    def delta(self, text: str) -> Event:
        return _chunk({"content": text})

    def idle(self) -> Event:
        return b": still thinking\n\n"

    def whole(self, text: str) -> bytes:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        body = {**_COMPLETION, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
        return _compact(body)

    def error(self, kind: str, message: str) -> bytes:
        return _compact({"error": {"message": message, "type": kind, "param": None, "code": None}})

    def error_event(self, kind: str, message: str) -> Event:
        return b"data: " + self.error(kind, message) + b"\n\n"

    def _completion(self, deltas: Sequence[Mapping[str, object]], finish: str) -> list[Event]:
        return [
            _chunk({"role": "assistant", "content": "", "refusal": None}),
            *(_chunk(delta) for delta in deltas),
            _chunk({}, finish),
            _data({**_CHUNK, "choices": [], "usage": _USAGE}),
            b"data: [DONE]\n\n",
        ]


_COMPLETION: dict[str, object] = {
    "id": "chatcmpl-upstream",
    "created": 1_700_000_000,
    "model": "gpt-served",
    "system_fingerprint": "fp_upstream",
}
_CHUNK = {**_COMPLETION, "object": "chat.completion.chunk"}
_USAGE: dict[str, object] = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _chunk(delta: Mapping[str, object], finish: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _data({**_CHUNK, "choices": [choice], "usage": None})


def _data(value: object) -> Event:
    return b"data: " + _compact(value) + b"\n\n"


_Typed = tuple[str, dict[str, object]]
"""The type and the other fields of an event."""


def _typed(kind: str, fields: Mapping[str, object]) -> Event:
    return _event(kind, **fields)


class _Responses:
    name = "openai-responses"
    model = "resp-sim"
    path = "/v1/responses"
    ends_after_finish = 1

    def text(self, deltas: Sequence[str]) -> list[Event]:
        return self._response([(_message("".join(deltas)), self._parts(deltas))])

    def tools(self, calls: Sequence[ToolCall], said: str = "") -> list[Event]:
        items = [(_message(said), self._parts([said]))] if said else []
        for index, call in enumerate(calls):
            item: dict[str, object] = {"id": f"fc_{index}", "type": "function_call"}
            item["status"] = "completed"
            item |= {"call_id": call.id, "name": call.name, "arguments": "".join(call.fragments)}
            kind = "response.function_call_arguments"
            place = {"item_id": item["id"], "output_index": index + bool(said)}
            deltas = [(f"{kind}.delta", {**place, "delta": each}) for each in call.fragments]
            items.append(
                (item, [*deltas, (f"{kind}.done", {**place, "arguments": item["arguments"]})])
            )
        return self._response(items)

    def thinking(self, thoughts: Sequence[str], deltas: Sequence[str]) -> list[Event]:
        part = {"type": "summary_text", "text": "".join(thoughts)}
        item: dict[str, object] = {"id": "rs_0", "type": "reasoning", "summary": [part]}
        item["encrypted_content"] = "gAAAA"
        kind = "response.reasoning_summary_text"
        place = {"item_id": "rs_0", "output_index": 0, "summary_index": 0}
        pieces = [(f"{kind}.delta", {**place, "delta": thought}) for thought in thoughts]
        said = (_message("".join(deltas)), self._parts(deltas, at=1))
        return self._response([(item, [*pieces, (f"{kind}.done", {**place, **part})]), said])

    def delta(self, text: str) -> Event:
        return _typed(*self._parts([text])[1])

    def idle(self) -> Event:
        return _typed("keepalive", {})

    def whole(self, text: str) -> bytes:
        return _compact(_ended([_message(text)]))

    def error(self, kind: str, message: str) -> bytes:
        return OPENAI.error(kind, message)

    def error_event(self, kind: str, message: str) -> Event:
        error = {"type": kind, "message": message, "code": None, "param": None}
        return _typed("error", {"error": error})

    def _parts(self, deltas: Sequence[str], at: int = 0) -> list[_Typed]:
        """The one part of a message, which is the item at index `at`."""
        place = {"item_id": "msg_0", "output_index": at, "content_index": 0}
        text = "".join(deltas)
        kind = "response.output_text"
        return [
            ("response.content_part.added", {**place, "part": _part("")}),
            *((f"{kind}.delta", {**place, "delta": each, "logprobs": []}) for each in deltas),
            (f"{kind}.done", {**place, "text": text, "logprobs": []}),
            ("response.content_part.done", {**place, "part": _part(text)}),
        ]

    def _response(self, items: Sequence[tuple[dict[str, object], list[_Typed]]]) -> list[Event]:
        begun = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}
        events: list[_Typed] = [
            ("response.created", {"response": begun}),
            ("response.in_progress", {"response": begun}),
        ]
        for index, (item, pieces) in enumerate(items):
            empty = {"content": [], "summary": [], "arguments": "", "status": "in_progress"}
            start = {name: empty.get(name, value) for name, value in item.items()}
            events.append(("response.output_item.added", {"output_index": index, "item": start}))
            events += pieces
            events.append(("response.output_item.done", {"output_index": index, "item": item}))
        events.append(("response.completed", {"response": _ended([item for item, _ in items])}))
        numbered = enumerate(events)
        told = [_typed(kind, {"sequence_number": at, **fields}) for at, (kind, fields) in numbered]
        return [*told, b"data: [DONE]\n\n"]


_RESPONSE: dict[str, object] = {
    "id": "resp_upstream",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "resp-served",
    "error": None,
    "incomplete_details": None,
}


def _ended(output: list[dict[str, object]]) -> dict[str, object]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    total = INPUT_TOKENS + OUTPUT_TOKENS
    usage_and_total = {**usage, "total_tokens": total}
    return {**_RESPONSE, "status": "completed", "output": output, "usage": usage_and_total}


def _message(text: str) -> dict[str, object]:
    head = {"id": "msg_0", "type": "message", "status": "completed", "role": "assistant"}
    return {**head, "content": [_part(text)]}


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


ANTHROPIC: Dialect = _Anthropic()
OPENAI: Dialect = _OpenAI()
RESPONSES: Dialect = _Responses()
DIALECTS = (ANTHROPIC, OPENAI, RESPONSES)
