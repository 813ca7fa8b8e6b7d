"""Checks what a client gets: it must be a completion in OpenAI's form, or an error of ours.

Written from platform.openai.com/docs/api-reference/chat (read 2026-11) and not from the code.
"""

from functools import lru_cache
from typing import Any

from tests import accumulate
from tests.play import Played
from xtrix import json
from xtrix.errors import FAULTS

FAULT_TYPES = {fault.error_type for fault in FAULTS.values()}
"""What the table of upstream errors makes of them."""
FINISH_REASONS = {"stop", "length", "tool_calls", "function_call", "content_filter"}


def assert_fault(error: dict[str, Any]) -> None:
    """`error` is one of those that an upstream's can become."""
    assert set(error) == {"message", "type", "param", "code"}, "no envelope of ours"
    assert error["code"] != "internal_error", "internal_error"
    assert error["type"] in FAULT_TYPES, f"the error's type is {error['type']}"
    assert error["message"], "no message"
    for name, value in error.items():
        assert isinstance(value, str | None), f"the error's {name} is no text"


def assert_completion(completion: dict[str, Any]) -> None:
    """`completion` is of OpenAI's form."""
    assert completion["choices"], "no choices"
    for choice in completion["choices"]:
        assert type(choice["index"]) is int, "the index of a choice is no number"
        assert choice["finish_reason"] in FINISH_REASONS, "a finish reason of nobody's"
        assert isinstance(choice["logprobs"], dict | None), "logprobs are no object"
        assert_message(choice["message"])
    indexes = [choice["index"] for choice in completion["choices"]]
    assert len(indexes) == len(set(indexes)), "two choices of one index"
    assert_usage(completion["usage"])
    assert isinstance(completion.get("service_tier"), str | None), "a tier that is no text"


def assert_usage(usage: dict[str, Any]) -> None:
    """`usage` counts tokens."""
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert type(usage[name]) is int, f"{name} is no number"
        assert usage[name] >= 0, f"{name} is negative"


def assert_message(message: dict[str, Any]) -> None:
    """`message` is an assistant's of OpenAI's form."""
    assert message["role"] == "assistant"
    for name in ("content", "refusal", "reasoning_content"):
        assert isinstance(message.get(name), str | None), f"{name} is no text"
    for name in ("tool_calls", "annotations", "thinking_blocks"):
        items = message.get(name, [])
        assert isinstance(items, list), f"{name} is no list"
        assert all(isinstance(item, dict) for item in items), f"in {name} is no object"
    for call in message.get("tool_calls", []):
        assert isinstance(call["id"], str), "the id of a call is no text"
        assert call["type"] in {"function", "custom"}, "a call of no kind"
        field = {"function": "arguments", "custom": "input"}[call["type"]]
        assert_named(call[call["type"]], field)
    if "function_call" in message:
        assert_named(message["function_call"], "arguments")


def assert_named(function: object, field: str) -> None:
    """`function` has a name, and a text in `field`."""
    assert isinstance(function, dict), "a call is no object"
    assert isinstance(function.get("name"), str), "the name of a call is no text"
    assert function["name"], "a call without a name"
    assert isinstance(function.get(field), str), f"{field} of a call is no text"


def told_whole(played: Played) -> tuple[str, Any]:
    """The message of a whole answer, or the type of its error. Checks the form of both."""
    return _told_whole(played.status, played.body)


def told_streamed(played: Played) -> tuple[str, Any]:
    """The same for a stream. An error in it counts, even after text."""
    return _told_streamed(played.body) if played.status == 200 else told_whole(played)


# Most of a sweep's answers are alike, and need to be looked at once.


@lru_cache
def _told_whole(status: int, body: str) -> tuple[str, Any]:
    said = json.decode(body)
    if status != 200:
        assert_fault(said["error"])
        return "error", said["error"]["type"]
    assert_completion(said)
    return "completion", comparable(said)


@lru_cache
def _told_streamed(body: str) -> tuple[str, Any]:
    last, done = accumulate.frames(body)[-2:]
    assert done == "[DONE]", "a stream without an end"
    if "error" in last:
        assert_fault(last["error"])
        return "error", last["error"]["type"]
    try:
        completion = accumulate.completion(body)
    except (AttributeError, KeyError, TypeError) as error:
        raise AssertionError(f"openai-python cannot add the chunks up: {error}") from error
    assert_completion(completion)
    return "completion", comparable(completion)


def comparable(completion: dict[str, Any]) -> Any:
    """What must be the same whole and streamed, with the JSON of arguments read."""
    choices = completion["choices"]
    for call in [call for each in choices for call in each["message"].get("tool_calls", [])]:
        if "function" in call:
            call["function"]["arguments"] = read(call["function"]["arguments"])
    for message in [each["message"] for each in choices if "function_call" in each["message"]]:
        message["function_call"]["arguments"] = read(message["function_call"]["arguments"])
    return choices, completion["usage"], completion.get("service_tier")


def read(text: str) -> Any:
    """The JSON in `text`, or `text` where it is none."""
    try:
        return json.decode(text)
    except ValueError:
        return text


def difference(one: tuple[str, Any], other: tuple[str, Any]) -> str:
    """A short description of the first difference."""
    if one[0] == other[0] == "completion":
        names = ("choices", "usage", "service_tier")
        pairs = zip(names, one[1], other[1], strict=True)
        return ", ".join(name for name, here, there in pairs if here != there)
    return " and ".join(kind if kind == "completion" else what for kind, what in (one, other))
