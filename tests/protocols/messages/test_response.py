"""A whole message as a completion."""

from typing import Any

import pytest

from tests.accumulate import completion
from tests.answers import Asked, Completion, asked, completion_of
from tests.protocols.messages.encoding import encoded
from tests.stories import data
from tests.streams import replay
from xtrix import json
from xtrix.errors import BAD_RESPONSE, UpstreamError
from xtrix.protocols.chat.usage import encode_usage


def decoded(*blocks: dict[str, Any], asking: Asked | None = None, **said: object) -> Completion:
    body = {"type": "message", "content": list(blocks), "stop_reason": "end_turn", **said}
    return completion_of("anthropic", json.encode(body).encode(), asking)


def message(*blocks: dict[str, Any], asking: Asked | None = None, **said: object) -> dict[str, Any]:
    seen: dict[str, Any] = decoded(*blocks, asking=asking, **said).choices[0]["message"]
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
    asking = asked(tool_names={"a_b": "a.b"})
    assert message(use("a_b", {}), asking=asking)["tool_calls"][0]["function"]["name"] == "a.b"


@pytest.mark.parametrize(
    ("given", "said"),
    [({"input": "ls"}, "ls"), ({}, ""), (None, ""), ({"input": {"a": 1}}, '{"a":1}')],
)
def test_a_custom_tool(given: object, said: str) -> None:
    (call,) = message(use("shell", given), asking=asked(custom_tools=frozenset({"shell"})))[
        "tool_calls"
    ]
    assert call == {
        "id": "toolu_shell",
        "type": "custom",
        "custom": {"name": "shell", "input": said},
    }


def test_the_older_functions_allow_one_call() -> None:
    seen = decoded(use("a", {}), use("b", {}), asking=asked(functions=True)).choices[0]
    assert seen["message"]["function_call"] == {"name": "a", "arguments": "{}"}
    assert "tool_calls" not in seen["message"]
    assert seen["finish_reason"] == "function_call"


def test_the_answers_tool_is_content_and_no_call() -> None:
    asking = asked(answer_tool="json_tool_call")
    seen = decoded(use("json_tool_call", {"a": 1}), asking=asking, stop_reason="tool_use").choices[
        0
    ]
    assert seen["message"]["content"] == '{"a":1}'
    assert "tool_calls" not in seen["message"]
    assert seen["finish_reason"] == "stop"
    both = decoded(use("other", {}), asking=asking, stop_reason="tool_use").choices[0]
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
    (note,) = message(*blocks, asking=asked(cited=True))["annotations"]
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
    wire = encode_usage(answer.usage)
    assert (wire["prompt_tokens"], wire["completion_tokens"], wire["total_tokens"]) == (160, 7, 167)
    assert wire["prompt_tokens_details"]["cached_tokens"] == 100
    assert wire["prompt_tokens_details"]["cache_write_tokens"] == 50
    assert wire["completion_tokens_details"]["reasoning_tokens"] == 3


@pytest.mark.parametrize(
    "usage", [None, [], "x", {}, {"input_tokens": None}, {"input_tokens": "x"}]
)
def test_usage_that_is_missing_is_none(usage: object) -> None:
    assert encode_usage(decoded(text("x"), usage=usage).usage)["total_tokens"] == 0


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
        completion_of("anthropic", body)
    assert caught.value.code == "bad_upstream_response"


@pytest.mark.parametrize(
    ("error", "status"),
    [({"type": "overloaded_error", "message": "Busy"}, 503), ("x", 502), (None, 502)],
)
def test_an_error_instead_of_a_message(error: object, status: int) -> None:
    body = json.encode({"type": "error", "error": error}).encode()
    with pytest.raises(UpstreamError) as caught:
        completion_of("anthropic", body)
    assert caught.value.status == status


# What is no message of Anthropic's, whole as streamed


