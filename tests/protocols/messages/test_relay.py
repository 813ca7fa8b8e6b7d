"""Passing Messages on to an upstream of Messages: bodies, headers, whole answers and streams."""

import re
from typing import Any

import pytest

from tests.protocols.messages import sdk
from tests.protocols.messages.answering import (
    CARRIER,
    ORIGIN,
    USER,
    answering,
    recorded,
    request,
    target,
)
from tests.scenarios import Scenario, scenarios
from tests.splicing import splice
from tests.streams import split_events
from xtrix import json
from xtrix.answer import Usage
from xtrix.errors import BAD_RESPONSE, ApiError, UpstreamError
from xtrix.http import UpstreamRequest
from xtrix.prompt import Sealed
from xtrix.protocols.messages.answer import OWN_SEARCH_ID
from xtrix.protocols.messages.relay import RelayStream, relay_count, relay_request, relay_whole
from xtrix.sse import Decoder, Event
from xtrix.template import learn

SPEAKERS = ("anthropic", "llamacpp-messages")
ALL_STREAMS = [each for each in scenarios("upstream.sse") if each.provider in SPEAKERS]
STREAMS = list({each.bytes("upstream.sse"): each for each in ALL_STREAMS}.values())
"""One scenario for each stream."""
WHOLE = [each for each in scenarios("upstream.json") if each.provider in SPEAKERS]
PACKED = CARRIER.pack(Sealed({"reasoning_content": "Well"}, ORIGIN))
SIGNED = {"type": "thinking", "thinking": "Hm", "signature": "EqQ="}


def relayed(
    fields: dict[str, Any] | bytes | None = None,
    client: dict[str, str] | None = None,
    **row: Any,
) -> UpstreamRequest:
    """The upstream's request; `client` are the client's headers."""
    return relay_request(request(fields, client), target(**row), CARRIER).request


def answered(*blocks: Any) -> list[dict[str, Any]]:
    """A conversation with these blocks of the assistant."""
    return [*USER, {"role": "assistant", "content": list(blocks)}, *USER]


# The body


def test_a_body_goes_on_as_it_came() -> None:
    body = recorded("claude_code")
    asked = request(body)
    assert relay_request(asked, target(), CARRIER).request.body is body
    assert relay_count(asked, target()).request.body is body


def test_under_another_name_only_that_changes() -> None:
    body = relayed(recorded("claude_code"), model="claude-sonnet-5-5").body
    assert body == recorded("claude_code").replace(b'"claude-opus-5-5"', b'"claude-sonnet-5-5"')


def test_a_request_without_a_model_gets_one_even_where_it_is_the_targets() -> None:
    asked = request(b'{"messages":[{"role":"user","content":"Hi"}],"x":{"model":"default"}}')
    body = json.decode(relay_request(asked, target("default"), CARRIER).request.body)
    assert body == {"messages": USER, "x": {"model": "default"}, "model": "default"}


