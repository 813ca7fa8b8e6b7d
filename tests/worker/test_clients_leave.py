"""When a client leaves, the upstream call ends, and nothing remains in the Worker.

The upstream's own socket shows it. A client leaves with RST, as a process that dies does, or in
order (FIN). The local workerd notices a FIN only when it writes, so there the keep-alive comment or
the model's next words reveal it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from tests.worker.client import question
from tests.worker.conftest import Gateway, Start
from tests.worker.faults import events_to_text
from tests.worker.logs import record_of, records
from tests.worker.memory import memory_of, reachable
from tests.worker.scripts import (
    JSON,
    LAST_CHUNK,
    STALL,
    Script,
    chunk,
    endless,
    head,
    stream,
    stream_head,
    whole,
)
from tests.worker.speech import ANTHROPIC, INPUT_TOKENS, OPENAI, Dialect
from tests.worker.swarm import Connection, request_bytes
from tests.worker.upstream import Upstream

AT_ONCE = 1.0
"""Seconds in which the upstream must see that its client's client has left."""


MOMENTS: dict[str, tuple[bool, Script]] = {
    "whole, before the head": (False, [STALL]),
    "whole, within the body": (False, [head(200, [*JSON, ("content-length", "99")]), b"{", STALL]),
    "streamed, before the head": (True, [STALL]),
    "streamed, before the first event": (True, [stream_head(), STALL]),
    "streamed, within the first event": (True, [stream_head(), chunk(b"event: mess"), STALL]),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_leaving_before_the_answer(
    worker: Gateway, upstream: Upstream, dialect: Dialect, moment: str
) -> None:
    streamed, script = MOMENTS[moment]
    upstream.answer(script)
    request = worker.open(question(dialect.model, stream=streamed))
    call = upstream.wait_for_call()
    assert worker.ask(line="GET /health").status == 200  # time for the head to arrive
    request.reset()
    assert call.left.wait(AT_ONCE)


def test_leaving_a_silent_stream(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    upstream.answer(stream([*events_to_text(dialect), STALL]))
    request = worker.open(question(dialect.model, stream=True))
    request.frame_of_text()
    request.reset()
    assert upstream.wait_for_call().left.wait(AT_ONCE)


@pytest.mark.parametrize("in_order", [True, False])
def test_leaving_a_flowing_stream(
    worker: Gateway, upstream: Upstream, dialect: Dialect, in_order: bool
) -> None:
    upstream.answer_each(lambda _: _flowing(dialect))
    request = worker.open(question(dialect.model, stream=True))
    request.frame_of_text()
    request_id = request.response().headers["x-request-id"]
    (request.close if in_order else request.reset)()
    assert upstream.wait_for_call().left.wait(AT_ONCE)
    assert record_of(worker.log, request_id)["error"] == "client_left"


def _flowing(dialect: Dialect) -> Iterator[bytes | float]:
    words = endless(dialect.delta("on and "), 0.02)
    next(words)
    yield stream_head()
    yield from map(chunk, events_to_text(dialect))
    yield from words


def test_leaving_a_silent_stream_in_order_is_seen_by_the_next_keep_alive(
    start: Start, bindings: dict[str, object], upstream: Upstream, dialect: Dialect
) -> None:
    upstream.answer(stream([*events_to_text(dialect), STALL]))
    with start(bindings | {"KEEP_ALIVE_SECONDS": "1"}) as worker:
        request = worker.open(question(dialect.model, stream=True))
        request.frame_of_text()
        request.close()
        assert upstream.wait_for_call().left.wait(3 + AT_ONCE)


def test_leaving_while_sending_the_request_calls_nobody(
    worker: Gateway, upstream: Upstream
) -> None:
    half = request_bytes(question(OPENAI.model))[:-20]

    async def leave() -> None:
        for _ in range(20):
            connection = await Connection.open(worker.port)
            connection.send(half)
            connection.reset()

    asyncio.run(leave())
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    assert worker.ask(question(OPENAI.model)).status == 200
    assert len(upstream.calls) == 1


def test_what_was_used_is_logged(worker: Gateway, upstream: Upstream) -> None:
    """Anthropic's first event has the number of prompt tokens."""
    upstream.answer(stream([*events_to_text(ANTHROPIC), STALL]))
    request = worker.open(question(ANTHROPIC.model, stream=True))
    request.frame_of_text()
    request_id = request.response().headers["x-request-id"]
    request.reset()
    record = record_of(worker.log, request_id)
    assert record["prompt_tokens"] == INPUT_TOKENS
    assert record["error"] == "client_left"
    assert (record["provider"], record["model"]) == ("sim-anthropic", ANTHROPIC.model)


# What is left of them

LARGE = {"messages": [{"role": "user", "content": "x" * 3_000}] * 1_000}
"""3 MB that are valid. What an exchange holds of it is several times as much."""
ROUNDS = 8
KEPT = 2_000_000
"""Bytes that V8 may hold more of after them all: less than one body of those that left."""


@pytest.fixture(scope="module")
def roomy(start: Start, bindings: dict[str, object]) -> Iterator[Gateway]:
    """A Worker with the default limits for size and time."""
    with start(bindings | {"MAX_BODY_BYTES": "5000000"}, inspected=True) as worker:
        yield worker


def abandoned(worker: Gateway) -> list[dict[str, object]]:
    """Returns the log lines of the clients that left."""
    return [it for it in records(worker.log()) if it.get("error") == "client_left"]


@contextlib.contextmanager
def nothing_left(worker: Gateway) -> Iterator[Callable[[], None]]:
    """Yields a function to call after each round. After the first round memory may not grow."""
    python: list[int] = []
    before = 0

    def note() -> None:
        nonlocal before
        python.append(memory_of(worker.pid).python)
        before = before or held(worker)

    yield note
    assert python == [python[0]] * ROUNDS
    assert held(worker) - before < KEPT


def held(worker: Gateway) -> int:
    """Returns the bytes that V8 holds after a garbage collection."""
    return reachable(worker.inspector, lambda: worker.ask(line="GET /health"))


def wait_for_line(worker: Gateway, count: int) -> None:
    """Waits until this many clients that left are logged. Fails after a second."""
    deadline = time.monotonic() + AT_ONCE
    while len(abandoned(worker)) < count:
        assert time.monotonic() < deadline, f"{len(abandoned(worker))} lines of {count}"
        time.sleep(0.01)  # a file cannot be waited for


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_leaves_before_the_answer_leaves_nothing_behind(
    roomy: Gateway, upstream: Upstream, dialect: Dialect, moment: str
) -> None:
    streamed, script = MOMENTS[moment]
    upstream.answer(script)
    known = len(abandoned(roomy))
    with nothing_left(roomy) as note:
        for number in range(1, ROUNDS + 1):
            request = roomy.open(question(dialect.model, stream=streamed) | LARGE)
            call = upstream.wait_for_call(number)
            assert roomy.ask(line="GET /health").status == 200  # time for the head to arrive
            request.reset()
            assert call.left.wait(AT_ONCE)
            wait_for_line(roomy, known + number)
            note()
    last = abandoned(roomy)[-1]
    assert (last["status"], last["model"], last["attempts"]) == (0, dialect.model, 1)


def test_who_leaves_within_the_request_leaves_nothing_behind(
    roomy: Gateway, upstream: Upstream
) -> None:
    request = request_bytes(question(OPENAI.model) | LARGE)
    known = len(abandoned(roomy))
    with nothing_left(roomy) as note:
        for number in range(1, ROUNDS + 1):
            asyncio.run(_send_and_reset(roomy, request[:-20]))
            wait_for_line(roomy, known + number)
            note()
    assert abandoned(roomy)[-1]["status"] == 0
    assert upstream.calls == []


async def _send_and_reset(worker: Gateway, data: bytes) -> None:
    connection = await Connection.open(worker.port)
    connection.send(data)
    await connection.sent()
    # What a reset finds unread the kernel drops: the Worker would never hear of the request.
    assert worker.ask(line="GET /health").status == 200
    connection.reset()


def test_who_leaves_in_mid_stream_leaves_nothing_behind(
    roomy: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.answer(stream([*events_to_text(dialect), STALL]))
    known = len(abandoned(roomy))
    with nothing_left(roomy) as note:
        for number in range(1, ROUNDS + 1):
            request = roomy.open(question(dialect.model, stream=True) | LARGE)
            request.frame_of_text()
            request.reset()
            assert upstream.wait_for_call(number).left.wait(AT_ONCE)
            wait_for_line(roomy, known + number)
            note()
    assert abandoned(roomy)[-1]["status"] == 200


def test_who_leaves_between_two_attempts_is_not_tried_for_again(
    start: Start, bindings: dict[str, object], upstream: Upstream
) -> None:
    row = {
        "name": "retried",
        "dialect": "openai",
        "base_url": upstream.base_url,
        "models": ["gpt-*"],
        "retries": {"attempts": 2, "backoff": 2},
    }
    upstream.answer(whole(503, OPENAI.error("server_error", "Not now.")))
    with start(bindings | {"PROVIDERS": [row]}) as worker:
        request = worker.open(question(OPENAI.model))
        upstream.wait_for_call()
        assert worker.ask(line="GET /health").status == 200
        request.reset()
        wait_for_line(worker, 1)
        upstream.answer(whole(200, OPENAI.whole("Yes.")))
        time.sleep(2.5)  # it is time that must pass: the pause before the second attempt
        assert len(upstream.calls) == 1


ABANDONED = 5_000


@pytest.mark.timeout(300)
def test_thousands_that_left_leave_nothing_behind(
    start: Start, bindings: dict[str, object], upstream: Upstream
) -> None:
    """The runtime drops a request whose client left before the answer, and all that waits for it.

    An exchange that is not let go of then is 7 KB in Python, and a promise of Python's that waits
    for the answer 4 KB more in each of the two languages. Python's memory grows by a fifth at a
    time: one such step may be the chance of how many there were at once.
    """
    quarter = ABANDONED // 4
    python, reached = [], []
    with start(bindings, inspected=True) as worker:
        upstream.answer([STALL])
        for count in range(quarter, ABANDONED + 1, quarter):
            asyncio.run(_abandon(worker, upstream, quarter))
            wait_for_line(worker, count)
            upstream.calls.clear()
            python.append(memory_of(worker.pid).python)
            reached.append(held(worker))
    assert python[-1] - python[0] < 3 * quarter * 3_000, python
    assert reached[-1] - reached[0] < 3 * quarter * 200, reached


def test_a_body_that_keeps_coming_may_take_its_time(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    """The body may take longer in total than the client may be silent."""
    said = dialect.whole("At last.")
    length = len(said) // 20 + 1
    pieces = [said[start : start + length] for start in range(0, len(said), length)]
    upstream.answer(stream([part for piece in pieces for part in (piece, 0.3)], JSON))
    answer = worker.ask(question(f"hasty-{dialect.model}"))
    assert answer.json()["choices"][0]["message"]["content"] == "At last."


def test_head_and_body_may_each_take_their_time(
    start: Start, bindings: dict[str, object], upstream: Upstream
) -> None:
    row = {
        "name": "patient",
        "dialect": "openai",
        "base_url": upstream.base_url,
        "models": ["gpt-*"],
        "timeouts": dict.fromkeys(("connect", "first_byte", "idle"), 4.5),
    }
    body = chunk(OPENAI.whole("At last."))
    upstream.answer([4.0, stream_head(JSON), 4.0, body, LAST_CHUNK])
    with start(bindings | {"PROVIDERS": [row]}) as worker:
        answer = worker.ask(question(OPENAI.model))
    assert answer.json()["choices"][0]["message"]["content"] == "At last."


async def _abandon(worker: Gateway, upstream: Upstream, count: int) -> None:
    """Disconnects each client when the upstream has got its call, twenty-five at a time."""
    request = request_bytes(question(ANTHROPIC.model))
    for _ in range(count // 25):
        known = len(upstream.calls)
        connections = [await Connection.open(worker.port) for _ in range(25)]
        try:
            for connection in connections:
                connection.send(request)
            await asyncio.to_thread(upstream.wait_for_call, known + 25)
        finally:
            for connection in connections:
                connection.reset()
    for call in upstream.calls:
        assert await asyncio.to_thread(call.left.wait, AT_ONCE)
