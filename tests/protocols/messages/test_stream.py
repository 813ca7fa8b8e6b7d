"""Anthropic's stream events as deltas, one kind of event after the other."""

from typing import Any

import pytest

from tests.accumulate import completion, frames
from tests.answers import Asked, asked
from tests.stories import data
from tests.streams import Outcome, replay

START: dict[str, Any] = {"type": "message_start", "message": {"usage": {"input_tokens": 5}}}
STOP: dict[str, Any] = {"type": "message_stop"}


def opened(index: int, block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def more(index: int, kind: str, **said: object) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **said}}


def closed(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def text(value: str, index: int = 0) -> dict[str, Any]:
    return more(index, "text_delta", text=value)


def arguments(value: str, index: int = 0) -> dict[str, Any]:
    return more(index, "input_json_delta", partial_json=value)


def tool(name: str, index: int = 0, **said: object) -> dict[str, Any]:
    return opened(index, {"type": "tool_use", "id": f"toolu_{name}", "name": name, **said})


def ended(reason: str | None = "end_turn", **said: object) -> dict[str, Any]:
    delta = {"stop_reason": reason, **said}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}


def played(*events: dict[str, Any], asking: Asked | None = None) -> Outcome:
    """The frames for `events`, each in a piece of its own."""
    return replay("anthropic", map(data, events), asking)


def deltas(*events: dict[str, Any], asking: Asked | None = None) -> list[dict[str, Any]]:
    """The deltas between the role and the finish of an answer with `events`."""
    said = frames(played(START, *events, ended(), STOP, asking=asking).frames)
    role, *between, finish, done = said
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert finish["choices"][0]["finish_reason"]
    assert done == "[DONE]"
    return [chunk["choices"][0]["delta"] for chunk in between]


def whole(*events: dict[str, Any], asking: Asked | None = None) -> dict[str, Any]:
    """The choice that an answer with `events` and its own end adds up to."""
    choice: dict[str, Any] = completion(played(START, *events, asking=asking).frames)["choices"][0]
    return choice


# Text


def test_text() -> None:
    seen = deltas(opened(0, {"type": "text", "text": ""}), text("Hel"), text("lo"), closed(0))
    assert seen == [{"content": "Hel"}, {"content": "lo"}]


def test_text_that_a_block_begins_with() -> None:
    assert deltas(opened(0, {"type": "text", "text": "Hi"})) == [{"content": "Hi"}]


@pytest.mark.parametrize(
    "event",
    [
        text(""),
        {"type": "ping"},
        {"type": "unheard_of", "index": 0},
        more(0, "unheard_of_delta", text="x"),
        closed(9),
        arguments("{}", 9),
        more(9, "thinking_delta", thinking="x"),
        more(9, "signature_delta", signature="x"),
        more(9, "citations_delta", citation={}),
        {"type": "content_block_delta", "index": 0, "delta": {}},
        START,
    ],
    ids=str,
)
def test_what_says_nothing_is_passed_over(event: dict[str, Any]) -> None:
    assert deltas(event, text("x")) == [{"content": "x"}]


def test_an_event_is_named_by_its_field_or_else_by_its_frame() -> None:
    begins = 'event: message_start\ndata: {"message":{}}\n\n'
    seen = replay("anthropic", [begins, data(text("x")), data(ended()), data(STOP)])
    assert completion(seen.frames)["choices"][0]["message"]["content"] == "x"


# Calls


