"""The events of an answer, and the object that they add up to."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.responses.grammar import Telling, events_of, read
from tests.protocols.responses.tellings import (
    CARRIER,
    FILTERED,
    FINISHES,
    LENGTH,
    REFUSED,
    SEALED,
    STEADY,
    STEPS,
    STOP,
    TOKEN,
    USAGE,
    Step,
    answering,
    call,
    step,
    streamed,
    tell,
    whole,
)
from xtrix import json
from xtrix.answer import CallStart, Citation, Finish, FinishReason, ToolName
from xtrix.errors import ClientError, UpstreamError, truncated, worded
from xtrix.prompt import Sealed
from xtrix.protocol import Clock
from xtrix.protocols.responses.writer import StreamWriter, WholeWriter
from xtrix.sse import Decoder

Json = dict[str, Any]


def told(*steps: Step, finish: Finish = STOP, **fields: Any) -> Telling:
    """The answer that these calls make."""
    return read(streamed([*steps, step("end", finish)], answering(**fields)))


def kinds(telling: Telling) -> list[str]:
    return [event["type"].removeprefix("response.") for event in telling.events]


def text(*pieces: str) -> list[Step]:
    return [*(step("text", piece) for piece in pieces), step("text_end", [])]


# The grammar


@STEADY
@given(STEPS, FINISHES)
def test_every_answer_keeps_to_the_grammar(steps: list[Step], finish: Finish) -> None:
    telling = read(streamed([*steps, step("end", finish)]))
    assert telling.response["usage"]["total_tokens"] == 19


@STEADY
@given(STEPS, FINISHES)
def test_a_whole_answer_is_what_its_stream_ends_with(steps: list[Step], finish: Finish) -> None:
    ended = [*steps, step("end", finish)]
    assert whole(ended) == read(streamed(ended)).response


@STEADY
@given(STEPS, st.integers(0, 30))
def test_a_failure_ends_the_stream_wherever_it_comes(steps: list[Step], at: int) -> None:
    writer = StreamWriter(answering())
    tell(writer, steps[:at])
    writer.fail(truncated())
    telling = read(writer.take())
    assert telling.response["status"] == "failed"
    assert telling.error is not None
    assert telling.error["code"] == "upstream_truncated"


@STEADY
@given(STEPS, FINISHES, st.integers(1, 200))
def test_pieces_add_up_to_all_frames(steps: list[Step], finish: Finish, most: int) -> None:
    ended = [*steps, step("end", finish)]
    writer = StreamWriter(answering())
    tell(writer, ended)
    pieces = []
    while piece := writer._frames.take(most):
        pieces.append(piece)
    assert "".join(pieces) == streamed(ended)
    assert writer.take() == ""
    assert not writer.waits


@STEADY
@given(STEPS, FINISHES)
def test_frames_are_taken_once(steps: list[Step], finish: Finish) -> None:
    ended = [*steps, step("end", finish)]
    writer = StreamWriter(answering())
    frames = []
    writer.begin(USAGE, None)
    for name, arguments in ended:
        getattr(writer, name)(*arguments)
        frames.append(writer.take())
    assert "".join(frames) == streamed(ended)


# The splice


def test_text_that_was_moved_is_told_at_the_end_as_if_it_had_not_been() -> None:
    for begun, piece, ended in (
        ([], "text", [step("text_end", [])]),
        ([], "thinking", [step("thinking_end", SEALED)]),
        (call("look_up")[:1], "arguments", [step("call_end")]),
        (call("patch", kind="custom")[:1], "arguments", [step("call_end")]),
    ):
        texts = ['{"a"', ':"北', '\\n"}']
        last = [*ended, step("end", STOP)]
        plain = streamed([*begun, *(step(piece, each) for each in texts), *last])

        writer = StreamWriter(answering())
        tell(writer, [*begun, step(piece, texts[0])])
        frames = writer.take()
        getattr(writer, piece)(texts[1])
        frame = writer.take()
        assert writer.continues
        number = writer.sequence
        assert number is not None
        assert f'"sequence_number":{number},' in frame
        body = json.encode(texts[1])[1:-1]
        moved = json.encode(texts[2])[1:-1]
        spliced = frame.replace(f'":{number},', f'":{number + 1},').replace(body, moved)
        writer.moved(1, moved)
        assert writer.sequence == number + 1
        for name, arguments in last:
            getattr(writer, name)(*arguments)
        assert frames + frame + spliced + writer.take() == plain


@STEADY
@given(STEPS, FINISHES)
def test_a_call_continues_only_if_it_told_one_frame_around_its_text(
    steps: list[Step], finish: Finish
) -> None:
    writer = StreamWriter(answering())
    tell(writer, [])
    writer.take()
    for name, arguments in [*steps, step("end", finish)]:
        getattr(writer, name)(*arguments)
        frames = writer.take()
        if writer.continues:
            assert name in {"text", "thinking", "arguments"}
            assert frames.count("\n\n") == 1
            assert json.encode_line(arguments[0]) in frames


# Text


def test_the_events_of_a_text_as_the_reference_has_them() -> None:
    telling = told(*text("Hello", " there"))
    identity = {"item_id": f"msg_{TOKEN}_0", "output_index": 0, "content_index": 0}
    part: Json = {"type": "output_text", "text": "Hello there", "annotations": [], "logprobs": []}
    opened: Json = {"id": f"msg_{TOKEN}_0", "type": "message", "status": "in_progress"}
    opened |= {"role": "assistant", "content": []}
    message = opened | {"status": "completed", "content": [part]}
    events = [{k: v for k, v in e.items() if k != "sequence_number"} for e in telling.events[2:-1]]
    assert events == [
        {"type": "response.output_item.added", "output_index": 0, "item": opened},
        {"type": "response.content_part.added", **identity, "part": part | {"text": ""}},
        {"type": "response.output_text.delta", **identity, "delta": "Hello", "logprobs": []},
        {"type": "response.output_text.delta", **identity, "delta": " there", "logprobs": []},
        {"type": "response.output_text.done", **identity, "text": "Hello there", "logprobs": []},
        {"type": "response.content_part.done", **identity, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
    ]
    assert telling.response["output"] == [message]


def test_blocks_of_text_in_a_row_are_one_part() -> None:
    output = told(*text("One."), *text(" Two."), *text("")[1:]).response["output"]
    assert [part["text"] for item in output for part in item["content"]] == ["One. Two."]


def test_text_goes_on_in_another_message_behind_a_call() -> None:
    output = told(*text("a"), *call("f", "{}"), *text("b")).response["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "message"]
    assert [item["id"].rpartition("_")[2] for item in output] == ["0", "1", "2"]


def test_sources_are_counted_in_the_characters_of_the_part() -> None:
    telling = told(
        step("text", '北京🙂\n"\u2028'),
        step("text_end", []),
        step("text", "cited"),
        step("text_end", [Citation("https://a.test", "A"), Citation("https://b.test", "B", 1, 3)]),
        step("text", " more"),
        step("text_end", [Citation("https://c.test", "C")]),
    )
    part = telling.response["output"][0]["content"][0]
    spans = [
        (note["url"][8], note["start_index"], note["end_index"]) for note in part["annotations"]
    ]
    assert spans == [("a", 6, 11), ("b", 7, 9), ("c", 11, 16)]
    assert part["text"][6:11] == "cited"
    assert part["annotations"][0] == {
        "type": "url_citation",
        "url": "https://a.test",
        "title": "A",
        "start_index": 6,
        "end_index": 11,
    }


def test_sources_of_no_text_are_none() -> None:
    assert told(step("text_end", [Citation("https://a.test", "A")])).response["output"] == []


def test_logprobs_go_with_their_text_and_come_again_at_the_end() -> None:
    one: list[Json] = [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]
    two: list[Json] = [{"token": "b", "logprob": -2.0, "bytes": None, "top_logprobs": []}]
    telling = told(step("text", "a", one), step("text", "b", two), step("text_end", []))
    assert telling.response["output"][0]["content"][0]["logprobs"] == [*one, *two]


def test_line_breaks_that_json_may_hold_raw_are_escaped_everywhere() -> None:
    odd = "a\x85b\u2028c\u2029d"
    frames = streamed(
        [*text(odd), *call("f", json.encode({"a": odd})), step("end", STOP)],
        answering(instructions=odd, metadata={odd: odd}),
    )
    assert not {"\x85", "\u2028", "\u2029"} & set(frames)
    telling = read(frames)
    assert telling.response["output"][0]["content"][0]["text"] == odd
    assert telling.response["instructions"] == odd


# Reasoning


def test_reasoning_is_told_as_a_summary_and_sealed_for_its_provider() -> None:
    telling = told(
        step("thinking", "The user"), step("thinking", " greets."), step("thinking_end", SEALED)
    )
    [item] = telling.response["output"]
    assert item["summary"] == [{"type": "summary_text", "text": "The user greets."}]
    assert CARRIER.open(item["encrypted_content"]) == SEALED
    assert item.keys() == {"id", "type", "summary", "encrypted_content"}
    assert kinds(telling)[2:-1] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]


def test_blank_reasoning_is_an_item_without_a_summary() -> None:
    redacted = Sealed({"type": "redacted_thinking", "data": "x"}, SEALED.origin)
    telling = told(step("thinking_end", SEALED), step("thinking_end", redacted))
    assert kinds(telling)[2:-1] == ["output_item.added", "output_item.done"] * 2
    opened = [CARRIER.open(item["encrypted_content"]) for item in telling.response["output"]]
    assert opened == [SEALED, redacted]


def test_two_blocks_of_reasoning_are_two_items() -> None:
    one = [step("thinking", "a"), step("thinking_end", SEALED)]
    assert [item["type"] for item in told(*one, *one).response["output"]] == ["reasoning"] * 2


def test_reasoning_that_nobody_wants_back_has_its_summary_alone() -> None:
    [item] = told(step("thinking", "a"), step("thinking_end", None)).response["output"]
    assert "encrypted_content" not in item
    assert told(step("thinking_end", None)).response["output"] == []


def test_a_seal_without_an_origin_is_the_targets() -> None:
    plain = Sealed(SEALED.value)
    [item] = told(step("thinking_end", plain)).response["output"]
    assert CARRIER.open(item["encrypted_content"]) == SEALED


# Calls


def test_a_call_is_an_item_with_an_id_of_its_own() -> None:
    [item] = told(*call("look_up", '{"city":', '"Paris"}')).response["output"]
    assert item == {
        "id": f"fc_{TOKEN}_0",
        "type": "function_call",
        "status": "completed",
        "call_id": "toolu_look_up",
        "name": "look_up",
        "arguments": '{"city":"Paris"}',
    }


def test_a_call_without_arguments_has_one_delta() -> None:
    telling = told(*call("f"))
    deltas = [event["delta"] for event in telling.events if event["type"].endswith(".delta")]
    assert deltas == ["{}"]
    assert telling.response["output"][0]["arguments"] == "{}"


def test_a_custom_call_without_input_has_one_delta() -> None:
    telling = told(*call("patch", kind="custom"))
    deltas = [event["delta"] for event in telling.events if event["type"].endswith(".delta")]
    assert deltas == [""]


def test_a_tool_of_a_namespace_is_named_by_both() -> None:
    telling = told(*call("send", "{}", namespace="mcp__mail"))
    items = [event["item"] for event in telling.events if "item" in event]
    assert [(item["namespace"], item["name"]) for item in items] == [("mcp__mail", "send")] * 2


def test_a_custom_tool_gets_text() -> None:
    [item] = told(*call("apply_patch", "*** Begin Patch\n", kind="custom")).response["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin Patch\n")
    assert item["id"] == f"ctc_{TOKEN}_0"


def test_a_search_for_tools_has_an_object_and_no_deltas() -> None:
    telling = told(*call("tool_search", '{"query":"\\u00e9', '"}', kind="search"))
    assert kinds(telling)[2:-1] == ["output_item.added", "output_item.done"]
    [item] = telling.response["output"]
    assert item == {
        "id": f"tsc_{TOKEN}_0",
        "type": "tool_search_call",
        "status": "completed",
        "execution": "client",
        "call_id": "toolu_tool_search",
        "arguments": {"query": "é"},
    }


def test_what_an_upstream_wants_back_with_a_call_goes_with_it() -> None:
    start = CallStart(
        "c", ToolName("f"), {"extra_content": {"g": 1}, "id": "no", "arguments": "no"}
    )
    [item] = told(step("call", start), step("call_end")).response["output"]
    assert item["extra_content"] == {"g": 1}
    assert (item["id"], item["arguments"]) == (f"fc_{TOKEN}_0", "{}")


def test_a_call_without_an_id_gets_one() -> None:
    [item] = told(step("call", CallStart("", ToolName("f"))), step("call_end")).response["output"]
    assert item["call_id"] == f"call_{TOKEN}_0"


def test_an_id_that_comes_twice_is_good_for_one_call() -> None:
    ids = [item["call_id"] for item in told(*call("f", "{}"), *call("f", "{}")).response["output"]]
    assert ids == ["toolu_f", f"call_{TOKEN}_1"]


def test_a_call_that_the_limit_cut_off_is_incomplete_and_last() -> None:
    telling = told(*call("f", "{}"), *call("g", '{"a'), finish=LENGTH)
    assert telling.response["incomplete_details"] == {"reason": "max_output_tokens"}
    cut = [(item["status"], item["arguments"]) for item in telling.response["output"]]
    assert cut == [("completed", "{}"), ("incomplete", '{"a')]


def test_a_call_cut_off_at_once_has_no_arguments() -> None:
    [item] = told(*call("f"), finish=LENGTH).response["output"]
    assert (item["status"], item["arguments"]) == ("incomplete", "")


# Ends


def test_a_text_that_the_limit_cut_off_is_incomplete() -> None:
    telling = told(*text("Hel"), finish=LENGTH)
    assert kinds(telling)[-1] == "incomplete"
    assert telling.response["output"][0]["status"] == "incomplete"


def test_nothing_at_all_is_an_answer_too() -> None:
    assert told().response["output"] == []
    assert told(finish=LENGTH).response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_refusal_is_a_complete_answer() -> None:
    refusal = [step("refusal", "I cannot"), step("refusal", " help.")]
    for before, at in (([], 0), (text("Well: "), 1)):
        telling = told(*before, *refusal, finish=FILTERED)
        assert telling.response["status"] == "completed"
        [message] = telling.response["output"]
        assert message["status"] == "completed"
        assert message["content"][at] == {"type": "refusal", "refusal": "I cannot help."}
        assert len(message["content"]) == at + 1


def test_a_refusal_without_a_word_is_a_complete_answer_that_says_so() -> None:
    for before, at in (([], 0), (text("Well: "), 1)):
        telling = told(*before, finish=REFUSED)
        assert telling.response["status"] == "completed"
        [message] = telling.response["output"]
        said = {"type": "refusal", "refusal": "The model refused to answer."}
        assert message["content"][at] == said
    explained = told(step("refusal", "I cannot."), finish=REFUSED)
    assert explained.response["output"][0]["content"] == [
        {"type": "refusal", "refusal": "I cannot."}
    ]


def test_what_a_filter_cut_off_without_a_word_is_incomplete() -> None:
    telling = told(*text("Hel"), finish=FILTERED)
    assert telling.response["incomplete_details"] == {"reason": "content_filter"}


def test_a_search_of_the_web_is_told_with_what_the_client_wants_of_it() -> None:
    search = step("search", ["mail", "post"], [{"url": "https://a.test", "title": "A"}])
    [item] = told(search).response["output"]
    action = {"type": "search", "query": "mail", "queries": ["mail", "post"]}
    assert item == {
        "id": f"ws_{TOKEN}_0",
        "type": "web_search_call",
        "status": "completed",
        "action": action,
    }
    [item] = told(search, include=["web_search_call.action.sources"]).response["output"]
    assert item["action"] == action | {"sources": [{"type": "url", "url": "https://a.test"}]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (truncated(), "server_error"),
        (UpstreamError(529, "busy"), "server_is_overloaded"),
        (UpstreamError(429, "slow"), "rate_limit_exceeded"),
        (UpstreamError(402, "broke"), "insufficient_quota"),
        (worded(400, "prompt is too long: 3 > 2"), "context_length_exceeded"),
        (ClientError(400, "invalid_value", "no", param="input[0]"), "invalid_prompt"),
    ],
    ids=["truncated", "overloaded", "rate", "quota", "long", "invalid"],
)
def test_a_failure_is_told_twice_each_in_its_own_code(error: Any, code: str) -> None:
    writer = StreamWriter(answering())
    tell(writer, text("a"))
    writer.fail(error)
    telling = read(writer.take())
    assert telling.error == {
        "type": error.error_type,
        "code": error.code,
        "message": error.message,
        "param": error.param,
    }
    assert telling.response["error"]["code"] == code
    assert telling.response["output"] == []


# The object


def test_the_object_tells_what_was_asked() -> None:
    tool = {"type": "function", "name": "f"}
    search = {"type": "web_search"}
    asked: Json = {
        "instructions": "Be brief.",
        "max_output_tokens": 64,
        "temperature": 0.5,
        "tools": [tool, search],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low", "generate_summary": "auto"},
        "metadata": {"a": "b"},
        "truncation": "auto",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "user": "u",
        "store": True,
        "top_p": None,
    }
    response = told(*text("a"), **asked).response
    kept = {"instructions", "max_output_tokens", "temperature", "tool_choice", "truncation"}
    kept |= {"parallel_tool_calls", "metadata", "prompt_cache_key", "safety_identifier", "user"}
    assert {name: response[name] for name in kept} == {name: asked[name] for name in kept}
    function = {"description": None, "parameters": None, "strict": None}
    assert response["tools"] == [function | tool, search]
    form = asked["text"]["format"] | {"description": None, "strict": False}
    assert response["text"] == {"format": form, "verbosity": "medium"}
    assert response["reasoning"] == {"effort": "low", "summary": "auto"}
    assert (response["store"], response["background"], response["top_p"]) == (False, False, 1.0)
    assert "output_text" not in response


def test_the_object_of_a_plain_request_has_every_member() -> None:
    response = told(*text("a")).response
    assert response == {
        "id": f"resp_{TOKEN}",
        "object": "response",
        "created_at": 1_795_680_000,
        "completed_at": None,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": "claude-sonnet-4-5",
        "output": response["output"],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "usage": {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 19,
        },
        "user": None,
    }


def test_the_time_it_took_is_told_where_somebody_knows_it() -> None:
    of = answering(clock=Clock(1_795_680_002.9))
    ended = [*text("a"), step("end", STOP)]
    assert whole(ended, of)["completed_at"] == 1_795_680_002
    cut = [*text("a"), step("end", LENGTH)]
    assert whole(cut, of)["completed_at"] is None


def test_the_tier_that_served_is_told_as_soon_as_it_is_known() -> None:
    writer = StreamWriter(answering())
    writer.begin(USAGE, "priority")
    writer.end(STOP)
    tiers = [event["response"]["service_tier"] for event in events_of(writer.take())]
    assert tiers == ["priority"] * 3
    writer = StreamWriter(answering())
    writer.begin(USAGE, None)
    writer.end(Finish(FinishReason.STOP, USAGE, "flex"))
    tiers = [event["response"]["service_tier"] for event in events_of(writer.take())]
    assert tiers == ["default", "default", "flex"]


def test_a_comment_that_breaks_the_silence_is_no_event() -> None:
    assert Decoder().feed(StreamWriter.keep_alive) == []


def test_a_whole_answer_is_not_told_in_frames() -> None:
    writer = WholeWriter(answering())
    tell(writer, [*text("a"), step("end", STOP)])
    assert writer._frames.take() == ""
    assert writer.sequence is None


# Size


def test_a_hundred_thousand_events_are_numbered_without_a_gap() -> None:
    telling = told(*(step("text", "a") for _ in range(100_000)), step("text_end", []))
    assert telling.response["output"][0]["content"][0]["text"] == "a" * 100_000


def test_one_piece_of_a_megabyte() -> None:
    piece = '"é🙂\n' * 250_000
    assert told(*text(piece)).response["output"][0]["content"][0]["text"] == piece


@pytest.mark.parametrize("letter", ["a", "\u00fc", "\U0001f642"], ids=["ascii", "latin", "emoji"])
def test_five_megabytes_told_four_times_are_held_once(letter: str) -> None:
    writer = StreamWriter(answering())
    tell(writer, [step("text", letter), step("text", "a")])
    writer.take()
    tracemalloc.start()
    try:
        for _ in range(5_000):
            writer.moved(200, "abcde" * 200)
        held, _ = tracemalloc.get_traced_memory()
        told = 0
        writer.text_end([])
        writer.end(STOP)
        while piece := writer.take():
            told += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told > 4 * 5_000_000
    assert held < 6_000_000
    assert peak < 9_000_000
