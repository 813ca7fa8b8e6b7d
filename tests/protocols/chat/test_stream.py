"""Rewriting an OpenAI-compatible stream, one deviation after the other."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.accumulate import completion, frames
from tests.pace import assert_linear
from tests.stories import data
from tests.streams import Outcome, replay
from xtrix.errors import BAD_RESPONSE
from xtrix.protocols.chat.tools import ToolCalls

DONE = "data: [DONE]\n\n"


def chunk(delta: object, reason: object = None, index: object = 0, **said: object) -> str:
    """The frame of one chunk; what is None is left out."""
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    said_of_it = {key: value for key, value in choice.items() if value is not None}
    return data({"choices": [said_of_it], **said})


def content(text: str, **said: Any) -> str:
    return chunk({"content": text}, **said)


STOP = chunk({}, "stop")


def played(*events: str) -> Outcome:
    return replay("openai", events)


def deltas(*events: str) -> list[dict[str, Any]]:
    """The deltas between the role and the finish of a stream of `events` that stops."""
    role, *between, finish, done = frames(played(*events, STOP, DONE).frames)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert finish["choices"][0]["finish_reason"]
    assert done == "[DONE]"
    return [said["choices"][0]["delta"] for said in between]


def whole(*events: str) -> dict[str, Any]:
    return completion(played(*events).frames)


def fragment(arguments: str = "", name: str = "", **said: object) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {**said, "function": function}


def call(*fragments: dict[str, Any]) -> str:
    return chunk({"tool_calls": list(fragments)})


def functions(*events: str) -> list[tuple[str, str]]:
    """Name and arguments of each call that `events` add up to."""
    message = whole(*events, chunk({}, "tool_calls"), DONE)["choices"][0]["message"]
    return [
        (each["function"]["name"], each["function"]["arguments"]) for each in message["tool_calls"]
    ]


# The frame around deltas


def test_the_contract_whatever_the_upstream_says() -> None:
    said = {"id": "theirs", "object": "x", "created": 7, "model": "theirs", "provider": "x"}
    seen = whole(content("Hi", **said), chunk({}, "stop", **said, system_fingerprint="fp_x"), DONE)
    assert (seen["id"], seen["created"], seen["model"]) == ("chatcmpl-0", 0, "model")
    assert seen["system_fingerprint"] == "fp_0000000000"
    assert "provider" not in seen


@pytest.mark.parametrize("role", ["assistant", "model", "", None])
def test_the_role_is_told_once(role: str | None) -> None:
    said = [{"role": role, "content": text} for text in ("a", "b")]
    assert deltas(*map(chunk, said)) == [{"content": "a"}, {"content": "b"}]


def test_a_choice_without_an_index_is_the_first() -> None:
    assert deltas(chunk({"content": "a"}, index=None)) == [{"content": "a"}]


@pytest.mark.parametrize("index", ["0", 1.5, True, -1, [0], {}])
def test_an_index_that_is_no_number(index: object) -> None:
    assert played(chunk({"content": "a"}, index=index)).error == "bad_upstream_response"


def test_several_choices_each_with_its_role_and_finish() -> None:
    events = [content("a"), content("b", index=1), content("A"), chunk({}, "length", index=1)]
    choices = whole(*events, STOP, DONE)["choices"]
    assert [choice["message"]["content"] for choice in choices] == ["aA", "b"]
    assert [choice["finish_reason"] for choice in choices] == ["stop", "length"]


@pytest.mark.parametrize(
    "event",
    [
        *(data({"choices": []}), data({}), data({"choices": None}), "data:\n\n", "data: \n\n"),
        *(": comment\n\n", "event: ping\n\n", data({"choices": ["x"]}), "id: 7\n\n"),
        *(chunk({}), chunk(None), chunk({"content": ""}), chunk({"content": None}), chunk("x")),
        chunk({"content": 7}),
        chunk({"content": {"a": 1}}),
        chunk({"tool_calls": []}),
        chunk({"tool_calls": "x"}),
        chunk({"tool_calls": ["x"]}),
    ],
)
def test_what_says_nothing_is_passed_over(event: str) -> None:
    assert deltas(event, content("a")) == [{"content": "a"}]


# Reasoning, lists, log probabilities


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_under_one_name(name: str) -> None:
    assert deltas(chunk({name: "Hm"}), chunk({name: "."})) == [
        {"reasoning_content": "Hm"},
        {"reasoning_content": "."},
    ]


def test_parts_are_joined() -> None:
    parts = [{"type": "thinking", "thinking": [{"text": "Hm"}]}, {"type": "text", "text": "Yes"}]
    assert deltas(chunk({"content": parts})) == [{"content": "Yes", "reasoning_content": "Hm"}]


def test_lists_without_indexes_are_told_once_at_the_end() -> None:
    """openai-python accepts such a list once in a stream, and fails at the second."""
    one, two = ({"type": "url_citation", "url_citation": {"url": url}} for url in "ab")
    seen = deltas(chunk({"annotations": [one]}), content("x"), chunk({"annotations": [two]}))
    assert seen == [{"content": "x"}, {"annotations": [one, two]}]


def test_what_else_a_delta_says_comes_through_but_for_bare_numbers() -> None:
    """The SDKs would add numbers and booleans of all deltas together."""
    bare = {"cost": 0.1, "tokens": 7, "cached": True, "nothing": None, "empty": ""}
    kept = {"note": "x", "grounding": {"score": 0.5}}
    assert deltas(chunk({"content": "Hi", **bare, **kept}), chunk(bare)) == [
        {"content": "Hi", **kept}
    ]


def test_log_probabilities_go_with_their_text() -> None:
    said = {"content": [{"token": "a", "logprob": -0.1}]}
    event = data({"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": said}]})
    assert whole(event, event, STOP, DONE)["choices"][0]["logprobs"] == {
        "content": said["content"] * 2
    }


# Calls


def test_calls_as_openai_streams_them() -> None:
    events = [
        call(fragment("", "f", index=0, id="a", type="function")),
        call(fragment('{"x"', index=0)),
        call(fragment(":1}", index=0)),
        call(fragment("", "g", index=1, id="b", type="function")),
        call(fragment("{}", index=1)),
    ]
    assert functions(*events) == [("f", '{"x":1}'), ("g", "{}")]


@pytest.mark.parametrize(
    "more",
    [
        {"index": 0},
        {"index": 0, "id": None, "type": None},
        {"index": 0, "id": "", "type": "function"},
        {"index": 0, "id": "a", "type": "function"},
        {"id": "a"},
        {},
    ],
    ids=str,
)
def test_what_goes_on_with_a_call(more: dict[str, Any]) -> None:
    first = fragment("{", "f", index=0, id="a", type="function")
    assert functions(call(first), call(fragment('"x":1}', **more))) == [("f", '{"x":1}')]


def test_a_name_that_comes_again_and_again_is_told_once() -> None:
    said = {"index": 0, "id": "a", "type": "function"}
    events = [call(fragment(text, "f", **said)) for text in ("{", '"x":1', "}")]
    assert functions(*events) == [("f", '{"x":1}')]


@pytest.mark.parametrize("said", [{}, {"id": "another"}, {"id": None}], ids=str)
def test_a_known_index_goes_on_unless_both_name_and_id_are_new(said: dict[str, Any]) -> None:
    first = call(fragment("{", "f", index=0, id="a"))
    named = {"name": "f"} if not said.get("id") else {}
    more = {"index": 0, **said, "function": {**named, "arguments": '"x":1}'}}
    assert functions(first, call(more)) == [("f", '{"x":1}')]


@pytest.mark.parametrize("index", [{}, {"index": 0}, {"index": 5}], ids=str)
def test_calls_that_only_their_ids_tell_apart(index: dict[str, int]) -> None:
    events = [call(fragment("{}", name, id=name * 2, **index)) for name in "fg"]
    assert functions(*events) == [("f", "{}"), ("g", "{}")]


def test_calls_that_only_their_names_tell_apart() -> None:
    events = [call(fragment("{}", name)) for name in "fg"]
    assert functions(*events) == [("f", "{}"), ("g", "{}")]


def raw(arguments: object, **said: object) -> dict[str, Any]:
    return {**said, "function": {"name": "f", "arguments": arguments}}


def test_arguments_that_are_an_object_are_not_lost() -> None:
    assert functions(call(raw({"a": 1}, index=0, id="1"))) == [("f", '{"a":1}')]


@pytest.mark.parametrize("said", [{}, {"id": None}, {"id": ""}], ids=str)
@pytest.mark.parametrize("name", ["f", "g"])
def test_whole_calls_that_all_have_the_index_0_and_no_id(said: dict[str, Any], name: str) -> None:
    one = fragment('{"a":1}', "f", index=0, **said)
    two = fragment('{"b":2}', name, index=0, **said)
    expected = [("f", '{"a":1}'), (name, '{"b":2}')]
    assert functions(call(one), call(two)) == expected
    assert functions(call(one, two)) == expected


def test_a_whole_call_after_one_without_arguments() -> None:
    one, two = fragment("", "f", index=0), fragment("{}", "g", index=0)
    assert functions(call(one), call(two)) == [("f", "{}"), ("g", "{}")]


def test_a_name_repeated_without_an_id_goes_on() -> None:
    pieces = [fragment(text, "f", index=0) for text in ("", '{"a":', "1}")]
    assert functions(*map(call, pieces)) == [("f", '{"a":1}')]


@pytest.mark.parametrize("begun", ["", '{"a":'])
def test_a_name_that_comes_after_its_id(begun: str) -> None:
    first = fragment(begun, index=0, id="1")
    second = fragment("", "f", index=0)
    third = fragment('{"a":1}'[len(begun) :], index=0)
    assert functions(call(first), call(second), call(third)) == [("f", '{"a":1}')]


def test_many_calls_take_linear_time() -> None:
    def prepare(count: int) -> Callable[[], object]:
        calls = [fragment("{}", "f", id=f"call_{at}") for at in range(count)]
        return lambda: ToolCalls("call").whole([*calls])

    assert_linear(prepare, 2_000)


@pytest.mark.parametrize("index", [None, 0])
def test_a_choice_whose_index_is_null_is_the_first(index: object) -> None:
    said = data({"choices": [{"index": index, "delta": {"content": "x"}}]})
    assert played(said, STOP, DONE) == played(content("x"), STOP, DONE)


@pytest.mark.parametrize("first", [1, 7])
def test_indexes_count_from_zero(first: int) -> None:
    events = [
        call(fragment("", "f", index=first, id="a")),
        call(fragment("", "g", index=first + 1, id="b")),
        call(fragment('{"g":1}', index=first + 1)),
        call(fragment('{"f":1}', index=first)),
    ]
    assert functions(*events) == [("f", '{"f":1}'), ("g", '{"g":1}')]


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": ""}, {"id": 7}, {"id": ["a"]}], ids=str)
def test_calls_without_ids_get_their_own(given: dict[str, Any]) -> None:
    events = [call(fragment("{}", name, index=index, **given)) for index, name in enumerate("fg")]
    message = whole(*events, STOP, DONE)["choices"][0]["message"]
    ids = [each["id"] for each in message["tool_calls"]]
    assert all(ids)
    assert len(set(ids)) == 2


def test_a_call_without_arguments_has_an_empty_object() -> None:
    events = [call(fragment("", "f", index=0, id="a")), call(fragment("", index=0))]
    assert functions(*events) == [("f", "{}")]


def test_a_call_in_one_piece() -> None:
    event = call(fragment("{}", "f", index=0, id="a"), fragment("{}", "g", index=1, id="b"))
    assert functions(event) == [("f", "{}"), ("g", "{}")]


def test_what_else_a_call_carries_comes_through() -> None:
    """Gemini wants its thought signature back with the call."""
    extra = {"extra_content": {"google": {"thought_signature": "x"}}}
    message = whole(call(fragment("{}", "f", id="a", **extra)), STOP, DONE)["choices"][0]["message"]
    assert message["tool_calls"][0]["extra_content"] == extra["extra_content"]


def test_it_comes_through_where_the_call_begins() -> None:
    more = fragment("}", index=0, extra_content="later")
    message = whole(call(fragment("{", "f", index=0, id="a", extra_content="x")), call(more), STOP)
    assert message["choices"][0]["message"]["tool_calls"][0]["extra_content"] == "x"


def test_custom_calls() -> None:
    first = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "shell", "input": ""}}
    events = [call(first), call({"index": 0, "custom": {"input": "ls"}})]
    message = whole(*events, STOP, DONE)["choices"][0]["message"]
    assert message["tool_calls"] == [
        {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    ]
    empty = whole(call(first), STOP, DONE)["choices"][0]["message"]
    assert empty["tool_calls"][0]["custom"]["input"] == ""


@pytest.mark.parametrize("odd", [[1], {}, 1.5, True], ids=repr)
def test_a_call_whose_name_is_no_text_is_the_upstreams_fault(odd: Any) -> None:
    event = call({"index": odd, "id": odd, "type": odd, "function": odd})
    named = call({"index": odd, "id": odd, "function": {"name": odd, "arguments": odd}})
    seen = played(event, named, STOP, DONE)
    assert (seen.finished, seen.error) == (False, BAD_RESPONSE)


def test_odd_texts_crash_nothing() -> None:
    event = call({"index": "x", "id": "x", "type": "x", "function": "x"})
    named = call({"index": "x", "id": "x", "function": {"name": "x", "arguments": "x"}})
    assert played(event, named, STOP, DONE).finished


# The end


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("eos", "stop")],
)
def test_finish_reasons(reason: str, expected: str) -> None:
    said = whole(content("x"), chunk({}, reason), DONE)["choices"][0]
    assert said["finish_reason"] == expected


def test_calls_decide_where_the_upstream_says_stop() -> None:
    event = call(fragment("{}", "f", id="a"))
    assert whole(event, STOP, DONE)["choices"][0]["finish_reason"] == "tool_calls"
    assert whole(event, DONE)["choices"][0]["finish_reason"] == "tool_calls"
    assert whole(event, chunk({}, "length"), DONE)["choices"][0]["finish_reason"] == "length"


def test_text_with_the_finish_reason_is_not_lost() -> None:
    seen = whole(content("a"), chunk({"content": "b"}, "stop"), DONE)
    assert seen["choices"][0]["message"]["content"] == "ab"


def test_a_finish_reason_that_comes_twice_is_told_once() -> None:
    seen = frames(played(content("a"), STOP, STOP, DONE).frames)
    reasons = [said["choices"][0]["finish_reason"] for said in seen if said != "[DONE]"]
    assert reasons == [None, None, "stop"]


def test_an_end_without_done_is_an_end_once_every_choice_has_its_reason() -> None:
    assert whole(content("a"), STOP)["choices"][0]["finish_reason"] == "stop"
    assert played(content("a")).error == "upstream_truncated"
    assert played(content("a"), content("b", index=1), STOP).error == "upstream_truncated"
    assert played().error == "upstream_truncated"


def test_done_without_a_finish_reason_is_an_end() -> None:
    assert whole(content("a"), DONE)["choices"][0]["finish_reason"] == "stop"


def test_done_and_nothing_else_is_no_answer() -> None:
    assert played(DONE).error == "upstream_truncated"


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


@pytest.mark.parametrize(
    "events",
    [
        [content("a"), STOP, data({"choices": [], "usage": USAGE}), DONE],
        [content("a"), chunk({}, "stop", usage=USAGE), DONE],
        [content("a", usage={"prompt_tokens": 3}), chunk({}, "stop", usage=USAGE), DONE],
        [content("a"), chunk({}, "stop", x_groq={"usage": USAGE}), DONE],
        [content("a"), STOP, data({"usage": USAGE})],
        [content("a", usage=None), chunk({}, "stop", usage=USAGE, x_groq="odd"), DONE],
    ],
    ids=["alone", "with the finish", "in every chunk", "groq's", "without choices", "null first"],
)
def test_usage_wherever_the_upstream_tells_it(events: list[str]) -> None:
    assert whole(*events)["usage"]["total_tokens"] == 5


def test_the_tier_that_serves() -> None:
    assert whole(content("a", service_tier="flex"), STOP, DONE)["service_tier"] == "flex"
    assert "service_tier" not in whole(content("a", service_tier=7), STOP, DONE)


# Errors


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (data({"error": {"message": "Slow.", "code": 429}}), "rate_limit_exceeded"),
        (data({"error": {"message": "Busy.", "type": "overloaded_error"}}), "server_is_overloaded"),
        (data({"error": "Odd."}), "upstream_error"),
        (data({"error": {"message": "Odd."}, "choices": []}), "upstream_error"),
        (f"event: error\n{data({'message': 'Slow.', 'code': 429})}", "rate_limit_exceeded"),
        ("data: nonsense\n\n", "bad_upstream_response"),
        ("data: []\n\n", "bad_upstream_response"),
        (data({"choices": {"a": 1}}), "bad_upstream_response"),
        (data({"choices": "x"}), "bad_upstream_response"),
    ],
)
def test_errors(event: str, code: str) -> None:
    first = played(event, content("x"), STOP, DONE)
    assert first.refused
    assert first.error == code
    later = played(content("x"), event, STOP, DONE)
    assert later.error == code
    assert not later.finished


@pytest.mark.parametrize("wrong", [None, 5, ["x"], {}], ids=str)
def test_a_part_without_text_is_no_word(wrong: object) -> None:
    parts = [{"type": "text", "text": wrong}, {"type": "thinking", "thinking": [{"text": wrong}]}]
    assert deltas(chunk({"content": parts})) == []
