"""Keys with names on the real Worker: four isolates on one ledger, and what goes wrong between."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.worker import fleet
from tests.worker.client import question
from tests.worker.conftest import Start
from tests.worker.fleet import ADMIN_KEY, NAMED_KEY, PLAIN_KEY, Fleet, Way, side_by_side
from tests.worker.scripts import GATE, stream, whole
from tests.worker.speech import (
    ANTHROPIC,
    DIALECTS,
    INPUT_TOKENS,
    OPENAI,
    OUTPUT_TOKENS,
    RESPONSES,
    Dialect,
)
from tests.worker.upstream import Call, Upstream
from xtrix.keys.message import LEASE_SECONDS

PATHS = {
    "/v1/chat/completions": OPENAI,
    "/v1/messages": ANTHROPIC,
    "/v1/responses": RESPONSES,
}
"""Where each protocol's clients call, and the dialect that speaks the same."""
COST = INPUT_TOKENS * fleet.INPUT_PRICE + OUTPUT_TOKENS * fleet.OUTPUT_PRICE


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    way = Way()
    yield way
    way.stop()


@pytest.fixture(scope="module")
def running(start: Start, server: Upstream, way: Way) -> Iterator[Fleet]:
    """Four isolates on one ledger."""
    with start(fleet.bindings(server, way), isolates=4) as gateway:
        yield Fleet(gateway, way)
        log = gateway.log()
        assert "sk-xt-" not in log
        assert ADMIN_KEY not in log


@pytest.fixture
def keys(running: Fleet, server: Upstream) -> Iterator[Fleet]:
    """The same, with an upstream that answers and a way that leads there."""
    running.way.fate = "arrives"
    server.forget()
    server.answer_each(answer)
    yield running
    running.way.fate = "arrives"


def answer(call: Call) -> list[bytes]:
    """What any upstream says to a call, whole or as a stream, in its dialect."""
    dialect = next(it for it in DIALECTS if call.path == it.path)
    if b'"stream":true' in call.body.replace(b" ", b""):
        return stream(dialect.text(["Hel", "lo"]))  # type: ignore[return-value]
    return whole(200, dialect.whole("Hello"))


def status_of(keys: Fleet, secret: str, isolate: int = 0) -> int:
    """What the holder of a key is answered by an isolate that asks nobody else for that."""
    headers = {"authorization": f"Bearer {secret}"}
    return keys.isolates[isolate].ask(b"", headers, "GET /v1/usage").status


def asked(dialect: Dialect, path: str, *, streamed: bool) -> dict[str, object]:
    """A small question, as the protocol at `path` has it."""
    fields: dict[str, object] = {"model": dialect.model, "stream": streamed}
    if path == "/v1/responses":
        return {**fields, "input": "Say something.", "store": False}
    turns = question("")["messages"]
    limit = {"max_tokens": 100} if path == "/v1/messages" else {}
    options = {"stream_options": {"include_usage": True}} if streamed and not limit else {}
    return {**fields, **limit, **options, "messages": turns}


def test_a_key_from_its_making_to_its_end(keys: Fleet) -> None:
    key, secret = keys.make("from-making-to-end")
    calls = [
        keys.ask(secret, 0, asked(dialect, path, streamed=streamed), path)
        for path in PATHS
        for dialect in DIALECTS
        for streamed in (False, True)
    ]
    assert [each.status for each in calls] == [200] * 18
    sums = keys.booked(key, 18)
    assert sums["input_tokens"] == 18 * INPUT_TOKENS
    assert sums["output_tokens"] == 18 * OUTPUT_TOKENS
    assert sums["cost_micros"] == 18 * COST
    assert (sums["estimated"], sums["errors"], sums["unpriced"]) == (0, 0, 0)

    keys.admin(f"DELETE /keys/{key}")
    since = time.monotonic()
    for isolate in range(4):
        keys.wait(partial(status_of, keys, secret, isolate), lambda status: status == 401)
        assert keys.ask(secret, isolate).status == 401
    assert time.monotonic() - since < LEASE_SECONDS + 1
    assert key not in {each["id"] for each in keys.admin("GET /keys")["data"]}
    assert keys.usage(key)["cost_micros"] == 18 * COST


def test_a_key_that_is_switched_off_in_mid_stream(keys: Fleet, server: Upstream) -> None:
    key, secret = keys.make("mid-stream")
    first, *rest = OPENAI.text(["one", "two"])
    server.answer(stream([first, GATE, *rest]))
    request = keys.open(secret, 0, question("gpt-sim", stream=True))
    request.frame()
    keys.admin(f"PATCH /keys/{key}", {"active": False})
    keys.wait(partial(status_of, keys, secret), lambda status: status == 401)
    server.wait_for_call().release()
    assert request.answer().text() == "onetwo"
    assert keys.booked(key, 2)["cost_micros"] == COST  # the other one was refused


def test_what_is_no_key_of_ours_never_reaches_the_ledger(keys: Fleet) -> None:
    key, secret = keys.make("guessed-at")
    told = len(keys.way.messages)
    text, proof = secret.rsplit("-", 1)
    guesses = [
        f"{text}-{'0' * 32}",
        f"{text}-{proof[:-1]}",
        f"{text}-{proof}0",
        text,
        secret.replace(key, "0" * 16),
        secret.replace("-1o-", "-2o-"),
        secret.replace("-1o-", "-1s-"),
        secret.upper(),
        "sk-xt-",
        f"sk-xt-{'f' * 16}-1o-{'f' * 32}",
        ADMIN_KEY,
    ]
    for guess in guesses:
        assert keys.ask(guess).status == 401, guess
        assert keys.admin("GET /keys", status=401, key=guess if guess != ADMIN_KEY else "x")
    assert len(keys.way.messages) == told


def test_a_plain_key_never_reaches_the_ledger(keys: Fleet) -> None:
    told = len(keys.way.messages)
    assert [keys.ask(PLAIN_KEY).status for _ in range(10)] == [200] * 10
    usage = keys.isolates[0].ask(b"", {"authorization": f"Bearer {PLAIN_KEY}"}, "GET /v1/usage")
    assert usage.status == 404
    assert len(keys.way.messages) == told


def test_a_key_sees_its_own_usage_only(keys: Fleet) -> None:
    mine, secret = keys.make("mine")
    other, others = keys.make("others")
    keys.ask(secret), keys.ask(others), keys.ask(NAMED_KEY)
    keys.booked(mine, 1), keys.booked(other, 1)
    for query in ("", f"?key={other}", "?format=csv"):
        told = keys.isolates[1].ask(
            b"", {"authorization": f"Bearer {secret}"}, f"GET /v1/usage{query}"
        )
        assert told.status == 200
        assert mine.encode() in told.body
        assert other.encode() not in told.body
        assert b"configured" not in told.body
    for line in ("GET /keys", "POST /keys", f"GET /usage?key={mine}", f"DELETE /keys/{mine}"):
        keys.admin(line, {} if line.startswith("POST") else None, status=401, key=secret)


def test_requests_a_minute_are_exact_over_four_isolates(keys: Fleet, server: Upstream) -> None:
    _, secret = keys.make("exact", requests_per_minute=60, strict=True)
    fleet.wait_for_a_minute_with(30)
    statuses = side_by_side(200, lambda number: keys.ask(secret, number % 4).status)
    assert statuses.count(200) == 60
    assert statuses.count(429) == 140
    assert len(server.calls) == 60
