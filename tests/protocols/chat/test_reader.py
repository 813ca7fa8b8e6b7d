"""Reading answers of OpenAI-compatible upstreams as blocks, rule by rule."""

from typing import Any

import pytest

from tests.pace import assert_linear
from tests.protocols.chat.reading import (
    DONE,
    ORIGIN,
    STOP,
    called,
    chunk_event,
    delta,
    fragment,
    message,
    reader,
    streamed,
    whole,
)
from tests.protocols.recorder import Block, Recorder
from xtrix import json
from xtrix.answer import Citation, Expected, FinishReason, ToolName, Usage
from xtrix.errors import UpstreamError
from xtrix.prompt import Sealed
from xtrix.sse import Event

CUSTOM = Expected(tools={"patch": ToolName("patch", "custom")})
BACK = Expected(reasoning_back=True)
TOKEN = "0" * 32


def text(said: str, **more: Any) -> Any:
    return delta({"content": said}, **more)


def thought(said: str, name: str = "reasoning_content") -> Any:
    return delta({name: said})


def shape(recorder: Recorder) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in recorder.blocks]


def calls(recorder: Recorder) -> list[tuple[str, str]]:
    """Name and arguments of each call."""
    return [(block.call.tool.name, block.text) for block in recorder.blocks if block.call]


def failure(*events: Any, expected: Expected | None = None) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        streamed(events, expected)
    return caught.value


# Blocks


def test_text() -> None:
    told = streamed([delta({"role": "assistant", "content": ""}), text("He"), text("y"), STOP])
    assert told.calls == ["begin", "text", "text", "text_end", "end"]
    assert shape(told) == [("text", "Hey")]


def test_each_kind_begins_a_block_of_its_own() -> None:
    told = streamed(
        [
            *(thought("a"), thought("b"), text("c"), thought("d"), text("e")),
            delta({"refusal": "f"}),
            called(fragment("{}", "g", index=0, id="1")),
            *(thought("h"), text("i"), STOP),
        ]
    )
    kinds = ["thinking", "text", "thinking", "text", "refusal", "call", "thinking", "text"]
    assert told.kinds == kinds
    assert [block.text for block in told.blocks] == ["ab", "c", "d", "e", "f", "{}", "h", "i"]


def test_several_kinds_in_one_chunk() -> None:
    said = {"content": "b", "reasoning": "a", "tool_calls": [fragment('{"x":1}', "f", id="1")]}
    assert shape(streamed([delta(said), STOP])) == [
        ("thinking", "a"),
        ("text", "b"),
        ("call", '{"x":1}'),
    ]


def test_nothing_said_is_no_block() -> None:
    assert streamed([text(""), delta({"refusal": "", "reasoning": None}), STOP]).blocks == []
    assert whole(message({"content": None})).blocks == []


def test_the_first_choice_only() -> None:
    said = [
        {"choices": [{"index": index, "delta": {"content": content}, "finish_reason": reason}]}
        for index, content, reason in [(0, "a", None), (1, "x", "length"), (0, "b", "stop")]
    ]
    assert shape(streamed(said)) == [("text", "ab")]
    many = message({"content": "a"})
    many["choices"].append({"index": 1, "message": {"content": "x"}, "finish_reason": "stop"})
    assert shape(whole(many)) == [("text", "a")]


def test_parts_of_content() -> None:
    parts = [{"type": "thinking", "thinking": [{"text": "Hm"}]}, {"type": "text", "text": "Yes"}]
    assert shape(whole(message({"content": parts}))) == [("thinking", "Hm"), ("text", "Yes")]


@pytest.mark.parametrize(
    "event",
    [
        *({"choices": []}, {}, {"choices": None}, {"choices": ["x"]}, delta(), text("")),
        *(delta({"content": 7}), delta({"tool_calls": "x"}), delta({"tool_calls": [{}]})),
        *(delta({"content": {"a": 1}}), delta({"refusal": ["x"]}), delta({"reasoning": {"a": 1}})),
    ],
)
def test_what_says_nothing_is_passed_over(event: Any) -> None:
    assert shape(streamed([text("a"), event, text("b"), STOP])) == [("text", "ab")]


