"""A row that speaks two protocols, and reasoning that must come back to it.

The rules are those of the shipped row.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.play import Played, Upstream, gateway, head, play
from xtrix import json

Json = dict[str, Any]

SHIPPED = tomllib.loads((Path(__file__).parents[1] / "wrangler.toml").read_text())
(ROW,) = [row for row in SHIPPED["vars"]["PROVIDERS"] if row["name"] == "openai"]
OPENAI = {**ROW, "api_key": "UPSTREAM_KEY"}

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
SCHEMA = {"type": "object", "properties": {}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
PREDICTION = {"type": "content", "content": "Hello"}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
HEARD = {"role": "user", "content": [SOUND]}
REASONING: Json = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "I need f."}],
    "encrypted_content": "gAAAAABqX1a7+/=",
    "status": None,
}
CALL: Json = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "f",
    "arguments": '{"x":1}',
}
USAGE = {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25}
ANSWER = {"object": "response", "status": "completed", "output": [REASONING, CALL], "usage": USAGE}


def asked(path: str, request: Json, *upstreams: Upstream) -> Played:
    gate = gateway(OPENAI, DEFAULT_MODEL="")
    return play(gate, request, upstreams or [Upstream(500, JSON_TYPE, (b"{}",))], head(path))


def chat(model: str = "gpt-5.5", **fields: object) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], **fields}


def called(path: str, request: Json) -> str:
    """The end of the URL that `request` was sent to."""
    (call,) = asked(path, request).calls
    return call.url.removeprefix("https://api.openai.com/v1")


@pytest.mark.parametrize(
    ("request_fields", "path"),
    [
        ({}, "/chat/completions"),
        ({"tools": [TOOL]}, "/responses"),
        ({"tools": [TOOL], "reasoning_effort": "low"}, "/responses"),
        ({"tools": [TOOL], "reasoning_effort": "none"}, "/chat/completions"),
        ({"functions": [TOOL["function"]]}, "/responses"),
        ({"reasoning_effort": "low"}, "/chat/completions"),
        ({"tools": [TOOL], "n": 2}, "/chat/completions"),
        ({"tools": [TOOL], "n": 1}, "/responses"),
        ({"tools": [TOOL], "stop": "END"}, "/chat/completions"),
        ({"tools": [TOOL], "seed": 7}, "/chat/completions"),
        ({"tools": [TOOL], "logit_bias": {"1": 2}}, "/chat/completions"),
        ({"tools": [TOOL], "presence_penalty": 0.5}, "/chat/completions"),
        ({"tools": [TOOL], "presence_penalty": 0}, "/responses"),
        ({"tools": [TOOL], "frequency_penalty": 0.5}, "/chat/completions"),
        ({"tools": [TOOL], "prediction": PREDICTION}, "/chat/completions"),
        ({"tools": [TOOL], "moderation": {"model": "m"}}, "/chat/completions"),
        ({"tools": [TOOL], "modalities": ["text", "audio"]}, "/chat/completions"),
        ({"tools": [TOOL], "modalities": ["text"]}, "/responses"),
        ({"tools": [TOOL], "messages": [HEARD]}, "/chat/completions"),
        ({"model": "gpt-5.4", "tools": [TOOL]}, "/chat/completions"),
        ({"model": "gpt-5.4", "tools": [TOOL], "reasoning_effort": "high"}, "/responses"),
        ({"model": "gpt-6-mini", "tools": [TOOL]}, "/responses"),
        ({"model": "gpt-4.1", "tools": [TOOL]}, "/chat/completions"),
        ({"model": "gpt-5.5-pro"}, "/responses"),
        ({"model": "gpt-5.3-codex"}, "/responses"),
        ({"model": "o3-deep-research"}, "/responses"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_chat_client_is_answered_by(request_fields: Json, path: str, stream: bool) -> None:
    assert called("/v1/chat/completions", chat(stream=stream, **request_fields)) == path


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-5.4", "gpt-5.5"])
def test_a_responses_client_is_always_relayed(model: str) -> None:
    assert called("/v1/responses", {"model": model, "input": "Hello"}) == "/responses"


@pytest.mark.parametrize(
    ("model", "path"), [("gpt-4.1", "/chat/completions"), ("gpt-5.5", "/responses")]
)
def test_a_messages_client_takes_what_the_call_needs(model: str, path: str) -> None:
    tools = [{"name": "f", "input_schema": SCHEMA}]
    request = {**chat(model), "max_tokens": 100, "tools": tools}
    assert called("/v1/messages", request) == path


def test_a_chat_that_makes_no_sense_elsewhere_is_relayed_for_the_upstream_to_judge() -> None:
    orphan = {"role": "tool", "tool_call_id": "nobody's", "content": "x"}
    request = {**chat(tools=[TOOL]), "messages": [orphan]}
    assert called("/v1/chat/completions", request) == "/chat/completions"


def test_a_place_in_a_request_that_the_client_never_sent_is_not_named() -> None:
    error = {"message": "Bad.", "type": "invalid_request_error", "param": "input[0].content"}
    refusal = Upstream(400, JSON_TYPE, (json.encode_body({"error": error}),))
    told = asked("/v1/chat/completions", chat(tools=[TOOL]), refusal).json()["error"]
    assert (told["message"], told["param"]) == ("Bad.", None)
    told = asked("/v1/responses", {"model": "gpt-5.5", "input": "Hello"}, refusal).json()["error"]
    assert told["param"] == "input[0].content"


# Reasoning goes out with an answer, and comes back with the next request.


def whole() -> Upstream:
    return Upstream(200, JSON_TYPE, (json.encode_body(ANSWER),))


def streamed() -> Upstream:
    items = [
        {"type": f"response.output_item.{step}", "output_index": index, "item": item}
        for index, item in enumerate([REASONING, CALL])
        for step in ("added", "done")
    ]
    events = [*items, {"type": "response.completed", "response": ANSWER}]
    data = (f"data: {json.encode(event)}\n\n".encode() for event in events)
    return Upstream(200, SSE_TYPE, tuple(data))


def sent(path: str, request: Json) -> list[Json]:
    (call,) = asked(path, request).calls
    assert call.url.endswith("/v1/responses")
    items: list[Json] = json.decode_object(call.body)["input"]
    return items


def frames(played: Played) -> list[Json]:
    lines = [line[6:] for line in played.body.splitlines() if line.startswith("data: {")]
    return [json.decode_object(line) for line in lines]


def chat_message(*, stream: bool) -> Json:
    """The assistant's message as a chat client gets it and sends it back."""
    request = chat(tools=[TOOL], stream=stream)
    played = asked("/v1/chat/completions", request, streamed() if stream else whole())
    if not stream:
        message: Json = played.json()["choices"][0]["message"]
        return message
    deltas = [each["choices"][0]["delta"] for each in frames(played)]
    (blocks,) = [delta["thinking_blocks"] for delta in deltas if "thinking_blocks" in delta]
    function = {"name": "f", "arguments": CALL["arguments"]}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "thinking_blocks": blocks, "tool_calls": calls}


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_survives_a_chat_client(stream: bool) -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "1"}
    turns = [chat()["messages"][0], chat_message(stream=stream), result]
    items = sent("/v1/chat/completions", {**chat(tools=[TOOL]), "messages": turns})
    assert items[1] == REASONING
    assert [item["type"] for item in items[1:]] == [
        *("reasoning", "function_call", "function_call_output"),
    ]


