"""The checks of the compliance suite of Open Responses, with upstreams of every dialect.

The suite checks every answer and event against the project's document, which requires members that
no official SDK needs. Its requests and these members are written here from the edition of
2026-04-24 of openresponses.org (read 2026-11), because the suite itself is in no package registry.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.clients.upstreams import Asking, streamed
from tests.least import JSON_TYPE, PATHS, SSE_TYPE, TEXT, WHOLE, answer, row
from tests.play import Played, Upstream, gateway, head, play
from tests.protocols.responses.grammar import read
from xtrix import json

Json = dict[str, Any]

_NUMBER = (int, float)
_MAYBE_INT = (int, type(None))
_MAYBE_TEXT = (str, type(None))
_MAYBE_OBJECT = (dict, type(None))
RESPONSE: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "object": str,
    "created_at": int,
    "completed_at": _MAYBE_INT,
    "status": str,
    "error": _MAYBE_OBJECT,
    "incomplete_details": _MAYBE_OBJECT,
    "instructions": _MAYBE_TEXT,
    "metadata": dict,
    "model": str,
    "output": list,
    "parallel_tool_calls": bool,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "top_logprobs": int,
    "tool_choice": (str, dict),
    "tools": list,
    "previous_response_id": _MAYBE_TEXT,
    "max_output_tokens": _MAYBE_INT,
    "max_tool_calls": _MAYBE_INT,
    "prompt_cache_key": _MAYBE_TEXT,
    "safety_identifier": _MAYBE_TEXT,
    "reasoning": _MAYBE_OBJECT,
    "text": dict,
    "truncation": str,
    "store": bool,
    "background": bool,
    "service_tier": str,
    "usage": _MAYBE_OBJECT,
}
"""The members that a response has to have, and what they may be."""
DIALECTS = ["anthropic", "openai"]
"""Those in whose answers every word is the gateway's."""
TOOL: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
}
IMAGE = "data:image/png;base64,iVBORw0KGgo="


def asked(dialect: str, upstream: Upstream | None = None, **fields: Any) -> Played:
    """The outcome of a request with these `fields`."""
    upstream = upstream or answer(WHOLE[dialect])
    request = {"model": "m", **fields}
    return play(gateway(row(dialect)), request, [upstream], head("/v1/responses"))


def user(content: Any, **more: Any) -> Json:
    return {"type": "message", "role": "user", "content": content, **more}


def compliant(response: Json, status: str = "completed") -> Json:
    """`response`, after a check against the document."""
    assert response["object"] == "response"
    assert response["status"] == status
    for name, kinds in RESPONSE.items():
        assert isinstance(response[name], kinds), name
    assert (response["completed_at"] is None) == (status != "completed")
    assert "output_text" not in response
    for tool in response["tools"]:
        assert tool.keys() >= {"type", "name", "description", "parameters", "strict"}
    if response["reasoning"] is not None:
        assert response["reasoning"].keys() >= {"effort", "summary"}
    if response["usage"] is not None:
        _check_usage(response["usage"])
    for item in response["output"]:
        _check_item(item)
    return response


def _check_usage(usage: Json) -> None:
    counts = ("input_tokens", "output_tokens", "total_tokens")
    assert all(type(usage[name]) is int for name in counts)
    assert type(usage["input_tokens_details"]["cached_tokens"]) is int
    assert type(usage["output_tokens_details"]["reasoning_tokens"]) is int


def _check_item(item: Json) -> None:
    assert item["id"]
    match item["type"]:
        case "message":
            assert (item["role"], item["status"]) == ("assistant", "completed")
            for part in item["content"]:
                assert part["type"] == "output_text"
                assert isinstance(part["text"], str)
                assert isinstance(part["annotations"], list)
                assert isinstance(part["logprobs"], list)
        case kind:
            assert kind == "function_call"
            assert item["call_id"] != item["id"]
            assert item["status"] == "completed"
            json.decode_object(item["arguments"])