# The beginning


def test_it_begins_with_the_first_choice() -> None:
    reading, recorder = reader()
    reading.feed(chunk_event({"choices": [], "prompt_filter_results": []}))
    assert recorder.begun is None
    usage = {"prompt_tokens": 3}
    reading.feed(chunk_event({**delta({"role": "assistant"}), "usage": usage}))
    assert recorder.begun == (Usage(prompt=3), None)


def test_the_tier() -> None:
    told = streamed([{**text("a"), "service_tier": "flex"}, STOP])
    assert told.begun
    assert told.begun[1] == "flex"
    late = streamed([text("a"), {**STOP, "service_tier": "priority"}])
    assert late.finish
    assert late.finish.service_tier == "priority"
    odd = streamed([{**text("a"), "service_tier": 7}, STOP]).finish
    assert odd
    assert odd.service_tier is None


@pytest.mark.parametrize("index", ["0", 1.5, True, -1, [0]])
def test_an_index_that_is_no_number(index: object) -> None:
    said = text("a")
    said["choices"][0]["index"] = index
    assert failure(said, STOP).code == "bad_upstream_response"


# Calls


def test_calls_as_openai_streams_them() -> None:
    told = streamed(
        [
            called(fragment("", "f", index=0, id="a", type="function")),
            called(fragment('{"x"', index=0)),
            called(fragment(":1}", index=0)),
            called(fragment("", "g", index=1, id="b", type="function")),
            called(fragment("{}", index=1)),
            delta(reason="tool_calls"),
        ]
    )
    pieces = ["call", "arguments", "arguments", "call_end", "call", "arguments", "call_end"]
    assert told.calls == ["begin", *pieces, "end"]
    assert calls(told) == [("f", '{"x":1}'), ("g", "{}")]
    assert told.finish
    assert told.finish.reason is FinishReason.STOP


def test_the_first_call_is_told_as_it_comes() -> None:
    reading, recorder = reader()
    for said in (fragment("", "f", index=0, id="a"), fragment("{", index=0)):
        reading.feed(chunk_event(called(said)))
    assert recorder.calls == ["begin", "call", "arguments"]


def test_fragments_of_several_calls_are_put_in_order() -> None:
    """The second call waits until the first is whole, and streams from there on."""
    reading, recorder = reader()
    first = [fragment('{"a":', "f", index=0, id="a"), fragment('{"b":', "g", index=1, id="b")]
    for said in (called(*first), called(fragment("[1", index=1), fragment("1", index=0))):
        reading.feed(chunk_event(said))
    assert recorder.calls == ["begin", "call", "arguments", "arguments"]
    reading.feed(chunk_event(called(fragment("}", index=0))))
    assert recorder.calls[4:] == ["arguments", "call_end", "call", "arguments", "arguments"]
    reading.feed(chunk_event(called(fragment("]}", index=1))))
    reading.feed(chunk_event(STOP))
    reading.close()
    assert calls(recorder) == [("f", '{"a":1}'), ("g", '{"b":[1]}')]


def test_braces_in_strings_are_no_end() -> None:
    tricky = ['{"a":"', "}\\", '"}', "\\\\", '"', "}"]
    first = [called(fragment("", "f", index=0, id="a")), called(fragment("", "g", index=1, id="b"))]
    pieces = [called(fragment(piece, index=0), fragment(".", index=1)) for piece in tricky]
    told = streamed([*first, *pieces, STOP])
    assert calls(told) == [("f", "".join(tricky)), ("g", "." * len(tricky))]
    reading, recorder = reader()
    for event in [*first, *pieces]:
        reading.feed(chunk_event(event))
    assert calls(recorder) == [("f", "".join(tricky))], "it was not seen that the first was whole"


