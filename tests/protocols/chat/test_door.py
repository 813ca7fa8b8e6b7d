"""The check of a request's shape, and the shape of answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_core import SchemaValidator, ValidationError

from xtrix import json
from xtrix.answer import Usage
from xtrix.errors import ClientError
from xtrix.protocol import Stamp, says_something
from xtrix.protocols.chat.completion import encode_choice, encode_completion
from xtrix.protocols.chat.door import decode_request
from xtrix.protocols.chat.schema import REQUEST_SCHEMA
from xtrix.protocols.chat.usage import encode_usage
from xtrix.shape import MOST_VALUES, has_too_many_values

USER = {"role": "user", "content": "Hello"}


def decoded(**said: Any) -> dict[str, Any]:
    body = {"messages": [USER], **said}
    return decode_request(json.encode(body).encode(), {}, "default-model").fields


def refusal(body: bytes | None = None, **said: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        decode_request(body, {}, "m") if body is not None else decoded(**said)
    error = caught.value
    assert error.status == 400
    assert error.error_type == "invalid_request_error"
    return error


# What passes


def test_the_smallest_request() -> None:
    assert decoded() == {"messages": [USER], "model": "default-model"}


@pytest.mark.parametrize("model", [None, "mine", "provider/mine:1.0", "~!@"])
def test_the_model_is_the_clients_or_the_default_one(model: str | None) -> None:
    assert decoded(model=model)["model"] == (model or "default-model")


def test_null_is_not_sent_for_every_optional_field() -> None:
    names = [
        *("model", "stream", "stream_options", "temperature", "top_p", "max_tokens", "n", "stop"),
        *("max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "seed"),
        *("logprobs", "top_logprobs", "user", "metadata", "safety_identifier", "tools"),
        *("tool_choice", "parallel_tool_calls", "functions", "function_call", "modalities"),
        *("response_format", "reasoning_effort", "service_tier"),
    ]
    assert decoded(**dict.fromkeys(names))["model"] == "default-model"


def test_what_the_schema_does_not_name_is_kept() -> None:
    unknown = {"top_k": 5, "thinking": {"type": "enabled"}, "": [None], "ключ": {"a": 1}}
    assert decoded(**unknown).items() >= unknown.items()
    message = {**USER, "cache_control": {"type": "ephemeral"}, "extra": 1}
    assert decoded(messages=[message])["messages"] == [message]


@pytest.mark.parametrize(
    "said",
    [
        *({"temperature": 0}, {"temperature": 2}, {"temperature": 1.5}, {"top_p": 0}, {"top_p": 1}),
        *({"max_tokens": 0}, {"max_completion_tokens": 1}, {"n": 1}, {"n": 128}),
        *({"presence_penalty": -2}, {"frequency_penalty": 2}, {"top_logprobs": 20}),
        *({"stop": "x"}, {"stop": []}, {"stop": ["a", "b", "c", "d"]}, {"stop": ""}),
        *({"seed": -5}, {"seed": 2**63 - 1}, {"logit_bias": {"50256": -100}}),
        *({"tools": []}, {"tool_choice": "none"}, {"metadata": {}}, {"metadata": {"a": 1}}),
        *({"response_format": {"type": "text"}}, {"reasoning_effort": "xhigh"}),
        *({"stream": True, "stream_options": {"include_usage": True}}, {"stream_options": {}}),
        *({"modalities": ["text"]}, {"service_tier": "anything"}, {"user": ""}),
    ],
    ids=json.encode,
)
def test_what_is_in_range(said: dict[str, Any]) -> None:
    assert decoded(**said).items() >= said.items()


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "x"},
        {"role": "developer", "content": [{"type": "text", "text": "x"}]},
        {"role": "user", "content": "", "name": "n"},
        {"role": "user", "content": [{"type": "image_url", "image_url": "https://i.test/a.png"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]},
        {"role": "user", "content": [{"type": "video", "video": 7}]},
        {"role": "assistant"},
        {"role": "assistant", "content": None, "tool_calls": None, "refusal": "no"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "function_call": {"name": "f", "arguments": ""}},
        {"role": "tool", "content": "x", "tool_call_id": "1"},
        {"role": "function", "content": None, "name": "f"},
    ],
    ids=json.encode,
)
def test_each_message(message: dict[str, Any]) -> None:
    assert decoded(messages=[message])["messages"] == [message]


# What is refused, and how


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{} x", b"NaN"])
def test_what_is_no_object(body: bytes) -> None:
    error = refusal(body)
    assert (error.code, error.param) == ("invalid_json", None)


@pytest.mark.parametrize("depth", [1_000, 70_000])
def test_what_is_nested_too_deep(depth: int) -> None:
    error = refusal(b'{"messages":' + b"[" * depth)
    assert (error.code, error.param) == ("invalid_json", "messages[0][0][0]")
    tools = b'{"messages":[],"tools":' + b'[{"a":' * depth + b"1" + b"}]" * depth + b"}"
    error = refusal(tools)
    assert (error.code, error.param) == ("invalid_json", "tools[0].a[0]")
    error = refusal(b"[" * depth)
    assert (error.code, error.param) == ("invalid_json", None)


MANY_WRONG: dict[str, dict[str, Any]] = {
    "messages": {"messages": [0] * 1000},
    "parts": {"messages": [{"role": "user", "content": [0] * 1000}]},
    "calls": {"messages": [{"role": "assistant", "tool_calls": [0] * 1000}]},
    "tools": {"messages": [USER], "tools": [0] * 100},
    "functions": {"messages": [USER], "functions": [0] * 100},
    "allowed tools": {
        "messages": [USER],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [0] * 1000},
        },
    },
    "stop": {"messages": [USER], "stop": [0] * 4},
    "modalities": {"messages": [USER], "modalities": [0] * 1000},
    "logit_bias": {"messages": [USER], "logit_bias": {str(n): 101 for n in range(1000)}},
}


@pytest.mark.parametrize("said", MANY_WRONG.values(), ids=MANY_WRONG)
def test_a_request_with_a_thousand_faults_costs_one_error(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        SchemaValidator(REQUEST_SCHEMA).validate_python(said)
    assert caught.value.error_count() == 1


def test_no_list_or_map_of_the_schema_collects_its_faults() -> None:
    found = list(_containers(REQUEST_SCHEMA))
    assert len(found) > 10
    assert [schema for schema in found if not schema.get("fail_fast")] == []


def _containers(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") in ("list", "dict"):
            yield schema
        for value in schema.values():
            yield from _containers(value)


# How many values it may be made of


def of_values(count: int) -> bytes:
    """A correct request with `count` values and few more bytes."""
    wrapping = b'{"model":"m","messages":[{"role":"user","content":"x"}],"x":[%s]}'
    return wrapping % b",".join([b"0"] * (count - 6))


def test_the_most_values_a_request_may_be_made_of() -> None:
    assert decode_request(of_values(MOST_VALUES), {}, "m").model == "m"
    for extra in (1, 1000):
        with pytest.raises(ClientError) as caught:
            decode_request(of_values(MOST_VALUES + extra), {}, "m")
        assert (caught.value.status, caught.value.code) == (413, "request_too_large")


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b"[]",
        b'"x"',
        b'{"":{}}',
        b'"\\\\"',
        b'"\\\\\\\\"',
        b'{"\\\\":0}',
        b'{"\\"":"[,"}',
        b"[0,0]",
    ],
)
def test_values_are_counted_however_they_are_spelled(value: bytes) -> None:
    several = b'{"messages":[' + b",".join([value] * (MOST_VALUES + 10)) + b"]}"
    assert has_too_many_values(several)


@pytest.mark.parametrize("text", ["{", "[", ",", '"', "\\", '\\",', '",', '"{\\', "\n,", "é,"])
def test_text_is_no_value_whatever_it_holds(text: str) -> None:
    for before in range(4):
        content = "x" * before + text * 400_000
        body = json.encode({"messages": [{**USER, "content": content}, USER]}).encode()
        assert not has_too_many_values(body)


@pytest.mark.parametrize("before", range(70_000, 70_004))
def test_values_after_a_long_text_are_counted(before: int) -> None:
    body = json.encode({"x": ',\\"' * before, "y": [0] * (MOST_VALUES + 1)}).encode()
    assert has_too_many_values(body)


def test_an_agents_request_of_several_megabytes_passes() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "edit", "arguments": "{}"}}
    call["function"] = {"name": "edit", "arguments": json.encode({"old": "a,b[0]{" * 200})}
    turn = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "[1,2]" * 400}]},
    ]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"enum": ["x"] * 200}}}
    request = decoded(messages=[USER, *(turn * 1200)], tools=[tool] * 128)
    assert len(json.encode(request)) > 4_000_000


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("said", "code", "param"),
    [
        ({"messages": []}, "invalid_value", "messages"),
        ({"messages": None}, "invalid_type", "messages"),
        ({"messages": [None]}, "invalid_type", "messages[0]"),
        ({"messages": [USER, {}]}, "missing_required_parameter", "messages[1].role"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
        ({"messages": [{"role": 7}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "wizard", "content": ""}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{**USER, "content": 7}]}, "invalid_type", "messages[0].content"),
        ({"messages": [{**USER, "content": {"a": 1}}]}, "invalid_type", "messages[0].content"),
        ({"messages": [{**USER, "content": []}]}, "invalid_value", "messages[0].content"),
        ({"messages": [{**USER, "content": ["x"]}]}, "invalid_type", "messages[0].content[0]"),
        (
            {"messages": [{**USER, "content": [{"text": "x"}]}]},
            "missing_required_parameter",
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{**USER, "content": [{"type": "text"}]}]},
            "missing_required_parameter",
            "messages[0].content[0].text",
        ),
        (
            {"messages": [{**USER, "content": [{"type": "image_url", "image_url": {"url": 7}}]}]},
            "invalid_type",
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{**USER, "content": [{"type": "image_url", "image_url": {}}]}]},
            "missing_required_parameter",
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "id": 7}]}]},
            "invalid_type",
            "messages[0].tool_calls[0].id",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "function": {}}]}]},
            "missing_required_parameter",
            "messages[0].tool_calls[0].function.name",
        ),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            "missing_required_parameter",
            "messages[0].tool_call_id",
        ),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].function"),
        ({"tools": [{}]}, "missing_required_parameter", "tools[0].type"),
        (
            {"tools": [{"type": "function", "function": {"name": ""}}]},
            "invalid_value",
            "tools[0].function.name",
        ),
        ({"tools": {}}, "invalid_type", "tools"),
        ({"tools": [CALL] * 129}, "invalid_value", "tools"),
        ({"tool_choice": "some"}, "invalid_value", "tool_choice"),
        ({"tool_choice": {}}, "missing_required_parameter", "tool_choice.type"),
        ({"tool_choice": {"type": "x"}}, "invalid_value", "tool_choice.type"),
        (
            {"tool_choice": {"type": "function", "function": {}}},
            "missing_required_parameter",
            "tool_choice.function.name",
        ),
        ({"response_format": {"type": "yaml"}}, "invalid_value", "response_format.type"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "missing_required_parameter",
            "response_format.json_schema.name",
        ),
        ({"temperature": 2.01}, "invalid_value", "temperature"),
        ({"temperature": -0.1}, "invalid_value", "temperature"),
        ({"temperature": "1"}, "invalid_type", "temperature"),
        ({"temperature": True}, "invalid_type", "temperature"),
        ({"top_p": 1.1}, "invalid_value", "top_p"),
        ({"max_tokens": -1}, "invalid_value", "max_tokens"),
        ({"max_tokens": 1.5}, "invalid_type", "max_tokens"),
        ({"max_completion_tokens": "9"}, "invalid_type", "max_completion_tokens"),
        ({"n": 0}, "invalid_value", "n"),
        ({"n": 129}, "invalid_value", "n"),
        ({"stop": ["a"] * 5}, "invalid_value", "stop"),
        ({"stop": [7]}, "invalid_type", "stop[0]"),
        ({"stop": 7}, "invalid_type", "stop"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"stream": 1}, "invalid_type", "stream"),
        ({"stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "invalid_type",
            "stream_options.include_usage",
        ),
        ({"logit_bias": {"1": 101}}, "invalid_value", "logit_bias.1"),
        ({"logit_bias": []}, "invalid_type", "logit_bias"),
        ({"presence_penalty": 2.1}, "invalid_value", "presence_penalty"),
        ({"frequency_penalty": -2.1}, "invalid_value", "frequency_penalty"),
        ({"top_logprobs": 21}, "invalid_value", "top_logprobs"),
        ({"logprobs": "true"}, "invalid_type", "logprobs"),
        ({"seed": 0.5}, "invalid_type", "seed"),
        ({"user": 7}, "invalid_type", "user"),
        ({"model": ""}, "invalid_value", "model"),
        ({"model": "a b"}, "invalid_value", "model"),
        ({"model": "x" * 257}, "invalid_value", "model"),
        ({"model": "modèle"}, "invalid_value", "model"),
        ({"model": ["m"]}, "invalid_type", "model"),
        ({"reasoning_effort": "huge"}, "invalid_value", "reasoning_effort"),
        ({"modalities": ["smell"]}, "invalid_value", "modalities[0]"),
        ({"functions": []}, "invalid_value", "functions"),
        ({"function_call": {"name": 7}}, "invalid_type", "function_call.name"),
        ({"parallel_tool_calls": "no"}, "invalid_type", "parallel_tool_calls"),
        ({"metadata": "x"}, "invalid_type", "metadata"),
    ],
    ids=lambda value: json.encode(value)[:80] if isinstance(value, dict) else "",
)
def test_what_is_refused(said: dict[str, Any], code: str, param: str) -> None:
    error = refusal(**said)
    assert (error.code, error.param) == (code, param)
    assert f"'{param}'" in error.message


def test_missing_messages() -> None:
    error = refusal(b"{}")
    assert (error.code, error.param) == ("missing_required_parameter", "messages")
    assert error.message == "Missing required parameter: 'messages'."


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"temperature": "hot"}, "should be a valid number, not a string"),
        ({"stream": 1}, "should be a valid boolean, not an integer"),
        ({"messages": {}}, "should be a valid list, not an object"),
        ({"messages": ["x"]}, "should be a valid object, not a string"),
        ({"temperature": 3}, "less than or equal to 2"),
        ({"messages": [{"role": "wizard"}]}, "'wizard' is none of 'system', 'developer'"),
        ({"stop": list("abcde")}, "at most 4 items"),
    ],
    ids=json.encode,
)
def test_a_refusal_says_what_would_be_right(said: dict[str, Any], words: str) -> None:
    assert words in refusal(**said).message


def test_a_refusal_repeats_no_more_than_a_word() -> None:
    error = refusal(logit_bias={"x" * 100_000: 101})
    assert len(error.message) < 300
    assert len(error.param or "") < 100
    assert len(refusal(messages=[{"role": "x" * 100_000}]).message) < 300
    assert len(refusal(temperature="x" * 100_000).message) < 300
    assert len(refusal(b'{"a": ' + b"x" * 100_000).message) < 300


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("temperature", 0, True), ("seed", 0, True), ("top_p", 0.0, True)),
        *(("frequency_penalty", 0, False), ("presence_penalty", 0.0, False)),
        *(("frequency_penalty", 0.5, True), ("top_logprobs", 0, False), ("logprobs", False, False)),
        *(
            ("store", False, False),
            ("store", True, True),
            ("metadata", {}, False),
            ("x", [], False),
        ),
        *(("user", "", False), ("user", "a", True), ("x", None, False), ("x", {"a": 0}, True)),
    ],
)
def test_what_says_something(name: str, value: object, expected: bool) -> None:
    assert says_something(name, value) is expected


# What goes back


def test_usage_adds_up() -> None:
    usage = Usage(
        prompt=10,
        completion=7,
        cached=3,
        cache_written=2,
        reasoning=4,
        prompt_audio=1,
        completion_audio=5,
        accepted=6,
        rejected=8,
    )
    assert encode_usage(usage) == {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2, "audio_tokens": 1},
        "completion_tokens_details": {
            "reasoning_tokens": 4,
            "audio_tokens": 5,
            "accepted_prediction_tokens": 6,
            "rejected_prediction_tokens": 8,
        },
    }


@pytest.mark.parametrize("tier", [None, "priority"])
def test_a_completion(tier: str | None) -> None:
    said = encode_choice({"role": "assistant", "content": "Hi", "refusal": None}, "stop")
    stamp = Stamp("1", 5, "model", "fp_1")
    assert encode_completion(stamp, [said], Usage(1, 2), tier) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "model",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": encode_usage(Usage(1, 2)),
        **({"service_tier": tier} if tier else {}),
    }
