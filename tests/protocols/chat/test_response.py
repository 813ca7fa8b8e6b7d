"""Rewriting a whole answer of an OpenAI-compatible upstream."""

from typing import Any

import pytest

from tests.answers import Completion, completion_of
from xtrix import json
from xtrix.errors import BAD_RESPONSE, UpstreamError
from xtrix.protocols.chat.usage import encode_usage


def decoded(*choices: object, **said: object) -> Completion:
    return completion_of("openai", json.encode({"choices": list(choices), **said}).encode())


def choice(message: object, **said: object) -> dict[str, Any]:
    """The one choice that an upstream's choice with `message` becomes."""
    (seen,) = decoded({"message": message, "finish_reason": "stop", **said}).choices
    return seen


def message(**said: object) -> dict[str, Any]:
    seen: dict[str, Any] = choice({"role": "assistant", **said})["message"]
    return seen


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def test_text() -> None:
    assert choice({"role": "assistant", "content": "Hi"}) == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hi", "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_what_is_missing_is_filled_in() -> None:
    assert message() == {"role": "assistant", "content": "", "refusal": None}
    assert message(content=None)["content"] == ""
    assert message(tool_calls=[CALL])["content"] is None
    assert message(refusal="No.", content="")["content"] is None
    assert message(function_call={"name": "f", "arguments": ""})["content"] is None


def test_what_says_nothing_is_left_out() -> None:
    seen = message(content="x", tool_calls=[], annotations=[], reasoning_content=None, audio=None)
    assert seen == {"role": "assistant", "content": "x", "refusal": None}


def test_the_role_is_the_assistants() -> None:
    assert choice({"role": "model", "content": "x"})["message"]["role"] == "assistant"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_under_one_name(name: str) -> None:
    assert message(**{name: "Hm."}, content="x")["reasoning_content"] == "Hm."
    assert "reasoning" not in message(**{name: "Hm."}, content="x")


def test_reasoning_told_twice_is_told_once() -> None:
    seen = message(reasoning="Hm.", reasoning_content="Hm.", reasoning_details=[{"text": "Hm."}])
    assert seen["reasoning_content"] == "Hm."
    assert "reasoning_details" not in seen


def test_content_as_a_list_of_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}, {"text": " So."}]},
        {"type": "text", "text": "Yes"},
        {"type": "text", "text": "."},
        "odd",
    ]
    seen = message(content=parts)
    assert (seen["content"], seen["reasoning_content"]) == ("Yes.", "Hm. So.")


@pytest.mark.parametrize("odd", [7, {"a": 1}, True])
def test_content_that_is_no_text_is_none(odd: object) -> None:
    assert message(content=odd)["content"] == ""


def test_what_else_a_message_says_comes_through_but_for_bare_numbers() -> None:
    kept = {"note": "x", "grounding": {"score": 0.5}, "sources": ["a"]}
    seen = message(content="Hi", **kept, cost=0.1, tokens=7, cached=True, nothing=None, empty="")
    assert seen == {"role": "assistant", "content": "Hi", "refusal": None, **kept}
    (more,) = decoded({"message": {"content": "Hi"}, "native_finish_reason": "x"}).choices
    assert more["message"]["content"] == "Hi"
    assert "native_finish_reason" not in more


# Calls


def test_calls() -> None:
    seen = choice({"content": None, "tool_calls": [{**CALL, "index": 0}]})
    assert seen["message"]["tool_calls"] == [CALL]
    assert seen["finish_reason"] == "tool_calls"


def test_a_call_whose_type_is_missing_is_a_functions() -> None:
    call = {key: value for key, value in CALL.items() if key != "type"}
    assert message(tool_calls=[call, "odd"])["tool_calls"] == [CALL]


@pytest.mark.parametrize("odd", ["x", {}, {"a": 1}, ["x"], [[1]], [None], 7])
def test_calls_that_are_none(odd: object) -> None:
    seen = choice({"role": "assistant", "content": "Hi", "tool_calls": odd})
    assert seen["message"] == {"role": "assistant", "content": "Hi", "refusal": None}
    assert seen["finish_reason"] == "stop"
    assert message(tool_calls=odd)["content"] == ""


@pytest.mark.parametrize("absent", [{}, {"id": None}, {"id": ""}])
def test_a_call_without_an_id_gets_one(absent: dict[str, Any]) -> None:
    call = {"type": "function", "function": CALL["function"], **absent}
    first, second = message(tool_calls=[call, call])["tool_calls"]
    assert first["id"]
    assert second["id"]
    assert first["id"] != second["id"]