NO_LISTS: list[Any] = [5, {"a": 1}, -1, [5], [None], "x"]
NO_TEXTS: list[Any] = [5, [], {}]
NO_OBJECTS: list[Any] = [[1], "x", 5, True]
NO_NAMES: list[Any] = [None, "", 5, []]
NO_TYPES: list[Any] = [[], {}, None, 7]
WRONG: list[Any] = [
    *({"type": kind} for kind in NO_TYPES),
    {"text": "no type"},
    *(text("x", citations=citations) for citations in NO_LISTS),
    *({"type": "text", "text": value} for value in NO_TEXTS),
    *({"type": "thinking", "thinking": value} for value in NO_TEXTS),
    *(use("f", given) for given in NO_OBJECTS),
    *(use("custom", given) for given in NO_OBJECTS),
    *({"type": "tool_use", "id": "1", "name": name, "input": {}} for name in NO_NAMES),
    {"type": "tool_use", "id": "1", "input": {}},
    {"type": "tool_use", "id": 5, "name": "f", "input": {}},
]


@pytest.mark.parametrize("block", WRONG, ids=json.encode)
@pytest.mark.parametrize("cited", [False, True])
def test_a_malformed_block_is_the_upstreams_fault_whole_and_streamed(
    block: dict[str, Any], cited: bool
) -> None:
    asking = asked(custom_tools=frozenset({"custom"}), cited=cited)
    with pytest.raises(UpstreamError) as caught:
        decoded(text("before"), block, asking=asking)
    assert (caught.value.status, caught.value.code) == (502, BAD_RESPONSE)
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    begins = {"type": "message_start", "message": {}}
    if not block.get("citations"):  # a stream's come in deltas of their own
        assert replay("anthropic", map(data, [begins, start]), asking).error == BAD_RESPONSE


@pytest.mark.parametrize("said", [{"text": None}, {}, {"text": ""}])
def test_no_text_is_no_word(said: dict[str, Any]) -> None:
    assert message({"type": "text", **said}, text("x", citations=None))["content"] == "x"


def test_a_call_without_an_id_gets_one() -> None:
    calls = message(use("f", id=None), {"type": "tool_use", "name": "g"})["tool_calls"]
    assert [call["id"] for call in calls] == ["call_0", "call_1"]


def test_a_custom_tool_beside_the_older_functions_is_called_as_a_tool() -> None:
    tools = [{"type": "custom", "custom": {"name": "c"}}]
    asking = Asked(encoded(tools=tools, functions=[{"name": "f"}]).expected)
    choice = decoded(use("c", {"input": "x"}), asking=asking).choices[0]
    assert choice["message"]["tool_calls"][0]["custom"] == {"name": "c", "input": "x"}
    assert choice["finish_reason"] == "tool_calls"


# The tool whose input is the answer


ANSWER = asked(answer_tool="json_tool_call")


def streamed(*blocks: dict[str, Any], asking: Asked) -> dict[str, Any]:
    """The message that a stream of the same blocks adds up to."""
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {}}]
    for index, block in enumerate(blocks):
        more = (
            {"type": "text_delta", "text": block["text"]}
            if "text" in block
            else {
                "type": "input_json_delta",
                "partial_json": json.encode(block["input"]),
            }
        )
        begun = {**block, "input": {}} if "input" in block else {**block, "text": ""}
        events += [
            {"type": "content_block_start", "index": index, "content_block": begun},
            {"type": "content_block_delta", "index": index, "delta": more},
            {"type": "content_block_stop", "index": index},
        ]
    events += [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}}]
    events += [{"type": "message_stop"}]
    whole = completion(replay("anthropic", map(data, events), asking).frames)
    seen: dict[str, Any] = whole["choices"][0]["message"]
    return seen


@pytest.mark.parametrize(
    ("blocks", "content"),
    [
        ([use("json_tool_call", {"a": 1})], '{"a":1}'),
        ([text("Here it is: "), use("json_tool_call", {"a": 1})], '{"a":1}'),
        ([use("json_tool_call", {"a": 1}), text("That was it.")], '{"a":1}'),
        ([use("json_tool_call", {"a": 1}), use("json_tool_call", {"a": 2})], '{"a":1}'),
        ([text("I cannot.")], "I cannot."),
        ([text("First "), use("f", {"b": 2}), text("this.")], "First this."),
    ],
)
def test_the_answer_is_json_whatever_is_said_beside_it(
    blocks: list[dict[str, Any]], content: str
) -> None:
    whole = message(*blocks, asking=ANSWER)
    assert whole["content"] == content
    assert streamed(*blocks, asking=ANSWER) == whole