def test_what_is_not_whole_by_the_end_is_told_at_the_end() -> None:
    events = [
        called(fragment('{"a', "f", index=0, id="a"), fragment("{}", "g", index=1, id="b")),
        called(fragment("{}", "h", index=2, id="c"), fragment('":', index=0)),
    ]
    told = streamed([*events, delta(reason="length")])
    assert calls(told) == [("f", '{"a":'), ("g", "{}"), ("h", "{}")]
    assert told.finish
    assert told.finish.reason is FinishReason.LENGTH


def test_text_between_the_pieces_of_a_call_waits() -> None:
    told = streamed(
        [
            called(fragment('{"a":', "f", index=0, id="a")),
            *(text("x"), text("y"), thought("z")),
            called(fragment("{}", "g", index=1, id="b")),
            *(text("w"), called(fragment("1}", index=0)), STOP),
        ]
    )
    assert shape(told) == [
        *(("call", '{"a":1}'), ("text", "xy"), ("thinking", "z"), ("call", "{}"), ("text", "w")),
    ]


def test_text_behind_a_whole_call_does_not_wait() -> None:
    reading, recorder = reader()
    for said in (called(fragment("{}", "f", index=0, id="a")), text("x")):
        reading.feed(chunk_event(said))
    assert recorder.calls == ["begin", "call", "arguments", "call_end", "text"]


def test_a_piece_of_a_call_that_is_over() -> None:
    begun = [called(fragment("{}", "f", index=0, id="a")), text("x")]
    assert failure(*begun, called(fragment("x", index=0)), STOP).code == "bad_upstream_response"
    blank = streamed([*begun, called(fragment("\n", index=0)), text("y"), STOP])
    assert shape(blank) == [("call", "{}"), ("text", "xy")]


def test_a_call_that_is_over_while_another_waits() -> None:
    events = [
        called(fragment("{}", "f", index=0, id="a")),
        called(fragment("{", "g", index=1, id="b")),
        called(fragment("x", index=0)),
    ]
    assert failure(*events, STOP).code == "bad_upstream_response"


def test_a_call_without_arguments() -> None:
    told = streamed([called(fragment("", "f", index=0, id="a")), STOP])
    assert told.calls == ["begin", "call", "arguments", "call_end", "end"]
    assert calls(told) == [("f", "{}")]
    assert calls(whole(message({"tool_calls": [fragment("", "f", id="a")]}))) == [("f", "{}")]
    both = [fragment("", "f", index=0, id="a"), fragment("", "g", index=1, id="b")]
    assert calls(streamed([called(*both), STOP])) == [("f", "{}"), ("g", "{}")]


def test_a_call_that_the_limit_cut_before_its_arguments_has_none() -> None:
    """`{}` in its place would be a call that the model did not make."""
    events = [called(fragment("{}", "f", index=0, id="a"), fragment("", "g", index=1, id="b"))]
    assert calls(streamed([*events, delta(reason="length")])) == [("f", "{}"), ("g", "")]


def test_names_that_come_late() -> None:
    events = [
        called({"index": 0, "id": "a"}),
        called(fragment('{"x"', index=0)),
        called(fragment(":1}", "f", index=0)),
    ]
    told = streamed([*events, STOP])
    assert calls(told) == [("f", '{"x":1}')]
    assert told.blocks[0].call
    assert told.blocks[0].call.id == "a"


def test_a_name_that_never_comes() -> None:
    assert failure(called(fragment("{}", index=0, id="a")), STOP).code == "bad_upstream_response"
    assert streamed([called({"index": 0, "id": "a"}), text("x"), STOP]).kinds == ["text"]


def test_ids_that_the_upstream_leaves_out() -> None:
    told = streamed([called(fragment("{}", "f"), fragment("{}", "g")), STOP])
    ids = [block.call.id for block in told.blocks if block.call]
    assert ids == [f"call_{TOKEN}_0", f"call_{TOKEN}_1"]