@pytest.mark.parametrize(
    ("block", "kept"),
    [
        (SIGNED, True),
        ({**SIGNED, "thinking": ""}, True),
        ({**SIGNED, "signature": ""}, False),
        ({"type": "thinking", "thinking": "Hm"}, False),
        ({**SIGNED, "signature": PACKED}, False),
        ({**SIGNED, "signature": "xt1.somebody-elses"}, False),
        ({"type": "redacted_thinking", "data": "EmwK"}, True),
        ({"type": "redacted_thinking", "data": PACKED}, False),
        ({"type": "server_tool_use", "id": "srvtoolu_01A", "name": "web_search"}, True),
        ({"type": "server_tool_use", "id": f"{OWN_SEARCH_ID}a_1", "name": "web_search"}, False),
        ({"type": "web_search_tool_result", "tool_use_id": f"{OWN_SEARCH_ID}a_1"}, False),
        ({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01A"}, True),
        ({"type": "block_of_tomorrow"}, True),
        (None, True),
    ],
    ids=str,
)
def test_what_the_upstream_has_not_signed_is_left_out(block: Any, kept: bool) -> None:
    text = {"type": "text", "text": "A"}
    asked = request({"messages": answered(block, text)})
    encoded = relay_request(asked, target(), CARRIER).request
    content = json.decode(encoded.body)["messages"][1]["content"]
    assert content == ([block, text] if kept else [text])
    assert asked.fields["messages"][1]["content"] == [block, text], "the next target needs it"


def test_a_message_of_which_nothing_is_left_goes_too() -> None:
    body = json.decode(relayed({"messages": answered({**SIGNED, "signature": ""})}).body)
    assert body["messages"] == [*USER, *USER]


def test_what_a_user_says_is_never_taken_out() -> None:
    messages = [{"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}]
    assert json.decode(relayed({"messages": messages}).body)["messages"] == messages


def test_citations_of_another_providers_search_are_taken_off() -> None:
    theirs = {"type": "web_search_result_location", "encrypted_index": "abc"}
    ours = {"type": "web_search_result_location", "encrypted_index": ""}
    blocks = [
        {"type": "text", "text": "A", "citations": [ours]},
        {"type": "text", "text": "B", "citations": [theirs, ours]},
        {"type": "text", "text": "C", "citations": [theirs]},
    ]
    body = json.decode(relayed({"messages": answered(*blocks)}).body)
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B", "citations": [theirs]},
        blocks[2],
    ]


# The headers


@pytest.mark.parametrize(
    ("client", "row", "version"),
    [
        ({}, {}, "2023-06-01"),
        ({"anthropic-version": "2026-10-21"}, {}, "2026-10-21"),
        ({}, {"anthropic-version": "2026-10-21"}, "2026-10-21"),
        ({"anthropic-version": "2023-06-01"}, {"anthropic-version": "2026-10-21"}, "2023-06-01"),
        ({"anthropic-version": " "}, {}, "2023-06-01"),
    ],
    ids=str,
)
def test_the_version_is_the_clients(
    client: dict[str, str], row: dict[str, str], version: str
) -> None:
    headers = relayed({}, client, headers=row).headers
    assert [value for name, value in headers if name == "anthropic-version"] == [version]


@pytest.mark.parametrize(
    ("client", "row", "betas"),
    [
        (None, None, []),
        ("a-1,b-2", None, ["a-1,b-2"]),
        (None, "r-1", ["r-1"]),
        ("b-2, a-1,,r-1, b-2", "r-1,a-1", ["r-1,a-1,b-2"]),
        (" , ", None, []),
    ],
    ids=str,
)
def test_betas_of_the_row_and_the_client_without_repeats(
    client: str | None, row: str | None, betas: list[str]
) -> None:
    theirs = {} if row is None else {"anthropic-beta": row}
    headers = relayed({}, {} if client is None else {"anthropic-beta": client}, headers=theirs)
    assert [value for name, value in headers.headers if name == "anthropic-beta"] == betas


def test_no_credential_of_the_clients_leaves() -> None:
    sent = {
        "authorization": "Bearer client-key",
        "x-api-key": "client-key",
        "cookie": "a=b",
        "anthropic-workspace-id": "w",
        "anthropic-user-profile-id": "p",
        "x-claude-code-session-id": "s",
    }
    assert dict(relayed({}, sent).headers) == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-upstream-key",
    }


@pytest.mark.parametrize(
    ("row", "header"),
    [
        ({"key_header": "authorization"}, ("authorization", "Bearer sk-upstream-key")),
        ({"key_header": "x-other"}, ("x-other", "sk-upstream-key")),
        ({"key": None}, None),
    ],
    ids=str,
)
def test_the_key_goes_where_the_row_says(
    row: dict[str, Any], header: tuple[str, str] | None
) -> None:
    headers = relayed({}, **row).headers
    assert header in headers if header else "sk-upstream-key" not in str(headers)


def test_addresses() -> None:
    assert relayed({}, binding="B").url == "https://upstream.test/v1/messages"
    assert relayed({}, binding="B").binding == "B"
    counted = relay_count(request({}), target()).request.url
    assert counted == "https://upstream.test/v1/messages/count_tokens"


# Whole answers


@pytest.mark.parametrize("scenario", WHOLE, ids=str)
def test_a_whole_answer_goes_through(scenario: Scenario) -> None:
    body = scenario.bytes("upstream.json")
    answer = json.decode(body)
    if answer.get("type") == "error":
        with pytest.raises(UpstreamError) as failed:
            relay_whole(body, answering())
        assert failed.value.message == answer["error"]["message"]
        return
    assert relay_whole(body, answering(model=answer["model"])).body is body
    renamed = relay_whole(body, answering(model="gpt-5"))
    assert json.decode(renamed.body) == {**answer, "model": "gpt-5"}
    assert renamed.usage.completion == answer["usage"]["output_tokens"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b'{"type":"message"}', b'{"type":"message","content":{}}'),
        *(b'{"type":[],"content":[]}', b"<html>", b'{"choices":[]}'),
    ],
)
def test_an_answer_that_is_none_is_the_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamError) as failed:
        relay_whole(body, answering())
    assert failed.value.status == 502


