"""The client's messages as system blocks and turns that Anthropic takes."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.pace import assert_linear
from tests.protocols.messages.encoding import (
    CALL,
    CALLED,
    FUNCTION,
    INSIDE,
    NEWEST,
    RESULT,
    USER,
    refused,
    sent,
    text,
    turns,
)
from xtrix.errors import ClientError

HELLO = {"role": "user", "content": [text("Hello")]}
MARK = {"type": "ephemeral"}


def say(role: str, content: object, **more: object) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def fails(*messages: object, **said: Any) -> ClientError:
    return refused(messages=list(messages), **said)


# System text


def test_the_leading_system_messages_are_the_system_prompt() -> None:
    body = sent(messages=[say("system", "a"), say("developer", [text("b")]), USER])
    assert body["system"] == [text("a"), text("b")]
    assert body["messages"] == [HELLO]


def test_empty_system_text_is_left_out() -> None:
    assert "system" not in sent(messages=[say("system", ""), say("system", " \n"), USER])


def test_system_text_alone_is_the_users() -> None:
    body = sent(messages=[say("system", "a"), say("system", "b")])
    assert body["system"] == [text("a")]
    assert body["messages"] == [{"role": "user", "content": [text("b")]}]
    assert "system" not in sent(messages=[say("system", "a")])


@pytest.mark.parametrize(
    "messages",
    [
        [say("system", "")],
        [say("assistant", "")],
        [say("system", " "), say("assistant", None)],
    ],
)
def test_nothing_at_all_is_refused(messages: list[dict[str, Any]]) -> None:
    error = fails(*messages)
    assert (error.code, error.param) == ("invalid_value", "messages")


def test_later_system_text_stays_where_it_came() -> None:
    assert turns(USER, say("system", "b"), say("user", "c")) == [
        {"role": "user", "content": [text("Hello"), text("[system] b"), text("c")]}
    ]
    assert turns(USER, say("assistant", "a"), say("system", "b"), say("user", "c")) == [
        HELLO,
        {"role": "assistant", "content": [text("a")]},
        {"role": "user", "content": [text("[system] b"), text("c")]},
    ]


def test_later_system_text_is_native_between_a_users_turn_and_an_assistants() -> None:
    messages = [USER, say("system", "b"), say("developer", "c"), say("assistant", "d"), USER]
    assert turns(*messages, model=INSIDE) == [
        HELLO,
        {"role": "system", "content": [text("b"), text("c")]},
        {"role": "assistant", "content": [text("d")]},
        HELLO,
    ]
    assert turns(USER, say("system", "b"), model=INSIDE)[-1] == say("system", [text("b")])


@pytest.mark.parametrize(
    "messages",
    [
        [USER, say("system", "b"), USER],
        [USER, say("assistant", "a"), say("system", "b"), USER],
        [USER, say("assistant", "a"), say("system", "b")],
    ],
)
def test_later_system_text_is_not_native_elsewhere(messages: list[dict[str, Any]]) -> None:
    roles = [turn["role"] for turn in turns(*messages, model=INSIDE)]
    assert "system" not in roles
    assert "[system] b" in str(turns(*messages, model=INSIDE))


def test_system_text_never_stands_between_calls_and_their_results() -> None:
    for model in (INSIDE, "claude-haiku-4-5"):
        seen = turns(USER, CALLED, say("system", "b"), RESULT, USER, tools=[FUNCTION], model=model)
        assert seen[2]["content"][0]["type"] == "tool_result"
        assert "[system] b" in str(seen[2]["content"][1:])


def test_a_system_message_holds_text_only() -> None:
    image = {"type": "image_url", "image_url": "https://i.test/a.png"}
    error = fails(say("system", [text("a"), image]), USER)
    assert (error.code, error.param) == ("unsupported_value", "messages[0].content[1].type")


# Users and assistants


@pytest.mark.parametrize("empty", ["", "  \n", [text("")], [text(" ")]])
def test_a_turn_of_which_nothing_is_left_says_that_it_is_empty(empty: object) -> None:
    assert turns(say("user", empty)) == [{"role": "user", "content": [text("(empty)")]}]


def test_turns_of_one_role_are_made_one() -> None:
    assert turns(USER, USER, say("assistant", "a"), say("assistant", "b"), USER) == [
        {"role": "user", "content": [text("Hello"), text("Hello")]},
        {"role": "assistant", "content": [text("a"), text("b")]},
        HELLO,
    ]


@pytest.mark.parametrize("nothing", ["", None, " ", [text("")]])
def test_an_assistants_empty_message_is_left_out(nothing: object) -> None:
    seen = turns(USER, say("assistant", nothing), USER)
    assert seen == [{"role": "user", "content": [text("Hello"), text("Hello")]}]


def test_an_assistant_may_come_first() -> None:
    assert turns(say("assistant", "a"), USER)[0] == {"role": "assistant", "content": [text("a")]}


def test_a_refusal_in_the_history_is_text() -> None:
    said = say("assistant", None, refusal="I will not.")
    parts = say("assistant", [{"type": "refusal", "refusal": "Nor this."}])
    assert turns(USER, said, parts, USER)[1]["content"] == [text("I will not."), text("Nor this.")]


def test_names_are_passed_over() -> None:
    assert turns({**USER, "name": "Ada"}) == [HELLO]


def test_audio_in_the_history_is_refused() -> None:
    error = fails(USER, say("assistant", None, audio={"id": "x"}))
    assert (error.code, error.param) == ("unsupported_parameter", "messages[1].audio")


def test_a_message_to_be_gone_on_with_ends_without_white_space() -> None:
    assert turns(USER, say("assistant", "{ \n"))[1]["content"] == [text("{")]
    assert turns(USER, say("assistant", [text("a "), text("b ")]))[1]["content"] == [
        text("a "),
        text("b"),
    ]


def test_a_model_that_goes_on_with_nothing_refuses_it() -> None:
    error = fails(USER, say("assistant", "{"), model=NEWEST)
    assert (error.code, error.param) == ("unsupported_value", "messages[1]")
    assert "end with a 'user' message" in error.message


# Thinking that the client hands back


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "eA=="}


def test_signed_thinking_comes_back_first_and_as_it_was() -> None:
    message = say("assistant", "Yes.", thinking_blocks=[{**THOUGHT, "index": 0}, HIDDEN])
    assert turns(USER, message, USER)[1]["content"] == [THOUGHT, HIDDEN, text("Yes.")]


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "thinking", "thinking": "Hm."}],
        [{**THOUGHT, "signature": ""}],
        [{"type": "redacted_thinking"}],
        [{"type": "text", "text": "x"}],
        ["x"],
        "x",
        None,
    ],
)
def test_thinking_without_a_signature_is_left_out(blocks: object) -> None:
    message = say("assistant", "Yes.", thinking_blocks=blocks, reasoning_content="Hm.")
    assert turns(USER, message, USER)[1]["content"] == [text("Yes.")]


def test_thinking_alone_may_be_a_turn() -> None:
    alone = say("assistant", None, thinking_blocks=[THOUGHT])
    assert turns(USER, alone)[1]["content"] == [THOUGHT]


# Calls and results


def use(block_id: str, given: object = None, name: str = "look_up") -> dict[str, Any]:
    return {"type": "tool_use", "id": block_id, "name": name, "input": given or {}}


def result(block_id: str, **more: object) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": block_id, **more}


def call(call_id: str, arguments: str = "", name: str = "look_up") -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def calls(*call_ids: str) -> dict[str, Any]:
    return say("assistant", None, tool_calls=[call(call_id) for call_id in call_ids])


def answer(call_id: str, content: object = "found") -> dict[str, Any]:
    return say("tool", content, tool_call_id=call_id)


def test_a_call_and_its_result() -> None:
    assert turns(USER, CALLED, RESULT, tools=[FUNCTION])[1:] == [
        {"role": "assistant", "content": [use("call_1", {"a": 1})]},
        {"role": "user", "content": [result("call_1", content="found")]},
    ]


def test_text_stands_before_calls() -> None:
    message = say("assistant", "Let me see.", tool_calls=[CALL])
    seen = turns(USER, message, RESULT, tools=[FUNCTION])[1]["content"]
    assert [block["type"] for block in seen] == ["text", "tool_use"]


def test_all_results_are_one_turn_and_come_first_in_it() -> None:
    seen = turns(USER, calls("a", "b"), answer("b"), USER, answer("a"), USER, tools=[FUNCTION])
    assert seen[2]["content"] == [
        result("b", content="found"),
        result("a", content="found"),
        text("Hello"),
        text("Hello"),
    ]


@pytest.mark.parametrize("arguments", ["", "  ", "{}", " { } "])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    message = say("assistant", None, tool_calls=[call("1", arguments)])
    assert turns(USER, message, answer("1"), tools=[FUNCTION])[1]["content"] == [use("1")]


@pytest.mark.parametrize("arguments", ["{", "[]", "7", "null", '"x"', "{'a':1}", "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    message = say("assistant", None, tool_calls=[call("1"), call("2", arguments)])
    error = fails(USER, message)
    assert (error.code, error.param) == ("invalid_value", "messages[1].tool_calls[1]")


def test_a_result_without_content_has_none() -> None:
    assert turns(USER, calls("1"), answer("1", ""), tools=[FUNCTION])[2]["content"] == [result("1")]


def test_a_result_of_parts() -> None:
    image = {"type": "image_url", "image_url": "https://i.test/a.png"}
    (block,) = turns(USER, calls("1"), answer("1", [text("a"), image]), tools=[FUNCTION])[2][
        "content"
    ]
    assert [part["type"] for part in block["content"]] == ["text", "image"]


def test_no_result_is_ever_said_to_be_an_error() -> None:
    assert "is_error" not in str(turns(USER, calls("1"), answer("1", "Error!"), tools=[FUNCTION]))


@pytest.mark.parametrize(
    ("ids", "theirs"),
    [
        (["toolu_01A-b"], ["toolu_01A-b"]),
        (["call.1/x", "call:1:x"], ["call_1_x", "call_1_x_2"]),
        ([""], ["call"]),
        (["北京"], ["__"]),
    ],
)
def test_ids_that_anthropic_refuses_are_rewritten(ids: list[str], theirs: list[str]) -> None:
    seen = turns(USER, calls(*ids), *map(answer, ids), tools=[FUNCTION])
    assert [block["id"] for block in seen[1]["content"]] == theirs
    assert [block["tool_use_id"] for block in seen[2]["content"]] == theirs


def test_an_id_used_again_later_gets_its_own() -> None:
    seen = turns(USER, calls("1"), answer("1"), calls("1"), answer("1"), tools=[FUNCTION])
    ids = [block["id"] for turn in seen for block in turn["content"] if "id" in block]
    answered = [b["tool_use_id"] for turn in seen for b in turn["content"] if "tool_use_id" in b]
    assert ids == answered == ["1", "1_2"]


def test_two_calls_at_once_with_one_id_are_refused() -> None:
    error = fails(USER, calls("1", "1"), answer("1"), answer("1"))
    assert error.param == "messages[1].tool_calls[1].id"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([USER, answer("1")], "messages[1].tool_call_id"),
        ([USER, calls("1"), answer("2")], "messages[2].tool_call_id"),
        ([USER, calls("1"), answer("1"), answer("1")], "messages[3].tool_call_id"),
        ([USER, say("function", "x", name="f")], "messages[1].tool_call_id"),
    ],
)
def test_a_result_of_no_call_is_refused(messages: list[dict[str, Any]], param: str) -> None:
    error = fails(*messages)
    assert (error.code, error.param) == ("invalid_value", param)


@pytest.mark.parametrize(
    "messages",
    [
        [USER, calls("1", "2"), answer("1")],
        [USER, calls("1", "2"), answer("1"), say("assistant", "a"), USER],
        [USER, calls("1", "2"), answer("1"), USER],
        [USER, calls("1", "2"), answer("1"), calls("3"), answer("3"), answer("2")],
    ],
)
def test_a_call_without_a_result_is_refused(messages: list[dict[str, Any]]) -> None:
    error = fails(*messages)
    assert (error.code, error.param) == ("invalid_value", "messages[1].tool_calls[1]")
    assert "'2'" in error.message


def test_a_call_of_an_unknown_kind_is_refused() -> None:
    error = fails(USER, say("assistant", None, tool_calls=[{"id": "1", "type": "mcp"}]))
    assert (error.code, error.param) == ("unsupported_value", "messages[1].tool_calls[0].type")


def test_a_custom_tools_call_has_text_for_input() -> None:
    custom = {"id": "1", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
    seen = turns(
        USER,
        say("assistant", None, tool_calls=[custom]),
        answer("1"),
        tools=[{"type": "custom", "custom": {"name": "shell"}}],
    )
    assert seen[1]["content"] == [use("1", {"input": "ls -l"}, "shell")]


# The older function_call


def test_function_calls_are_paired_by_the_functions_name() -> None:
    called = say("assistant", None, function_call={"name": "f", "arguments": '{"a":1}'})
    seen = turns(
        USER,
        called,
        say("function", "one", name="f"),
        called,
        say("function", None, name="f"),
        functions=[{"name": "f"}],
    )
    assert seen[1:] == [
        {"role": "assistant", "content": [use("call_1", {"a": 1}, "f")]},
        {"role": "user", "content": [result("call_1", content="one")]},
        {"role": "assistant", "content": [use("call_3", {"a": 1}, "f")]},
        {"role": "user", "content": [result("call_3")]},
    ]


# Cache marks


def test_a_messages_mark_is_on_its_last_block() -> None:
    seen = turns({**USER, "content": [text("a"), text("b")], "cache_control": MARK})
    assert seen[0]["content"] == [text("a"), {**text("b"), "cache_control": MARK}]
    body = sent(messages=[say("system", "a", cache_control=MARK), USER])
    assert body["system"] == [{**text("a"), "cache_control": MARK}]
    tool = turns(USER, calls("1"), {**answer("1"), "cache_control": MARK}, tools=[FUNCTION])
    assert tool[2]["content"][0]["cache_control"] == MARK


def test_a_mark_on_nothing_marks_nothing() -> None:
    assert "cache_control" not in str(turns(USER, say("assistant", "", cache_control=MARK), USER))


# Long histories


@pytest.mark.parametrize(
    ("ids", "names"), [("one", "one"), ("one", "many"), ("many", "one"), ("many", "many")]
)
def test_a_long_history_of_calls_takes_linear_time(ids: str, names: str) -> None:
    def history(count: int) -> Callable[[], object]:
        messages = [dict(USER)]
        for number in range(count):
            call_id = f"call_{number if ids == 'many' else 0}"
            name = f"name_{number if names == 'many' else 0}"
            called = say("assistant", None, tool_calls=[call(call_id, name=name)])
            messages += [called, answer(call_id)]
        return lambda: sent(messages=messages)

    assert_linear(history, 500)


def test_a_call_of_an_unknown_kind_need_not_look_like_a_call() -> None:
    error = fails(USER, say("assistant", None, tool_calls=[{"type": "x"}]))
    assert (error.code, error.param) == ("unsupported_value", "messages[1].tool_calls[0].type")