def test_the_older_function_call() -> None:
    said = {"function_call": {"name": "f", "arguments": '{"a"'}}
    told = streamed([delta(said), delta({"function_call": {"arguments": ":1}"}}), STOP])
    assert calls(told) == [("f", '{"a":1}')]
    assert calls(whole(message({"function_call": {"name": "f", "arguments": "{}"}}))) == [
        ("f", "{}")
    ]


def test_names_as_the_client_knows_them() -> None:
    tool = ToolName("look_up", namespace="docs")
    expected = Expected(tools={"docs__look_up": tool})
    told = whole(message({"tool_calls": [fragment("{}", "docs__look_up", id="a")]}), expected)
    assert told.blocks[0].call
    assert told.blocks[0].call.tool == tool


# Custom tools


def test_a_custom_tool_of_the_upstreams() -> None:
    events = [
        called({"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": "l"}}),
        called({"index": 0, "custom": {"input": "s"}}),
    ]
    told = streamed([*events, STOP])
    assert told.calls == ["begin", "call", "arguments", "call_end", "end"]
    assert told.blocks[0].text == "ls"
    assert told.blocks[0].call
    assert told.blocks[0].call.tool == ToolName("sh", "custom")


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (['{"inp', 'ut":"*** Begin\\n', 'end"}'], "*** Begin\nend"),
        (['{"input":""}'], ""),
        (["*** Begin"], "*** Begin"),
        (['{"patch":"x"}'], '{"patch":"x"}'),
        (['{"input":{"a":1}}'], '{"input":{"a":1}}'),
        ([""], ""),
        (["[1]"], "[1]"),
    ],
)
def test_a_custom_tool_that_stands_as_a_function(pieces: list[str], expected: str) -> None:
    events = [called(fragment("", "patch", index=0, id="a"))]
    events += [called(fragment(piece, index=0)) for piece in pieces]
    told = streamed([*events, STOP], CUSTOM)
    assert [(block.kind, block.text) for block in told.blocks] == [("call", expected)]
    assert "arguments" not in told.calls[:-3]


def test_behind_a_custom_call_the_next_one_waits_no_longer_than_it_has_to() -> None:
    reading, recorder = reader(CUSTOM)
    reading.feed(chunk_event(called(fragment('{"input":"x"}', "patch", index=0, id="a"))))
    reading.feed(chunk_event(called(fragment("{", "f", index=1, id="b"))))
    assert recorder.calls[1:] == ["call", "arguments", "call_end", "call", "arguments"]


# Reasoning that goes back


def test_reasoning_that_nobody_wants_back() -> None:
    assert whole(message({"reasoning_content": "Hm"})).blocks == [Block("thinking", "Hm")]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_readable_reasoning_that_its_row_wants_back(name: str) -> None:
    told = streamed([thought("H", name), thought("m", name), text("a"), STOP], BACK)
    assert told.blocks[0] == Block("thinking", "Hm", Sealed({name: "Hm"}, ORIGIN))
    assert whole(message({name: "Hm", "content": "a"}), BACK).blocks == told.blocks


def test_it_is_kept_too_where_the_fast_path_has_moved_it() -> None:
    reading, recorder = reader(BACK)
    reading.feed(chunk_event(thought("a")))
    reading.moved(2, '\\"bé')
    recorder.moved(2, '\\"bé')
    reading.feed(chunk_event(STOP))
    reading.close()
    assert recorder.blocks == [
        Block("thinking", 'a"bé', Sealed({"reasoning_content": 'a"bé'}, ORIGIN))
    ]


def details(*items: dict[str, Any], reasoning: str = "") -> Any:
    return delta({"reasoning": reasoning or None, "reasoning_details": [*items]})


