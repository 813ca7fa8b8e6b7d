"""Writing answers in Messages, read again with Anthropic's own SDK."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.messages import sdk
from tests.protocols.messages.answering import CARRIER, ORIGIN, answering, of_turns
from tests.splicing import splice
from xtrix import json
from xtrix.answer import (
    CallStart,
    Citation,
    Expected,
    Finish,
    FinishReason,
    ToolName,
    Usage,
    Writer,
)
from xtrix.errors import ClientError, UpstreamError, truncated
from xtrix.prompt import Call, Sealed, Thinking
from xtrix.protocols.messages.answer import encode_call_id
from xtrix.protocols.messages.writer import StreamWriter, WholeWriter
from xtrix.template import learn

Script = Callable[[Writer], None]

USAGE = Usage(prompt=20, completion=7, cached=5, cache_written=3, reasoning=2)
SEALED = Sealed({"reasoning_content": "Two cities."}, ORIGIN)
DONE = Finish(FinishReason.STOP, USAGE)


def written(script: Script, expected: Expected | None = None) -> tuple[str, dict[str, Any]]:
    """The frames and the object that the calls of `script` make."""
    of = answering(expected)
    stream, whole = StreamWriter(of), WholeWriter(of)
    script(stream)
    script(whole)
    return stream.take(), whole.body()


def message(script: Script, expected: Expected | None = None) -> dict[str, Any]:
    """The whole answer. Checks that its stream adds up to the same."""
    frames, body = written(script, expected)
    assert body["stop_reason"]
    assert body["stop_sequence"] is None or body["stop_reason"] == "stop_sequence"
    whole = sdk.valid(body)
    assert sdk.message(frames) == whole
    return whole


def calls(*told: Callable[[Writer], None]) -> Script:
    """A script from `begin` to an ordinary end."""

    def script(writer: Writer) -> None:
        writer.begin(Usage(), None)
        for tell in told:
            tell(writer)
        writer.end(DONE)

    return script


def text(words: str) -> Script:
    """A piece of text."""
    return lambda writer: writer.text(words)


def call(
    *arguments: str, call_id: str = "call_1", name: str = "f", extra: dict[str, Any] | None = None
) -> Script:
    """A call with its arguments."""

    def script(writer: Writer) -> None:
        writer.call(CallStart(call_id, ToolName(name), extra or {}))
        for piece in arguments:
            writer.arguments(piece)
        writer.call_end()

    return script


def think(*words: str, sealed: Sealed | None = None) -> Script:
    """A block of reasoning."""

    def script(writer: Writer) -> None:
        for piece in words:
            writer.thinking(piece)
        writer.thinking_end(sealed)

    return script


def ending(finish: Finish, *told: Script) -> Script:
    """A script with another end."""

    def script(writer: Writer) -> None:
        writer.begin(Usage(), None)
        for tell in told:
            tell(writer)
        writer.end(finish)

    return script


def test_the_frames_of_a_text_to_the_byte() -> None:
    frames, _ = written(calls(text("Hel"), text("lo\u2028")))
    assert frames == (
        "event: message_start\n"
        'data: {"type":"message_start","message":{"id":"msg_0123456789abcdef0123456789abcdef",'
        '"type":"message","role":"assistant","model":"gpt-5","content":[],"stop_reason":null,'
        '"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}\n\n'
        "event: content_block_start\n"
        'data: {"type":"content_block_start","index":0,'
        '"content_block":{"type":"text","text":""}}\n\n'
        "event: content_block_delta\n"
        'data: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"Hel"}}\n\n'
        "event: content_block_delta\n"
        'data: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"lo\\u2028"}}\n\n'
        "event: content_block_stop\n"
        'data: {"type":"content_block_stop","index":0}\n\n'
        "event: message_delta\n"
        'data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        '"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,'
        '"output_tokens":7,"output_tokens_details":{"thinking_tokens":2}}}\n\n'
        "event: message_stop\n"
        'data: {"type":"message_stop"}\n\n'
    )


def test_a_whole_answer() -> None:
    _, body = written(calls(text("Hello")))
    assert body == {
        "id": "msg_0123456789abcdef0123456789abcdef",
        "type": "message",
        "role": "assistant",
        "model": "gpt-5",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 5,
            "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }


def test_reasoning_comes_back_after_text_and_calls() -> None:
    script = calls(
        think("Two ", "cities."),
        text("First."),
        call('{"city":', '"Oslo"}'),
        think("And now."),
        text("Second."),
        call(call_id="call_2", name="now"),
    )
    assert message(script)["content"] == [
        {"type": "thinking", "thinking": "Two cities.", "signature": ""},
        {"type": "text", "text": "First."},
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"city": "Oslo"}},
        {"type": "thinking", "thinking": "And now.", "signature": ""},
        {"type": "text", "text": "Second."},
        {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
    ]


def test_what_a_reader_does_not_close_is_closed_by_what_follows() -> None:
    def script(writer: Writer) -> None:
        writer.begin(Usage(), None)
        writer.thinking("Hm")
        writer.text("A")
        writer.call(CallStart("call_1", ToolName("f")))
        writer.call(CallStart("call_2", ToolName("f")))
        writer.end(DONE)

    kinds = [block["type"] for block in message(script)["content"]]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]


def test_an_answer_with_nothing_in_it_has_an_empty_text() -> None:
    whole = message(calls())
    assert whole["content"] == [{"type": "text", "text": ""}]
    assert whole["stop_reason"] == "end_turn"


def test_reasoning_that_its_provider_wants_back_rides_in_the_signature() -> None:
    (block,) = message(calls(think("Two cities.", sealed=SEALED)))["content"]
    assert CARRIER.open(block["signature"]) == SEALED
    turns = of_turns({"role": "user", "content": "Hi"}, {"role": "assistant", "content": [block]})
    assert turns.turns[1].blocks == [Thinking("Two cities.", SEALED, "messages.1.content.0")]


def test_reasoning_without_a_text_is_redacted() -> None:
    (block,) = message(calls(think(sealed=SEALED)))["content"]
    assert block["type"] == "redacted_thinking"
    assert CARRIER.open(block["data"]) == SEALED


def test_reasoning_of_which_nothing_is_known_makes_no_block() -> None:
    unsigned = Sealed({"type": "thinking", "signature": "a"})
    assert message(calls(think(), think(sealed=unsigned), text("A")))["content"] == [
        {"type": "text", "text": "A"}
    ]


def test_what_a_call_carries_makes_the_round() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "abc"}}}
    script = calls(call('{"a":1}', call_id="functions.Bash:0", extra=extra))
    content = message(script)["content"]
    assert [block["type"] for block in content] == ["redacted_thinking", "tool_use"]
    call_id = content[1]["id"]
    result = {"type": "tool_result", "tool_use_id": call_id, "content": "done"}
    asked = of_turns(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": [result]},
    )
    path = "messages.1.content.1"
    assert asked.turns[1].blocks == [Call(call_id, "f", '{"a":1}', extra=extra, path=path)]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ([], {}),
        (["{}"], {}),
        (['{"a": [1, ', "null]}"], {"a": [1, None]}),
        (["[1]"], {"_raw": "[1]"}),
        (['{"a":'], {"_raw": '{"a":'}),
        (["so"], {"_raw": "so"}),
    ],
    ids=str,
)
def test_arguments(arguments: list[str], given: dict[str, Any]) -> None:
    frames, body = written(calls(call(*arguments)))
    assert body["content"][0]["input"] == given
    pieces = [
        event["delta"]["partial_json"]
        for event in sdk.events(frames)
        if event["type"] == "content_block_delta"
    ]
    assert pieces == (arguments or ["{}"])


def test_the_text_of_a_custom_tool_is_an_object_too() -> None:
    def script(writer: Writer) -> None:
        writer.begin(Usage(), None)
        writer.call(CallStart("c", ToolName("python", "custom")))
        writer.arguments('print("1")')
        writer.call_end()
        writer.end(DONE)

    assert message(script)["content"][0]["input"] == {"input": 'print("1")'}


def test_odd_ids_are_mended_and_stay_apart() -> None:
    odd = ["functions.Bash:0", "functions_Bash:0", "", "北京", "a b", "call_1", "call_1"]
    script = calls(*(call(call_id=call_id) for call_id in odd))
    ids = [block["id"] for block in message(script)["content"]]
    assert len(set(ids)) == len(odd)
    assert all(encode_call_id(call_id) == call_id for call_id in ids)
    assert ids[5:] == ["call_1", "call_1_2"]


@pytest.mark.parametrize(
    ("finish", "called", "reason", "sequence"),
    [
        (DONE, False, "end_turn", None),
        (DONE, True, "tool_use", None),
        (DONE._replace(reason=FinishReason.LENGTH), False, "max_tokens", None),
        (DONE._replace(reason=FinishReason.LENGTH), True, "max_tokens", None),
        (DONE._replace(stop_sequence="END"), False, "stop_sequence", "END"),
        (DONE._replace(stop_sequence="END"), True, "tool_use", None),
        (DONE._replace(reason=FinishReason.FILTERED), False, "refusal", None),
        (DONE._replace(reason=FinishReason.FILTERED), True, "refusal", None),
        (DONE._replace(reason=FinishReason.REFUSED), False, "refusal", None),
    ],
    ids=str,
)
def test_stop_reasons(finish: Finish, called: bool, reason: str, sequence: str | None) -> None:
    whole = message(ending(finish, *([call()] if called else [text("A")])))
    assert whole["stop_reason"] == reason
    assert whole.get("stop_sequence") == sequence


def test_why_it_refused_is_told_beside_the_reason() -> None:
    frames, body = written(
        calls(lambda writer: writer.refusal("I will "), lambda w: w.refusal("not."))
    )
    details = {"type": "refusal", "category": None, "explanation": "I will not."}
    assert (body["stop_reason"], body["stop_details"]) == ("refusal", details)
    assert body["content"] == [{"type": "text", "text": ""}]
    assert sdk.message(frames) == sdk.valid(body)
    filtered = written(ending(DONE._replace(reason=FinishReason.FILTERED)))[1]
    assert filtered["stop_details"] == {**details, "explanation": None}


def test_usage_never_falls_below_nothing() -> None:
    finish = DONE._replace(usage=Usage(prompt=2, cached=5))
    usage = message(ending(finish))["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (0, 5)


@pytest.mark.parametrize(
    ("tier", "word"), [(None, None), ("default", "standard"), ("scale", None), ("flex", "batch")]
)
def test_the_service_tier_in_the_vendors_words(tier: str | None, word: str | None) -> None:
    def script(writer: Writer) -> None:
        writer.begin(USAGE, tier)
        writer.end(DONE)

    assert message(script)["usage"].get("service_tier") == word


def test_citations() -> None:
    cited = [
        Citation("https://yr.no", "Yr", 4, 9),
        Citation("https://met.no", "Met"),
    ]

    def script(writer: Writer) -> None:
        writer.begin(Usage(), None)
        writer.text("It is ")
        writer.text("sunny.")
        writer.text_end(cited)
        writer.text("Next.")
        writer.text_end([Citation("https://smhi.se", "SMHI")])
        writer.end(DONE)

    first, second = message(script, Expected(cited=True))["content"]
    assert [(c["url"], c["title"], c["cited_text"]) for c in first["citations"]] == [
        ("https://yr.no", "Yr", "s sun"),
        ("https://met.no", "Met", "It is sunny."),
    ]
    assert second["text"] == second["citations"][0]["cited_text"] == "Next."


def test_text_that_moved_past_is_cited_too() -> None:
    writer = StreamWriter(answering(Expected(cited=True)))
    writer.begin(Usage(), None)
    writer.text("one")
    writer.moved(2, ' \\u00e9\\"two')
    writer.text_end([Citation("u", "t")])
    assert sdk.events(writer.take())[-2]["delta"]["citation"]["cited_text"] == 'one é"two'


def test_a_search_is_told_as_the_vendors_own() -> None:
    sources: list[dict[str, Any]] = [{"url": "https://yr.no", "title": "Yr", "x": 1}, {"url": None}]
    script = calls(text("A"), lambda writer: writer.search(["weather", "Oslo"], sources), text("B"))
    whole = message(script)
    search, found = whole["content"][1:3]
    assert search["input"] == {"query": "weather; Oslo"}
    assert search["id"] == found["tool_use_id"]
    assert [(each["url"], each["title"]) for each in found["content"]] == [
        ("https://yr.no", "Yr"),
        ("", ""),
    ]
    assert whole["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert whole["stop_reason"] == "end_turn"


def test_a_failure_ends_the_stream_and_never_looks_finished() -> None:
    writer = StreamWriter(answering())
    writer.begin(Usage(), None)
    writer.text("Half")
    writer.take()
    writer.fail(truncated())
    assert writer.take() == (
        "event: error\n"
        'data: {"type":"error","error":{"type":"api_error",'
        '"message":"The upstream cut its answer off before the end."},"request_id":"req_1"}\n\n'
    )


def test_an_overload_keeps_its_name_in_a_stream() -> None:
    writer = StreamWriter(answering())
    writer.fail(UpstreamError(529, "Overloaded"))
    (event,) = sdk.events(writer.take())
    assert event["error"] == {"type": "overloaded_error", "message": "Overloaded"}


def test_silence_is_broken_by_a_ping() -> None:
    assert StreamWriter(answering()).keep_alive == 'event: ping\ndata: {"type":"ping"}\n\n'


# What the fast path rests on


@pytest.mark.parametrize("kind", ["text", "thinking", "arguments"])
@pytest.mark.parametrize("cited", [False, True])
def test_a_call_that_continues_writes_the_same_frame_around_another_text(
    kind: str, cited: bool
) -> None:
    def begun() -> tuple[StreamWriter, Callable[[str], None]]:
        writer = StreamWriter(answering(Expected(cited=cited)))
        writer.begin(Usage(), None)
        if kind == "arguments":
            writer.call(CallStart("c", ToolName("f")))
        tell = getattr(writer, kind)
        tell("first")
        assert not writer.continues, "it has opened a block"
        writer.take()
        return writer, tell

    one, tell_one = begun()
    other, tell_other = begun()
    tell_one("words")
    tell_other('a "b"')
    assert one.continues
    assert other.continues
    frame, other_frame = one.take(), other.take()
    assert frame.replace('"words"', json.encode('a "b"')) == other_frame
    template = learn('data: {"x":"words"}\n\n', frame, '"words"')
    assert template
    event = 'data: {"x":"again"}\n\n'
    assert splice(template, event) == (frame.replace("words", "again"), "", 1)


@pytest.mark.parametrize(
    "tell",
    [
        lambda writer: writer.text_end([]),
        lambda writer: writer.thinking_end(None),
        lambda writer: writer.call(CallStart("c", ToolName("f"))),
        lambda writer: writer.call_end(),
        lambda writer: writer.refusal("No"),
        lambda writer: writer.search([], []),
        lambda writer: writer.end(DONE),
    ],
    ids=["text_end", "thinking_end", "call", "call_end", "refusal", "search", "end"],
)
def test_no_other_call_continues(tell: Script) -> None:
    writer = StreamWriter(answering())
    writer.begin(Usage(), None)
    writer.text("A")
    writer.text("B")
    assert writer.continues
    tell(writer)
    assert not writer.continues


WORDS = st.text(min_size=1, max_size=6)
STEP: st.SearchStrategy[Script] = st.one_of(
    WORDS.map(text),
    st.builds(think, WORDS, sealed=st.sampled_from([None, SEALED])),
    st.builds(
        call,
        st.sampled_from(["{}", '{"a":1}', '{"b":[{}]}']),
        call_id=st.sampled_from(["a", "b", "a.b", ""]),
        extra=st.sampled_from([None, {"x": 1}]),
    ),
    st.just(lambda writer: writer.text_end([Citation("u", "t", 0, 2)])),
    st.just(lambda writer: writer.search(["q"], [{"url": "u", "title": "t"}])),
    st.just(lambda writer: writer.refusal("No.")),
)


@settings(max_examples=100, deadline=None)
@given(
    told=st.lists(STEP, max_size=8),
    reason=st.sampled_from(list(FinishReason)),
    cited=st.booleans(),
)
def test_a_stream_adds_up_to_the_whole_answer(
    told: list[Script], reason: FinishReason, cited: bool
) -> None:
    message(ending(DONE._replace(reason=reason), *told), Expected(cited=cited))


def test_an_error_of_ours_is_told_too() -> None:
    writer = StreamWriter(answering())
    writer.fail(ClientError(400, "invalid_value", "messages.0: no", param="messages.0"))
    (event,) = sdk.events(writer.take())
    assert event["error"] == {"type": "invalid_request_error", "message": "messages.0: no"}