def test_a_whole_answers_end_and_counts_are_for_the_log() -> None:
    body = (
        b'{"type":"message","content":[],"stop_reason":"novel","usage":{"input_tokens":1,'
        b'"cache_read_input_tokens":2,"output_tokens":3,"output_tokens_details":null}}'
    )
    whole = relay_whole(body, answering())
    assert whole.usage == Usage(prompt=3, completion=3, cached=2)
    assert whole.unknown_stop_reason == "novel"


# Streams


def decoded(text: str) -> list[Event]:
    """The events of a stream that comes at once."""
    decoder = Decoder()
    return [*decoder.feed(text), *decoder.close()]


def told(text: str, model: str = "gpt-5") -> tuple[str, ApiError | None]:
    """The client's bytes of a stream that ends, and the error that ended it."""
    stream = RelayStream(answering(model=model))
    frames = ""
    decoder = Decoder()
    try:
        for event in decoder.feed(text):
            frames += stream.feed(event) if not stream.finished else ""
        # An event that the end cut in two is no more than a sign of the end.
        frames += last_of(stream, decoder)
        frames += "" if stream.finished else stream.close()
    except ApiError as error:
        return frames + (stream.fail(error) if frames else ""), error
    return frames, None


def last_of(stream: RelayStream, decoder: Decoder) -> str:
    """The frame of an event without its blank line; empty if the stream ended in its middle."""
    try:
        return "".join(stream.feed(event) for event in decoder.close() if not stream.finished)
    except ApiError as error:
        if error.code != BAD_RESPONSE:
            raise
        return ""


def model_in(text: str) -> str:
    """The model named in the first event of a stream."""
    found = re.search(r'"model": ?"([^"]*)"', text)
    return found[1] if found else "gpt-5"


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
def test_every_frame_goes_through_as_it_came(scenario: Scenario) -> None:
    text = scenario.bytes("upstream.sse").decode()
    frames, error = told(text, model_in(text))
    came = [event for event in split_events(text) if not event.startswith("event: error")]
    if error is None:
        assert frames.removesuffix(frames_of(STOP)) == "".join(came).removesuffix(frames_of(STOP))
        assert frames.endswith(frames_of(STOP))
        sdk.accumulated(frames)
    else:
        whole = "".join(frame for frame in split_events(frames) if "event: error" not in frame)
        assert text.startswith(whole)
        assert '"type":"message_stop"' not in frames


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
def test_a_stream_that_is_cut_never_looks_finished(scenario: Scenario) -> None:
    text = scenario.bytes("upstream.sse").decode()
    model = model_in(text)
    whole, _ = told(text, model)
    for at in range(len(text)):
        frames, error = told(text[:at], model)
        if error is None:
            assert re.search(r'"stop_reason": ?"', text[:at])
            assert whole.startswith(frames.removesuffix(frames_of(STOP)))
        elif frames:
            *kept, last = split_events(frames)
            assert last.startswith("event: error\n")
            assert whole.startswith("".join(kept))
            assert not any("message_stop" in frame for frame in kept)


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
def test_the_fast_path_gives_the_frames_of_the_general_one(scenario: Scenario) -> None:
    text = scenario.bytes("upstream.sse").decode()
    stream = RelayStream(answering(model=model_in(text)))
    template = None
    for piece in split_events(text):
        try:
            frame = "".join(stream.feed(event) for event in decoded(piece))
        except ApiError:
            break
        if template and (moved := splice(template, piece))[2]:
            assert moved == (frame, "", 1)
            assert stream.lone_text
        template = learn(piece, frame, stream.lone_text) if stream.lone_text else None