def test_details_in_pieces_are_one_block_with_its_signature() -> None:
    """The signature fits the whole text, and none of its pieces."""
    said = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    told = streamed(
        [
            details({**said, "text": "Let"}, reasoning="Let"),
            details({**said, "text": " me."}, reasoning=" me."),
            details({**said, "signature": "Et8B"}),
            *(text("Yes"), STOP),
        ]
    )
    value = {"reasoning_details": [{**said, "text": "Let me.", "signature": "Et8B"}]}
    assert told.blocks[0] == Block("thinking", "Let me.", Sealed(value, ORIGIN))
    once = {"content": "Yes", "reasoning": "Let me.", **value}
    assert whole(message(once)).blocks == told.blocks


def test_details_are_readable_where_nothing_else_is() -> None:
    item = {"type": "reasoning.text", "text": "Hm", "index": 0}
    told = streamed([details(item), text("a"), STOP])
    assert told.blocks[0].text == "Hm"


def test_encrypted_details_are_blocks_without_text() -> None:
    items = [{"type": "reasoning.encrypted", "data": name, "id": name} for name in "ab"]
    told = streamed([details(items[0]), details(items[1]), text("x"), STOP])
    value = {"reasoning_details": items}
    assert told.blocks == [Block("thinking", "", Sealed(value, ORIGIN)), Block("text", "x")]


def test_details_that_come_late_do_not_break_a_text() -> None:
    item = {"type": "reasoning.encrypted", "data": "x"}
    sealed = Sealed({"reasoning_details": [item]}, ORIGIN)
    told = streamed([text("a"), details(item), text("b"), STOP])
    assert told.blocks == [Block("text", "ab"), Block("thinking", "", sealed)]
    call = called(fragment("{}", "f", index=0, id="a"))
    assert streamed([text("a"), details(item), call, STOP]).kinds == ["text", "thinking", "call"]


def test_signed_blocks_of_a_gateway_are_kept_apart() -> None:
    first = {"type": "thinking", "thinking": "a", "signature": "1"}
    second = {"type": "thinking", "thinking": "b", "signature": "2"}
    pieces = [
        {**first, "signature": None},
        {"type": "thinking", "thinking": "", "signature": "1"},
        {**second, "signature": None},
        {"type": "thinking", "thinking": "", "signature": "2"},
    ]
    told = streamed([*(delta({"thinking_blocks": [piece]}) for piece in pieces), text("x"), STOP])
    assert told.blocks[0].text == "ab"
    assert told.blocks[0].sealed == Sealed({"thinking_blocks": [first, second]}, ORIGIN)
    assert (
        whole(message({"thinking_blocks": [first, second], "content": "x"})).blocks == told.blocks
    )


def test_what_else_a_call_carries_goes_back_with_it() -> None:
    """Gemini refuses a history without its thought signatures."""
    extra = {"extra_content": {"google": {"thought_signature": "x"}}}
    said = [fragment("{}", "f", index=0, id="a", **extra), fragment("{}", "g", index=1, id="b")]
    told = streamed([called(*said), STOP])
    sealed = Sealed({"tool_calls": [{"id": "a", **extra}]}, ORIGIN)
    assert told.blocks[0] == Block("thinking", "", sealed)
    assert told.kinds == ["thinking", "call", "call"]
    assert whole(message({"tool_calls": said})).blocks == told.blocks


# Citations and log probabilities


def annotation(url: str = "https://a.test", **said: Any) -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": {"url": url, "title": "A", **said}}


def test_citations_end_their_text() -> None:
    said = annotation(start_index=0, end_index=3)
    told = streamed([delta({"annotations": [said]}), text("Yes."), STOP])
    citation = Citation("https://a.test", "A", 0, 3)
    assert told.blocks == [Block("text", "Yes.", citations=(citation,))]
    assert streamed([text("Yes."), delta({"annotations": [said]}), STOP]).blocks == told.blocks
    assert whole(message({"content": "Yes.", "annotations": [said]})).blocks == told.blocks


