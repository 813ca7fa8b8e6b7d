"""The time at which a response was completed, with upstreams of every dialect."""

import json

import pytest

from tests.clients.upstreams import streamed
from tests.least import PATHS, SSE_TYPE, WHOLE, row
from tests.play import NOW, TOKEN, Played, Upstream, gateway, head, play
from xtrix.http import UpstreamHead
from xtrix.relay import Relay
from xtrix.steps import Begin, Call, ReadBody

ANSWERED = NOW + 3.7
DIALECTS = sorted(PATHS)


def asked(dialect: str, upstream: Upstream, *, stream: bool) -> Played:
    request = {"model": "m", "input": "Hi", "stream": stream}
    return play(gateway(row(dialect)), request, [upstream], head("/v1/responses"))


def completed(frames: str) -> dict[str, object]:
    """The response in the last event."""
    data = [line[6:] for line in frames.splitlines() if line.startswith("data: {")]
    last = json.loads(data[-1])
    assert last["type"] == "response.completed"
    response: dict[str, object] = last["response"]
    return response


@pytest.mark.parametrize("dialect", DIALECTS)
def test_whole(dialect: str) -> None:
    body = json.dumps(WHOLE[dialect]).encode()
    upstream = Upstream(200, {"content-type": "application/json"}, (body,), takes=3.7)
    response = asked(dialect, upstream, stream=False).json()
    assert response["completed_at"] == int(ANSWERED)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_streamed(dialect: str) -> None:
    pieces = tuple(streamed(dialect, ["They met."]))
    upstream = Upstream(200, {"content-type": "text/event-stream"}, pieces, takes=3.7)
    response = completed(asked(dialect, upstream, stream=True).body)
    assert response["completed_at"] == int(ANSWERED)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_goes_by_the_last_tick(dialect: str) -> None:
    request = {"model": "m", "input": "Hi", "stream": True}
    exchange = gateway(row(dialect)).open(head("/v1/responses"), TOKEN, NOW)
    assert isinstance(exchange.advance(None, NOW), ReadBody)
    assert isinstance(exchange.advance(json.dumps(request).encode(), NOW), Call)
    begin = exchange.advance(UpstreamHead(200, SSE_TYPE), NOW + 1)
    assert isinstance(begin, Begin)
    assert isinstance(begin.relay, Relay)
    first, *others = [piece.decode() for piece in streamed(dialect, ["They met."])]
    frames = begin.relay.feed(first)
    assert isinstance(exchange.advance(None, NOW + 2), Relay)
    begin.relay.tick(NOW + 9.9)
    frames += "".join(map(begin.relay.feed, others)) + begin.relay.close()
    assert completed(frames)["completed_at"] == int(NOW + 9.9)