@pytest.mark.parametrize("kind", ["text_delta", "thinking_delta", "input_json_delta"])
def test_the_fast_path_is_taken(kind: str) -> None:
    def piece(words: str) -> str:
        field = {"input_json_delta": "partial_json"}.get(kind) or kind.removesuffix("_delta")
        delta = {"type": kind, field: words}
        return frames_of({"type": "content_block_delta", "index": 0, "delta": delta})

    stream = RelayStream(answering())
    for event in decoded(frames_of(START, *BLOCK[:1])):
        stream.feed(event)
    frame = "".join(stream.feed(event) for event in decoded(piece("one")))
    assert stream.lone_text == '"one"'
    template = learn(piece("one"), frame, stream.lone_text)
    assert template
    events = piece("two") + piece('"three"')
    assert splice(template, events) == (events, "", 2)


def frames_of(*events: dict[str, Any]) -> str:
    """A stream of these events."""
    return "".join(f"event: {e['type']}\ndata: {json.encode(e)}\n\n" for e in events)


START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        **{"id": "msg_1", "type": "message", "role": "assistant", "content": []},
        **{"model": "upstreams", "stop_reason": None, "stop_sequence": None},
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1},
    },
}
BLOCK: list[dict[str, Any]] = [
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
]
END: dict[str, Any] = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 5},
}
STOP = {"type": "message_stop"}
RESTAMPED = {**START, "message": {**START["message"], "model": "gpt-5"}}


def test_the_model_is_the_one_that_the_client_asked_for() -> None:
    frames, error = told(frames_of(START, *BLOCK, END, STOP))
    assert error is None
    assert frames == frames_of(RESTAMPED, *BLOCK, END, STOP)


def test_what_is_for_the_log() -> None:
    stream = RelayStream(answering())
    novel = {**END, "delta": {"stop_reason": "novel"}}
    for event in decoded(frames_of(START, *BLOCK, novel, STOP)):
        assert not stream.finished
        stream.feed(event)
    assert stream.finished
    assert stream.usage == Usage(prompt=13, completion=5, cached=4)
    assert stream.unknown_stop_reason == "novel"


def test_a_stream_without_a_beginning_gets_one() -> None:
    frames, error = told(frames_of({"type": "ping"}, *BLOCK, END, STOP))
    assert error is None
    whole = sdk.accumulated(frames)
    assert (whole["id"], whole["model"]) == ("msg_0123456789abcdef0123456789abcdef", "gpt-5")
    assert frames.endswith(frames_of(*BLOCK, END, STOP))
    assert "ping" not in frames


def test_a_beginning_that_is_repeated_is_told_once() -> None:
    frames, error = told(frames_of(RESTAMPED, *BLOCK, START, END, START, STOP))
    assert error is None
    assert frames == frames_of(RESTAMPED, *BLOCK, END, STOP)


def test_an_end_that_is_missing_is_made_up_if_the_reason_has_come() -> None:
    assert told(frames_of(RESTAMPED, *BLOCK, END)) == (
        frames_of(RESTAMPED, *BLOCK, END, STOP),
        None,
    )
    frames, error = told(frames_of(RESTAMPED, *BLOCK))
    assert error is not None
    assert error.code == "upstream_truncated"
    assert frames.startswith(frames_of(RESTAMPED, *BLOCK))
    assert sdk.events(frames)[-1]["error"]["type"] == "api_error"


def test_usage_that_is_missing_is_made_up() -> None:
    message = {name: value for name, value in RESTAMPED["message"].items() if name != "usage"}
    start = {**START, "message": message}
    end = {name: value for name, value in END.items() if name != "usage"}
    frames, _ = told(frames_of(start, *BLOCK, end, STOP))
    usage = sdk.accumulated(frames)["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (0, 0)
    frames, _ = told(frames_of(START, *BLOCK, end, STOP))
    usage = sdk.accumulated(frames)["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (9, 4)


def test_unknown_events_and_blocks_pass() -> None:
    novel: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 1, "content_block": {"type": "novel", "x": 1}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "novel_delta", "x": "y"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "weather_report", "data": [1, 2]},
        {"type": "ping"},
    ]
    text = frames_of(RESTAMPED, *BLOCK, *novel, END, STOP)
    assert told(text) == (text, None)