@pytest.mark.parametrize(
    "odd",
    [
        *({"start_index": 3, "end_index": 1}, {"start_index": -1, "end_index": 1}),
        *({"start_index": True, "end_index": 1}, {"start_index": 0}, {"end_index": "1"}, {}),
    ],
)
def test_places_that_make_no_sense(odd: dict[str, Any]) -> None:
    told = whole(message({"content": "a", "annotations": [annotation(**odd)]}))
    assert told.blocks[0].citations == (Citation("https://a.test", "A"),)


def test_citations_of_a_later_part_have_no_places() -> None:
    said = annotation(start_index=0, end_index=1)
    told = streamed([text("a"), thought("b"), text("c"), delta({"annotations": [said]}), STOP])
    assert told.blocks[2].citations == (Citation("https://a.test", "A"),)


def test_citations_that_come_when_the_text_is_over() -> None:
    call = called(fragment("{}", "f", index=0, id="a"))
    told = streamed([text("a"), call, delta({"annotations": [annotation()]}), STOP])
    assert told.blocks[-1] == Block("text", citations=(Citation("https://a.test", "A"),))


@pytest.mark.parametrize("odd", ["x", [5], [{}], [{"url_citation": {"url": 5}}], {"a": 1}])
def test_what_is_no_citation(odd: object) -> None:
    assert whole(message({"content": "a", "annotations": odd})).blocks == [Block("text", "a")]


def test_log_probabilities_go_with_their_text() -> None:
    tokens = [{"token": name, "logprob": -0.1} for name in "abc"]
    events = [
        delta({"content": "a"}, logprobs={"content": tokens[:1]}),
        delta({"content": ""}, logprobs={"content": tokens[1:2]}),
        delta({"content": "c"}, logprobs={"content": tokens[2:]}),
    ]
    told = streamed([*events, STOP])
    assert [json.decode(each) for each in told.blocks[0].logprobs] == tokens
    once = whole(message({"content": "ac"}, logprobs={"content": tokens}))
    assert once.blocks == told.blocks


# The end


@pytest.mark.parametrize(
    ("reason", "expected", "unknown"),
    [
        ("stop", FinishReason.STOP, None),
        ("tool_calls", FinishReason.STOP, None),
        ("function_call", FinishReason.STOP, None),
        ("length", FinishReason.LENGTH, None),
        ("MAX_TOKENS", FinishReason.LENGTH, None),
        ("content_filter", FinishReason.FILTERED, None),
        ("eos", FinishReason.STOP, "eos"),
        (7, FinishReason.STOP, "unknown"),
    ],
)
def test_why_it_ended(reason: object, expected: FinishReason, unknown: str | None) -> None:
    reading, recorder = reader()
    reading.feed(chunk_event(delta({"content": "a"}, reason)))
    reading.close()
    assert recorder.finish
    assert recorder.finish.reason is expected
    assert reading.unknown_stop_reason == unknown
    assert whole(message({"content": "a"}, reason)).finish == recorder.finish


def test_a_refusal_is_a_reason() -> None:
    told = streamed([delta({"refusal": "No"}), delta({"refusal": "."}), STOP])
    assert shape(told) == [("refusal", "No.")]
    assert told.finish
    assert told.finish.reason is FinishReason.REFUSED
    cut = streamed([delta({"refusal": "No"}), delta(reason="length")])
    assert cut.finish
    assert cut.finish.reason is FinishReason.LENGTH


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


