"""Events without content: what an upstream may send for ever, and what it may not."""

from itertools import product

import pytest

from tests.play import gateway, head
from tests.worker.speech import DIALECTS, Dialect
from xtrix import json
from xtrix.http import UpstreamHead
from xtrix.relay import Relay
from xtrix.steps import Begin

NOW = 1000.0
PROGRESS = 90
SAID = ("One ", "two.")
CLIENTS = ("chat/completions", "messages", "responses")
NOTHING = {
    "anthropic": [
        ": ping\n\n",
        'event: ping\ndata: {"type":"ping"}\n\n',
        'event: news\ndata: {"type":"news","text":"Soon."}\n\n',
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":""}}\n\n',
        'data: {"type":"message_start","message":{"usage":{"input_tokens":12}}}\n\n',
    ],
    "openai": [
        ": OPENROUTER PROCESSING\n\n",
        "event: ping\n\n",
        "data:\n\n",
        'data: {"choices":[]}\n\n',
        'data: {"status":"queued"}\n\n',
        'data: {"choices":[{"index":0,"delta":{}}]}\n\n',
        'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n',
        'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":1}}\n\n',
    ],
    "openai-responses": [
        ": ping\n\n",
        'event: keepalive\ndata: {"type":"keepalive","sequence_number":3}\n\n',
        'data: {"type":"response.in_progress","response":{"status":"in_progress"}}\n\n',
        'data: {"type":"response.news","text":"Soon."}\n\n',
        'data: {"type":"response.output_text.delta","item_id":"msg_0","output_index":0,'
        '"content_index":0,"delta":""}\n\n',
    ],
}
BEGINS = ("message_start", '"delta":{', '"delta":""')
"""What stands in those that announce an answer as well: a client may be told of that."""
CASES = [
    (dialect, client, heartbeat)
    for dialect, client in product(DIALECTS, CLIENTS)
    for heartbeat in NOTHING[dialect.name]
]


def begin(dialect: Dialect, client: str) -> Relay:
    """A stream of an upstream of `dialect` to a client of this path, whose head has just come."""
    row = {
        "name": "up",
        "dialect": dialect.name,
        "base_url": "http://up.test/v1",
        "models": ["*"],
        "timeouts": {"first_byte": 60, "idle": 20, "progress": PROGRESS},
    }
    said = [{"role": "user", "content": "Hi"}]
    asked = {"model": "m", "stream": True, "max_tokens": 9, "messages": said}
    if client == "responses":
        asked = {"model": "m", "stream": True, "input": "Hi"}
    gate = gateway(row, KEEP_ALIVE_SECONDS="0")
    exchange = gate.open(head(f"/v1/{client}"), "0" * 32, NOW)
    exchange.advance(None, NOW)
    exchange.advance(json.encode_body(asked), NOW)
    step = exchange.advance(UpstreamHead(200, {"content-type": "text/event-stream"}), NOW)
    assert isinstance(step, Begin)
    assert isinstance(step.relay, Relay)
    return step.relay


def told(dialect: Dialect) -> int:
    """The number of events in a stream up to its first text."""
    events = dialect.text(SAID)
    return 1 + next(at for at, event in enumerate(events) if SAID[0].encode() in event)


@pytest.mark.parametrize(
    ("dialect", "client", "heartbeat"),
    [case for case in CASES if not any(mark in case[2] for mark in BEGINS)],
)
def test_before_the_first_event_none_puts_the_limit_off(
    dialect: Dialect, client: str, heartbeat: str
) -> None:
    relay = begin(dialect, client)
    for second in range(60):
        assert relay.feed(heartbeat) == ""
        assert relay.tick(NOW + second) == ""
    assert not relay.over
    relay.feed(heartbeat)
    relay.tick(NOW + 60)
    assert relay.error
    assert (relay.begun, relay.error.code) == (False, "upstream_timeout")


@pytest.mark.parametrize(("dialect", "client", "heartbeat"), CASES)
def test_in_mid_stream_all_are_borne_until_the_limit(
    dialect: Dialect, client: str, heartbeat: str
) -> None:
    relay = begin(dialect, client)
    relay.feed(b"".join(dialect.text(SAID)[: told(dialect)]).decode())
    assert relay.tick(NOW) == ""
    for second in range(1, PROGRESS):
        relay.feed(heartbeat)
        relay.tick(NOW + second)
    assert not relay.over
    relay.feed(heartbeat)
    last = relay.tick(NOW + PROGRESS)
    assert relay.error
    assert relay.error.code == "upstream_timeout"
    assert "upstream_timeout" in last or "timeout_error" in last or "response.failed" in last


@pytest.mark.parametrize(("dialect", "client", "heartbeat"), CASES)
def test_an_answer_that_goes_on_is_whole_however_many_come_between(
    dialect: Dialect, client: str, heartbeat: str
) -> None:
    relay = begin(dialect, client)
    relay.tick(NOW)
    events = dialect.text(SAID)
    relay.feed(b"".join(events[: told(dialect)]).decode())
    for number, event in enumerate(events[told(dialect) :]):
        relay.feed(event.decode())
        for beat in range(5):
            relay.feed(heartbeat)
            relay.tick(NOW + 50 * number + 10 * beat + 9)
    assert (relay.finished, relay.error) == (True, None)
