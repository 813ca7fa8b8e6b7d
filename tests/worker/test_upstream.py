"""The simulated upstream does what its scripts say, which the other tests rely on."""

import contextlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.worker.scripts import (
    CLOSE,
    GATE,
    RESET,
    STALL,
    Script,
    Step,
    endless,
    head,
    stream,
    whole,
)
from tests.worker.speech import DIALECTS, Dialect, ToolCall
from tests.worker.upstream import PATIENCE, Upstream

Post = Callable[..., http.client.HTTPConnection]


@pytest.fixture
def server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def post(server: Upstream) -> Iterator[Post]:
    """Posts to the server; every connection is closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def send(body: bytes = b"{}") -> http.client.HTTPConnection:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
            stack.callback(connection.close)
            connection.request("POST", "/v1/messages", body, {"X-Api-Key": "k"})
            return connection

        yield send


def test_records_the_call_and_keeps_the_connection(server: Upstream, post: Post) -> None:
    server.answer(whole(418, b'{"a":1}'))
    connection = post(b"x" * 3_000_000)
    assert connection.getresponse().read() == b'{"a":1}'
    connection.request("POST", "/v1/messages", iter([b"ab", b"c"]), encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, response.read()) == (418, b'{"a":1}')
    first, second = server.wait_for_call(1), server.wait_for_call(2)
    assert (first.method, first.path, len(first.body)) == ("POST", "/v1/messages", 3_000_000)
    assert ("x-api-key", "k") in first.headers
    assert second.body == b"abc"
    assert not first.left.is_set()


def test_sends_the_next_piece_when_released(server: Upstream, post: Post) -> None:
    server.answer(stream([b"one", GATE, b"two", GATE, b"three"]))
    response = post().getresponse()
    call = server.wait_for_call()
    assert response.read1() == b"one"
    call.release()
    assert response.read1() == b"two"
    call.release()
    assert response.read() == b"three"


@pytest.mark.parametrize(
    ("ending", "error"), [(CLOSE, http.client.IncompleteRead), (RESET, ConnectionResetError)]
)
def test_breaks_off(server: Upstream, post: Post, ending: Step, error: type[Exception]) -> None:
    server.answer(stream([b"one", GATE, ending]))
    response = post().getresponse()
    assert response.read1() == b"one"
    server.wait_for_call().release()
    with pytest.raises(error):
        response.read()


@pytest.mark.parametrize("abruptly", [True, False])
@pytest.mark.parametrize("script", [[STALL], [head(200), STALL], stream([b"one", GATE])])
def test_sees_at_once_that_the_peer_left(
    server: Upstream, post: Post, script: Script, abruptly: bool
) -> None:
    server.answer(script)
    connection = post()
    call = server.wait_for_call()
    if abruptly:
        linger = struct.pack("ii", 1, 0)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    left_at = time.monotonic()
    connection.close()
    assert call.left.wait(PATIENCE)
    assert call.left_at - left_at < 0.5


def test_waits_for_a_slow_reader(server: Upstream, post: Post) -> None:
    server.answer_each(lambda _: endless(b"x" * 100_000, 0.0))
    connection = post()
    call = server.wait_for_call()
    assert call.blocked.wait(PATIENCE)
    assert 0 < call.sent < 50_000_000
    connection.close()
    assert call.left.wait(PATIENCE)


def test_hangs_up_on_whoever_connects() -> None:
    rude = Upstream(greeting=b"not HTTP, not TLS\r\n\r\n")
    with socket.create_connection(("127.0.0.1", rude.port), PATIENCE) as connection:
        assert connection.makefile("rb").read() == b"not HTTP, not TLS\r\n\r\n"
    rude.stop()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_event_is_one_frame_of_json(dialect: Dialect) -> None:
    call = ToolCall("call_1", "weather", ['{"city":', '"Paris"}'])
    for events in (
        dialect.text(["Bon", "jour"]),
        dialect.tools([call, call], "Let me see."),
        dialect.thinking(["Hm."], ["Yes."]),
        [dialect.delta("x"), dialect.error_event("overloaded_error", "Overloaded")],
    ):
        for event in events:
            assert event.endswith(b"\n\n")
            assert event.count(b"\n\n") == 1
            data = event.split(b"data: ")[1]
            assert data == b"[DONE]\n\n" or isinstance(json.loads(data), dict)
