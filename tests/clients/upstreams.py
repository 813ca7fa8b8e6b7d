"""Plays an upstream of any dialect from one script, and reads the requests that it gets.

An answer is a list of parts: a thought, text, a call. The call that arrives decides in which
dialect it is sent, and whether as a stream, so one script serves all three dialects. A test
compares such parts too: they are read from the request in the upstream's own form. This is written
from the vendors' documentation (November 2026), not from the Worker.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from tests.worker.scripts import CLOSE, Script, chunk, stream, stream_head, whole
from tests.worker.upstream import Call, Plan

Json = dict[str, Any]


class Thought(NamedTuple):
    """Reasoning, and what its provider needs back."""

    text: str
    signature: str


class Asking(NamedTuple):
    """A call of a tool; the arguments are JSON."""

    id: str
    tool: str
    arguments: str
    namespace: str = ""
    """The tool's namespace, for a dialect that has these. In others the tool's name begins with
    it."""


class Writing(NamedTuple):
    """A call of a custom tool, which takes text."""

    id: str
    tool: str
    text: str


class Result(NamedTuple):
    """What a tool returned."""

    id: str
    text: str


class Media(NamedTuple):
    """A picture or a document, of the user's or behind the result of the tool that returned it."""

    kind: str
    """As in `image/png`."""
    data: str
    """In base64."""


class Reference(NamedTuple):
    """A tool that a search for tools has found, behind the result of the search."""

    tool: str


class Compaction(NamedTuple):
    """A provider's summary of a conversation, which only this provider can read."""

    sealed: str
    """Empty where one is asked for."""


Part: TypeAlias = Thought | Asking | Writing | Result | Media | Reference | Compaction | str
"""A string is text of the user, or of the model."""
Answer: TypeAlias = Sequence[Part]


def turn(dialect: str, *parts: Part) -> list[Part]:
    """The assistant's turn as the next request has it: a chat upstream gets reasoning only if its
    row asks for it.
    """
    return [part for part in parts if dialect != "openai" or not isinstance(part, Thought)]


PATHS = {
    "/v1/messages": "anthropic",
    "/v1/chat/completions": "openai",
    "/v1/responses": "openai-responses",
}


def dialect_of(call: Call) -> str:
    """The dialect that a call was made in."""
    return PATHS[call.path]


def answers(*turns: Answer) -> Plan:
    """Plays these answers, a call each, and refuses to be called once more."""
    left = list(turns)

    def plan(call: Call) -> Script:
        if not left:
            return whole(400, b'{"error": {"message": "nobody expected this call"}}')
        dialect, turn = dialect_of(call), left.pop(0)
        body = json.loads(call.body)
        if body.get("stream"):
            return stream(streamed(dialect, turn, body))
        return whole(200, json.dumps(_WHOLE[dialect](in_terms_of(dialect, turn), body)).encode())

    return plan


def breaks_off(turn: Answer, *, after: int | str, error: bool = False) -> Plan:
    """Plays the first events of an answer, then the dialect's error, or none, and hangs up.

    `after` is how many events, or a text that the last one of them holds.
    """

    def plan(call: Call) -> Script:
        dialect = dialect_of(call)
        events = streamed(dialect, turn)
        if isinstance(after, str):
            last = next(n for n, event in enumerate(events) if after.encode() in event)
            events = events[: last + 1]
        else:
            events = events[:after]
        if error:
            events.append(_ERRORS[dialect])
        return [stream_head(), *map(chunk, events), CLOSE]

    return plan


def fails(dialect: str, kind: str, message: str, code: str | None = None) -> bytes:
    """The event by which a stream of this dialect says that it cannot go on."""
    error: Json = {"type": kind, "message": message}
    if dialect == "openai":
        return _event({"error": {**error, "code": code}})
    if dialect == "anthropic":
        return _event({"type": "error", "error": error})
    failed: Json = {"status": "failed", "output": [], "usage": None}
    response = {**_RESPONSE, **failed, "error": {"code": code, "message": message}}
    return _event({"type": "response.failed", "response": response})


def in_terms_of(dialect: str, turn: Answer) -> Answer:
    """The answer in terms of this dialect: only Responses has namespaces and custom tools."""
    return turn if dialect == "openai-responses" else [_flat(part) for part in turn]


def _flat(part: Part) -> Part:
    if isinstance(part, Writing):
        return Asking(part.id, part.tool, json.dumps({"input": part.text}))
    if isinstance(part, Asking) and part.namespace:
        return Asking(part.id, f"{part.namespace}__{part.tool}", part.arguments)
    return part