@pytest.mark.parametrize("absent", [{"arguments": ""}, {"arguments": None}, {}])
def test_a_call_without_arguments_has_an_empty_object(absent: dict[str, Any]) -> None:
    (call,) = message(tool_calls=[{**CALL, "function": {"name": "f", **absent}}])["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("said", "called", "expected"),
    [
        ("stop", False, "stop"),
        ("length", False, "length"),
        ("content_filter", False, "content_filter"),
        ("function_call", False, "function_call"),
        ("tool_calls", False, "stop"),
        ("tool_calls", True, "tool_calls"),
        ("stop", True, "tool_calls"),
        ("length", True, "length"),
        ("max_tokens", False, "length"),
        ("MAX_TOKENS", False, "length"),
        ("model_length", False, "length"),
        ("insufficient_system_resource", False, "length"),
        ("eos", False, "stop"),
        (None, False, "stop"),
        (None, True, "tool_calls"),
        (7, False, "stop"),
    ],
)
def test_finish_reasons(said: object, called: bool, expected: str) -> None:
    calls = {"tool_calls": [CALL]} if called else {}
    assert choice({"content": "x", **calls}, finish_reason=said)["finish_reason"] == expected


def test_several_choices_and_their_logprobs() -> None:
    logprobs = {"content": [{"token": "0", "logprob": -0.5}]}
    said = [
        {"message": {"content": str(number)}, "finish_reason": "stop", "logprobs": logprobs}
        for number in range(3)
    ]
    seen = decoded(*said).choices
    assert [each["index"] for each in seen] == [0, 1, 2]
    assert [each["message"]["content"] for each in seen] == ["0", "1", "2"]
    assert seen[0]["logprobs"] == logprobs


# Usage


def test_usage() -> None:
    said = {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 1},
        "completion_tokens_details": {
            "reasoning_tokens": 3,
            "audio_tokens": 1,
            "accepted_prediction_tokens": 2,
            "rejected_prediction_tokens": 1,
        },
        "cost": 0.1,
    }
    wire = encode_usage(decoded({"message": {}}, usage=said).usage)
    assert wire == {**{key: said[key] for key in wire}, "total_tokens": 17}


def test_what_only_the_total_counts_was_paid_for_too() -> None:
    said = {
        "prompt_tokens": 12,
        "completion_tokens": 1,
        "total_tokens": 399,
        "completion_tokens_details": {"reasoning_tokens": 386},
    }
    usage = decoded({"message": {}}, usage=said).usage
    assert (usage.prompt, usage.completion, usage.reasoning) == (12, 387, 386)
    assert encode_usage(usage)["total_tokens"] == 399


@pytest.mark.parametrize("index", [[1], "0", -1, 1.5, True, {}])
def test_an_index_that_is_no_number(index: object) -> None:
    with pytest.raises(UpstreamError) as caught:
        decoded({"message": {"content": "x"}, "index": index})
    assert caught.value.code == BAD_RESPONSE


def test_choices_without_an_index_are_counted() -> None:
    seen = decoded({"message": {}, "index": None}, {"message": {}}).choices
    assert [each["index"] for each in seen] == [0, 1]


@pytest.mark.parametrize(
    ("given", "told"), [({"a": 1}, '{"a":1}'), ([1], "[1]"), (None, "{}"), ("", "{}")]
)
def test_arguments_that_are_no_text_are_not_lost(given: object, told: str) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": given}}
    message = decoded({"message": {"tool_calls": [call]}}).choices[0]["message"]
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": told}


@pytest.mark.parametrize("function", [True, "x", [], {}, {"a": 1}], ids=str)
def test_a_custom_call_is_no_function(function: object) -> None:
    call = {"id": "1", "type": "custom", "custom": {"name": "c", "input": "x"}}
    (told,) = choice({"tool_calls": [{**call, "function": function}]})["message"]["tool_calls"]
    assert told == call


def test_deepseek_counts_its_cache_elsewhere() -> None:
    said = {"prompt_tokens": 10, "prompt_cache_hit_tokens": 4}
    wire = encode_usage(decoded({"message": {}}, usage=said).usage)
    assert wire["prompt_tokens_details"]["cached_tokens"] == 4


@pytest.mark.parametrize(
    "said",
    [None, "x", [], {}, {"prompt_tokens": None}, {"prompt_tokens": -1}, {"prompt_tokens": "5"}],
)
def test_usage_that_makes_no_sense_is_none(said: object) -> None:
    assert encode_usage(decoded({"message": {}}, usage=said).usage)["total_tokens"] == 0


@pytest.mark.parametrize(("tier", "expected"), [("default", "default"), (None, None), (7, None)])
def test_the_tier_that_served(tier: object, expected: str | None) -> None:
    assert decoded({"message": {}}, service_tier=tier).service_tier == expected


# What is no completion


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"{}", b'{"choices":[]}', b'{"choices":null}', b'{"choices":{}}'),
        *(b'{"choices":["x"]}', b'{"choices":[{}]}', b'{"choices":[{"message":"x"}]}'),
        b'{"object":"chat.completion"}',
    ],
)
def test_what_is_no_completion(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        completion_of("openai", body)
    assert caught.value.code == "bad_upstream_response"


def test_an_error_instead_of_a_completion() -> None:
    with pytest.raises(UpstreamError) as caught:
        completion_of("openai", b'{"error":{"message":"Slow.","code":429}}')
    assert (caught.value.status, caught.value.message) == (429, "Slow.")