@pytest.mark.parametrize(
    "events",
    [
        [text("a"), STOP, {"choices": [], "usage": USAGE}, DONE],
        [text("a"), {**STOP, "usage": USAGE}, DONE],
        [{**text("a"), "usage": {"prompt_tokens": 3}}, {**STOP, "usage": USAGE}, DONE],
        [text("a"), {**STOP, "x_groq": {"usage": USAGE}}, DONE],
        [text("a"), STOP, {"usage": USAGE}],
        [text("a"), {**STOP, "usage": USAGE}, {"choices": [], "usage": {}}, DONE],
        [text("a"), {**STOP, "usage": USAGE}, {"choices": [], "usage": USAGE}, DONE],
    ],
    ids=["alone", "with the finish", "twice", "groq's", "no choices", "empty later", "the same"],
)
def test_usage_wherever_it_comes(events: list[Any]) -> None:
    told = streamed(events)
    assert told.finish
    assert told.finish.usage == Usage(prompt=3, completion=2)
    assert told.calls.count("end") == 1


def test_no_usage_is_none() -> None:
    told = streamed([text("a"), STOP, DONE]).finish
    assert told
    assert told.usage == Usage()


@pytest.mark.parametrize("name", ["stop_reason", "matched_stop"])
def test_the_sequence_that_ended_it(name: str) -> None:
    expected = Expected(stop=("END", "\n"))
    named: dict[str, Any] = {name: "END"}
    said = delta(reason="stop", **named)
    told = streamed([text("a"), said, {"choices": [], "usage": USAGE}, DONE], expected)
    assert told.finish
    assert told.finish.stop_sequence == "END"
    once = whole(message({"content": "a"}, **named), expected).finish
    assert once
    assert once.stop_sequence == "END"


@pytest.mark.parametrize("named", [None, 128009, "end_turn", "STOP", ["END"]])
def test_what_is_no_sequence_of_the_clients(named: object) -> None:
    expected = Expected(stop=("END",))
    told = streamed([delta({"content": "a"}, "stop", stop_reason=named)], expected).finish
    assert told
    assert told.stop_sequence is None
    cut = streamed([delta({"content": "a"}, "length", stop_reason="END")], expected).finish
    assert cut
    assert cut.stop_sequence is None


def test_an_end_without_done_needs_a_reason() -> None:
    assert streamed([text("a"), STOP]).finish
    assert failure(text("a")).code == "upstream_truncated"
    assert failure().code == "upstream_truncated"


def test_done_is_an_end_without_a_reason() -> None:
    reading, recorder = reader()
    for event in (chunk_event(text("a")), DONE):
        reading.feed(event)
    assert recorder.finish
    assert recorder.finish.reason is FinishReason.STOP
    assert reading.finished
    assert reading.unknown_stop_reason == "missing"


def test_done_alone_is_no_answer() -> None:
    assert failure(DONE).code == "upstream_truncated"


def test_nothing_is_told_after_the_end() -> None:
    told = streamed([text("a"), STOP, DONE, text("b"), DONE, {"error": {"message": "x"}}])
    assert shape(told) == [("text", "a")]


# Errors


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"error": {"message": "Slow.", "code": 429}}, "rate_limit_exceeded"),
        ({"error": {"message": "Busy.", "type": "overloaded_error"}}, "server_is_overloaded"),
        ({"error": "Odd."}, "upstream_error"),
        ({"error": {"message": "Odd."}, "choices": [{"index": 0}]}, "upstream_error"),
        (Event("error", '{"message":"Slow.","code":429}'), "rate_limit_exceeded"),
        (Event("message", "nonsense"), "bad_upstream_response"),
        (Event("message", "[]"), "bad_upstream_response"),
        ({"choices": {"a": 1}}, "bad_upstream_response"),
        ({"choices": "x"}, "bad_upstream_response"),
        (delta(reason="error"), "upstream_error"),
        (delta(error={"code": 429, "message": "Slow."}), "rate_limit_exceeded"),
    ],
)
def test_errors(said: Any, code: str) -> None:
    """An error before the first text can still become a status."""
    event = said if isinstance(said, Event) else chunk_event(said)
    reading, recorder = reader()
    with pytest.raises(UpstreamError) as first:
        reading.feed(event)
    assert first.value.code == code
    assert recorder.calls == []
    assert failure(text("a"), event).code == code


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"{}", b'{"choices":[]}', b'{"choices":null}', b'{"choices":{}}'),
        *(b'{"choices":["x"]}', b'{"choices":[{}]}', b'{"choices":[{"message":"x"}]}'),
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        whole(body)
    assert caught.value.code == "bad_upstream_response"