def text_of(response: Json) -> str:
    (message,) = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for part in message["content"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_basic_response(dialect: str) -> None:
    response = compliant(asked(dialect, input=[user("Say hello.")]).json())
    assert text_of(response) == TEXT


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("phase", ["commentary", "final_answer", None])
def test_assistant_phase(dialect: str, phase: str | None) -> None:
    said = [{"type": "output_text", "text": "One moment.", "annotations": []}]
    before = {"type": "message", "role": "assistant", "content": said, "phase": phase}
    compliant(asked(dialect, input=[user("Hi"), before, user("And?")]).json())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_response_output_phase_schema(dialect: str) -> None:
    response = compliant(asked(dialect, input="Say hello.").json())
    phases = {item.get("phase") for item in response["output"]}
    assert phases <= {None, "commentary", "final_answer"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_streaming_response(dialect: str) -> None:
    upstream = Upstream(200, SSE_TYPE, tuple(streamed(dialect, [TEXT])))
    played = asked(dialect, upstream, input=[user("Count.")], stream=True)
    telling = read(played.body)
    assert played.body.endswith("data: [DONE]\n\n")
    assert text_of(compliant(telling.response)) == TEXT
    for event in telling.events[:2]:
        compliant(event["response"], "in_progress")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_system_prompt(dialect: str) -> None:
    system = {"type": "message", "role": "system", "content": "You are a pirate."}
    played = asked(dialect, input=[system, user("Hi")])
    compliant(played.json())
    assert "You are a pirate." in json.encode(json.decode(played.calls[0].body))


def calling(dialect: str, *, stream: bool) -> Upstream:
    """An upstream that calls the tool."""
    call = Asking("call_1", "get_weather", '{"location": "Paris"}')
    if stream:
        return Upstream(200, SSE_TYPE, tuple(streamed(dialect, [call])))
    given = {"location": "Paris"}
    if dialect == "anthropic":
        block = {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": given}
        said = {**WHOLE[dialect], "content": [block], "stop_reason": "tool_use"}
    else:
        function = {"name": "get_weather", "arguments": json.encode(given)}
        message = {"tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        said = {**WHOLE[dialect], "choices": [choice]}
    return answer(said)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
def test_tool_calling(dialect: str, stream: bool) -> None:
    upstream = calling(dialect, stream=stream)
    played = asked(dialect, upstream, input="Weather?", tools=[TOOL], stream=stream)
    response = compliant(read(played.body).response if stream else played.json())
    (call,) = response["output"]
    assert (call["name"], call["call_id"]) == ("get_weather", "call_1")
    if stream:
        kinds = [event["type"] for event in read(played.body).events]
        assert "response.function_call_arguments.delta" in kinds
        assert "response.function_call_arguments.done" in kinds


@pytest.mark.parametrize("dialect", DIALECTS)
def test_image_input(dialect: str) -> None:
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": IMAGE},
    ]
    compliant(asked(dialect, input=[user(parts)]).json())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_multi_turn(dialect: str) -> None:
    first = asked(dialect, input=[user("My name is Ann.")]).json()
    again = asked(dialect, input=[user("My name is Ann."), *first["output"], user("Who am I?")])
    compliant(again.json())
    assert "My name is Ann." in again.calls[0].body.decode()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_compact_response(dialect: str) -> None:
    asks = head("/v1/responses/compact")
    request = {"model": "m", "input": [user("My name is Ann.")]}
    played = play(gateway(row(dialect)), request, [answer(WHOLE[dialect])], asks)
    told = played.json()
    assert (played.status, told["object"]) == (200, "response.compaction")
    assert isinstance(told["created_at"], int)
    (item,) = told["output"]
    assert item["type"] == "compaction"
    assert item["encrypted_content"]
    _check_usage(told["usage"])


@pytest.mark.parametrize("dialect", PATHS)
def test_compact_missing_model(dialect: str) -> None:
    request = {"input": [user("Hi")]}
    played = play(gateway(row(dialect)), request, [], head("/v1/responses/compact"))
    assert played.status == 400
    assert played.headers["content-type"] == JSON_TYPE["content-type"]
    assert played.json()["error"]["param"] == "model"