def heard(call: Call) -> list[Part]:
    """The conversation in a request, without its system text. Arguments are spaced as `json.dumps`
    does it, because clients that parse them write them anew.
    """
    return [_spaced(part) for part in _HEARD[dialect_of(call)](json.loads(call.body))]


def offered(call: Call) -> list[str]:
    """The names of the tools in a request."""
    tools = json.loads(call.body)["tools"]
    return [tool["name"] if "name" in tool else tool["function"]["name"] for tool in tools]


def _spaced(part: Part) -> Part:
    if isinstance(part, Asking):
        return part._replace(arguments=json.dumps(json.loads(part.arguments)))
    return part


def streamed(dialect: str, turn: Answer, asked: Json | None = None) -> list[bytes]:
    """The events of an answer to the request `asked`, which a response repeats in part."""
    return _STREAMED[dialect](in_terms_of(dialect, turn), asked or {})


def _halves(text: str) -> list[str]:
    middle = (len(text) + 1) // 2
    return [half for half in (text[:middle], text[middle:]) if half]


def _event(value: Json) -> bytes:
    name = f"event: {value['type']}\n" if "type" in value else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


# Anthropic

_MESSAGE = {"id": "msg_upstream", "type": "message", "role": "assistant", "model": "served"}
_NUMBERS = itertools.count()
_TOKENS = {"input_tokens": 12, "output_tokens": 7}


def _block(part: Part) -> Json:
    if isinstance(part, Thought):
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    if isinstance(part, Asking):
        arguments = json.loads(part.arguments)
        return {"type": "tool_use", "id": part.id, "name": part.tool, "input": arguments}
    assert isinstance(part, str)
    return {"type": "text", "text": part}


def _stop_reason(turn: Answer) -> str:
    return "tool_use" if any(isinstance(part, Asking) for part in turn) else "end_turn"


def _anthropic(turn: Answer, _: Json) -> Json:
    ending = {"stop_reason": _stop_reason(turn), "stop_sequence": None, "usage": _TOKENS}
    return {**_MESSAGE, "content": [_block(part) for part in turn], **ending}


def _anthropic_stream(turn: Answer, _: Json) -> list[bytes]:
    # Clients join what bears the same id, so that two turns must not.
    message = {**_MESSAGE, "id": f"msg_{next(_NUMBERS)}"}
    begun: Json = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    events: list[Json] = [{"type": "message_start", "message": {**begun, "usage": _TOKENS}}]
    for index, part in enumerate(turn):
        empty: Json = {"thinking": "", "signature": "", "text": "", "input": {}}
        block = {name: empty.get(name, value) for name, value in _block(part).items()}
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [
            {"type": "content_block_delta", "index": index, "delta": delta}
            for delta in _block_deltas(part)
        ]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": _stop_reason(turn), "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": _TOKENS})
    events.append({"type": "message_stop"})
    return [_event(event) for event in events]


def _block_deltas(part: Part) -> list[Json]:
    if isinstance(part, Thought):
        texts = [{"type": "thinking_delta", "thinking": half} for half in _halves(part.text)]
        return [*texts, {"type": "signature_delta", "signature": part.signature}]
    if isinstance(part, Asking):
        halves = _halves(part.arguments)
        return [{"type": "input_json_delta", "partial_json": half} for half in halves]
    assert isinstance(part, str)
    return [{"type": "text_delta", "text": half} for half in _halves(part)]


def _anthropic_heard(body: Json) -> list[Part]:
    parts: list[Part] = []
    for turn in body["messages"]:
        content = turn["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            parts += _of_block(block)
    return parts


def _of_block(block: Json) -> list[Part]:
    match block["type"]:
        case "thinking":
            return [Thought(block["thinking"], block["signature"])]
        case "tool_use":
            return [Asking(block["id"], block["name"], json.dumps(block["input"]))]
        case "tool_result":
            return _result(block["tool_use_id"], block.get("content", ""))
        case _:
            return [_of_content(block)]


def _result(call_id: str, content: str | list[Json]) -> list[Part]:
    """A tool's result: its text, followed by anything else in it."""
    text, others = _joined(content)
    return [Result(call_id, text), *others]


def _joined(content: str | list[Json]) -> tuple[str, list[Part]]:
    parts = [content] if isinstance(content, str) else [_of_content(part) for part in content]
    text = "".join(part for part in parts if isinstance(part, str))
    return text, [part for part in parts if not isinstance(part, str)]


def _of_content(part: Json) -> Part:
    """What a user says or a tool returns, in any of the dialects."""
    kind = part["type"]
    if kind in _DATA_OF:
        return _of_data(_DATA_OF[kind](part))
    if kind == "tool_reference":
        return Reference(part["tool_name"])
    if kind in {"image", "document"}:
        return Media(part["source"]["media_type"], part["source"]["data"])
    assert kind in {"text", "input_text", "output_text"}, part
    return str(part["text"])


_DATA_OF: Mapping[str, Callable[[Json], str]] = {
    "image_url": lambda part: part["image_url"]["url"],
    "file": lambda part: part["file"]["file_data"],
    "input_image": lambda part: part["image_url"],
    "input_file": lambda part: part["file_data"],
}
"""Where OpenAI's dialects have the data of what is no text."""


def _of_data(url: str) -> Media:
    kind, data = url.removeprefix("data:").split(";base64,")
    return Media(kind, data)


# Chat Completions

_COMPLETION: Json = {"id": "chatcmpl-upstream", "created": 1_700_000_000, "model": "served"}
_USAGE: Json = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}


