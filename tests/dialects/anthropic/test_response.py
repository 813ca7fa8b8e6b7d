"""A whole message as a completion."""

from typing import Any

import pytest

from xtrix import json
from xtrix.completions import Completion
from xtrix.dialect import Asked
from xtrix.dialects.anthropic.response import decode_response
from xtrix.errors import UpstreamError


def decoded(*blocks: dict[str, Any], asked: Asked | None = None, **said: object) -> Completion:
    body = {"type": "message", "content": list(blocks), "stop_reason": "end_turn", **said}
    return decode_response(json.encode(body).encode(), asked or Asked())


def message(*blocks: dict[str, Any], asked: Asked | None = None, **said: object) -> dict[str, Any]:
    seen: dict[str, Any] = decoded(*blocks, asked=asked, **said).choices[0]["message"]
    return seen


def text(value: str, **more: object) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def use(name: str, given: object = None, **more: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": given, **more}


def test_text() -> None:
    assert decoded(text("Hel"), text("lo")).choices == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]


def test_nothing_at_all_is_empty_text() -> None:
    assert message()["content"] == ""


def test_calls_and_no_text() -> None:
    seen = message(use("a", {"x": [1, "é"]}), use("b", {}), use("c"))
    assert seen["content"] is None
    assert seen["tool_calls"] == [
        {
            "id": "toolu_a",
            "type": "function",
            "function": {"name": "a", "arguments": '{"x":[1,"é"]}'},
        },
        {"id": "toolu_b", "type": "function", "function": {"name": "b", "arguments": "{}"}},
        {"id": "toolu_c", "type": "function", "function": {"name": "c", "arguments": "{}"}},
    ]


def test_calls_beside_text() -> None:
    seen = decoded(text("Let me see."), use("a", {})).choices[0]
    assert seen["message"]["content"] == "Let me see."
    assert seen["finish_reason"] == "tool_calls"


def test_names_are_written_back() -> None:
    asked = Asked(tool_names={"a_b": "a.b"})
    assert message(use("a_b", {}), asked=asked)["tool_calls"][0]["function"]["name"] == "a.b"


@pytest.mark.parametrize(
    ("given", "said"),
    [({"input": "ls"}, "ls"), ({}, ""), (None, ""), ({"input": {"a": 1}}, '{"a":1}')],
)
def test_a_custom_tool(given: object, said: str) -> None:
    (call,) = message(use("shell", given), asked=Asked(custom_tools=frozenset({"shell"})))[
        "tool_calls"
    ]
    assert call == {
        "id": "toolu_shell",
        "type": "custom",
        "custom": {"name": "shell", "input": said},
    }


def test_the_older_functions_allow_one_call() -> None:
    seen = decoded(use("a", {}), use("b", {}), asked=Asked(functions=True)).choices[0]
    assert seen["message"]["function_call"] == {"name": "a", "arguments": "{}"}
    assert "tool_calls" not in seen["message"]
    assert seen["finish_reason"] == "function_call"


def test_the_answers_tool_is_content_and_no_call() -> None:
    asked = Asked(answer_tool="json_tool_call")
    seen = decoded(use("json_tool_call", {"a": 1}), asked=asked, stop_reason="tool_use").choices[0]
    assert seen["message"]["content"] == '{"a":1}'
    assert "tool_calls" not in seen["message"]
    assert seen["finish_reason"] == "stop"
    both = decoded(use("other", {}), asked=asked, stop_reason="tool_use").choices[0]
    assert both["finish_reason"] == "tool_calls"


def test_the_servers_own_tools_are_no_calls() -> None:
    blocks = (
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": 1}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    )
    seen = message(*blocks, text("Found."))
    assert seen == {"role": "assistant", "content": "Found.", "refusal": None}


def test_thinking() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    hidden = {"type": "redacted_thinking", "data": "eA=="}
    seen = message(thought, hidden, text("Yes."))
    assert seen["content"] == "Yes."
    assert seen["reasoning_content"] == "Hm."
    assert seen["thinking_blocks"] == [thought, hidden]
    assert "reasoning_content" not in message(hidden, text("Yes."))


def test_citations() -> None:
    cited = text(
        "Cited.", citations=[{"url": "https://a.test", "title": "A"}, {"document_title": "B"}]
    )
    blocks = (text("Before. "), cited, text(" After.", citations=None))
    (note,) = message(*blocks, asked=Asked(cited=True))["annotations"]
    assert note == {
        "type": "url_citation",
        "url_citation": {
            "url": "https://a.test",
            "title": "A",
            "start_index": 8,
            "end_index": 14,
        },
    }
    assert "annotations" not in message(*blocks)


def test_a_refusal() -> None:
    details = {"category": "x", "explanation": "I will not."}
    seen = decoded(stop_reason="refusal", stop_details=details).choices[0]
    assert seen["message"] == {"role": "assistant", "content": None, "refusal": "I will not."}
    assert seen["finish_reason"] == "content_filter"
    unexplained = decoded(stop_reason="refusal", stop_details=None).choices[0]["message"]
    assert (unexplained["content"], unexplained["refusal"]) == ("", None)


def test_usage_and_tier() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 50,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
        "service_tier": "standard",
    }
    answer = decoded(text("x"), usage=usage)
    assert answer.service_tier == "default"
    wire = answer.usage.wire()
    assert (wire["prompt_tokens"], wire["completion_tokens"], wire["total_tokens"]) == (160, 7, 167)
    assert wire["prompt_tokens_details"]["cached_tokens"] == 100
    assert wire["prompt_tokens_details"]["cache_write_tokens"] == 50
    assert wire["completion_tokens_details"]["reasoning_tokens"] == 3


@pytest.mark.parametrize(
    "usage", [None, [], "x", {}, {"input_tokens": None}, {"input_tokens": "x"}]
)
def test_usage_that_is_missing_is_none(usage: object) -> None:
    assert decoded(text("x"), usage=usage).usage.wire()["total_tokens"] == 0


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"<html>", b"{}", b'{"content":null}', b'{"content":"x"}'),
        *(b'{"content":["x"]}', b"[" * 100_000),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_message(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        decode_response(body, Asked())
    assert caught.value.code == "bad_upstream_response"


@pytest.mark.parametrize(
    ("error", "status"),
    [({"type": "overloaded_error", "message": "Busy"}, 503), ("x", 502), (None, 502)],
)
def test_an_error_instead_of_a_message(error: object, status: int) -> None:
    body = json.encode({"type": "error", "error": error}).encode()
    with pytest.raises(UpstreamError) as caught:
        decode_response(body, Asked())
    assert caught.value.status == status