def test_reasoning_survives_a_messages_client() -> None:
    tools = [{"name": "f", "input_schema": SCHEMA}]
    request = {**chat(), "max_tokens": 100, "tools": tools}
    blocks = asked("/v1/messages", request, whole()).json()["content"]
    assert [block["type"] for block in blocks] == ["thinking", "tool_use"]
    assert blocks[0]["thinking"] == "I need f."
    result = {"type": "tool_result", "tool_use_id": blocks[1]["id"], "content": "1"}
    answered = [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    items = sent("/v1/messages", {**request, "messages": [*request["messages"], *answered]})
    assert items[1] == REASONING


def test_reasoning_survives_a_responses_client() -> None:
    request = {"model": "gpt-5.5", "input": [{"role": "user", "content": "Hello"}]}
    output = asked("/v1/responses", request, whole()).json()["output"]
    assert output[0]["encrypted_content"] != REASONING["encrypted_content"]
    result = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    items = sent("/v1/responses", {**request, "input": [*request["input"], *output, result]})
    assert items[1]["encrypted_content"] == REASONING["encrypted_content"]


def test_another_model_gets_nothing_of_it() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "1"}
    turns = [chat()["messages"][0], chat_message(stream=False), result]
    items = sent("/v1/chat/completions", {**chat("gpt-6", tools=[TOOL]), "messages": turns})
    assert [item["type"] for item in items] == ["message", "function_call", "function_call_output"]


def test_where_a_call_falls_back_to_chat_completions_it_is_left_out() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "1"}
    turns = [chat()["messages"][0], chat_message(stream=False), result]
    request = {**chat(tools=[TOOL], stop="END"), "messages": turns}
    (call,) = asked("/v1/chat/completions", request).calls
    assert call.url.endswith("/chat/completions")
    assert b"gAAAAAB" not in call.body
    assert b"thinking" not in call.body