def test_an_error_instead_of_an_answer() -> None:
    with pytest.raises(UpstreamError) as caught:
        whole(b'{"error":{"message":"Slow.","code":429}}')
    assert (caught.value.status, caught.value.message) == (429, "Slow.")
    with pytest.raises(UpstreamError):
        whole(message({"content": "a"}, "error"))


# The fast path


def test_what_events_carry() -> None:
    reading, _ = reader()
    seen = []
    silent = delta({"content": ""}, logprobs={"content": [{}]})
    for said in (
        *(delta({"role": "assistant"}), text("a"), text("b"), {**text("c"), "usage": USAGE}),
        *(silent, text("d"), text("e")),
        *(thought("d"), thought("e"), text("f"), text("g", logprobs={"content": [{}]})),
        called(fragment("{", "f", index=0, id="a")),
        called(fragment('"a"', index=0)),
        called(fragment(":1", "f", index=0, id="a")),
        called(fragment("x", "g", index=1, id="b")),
        called(fragment(",", index=0)),
        called(fragment("y", index=1)),
        text("h", reason="stop"),
    ):
        reading.feed(chunk_event(said))
        seen.append(reading.lone_text)
    lone_text = [
        None,
        None,
        '"b"',
        None,
        None,
        None,
        '"e"',
        None,
        '"e"',
        None,
        None,
        None,
        '"\\"a\\""',
        '":1"',
    ]
    assert seen == [*lone_text, None, None, None, None]


def test_what_was_moved_counts_for_what_waits() -> None:
    reading, recorder = reader()
    reading.feed(chunk_event(called(fragment('{"a":', "f", index=0, id="a"))))
    reading.feed(chunk_event(called(fragment('"', index=0))))
    for piece in ["}", "x"]:
        reading.moved(1, piece)
        recorder.moved(1, piece)
    reading.feed(chunk_event(called(fragment("{}", "g", index=1, id="b"))))
    assert calls(recorder) == []
    reading.feed(chunk_event(called(fragment('"}', index=0))))
    assert calls(recorder) == [("f", '{"a":"}x"}')]
    reading.feed(chunk_event(STOP))
    reading.close()
    assert calls(recorder) == [("f", '{"a":"}x"}'), ("g", "{}")]


# Linear time


def test_interleaved_calls_take_linear_time() -> None:
    """Each piece of the other call checks again whether the open one is whole."""

    def prepare(count: int) -> Any:
        begun = [fragment('{"a":[', "f", index=0, id="a"), fragment("", "g", index=1, id="b")]
        piece = chunk_event(called(fragment('"}",', index=0), fragment("x", index=1)))
        events = [chunk_event(called(*begun)), *[piece] * count, chunk_event(STOP)]
        return lambda: streamed(events)

    assert_linear(prepare, 1_000)


def test_many_held_pieces_take_linear_time() -> None:
    def prepare(count: int) -> Any:
        begun = chunk_event(called(fragment("{", "f", index=0, id="a")))
        pieces = [chunk_event(text("x")), chunk_event(thought("y"))] * count
        events = [begun, *pieces, chunk_event(STOP)]
        return lambda: streamed(events)

    assert_linear(prepare, 1_000)


def test_details_in_many_pieces_take_linear_time() -> None:
    def prepare(count: int) -> Any:
        said = {"type": "reasoning.text", "index": 0, "text": "word " * 20}
        events = [*[chunk_event(details(said, reasoning="word"))] * count, chunk_event(STOP)]
        return lambda: streamed(events)

    assert_linear(prepare, 1_000)