def test_calls_are_counted_from_zero_whatever_their_blocks_number() -> None:
    seen = deltas(
        opened(0, {"type": "thinking", "thinking": ""}),
        closed(0),
        opened(1, {"type": "text", "text": ""}),
        closed(1),
        *(tool("a", 2, input={}), arguments('{"x"', 2), arguments(":1}", 2), closed(2)),
        *(tool("b", 5, input={}), arguments('{"y":2}', 5), closed(5)),
    )
    calls = [call for delta in seen for call in delta.get("tool_calls", [])]
    assert calls == [
        {
            "index": 0,
            "id": "toolu_a",
            "type": "function",
            "function": {"name": "a", "arguments": ""},
        },
        {"index": 0, "function": {"arguments": '{"x"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
        {
            "index": 1,
            "id": "toolu_b",
            "type": "function",
            "function": {"name": "b", "arguments": ""},
        },
        {"index": 1, "function": {"arguments": '{"y":2}'}},
    ]


def test_calls_whose_events_interleave() -> None:
    seen = whole(
        *(tool("a", 0), tool("b", 1), arguments('{"x"', 0), arguments('{"y"', 1)),
        *(arguments(":1}", 0), arguments(":2}", 1), closed(1), closed(0)),
        *(ended("tool_use"), STOP),
    )
    calls = [call["function"] for call in seen["message"]["tool_calls"]]
    assert calls == [
        {"name": "a", "arguments": '{"x":1}'},
        {"name": "b", "arguments": '{"y":2}'},
    ]


@pytest.mark.parametrize("between", [[], [arguments("")]], ids=["none", "empty"])
def test_no_arguments_are_an_empty_object(between: list[dict[str, Any]]) -> None:
    *_, last = deltas(tool("a", input={}), *between, closed(0))
    assert last == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}


def test_arguments_that_a_block_begins_with() -> None:
    _, given = deltas(tool("a", input={"x": 1}), closed(0))
    assert given == {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":1}'}}]}


@pytest.mark.parametrize("kind", ["server_tool_use", "mcp_tool_use", "web_search_tool_result"])
def test_the_servers_own_tools_are_no_calls_of_the_client(kind: str) -> None:
    block = {"type": kind, "id": "srvtoolu_1", "name": "web_search", "input": {}}
    seen = whole(opened(0, block), arguments('{"q":1}'), closed(0), text("x"), ended(), STOP)
    assert "tool_calls" not in seen["message"]
    assert seen["finish_reason"] == "stop"


def test_names_are_written_back() -> None:
    asking = asked(tool_names={"server_tool": "server.tool"})
    (call,) = deltas(tool("server_tool"), asking=asking)[0]["tool_calls"]
    assert call["function"]["name"] == "server.tool"


# Custom tools, the older functions, and the tool whose input is the answer


SHELL = asked(custom_tools=frozenset({"shell"}))


def test_a_custom_tools_text_comes_whole() -> None:
    parts = ['{"in', 'put": "ls', ' -l\\n"}']
    seen = deltas(tool("shell"), *map(arguments, parts), closed(0), asking=SHELL)
    assert [delta["tool_calls"][0] for delta in seen] == [
        {
            "index": 0,
            "id": "toolu_shell",
            "type": "custom",
            "custom": {"name": "shell", "input": ""},
        },
        {"index": 0, "custom": {"input": "ls -l\n"}},
    ]


def test_a_custom_tool_without_input() -> None:
    (call,) = whole(tool("shell"), closed(0), ended("tool_use"), STOP, asking=SHELL)["message"][
        "tool_calls"
    ]
    assert call["custom"] == {"name": "shell", "input": ""}


def test_a_custom_tools_text_that_was_cut_off_by_the_limit() -> None:
    cut = (tool("shell"), arguments('{"input": "ls'), closed(0), ended("max_tokens"), STOP)
    seen = played(START, *cut, asking=SHELL)
    assert seen.error is None
    assert '"finish_reason":"length"' in seen.frames


def test_the_older_functions_allow_one_call() -> None:
    events = (tool("a", 0), arguments("{}", 0), closed(0), tool("b", 1), arguments("{}", 1))
    seen = whole(*events, closed(1), ended("tool_use"), STOP, asking=asked(functions=True))
    assert seen["message"]["function_call"] == {"name": "a", "arguments": "{}"}
    assert "tool_calls" not in seen["message"]
    assert seen["finish_reason"] == "function_call"


ANSWER = asked(answer_tool="json_tool_call")


def test_the_answers_tool_is_content_and_no_call() -> None:
    events = (tool("json_tool_call"), arguments('{"a"'), arguments(":1}"), closed(0))
    seen = whole(*events, ended("tool_use"), STOP, asking=ANSWER)
    assert seen["message"]["content"] == '{"a":1}'
    assert "tool_calls" not in seen["message"]
    assert seen["finish_reason"] == "stop"


def test_an_empty_answer_of_the_answers_tool() -> None:
    assert deltas(tool("json_tool_call"), closed(0), asking=ANSWER) == [{"content": "{}"}]


def test_other_tools_beside_the_answers_are_calls() -> None:
    events = (tool("other"), arguments("{}"), closed(0), ended("tool_use"), STOP)
    seen = whole(*events, asking=ANSWER)
    assert seen["message"]["tool_calls"][0]["function"]["name"] == "other"
    assert seen["finish_reason"] == "tool_calls"


# Thinking


THOUGHT = (
    opened(0, {"type": "thinking", "thinking": "", "signature": ""}),
    more(0, "thinking_delta", thinking="Hm"),
    more(0, "thinking_delta", thinking="."),
    more(0, "signature_delta", signature="c2ln"),
    closed(0),
)


def test_thinking_is_reasoning_and_never_content() -> None:
    message = whole(*THOUGHT, text("Yes", 1), ended(), STOP)["message"]
    assert message["content"] == "Yes"
    assert message["reasoning_content"] == "Hm."
    assert message["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    ]


def test_hidden_thinking_is_handed_on_for_the_way_back() -> None:
    hidden = {"type": "redacted_thinking", "data": "eA=="}
    message = whole(*THOUGHT, opened(1, hidden), closed(1), ended(), STOP)["message"]
    assert message["thinking_blocks"][1] == hidden
    assert message["reasoning_content"] == "Hm."


def test_signed_blocks_are_told_in_one_delta() -> None:
    """openai-python joins lists by index; openai-node keeps the last one."""
    hidden = {"type": "redacted_thinking", "data": "eA=="}
    seen = deltas(*THOUGHT, opened(1, hidden), closed(1), text("Yes", 2))
    (told,) = [delta["thinking_blocks"] for delta in seen if "thinking_blocks" in delta]
    assert [block["index"] for block in told] == [0, 1]


def test_thinking_that_a_block_begins_with() -> None:
    block = {"type": "thinking", "thinking": "Oh", "signature": "x"}
    assert deltas(opened(0, block))[0] == {"reasoning_content": "Oh"}


# Citations


CITED = asked(cited=True)


def citation(url: object) -> dict[str, Any]:
    return more(0, "citations_delta", citation={"url": url, "title": "T", "cited_text": "x"})


def test_citations_are_annotations_told_once_at_the_end() -> None:
    events = (
        *(text("Before. "), opened(0, {"type": "text", "text": ""}), citation("https://a.test")),
        *(text("Cited."), closed(0), opened(0, {"type": "text"}), citation("https://b.test")),
        *(text(" More."), closed(0)),
    )
    seen = deltas(*events, asking=CITED)
    assert [delta for delta in seen if "annotations" in delta] == [seen[-1]]
    spans = [note["url_citation"] for note in seen[-1]["annotations"]]
    assert [(span["url"], span["start_index"], span["end_index"]) for span in spans] == [
        ("https://a.test", 8, 14),
        ("https://b.test", 14, 20),
    ]


@pytest.mark.parametrize(("url", "asking"), [(None, CITED), (7, CITED), ("https://a.test", None)])
def test_a_citation_without_an_address_or_unasked_is_none(
    url: object, asking: Asked | None
) -> None:
    events = (opened(0, {"type": "text", "text": ""}), citation(url), text("x"), closed(0))
    assert deltas(*events, asking=asking) == [{"content": "x"}]


# The end


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("refusal", "content_filter"),
        ("tool_use", "stop"),
        ("unheard_of", "stop"),
    ],
)
def test_finish_reasons(reason: str, expected: str) -> None:
    assert whole(text("x"), ended(reason), STOP)["finish_reason"] == expected
    called = whole(tool("a"), closed(0), ended(reason), STOP)["finish_reason"]
    assert called == ("tool_calls" if expected == "stop" else expected)


def test_a_refusals_words() -> None:
    details = {"category": "x", "explanation": "I will not."}
    seen = whole(ended("refusal", stop_details=details), STOP)
    assert seen["message"]["refusal"] == "I will not."
    assert seen["finish_reason"] == "content_filter"


def test_usage_is_merged_and_counts_from_the_beginning() -> None:
    first = {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 100}
    begins = {"type": "message_start", "message": {"usage": {**first, "service_tier": "priority"}}}
    seen = played(
        begins,
        text("x"),
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 3, "input_tokens": None}},
        ended(),
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 9}},
        {"type": "message_delta", "delta": {}},
        STOP,
    )
    answer = completion(seen.frames)
    assert answer["usage"]["prompt_tokens"] == 105
    assert answer["usage"]["completion_tokens"] == 9
    assert answer["service_tier"] == "priority"
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_an_end_without_message_stop_is_an_end_once_the_reason_is_known() -> None:
    assert whole(text("x"), ended())["finish_reason"] == "stop"
    assert played(START, text("x"), ended(None)).error == "upstream_truncated"
    assert played(START, text("x")).error == "upstream_truncated"
    assert played(START).error == "upstream_truncated"
    assert played().error == "upstream_truncated"


