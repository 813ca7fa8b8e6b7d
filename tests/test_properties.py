"""What is true for every request, every stream and every text, as far as hypothesis can find.

`make test` uses the same examples on every run, and `make fuzz` new ones (tests/drawn.py).
"""

from typing import Any

import pytest
from hypothesis import example
from hypothesis import strategies as st

from tests.accumulate import completion, frames
from tests.answers import CARRIER, completion_of
from tests.contract import told_streamed, told_whole
from tests.drawn import drawn
from tests.play import Played, Upstream, gateway, play
from tests.rules import assert_accepted, assert_made_right
from tests.stories import STORIES, story
from tests.strategies import (
    ANY_JSON,
    ENDINGS,
    ODD_EVENTS,
    ODD_REQUESTS,
    SIZES,
    WORDS,
    Exchange,
    Told,
    anthropic_streams,
    cut_up,
    mutated_answers,
    mutated_requests,
    mutated_streams,
    on_the_wire,
    openai_streams,
    requests,
    spoiled,
)
from tests.streams import Outcome, replay
from xtrix import json
from xtrix.errors import ClientError, UpstreamError
from xtrix.http import UpstreamHead
from xtrix.protocols import DIALECTS
from xtrix.protocols.chat import CHAT
from xtrix.protocols.messages.families import family_of
from xtrix.providers import Provider, Target
from xtrix.sse import Decoder, Event

ROW = {"base_url": "http://upstream.test/v1", "api_key": "UPSTREAM_KEY", "models": ["*"]}
GATES = {name: gateway({**ROW, "name": "any", "dialect": name}) for name in DIALECTS}
JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
ANSWERS = {
    "anthropic": b'{"type":"message","content":[],"stop_reason":"end_turn","usage":{}}',
    "openai": b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}',
    "openai-responses": b'{"object":"response","status":"completed","output":[],"usage":{}}',
}


def answered(dialect: str, body: bytes) -> Played:
    """The client's answer to `body`, from an upstream that always answers."""
    upstream = Upstream(200, {"content-type": "application/json"}, (ANSWERS[dialect],))
    return play(GATES[dialect], body, [upstream])


# Requests


@drawn(200, request=requests())
def test_any_right_request_becomes_one_that_anthropic_accepts(request: dict[str, Any]) -> None:
    family = family_of(request["model"])
    body = as_anthropic_is_asked(request)
    if isinstance(body, ClientError):  # a schema without a grammar, and no tool to force instead
        assert (body.param, family.forced_tools) == ("response_format", False)
    else:
        assert_accepted(body, family)


def as_anthropic_is_asked(request: dict[str, Any]) -> dict[str, Any] | ClientError:
    """The body that an Anthropic upstream gets, or the error that refuses the request."""
    target = Target(Provider("a", "anthropic", "http://upstream.test/v1"), request["model"])
    decoded = CHAT.decode_request(json.encode(request).encode(), {}, "m")
    try:
        prompt = CHAT.decode_prompt(decoded, CARRIER)
        encoded = DIALECTS["anthropic"].encode_prompt(prompt, target)
    except ClientError as refusal:
        return refusal
    return json.decode_object(encoded.request.body)


@drawn(100, request=requests())
def test_any_right_request_reaches_an_openai_upstream_as_it_is(request: dict[str, Any]) -> None:
    played = answered("openai", json.encode(request).encode())
    options = {"stream_options": {"include_usage": True}} if request.get("stream") else {}
    sent = json.decode_object(played.calls[0].body)
    for message in request["messages"]:
        message.pop("thinking_blocks", None)
    assert sent == {**request, **options}