def _finish_reason(turn: Answer) -> str:
    return "tool_calls" if any(isinstance(part, Asking) for part in turn) else "stop"


def _function(part: Asking) -> Json:
    function = {"name": part.tool, "arguments": part.arguments}
    return {"id": part.id, "type": "function", "function": function}


def _chat(turn: Answer, _: Json) -> Json:
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    thoughts = [part.text for part in turn if isinstance(part, Thought)]
    texts = [part for part in turn if isinstance(part, str)]
    calls = [_function(part) for part in turn if isinstance(part, Asking)]
    message |= {"reasoning_content": "".join(thoughts)} if thoughts else {}
    message |= {"content": "".join(texts)} if texts else {}
    message |= {"tool_calls": calls} if calls else {}
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(turn)}
    return {**_COMPLETION, "object": "chat.completion", "choices": [choice], "usage": _USAGE}


def _chat_stream(turn: Answer, _: Json) -> list[bytes]:
    head: Json = {**_COMPLETION, "object": "chat.completion.chunk"}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    calls = 0
    for part in turn:
        if isinstance(part, Thought):
            deltas += [{"reasoning_content": half} for half in _halves(part.text)]
        elif isinstance(part, Asking):
            begun = {**_function(part._replace(arguments="")), "index": calls}
            pieces: list[Json] = [
                {"index": calls, "function": {"arguments": half}}
                for half in _halves(part.arguments)
            ]
            deltas += [{"tool_calls": [piece]} for piece in [begun, *pieces]]
            calls += 1
        else:
            assert isinstance(part, str)
            deltas += [{"content": half} for half in _halves(part)]
    choices: list[Json] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": _finish_reason(turn)})
    chunks = [_event({**head, "choices": [choice]}) for choice in choices]
    usage = _event({**head, "choices": [], "usage": _USAGE})
    return [*chunks, usage, b"data: [DONE]\n\n"]


def _chat_heard(body: Json) -> list[Part]:
    parts: list[Part] = []
    for message in body["messages"]:
        if message["role"] in {"system", "developer"}:
            continue
        if message["role"] == "tool":
            parts += _result(message["tool_call_id"], message["content"])
            continue
        if message.get("reasoning_content"):
            parts.append(Thought(message["reasoning_content"], ""))
        if message.get("content"):
            content = message["content"]
            spoken = isinstance(content, str)
            parts += [content] if spoken else [_of_content(part) for part in content]
        for call in message.get("tool_calls") or ():
            function = call["function"]
            parts.append(Asking(call["id"], function["name"], function["arguments"]))
    return parts


# Responses

_RESPONSE: Json = {
    "id": "resp_upstream",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "served",
    "error": None,
    "incomplete_details": None,
}
_DEFAULTS: Json = {
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
_COUNTS: Json = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 19,
}


def _item(index: int, part: Part) -> Json:
    head: Json
    if isinstance(part, Writing):
        head = {"id": f"ctc_upstream_{index}", "type": "custom_tool_call", "status": "completed"}
        return {**head, "call_id": part.id, "name": part.tool, "input": part.text}
    if isinstance(part, Compaction):
        head = {"id": f"cmp_upstream_{index}", "type": "compaction"}
        return {**head, "encrypted_content": part.sealed}
    if isinstance(part, Thought):
        summary: list[Json] = [{"type": "summary_text", "text": part.text}]
        head = {"id": f"rs_upstream_{index}", "type": "reasoning", "summary": summary}
        return {**head, "encrypted_content": part.signature}
    if isinstance(part, Asking):
        head = {"id": f"fc_upstream_{index}", "type": "function_call", "status": "completed"}
        place = {"namespace": part.namespace} if part.namespace else {}
        called = {"call_id": part.id, "name": part.tool, "arguments": part.arguments}
        return {**head, **place, **called}
    assert isinstance(part, str)
    content = [{"type": "output_text", "text": part, "annotations": [], "logprobs": []}]
    head = {"id": f"msg_upstream_{index}", "type": "message", "status": "completed"}
    return {**head, "role": "assistant", "content": content}