# Errors


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("invalid_request_error", 400, None),
        ("authentication_error", 502, "upstream_authentication_error"),
        ("rate_limit_error", 429, "rate_limit_exceeded"),
        ("api_error", 500, "upstream_error"),
        ("overloaded_error", 503, "server_is_overloaded"),
        ("timeout_error", 504, "upstream_timeout"),
        ("unheard_of", 502, "upstream_error"),
    ],
)
def test_an_error_event(kind: str, status: int, code: str | None) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "Why."}}
    first = played(error)
    assert first.refused
    assert first.refused["error"]["code"] == code
    later = frames(played(START, text("x"), error).frames)
    assert later[-2]["error"]["code"] == code
    assert later[-1] == "[DONE]"
    assert status


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_start"},
        {"type": "content_block_start", "index": 0},
        {"type": "content_block_delta", "index": 0, "delta": "x"},
        {"type": "message_delta", "delta": None},
        {"type": "error"},
        {"type": "error", "error": "x"},
        text(7),  # type: ignore[arg-type]
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
    ],
    ids=str,
)
def test_malformed_events(event: dict[str, Any]) -> None:
    assert played(event, ended(), STOP).error == "bad_upstream_response"


@pytest.mark.parametrize("odd", [[1], {}, None, 1.5, True, "x"], ids=repr)
def test_odd_types_and_indexes_crash_nothing(odd: Any) -> None:
    seen = played(
        START,
        {"type": odd},
        opened(odd, {"type": odd, "text": odd}),
        opened(odd, {"type": "tool_use", "id": odd, "name": odd, "input": odd}),
        {"type": "content_block_delta", "index": odd, "delta": {"type": odd}},
        closed(odd),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": odd},
        STOP,
    )
    assert seen.finished or seen.error == "bad_upstream_response"