def test_a_frame_without_a_name_gets_one() -> None:
    text = frames_of(RESTAMPED, *BLOCK, END, STOP)
    nameless = re.sub(r"^event: .*\n", "", text, flags=re.MULTILINE)
    assert told(nameless) == (text, None)
    assert told(text.replace("\n", "\r\n")) == (text, None)
    assert told(f": comment\n\n{text}") == (text, None)


def test_data_of_several_lines_stays_one_frame() -> None:
    text = frames_of(RESTAMPED, *BLOCK, END, STOP)
    spread = text.replace(',"delta"', ',\ndata: "delta"')
    assert told(spread) == (spread, None)


def test_what_follows_the_end_is_no_part_of_the_answer() -> None:
    text = frames_of(RESTAMPED, *BLOCK, END, STOP)
    assert told(f"{text}data: [DONE]\n\n") == (text, None)
    assert told(frames_of(RESTAMPED, *BLOCK, END) + "data: [DONE]\n\n") == (text, None)


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "overloaded_error", 503),
        ({"type": "invalid_request_error", "message": "No"}, "invalid_request_error", 400),
        ({"type": "novel_error", "message": "No"}, "novel_error", 502),
    ],
    ids=str,
)
def test_an_error_is_told_in_its_own_words_once(
    event: dict[str, Any], kind: str, status: int
) -> None:
    failure = {"type": "error", "error": event}
    frames, error = told(frames_of(RESTAMPED, *BLOCK, failure, STOP))
    assert error is not None
    assert error.status == status
    assert frames.startswith(frames_of(RESTAMPED, *BLOCK))
    last = sdk.events(frames)[-1]
    assert last == {
        "type": "error",
        "error": {"type": kind, "message": event["message"]},
        "request_id": "req_1",
    }
    first, error = told(frames_of({"type": "ping"}, failure))
    assert (first, error and error.status) == ("", status)


@pytest.mark.parametrize(
    "data",
    [
        'event: error\ndata: {"message":"Broken"}\n\n',
        'data: {"error":{"message":"Broken","code":500}}\n\n',
        'event: error\ndata: {"type":"error","error":{"message":"Broken"}}\n\n',
    ],
)
def test_errors_in_other_forms_are_errors(data: str) -> None:
    frames, error = told(frames_of(RESTAMPED) + data)
    assert error is not None
    assert error.message == "Broken"
    assert sdk.events(frames)[-1]["error"]["message"] == "Broken"


@pytest.mark.parametrize(
    "data",
    [
        "so",
        "[]",
        "{",
        '{"type":"message_start"}',
        '{"type":"message_start","message":[]}',
        '{"type":"content_block_delta","index":0}',
        '{"type":"content_block_delta","delta":5}',
        '{"type":"message_delta"}',
        '{"type":"a\\nevent: message_stop"}',
    ],
)
def test_events_that_make_no_sense_are_the_upstreams_fault(data: str) -> None:
    start = "" if "message_start" in data else frames_of(RESTAMPED)
    _, error = told(f"{start}data: {data}\n\n")
    assert error is not None
    assert error.code == "bad_upstream_response"


@pytest.mark.parametrize("place", ["message", "delta", "usage", "type", "index", "error"])
@pytest.mark.parametrize("junk", [None, 5, "a", [], {}, [[]], {"type": []}, True], ids=str)
def test_junk_in_an_event_is_never_our_fault(place: str, junk: Any) -> None:
    for event in (START, *BLOCK, END, STOP):
        text = frames_of(RESTAMPED, *BLOCK[:1])
        broken = json.encode({**event, place: junk})
        told(f"event: {event['type']}\ndata: {broken}\n\n")
        told(f"{text}event: {event['type']}\ndata: {broken}\n\n")