def assert_told(played: Played) -> None:
    """Asserts that the client got an answer or an error, with well-formed headers."""
    for name, value in played.headers.items():
        assert (name + value).isascii()
        assert (name + value).isprintable()
        assert len(value) < 5000
    if played.status == 200:
        return
    error = played.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert 400 <= played.status < 500 or played.calls
    assert isinstance(error["message"], str)
    assert error["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
@example(body=b"\xff\xfe{\x00}\x00")
@example(body=b"{" * 10_000)
@drawn(100, body=st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_any_bytes_at_the_door_are_answered(dialect: str, body: bytes) -> None:
    assert_told(answered(dialect, body))


@pytest.mark.parametrize("dialect", DIALECTS)
@drawn(300, body=mutated_requests() | spoiled() | ODD_REQUESTS)
def test_any_odd_request_is_answered(dialect: str, body: object) -> None:
    played = answered(dialect, json.encode(body).encode())
    assert_told(played)
    for call in played.calls if dialect == "anthropic" else ():
        assert_made_right(json.decode_object(call.body))


# Streams


def added_up(seen: Outcome) -> tuple[str, list[tuple[str, str]], str, str]:
    """The text, calls, reasoning and finish reason that the SDK adds up."""
    whole = completion(seen.frames)
    message = whole["choices"][0]["message"]
    calls = [call["function"] for call in message.get("tool_calls", [])]
    assert whole["usage"]["total_tokens"] == 12
    return (
        message["content"] or "",
        [(call["name"], call["arguments"]) for call in calls],
        message.get("reasoning_content", ""),
        whole["choices"][0]["finish_reason"],
    )


@drawn(100, told=anthropic_streams(), sizes=SIZES, ending=ENDINGS)
def test_any_stream_of_anthropics_adds_up(told: Told, sizes: list[int], ending: str) -> None:
    seen = replay("anthropic", cut_up(on_the_wire(told, ending), sizes))
    assert added_up(seen) == (told.text, told.calls, told.reasoning, told.reason)


@drawn(100, told=openai_streams(), sizes=SIZES, ending=ENDINGS)
def test_any_stream_of_openais_kind_adds_up(told: Told, sizes: list[int], ending: str) -> None:
    seen = replay("openai", cut_up(on_the_wire(told, ending), sizes))
    assert added_up(seen) == (told.text, told.calls, told.reasoning, told.reason)


@pytest.mark.parametrize("name", STORIES)
@drawn(100, words=st.lists(WORDS | st.text(max_size=3), min_size=1), sizes=SIZES)
def test_the_fast_path_gives_the_bytes_of_the_general_one(
    name: str, words: list[str], sizes: list[int]
) -> None:
    events = story(name, [json.encode(word)[1:-1] for word in words])
    text = "".join(events)
    slow = replay(STORIES[name][0], list(text))
    assert replay(STORIES[name][0], events) == slow
    assert replay(STORIES[name][0], cut_up(text, sizes)) == slow


@pytest.mark.parametrize("dialect", DIALECTS)
@drawn(120, events=ODD_EVENTS, begun=st.booleans())
def test_any_events_are_an_answer_or_an_error(dialect: str, events: list[Any], begun: bool) -> None:
    start: dict[str, dict[str, Any]] = {
        "anthropic": {"type": "message_start", "message": {}},
        "openai": {"choices": [{"index": 0, "delta": {"content": "x"}}]},
        "openai-responses": {"type": "response.output_text.delta", "delta": "x"},
    }
    told = Told([start[dialect], *events] if begun else events, "", [], "", "")
    seen = replay(dialect, [on_the_wire(told, "\n")])
    assert seen.finished != bool(seen.error)
    if not seen.refused:
        assert frames(seen.frames)[-1] == "[DONE]"


@pytest.mark.parametrize("dialect", DIALECTS)
@drawn(
    100,
    body=st.binary(max_size=100) | ODD_EVENTS.map(json.encode).map(str.encode),
    status=st.integers(200, 599),
)
def test_any_bytes_of_an_upstream_are_a_completion_or_its_fault(
    dialect: str, body: bytes, status: int
) -> None:
    for whole in (body, body[1:-1]):
        assert DIALECTS[dialect].decode_error(UpstreamHead(status, {}), whole).message
        try:
            choices = completion_of(dialect, whole).choices
        except UpstreamError as error:
            choices = [error.envelope()]
        assert choices


@drawn(300, exchange=mutated_answers())
def test_a_golden_answer_with_several_faults(exchange: Exchange) -> None:
    """The client gets a completion of the documented form, or an error that says whose fault it
    was.
    """
    row, request, answer = exchange
    upstream = Upstream(200, JSON_TYPE, (json.encode(answer).encode(),))
    assert told_whole(play(gateway(row), as_asked(request, stream=False), [upstream]))


@drawn(300, exchange=mutated_streams(), sizes=SIZES)
def test_a_golden_stream_with_several_faults(exchange: Exchange, sizes: list[int]) -> None:
    """As for a whole answer. The outcome does not depend on how the network cuts the stream."""
    row, request, events = exchange
    gate = gateway(row)
    asked = as_asked(request, stream=True)
    text = on_the_wire(Told(events, "", [], "", ""), "\n")
    cut = [piece.encode() for piece in cut_up(text, sizes)]
    whole, pieces = (
        play(gate, asked, [Upstream(200, SSE_TYPE, tuple(each))]) for each in ([text.encode()], cut)
    )
    assert told_streamed(whole)
    assert pieces.body == whole.body


def as_asked(request: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """`request` with or without `stream`."""
    rest = {key: value for key, value in request.items() if key != "stream_options"}
    return {**rest, "stream": stream}


# Framing


LINES = st.lists(
    st.sampled_from(["data", "data:", "data: ", "event:", "id", ":", "\n", "\r", "\r\n", "\ufeff"])
    | st.text(max_size=3),
    max_size=30,
).map("".join)


def events_of(pieces: list[str]) -> list[Event]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return [*events, *decoder.close()]


@drawn(300, text=LINES, sizes=SIZES)
def test_any_text_gives_the_same_events_however_it_is_cut(text: str, sizes: list[int]) -> None:
    assert events_of(cut_up(text, sizes)) == events_of([text])
    assert events_of(list(text)) == events_of([text])


# JSON


@drawn(100, value=ANY_JSON)
def test_what_is_written_is_read_again(value: object) -> None:
    assert json.decode(json.encode(value)) == value


@drawn(100, data=st.binary(max_size=50) | st.text(max_size=20).map(str.encode))
def test_any_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        value = json.decode(data)
    except ValueError as error:
        value = str(error)
    assert json.decode(json.encode(value)) == value