def _responses(turn: Answer, asked: Json) -> Json:
    output = [_item(index, part) for index, part in enumerate(turn)]
    ending = {"status": "completed", "output": output, "usage": _COUNTS}
    return {**_RESPONSE, **_echo(asked), **ending}


def _echo(asked: Json) -> Json:
    return {name: asked.get(name, default) for name, default in _DEFAULTS.items()}


def _responses_stream(turn: Answer, asked: Json) -> list[bytes]:
    begun = {**_responses([], asked), "status": "in_progress", "usage": None}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, part in enumerate(turn):
        events += _item_events(index, part)
    events.append({"type": "response.completed", "response": _responses(turn, asked)})
    return [_event({**event, "sequence_number": n}) for n, event in enumerate(events)]


def _item_events(index: int, part: Part) -> list[Json]:
    item = _item(index, part)
    empty: Json = {"summary": [], "content": [], "arguments": "", "input": ""}
    empty["status"] = "in_progress"
    begun: Json = {name: empty.get(name, value) for name, value in item.items()}
    here = {"item_id": item["id"], "output_index": index}
    inside: list[Json] = []
    if isinstance(part, Thought):
        begun.pop("encrypted_content")
        inside = _part_events(
            {**here, "summary_index": 0},
            "response.reasoning_summary_part",
            "response.reasoning_summary_text",
            item["summary"][0],
        )
    elif isinstance(part, Asking):
        inside = _call_events(here, "response.function_call_arguments", "arguments", item)
    elif isinstance(part, Writing):
        inside = _call_events(here, "response.custom_tool_call_input", "input", item)
    elif isinstance(part, str):
        inside = _part_events(
            {**here, "content_index": 0},
            "response.content_part",
            "response.output_text",
            item["content"][0],
        )
    place = {"output_index": index}
    return [
        {"type": "response.output_item.added", **place, "item": begun},
        *inside,
        {"type": "response.output_item.done", **place, "item": item},
    ]


def _call_events(here: Json, name: str, field: str, item: Json) -> list[Json]:
    text = item[field]
    return [
        *({"type": f"{name}.delta", **here, "delta": half} for half in _halves(text)),
        {"type": f"{name}.done", **here, field: text},
    ]


def _part_events(here: Json, part_name: str, text_name: str, part: Json) -> list[Json]:
    deltas = [
        {"type": f"{text_name}.delta", **here, "delta": half} for half in _halves(part["text"])
    ]
    return [
        {"type": f"{part_name}.added", **here, "part": {**part, "text": ""}},
        *deltas,
        {"type": f"{text_name}.done", **here, "text": part["text"]},
        {"type": f"{part_name}.done", **here, "part": part},
    ]


def _responses_heard(body: Json) -> list[Part]:
    said = body["input"]
    if isinstance(said, str):
        return [said]
    parts: list[Part] = []
    for item in said:
        match item.get("type", "message"):
            case "reasoning":
                summary = "".join(part["text"] for part in item["summary"])
                parts.append(Thought(summary, item["encrypted_content"]))
            case "function_call":
                place = item.get("namespace", "")
                parts.append(Asking(item["call_id"], item["name"], item["arguments"], place))
            case "custom_tool_call":
                parts.append(Writing(item["call_id"], item["name"], item["input"]))
            case "function_call_output" | "custom_tool_call_output":
                parts += _result(item["call_id"], item["output"])
            case "compaction" | "compaction_trigger":
                parts.append(Compaction(item.get("encrypted_content", "")))
            case _:
                if item["role"] not in {"system", "developer"}:
                    text, others = _joined(item["content"])
                    parts += [text, *others]
    return parts


_WHOLE: Mapping[str, Callable[[Answer, Json], Json]] = {
    "anthropic": _anthropic,
    "openai": _chat,
    "openai-responses": _responses,
}
_STREAMED: Mapping[str, Callable[[Answer, Json], list[bytes]]] = {
    "anthropic": _anthropic_stream,
    "openai": _chat_stream,
    "openai-responses": _responses_stream,
}
_HEARD: Mapping[str, Callable[[Json], list[Part]]] = {
    "anthropic": _anthropic_heard,
    "openai": _chat_heard,
    "openai-responses": _responses_heard,
}
_SAID = "The upstream gave up."
_ERRORS = {
    "anthropic": _event({"type": "error", "error": {"type": "api_error", "message": _SAID}}),
    "openai": _event({"error": {"message": _SAID, "type": "server_error", "code": None}}),
    "openai-responses": _event(
        {"type": "error", "error": {"type": "server_error", "code": None, "message": _SAID}}
    ),
}
