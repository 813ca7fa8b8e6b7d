"""Named keys on the real Worker: four isolates with one ledger, and what can go wrong."""

import base64
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.worker import fleet
from tests.worker.client import question
from tests.worker.conftest import Start
from tests.worker.fleet import ADMIN_KEY, NAMED_KEY, PLAIN_KEY, Fleet, Way, side_by_side
from tests.worker.overspend import AT_ONCE, CASES, Case
from tests.worker.scripts import GATE, Step, stream, whole
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
    """The same, with an upstream that answers and a way to it."""
    running.way.fate = "arrives"
    server.forget()
    server.answer_each(answer)
    yield running
    running.way.fate = "arrives"


def answer(call: Call) -> list[bytes]:
    """An upstream's answer to a call, whole or as a stream, in its dialect."""
    dialect = next(it for it in DIALECTS if call.path == it.path)
    if b'"stream":true' in call.body.replace(b" ", b""):
        return stream(dialect.text(["Hel", "lo"]))  # type: ignore[return-value]
    return whole(200, dialect.whole("Hello"))


def status_of(keys: Fleet, secret: str, isolate: int = 0) -> int:
    """The status for a key on an isolate that has not asked the ledger about it."""
    headers = {"authorization": f"Bearer {secret}"}
    return keys.isolates[isolate].ask(b"", headers, "GET /v1/usage").status


def asked(dialect: Dialect, path: str, *, streamed: bool) -> dict[str, object]:
    """A small request in the protocol of `path`."""
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


def test_calls_in_one_isolate_after_the_other_are_never_at_once(keys: Fleet) -> None:
    """An isolate without a running call holds none for later, once it has reported."""
    key, secret = keys.make("one-at-a-time", parallel=1)
    for number in range(6):
        assert keys.ask(secret, number % 4).status == 200
        keys.booked(key, number + 1)


# Budgets

DEAR = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
"""What an upstream charges at most for a call that is limited to 100 tokens of output."""
CHARGE = 1_000 * fleet.INPUT_PRICE + 100 * fleet.OUTPUT_PRICE


def dear(call: Call) -> list[bytes | float | Step]:
    """An upstream that reports the highest possible usage, and breaks if the prompt says so."""
    if b"breaks" in call.body:
        return [*stream(OPENAI.text(["a", "b"])[:2])[:-1], Step.RESET]
    if b"leaves" in call.body:
        return stream([OPENAI.text(["a"])[1], Step.STALL])
    if b'"stream":true' in call.body.replace(b" ", b""):
        chunk = json.loads(OPENAI.text([])[-2].removeprefix(b"data: "))
        last = b"data: " + json.dumps({**chunk, "usage": DEAR}).encode() + b"\n\n"
        return stream([*OPENAI.text(["a", "b"])[:-2], last, b"data: [DONE]\n\n"])
    return [*whole(200, json.dumps({**json.loads(OPENAI.whole("ab")), "usage": DEAR}).encode())]


KINDS = ("whole", "streams", "leaves", "breaks")


def spend(keys: Fleet, secret: str, number: int, kinds: tuple[str, ...] = KINDS) -> int:
    """Makes one of several kinds of calls. Returns its status."""
    kind = kinds[number % len(kinds)]
    turns = [{"role": "user", "content": kind}]
    asked = {"model": "gpt-sim", "messages": turns, "max_tokens": 100, "stream": kind != "whole"}
    request = keys.open(secret, number // len(kinds) % 4, asked)
    status = request.response().status
    if status == 200 and kind == "leaves":
        request.frame_of_text()
        request.reset()
    else:
        request.answer()
    return status


def test_a_strict_budget_holds(keys: Fleet, server: Upstream) -> None:
    budget = 60_000
    key, secret = keys.make("strict-budget", usd_total=budget / 1_000_000, strict=True)
    server.answer_each(dear)
    statuses = side_by_side(120, lambda number: spend(keys, secret, number))
    statuses += [spend(keys, secret, 0) for _ in range(30)]
    assert set(statuses) == {200, 429}
    calls = len(server.calls)
    assert budget / 2 < calls * CHARGE <= budget
    keys.wait(lambda: keys.admin(f"GET /keys/{key}"), lambda it: it["running"] == 0)
    booked = keys.booked(key, 150)["cost_micros"]
    assert calls * CHARGE <= booked <= budget
    refused = keys.ask(secret, 0, {**question("gpt-sim"), "max_tokens": 100_000})
    assert refused.error()["code"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"


def test_text_that_is_left_out_as_an_image_is_counts_all_the_same(
    keys: Fleet, server: Upstream
) -> None:
    """Its bytes stay in JavaScript, but the upstream gets them, and counts them as text."""
    _, secret = keys.make("looks-like-an-image", usd_total=0.2, strict=True)
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(300_000)).decode()
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    for content, status in ((data, 429), ([{"type": "text", "text": data}], 429), ([image], 200)):
        turns = [{"role": "user", "content": content}]
        asked = {"model": "gpt-sim", "messages": turns, "max_tokens": 100}
        assert keys.ask(secret, 0, asked).status == status
    assert len(server.calls) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_any_other_budget_is_overspent_by_no_more_than_is_said(
    keys: Fleet, server: Upstream, case: Case
) -> None:
    assert case.charged == CHARGE
    budget = 60_000
    key, secret = keys.make(f"over-{CASES.index(case)}", usd_total=budget / 1_000_000)
    server.answer_each(dear)
    statuses = side_by_side(
        160, lambda number: spend(keys, secret, number, case.kinds), at_once=AT_ONCE
    )
    assert set(statuses) == {200, 429}
    keys.wait(lambda: keys.admin(f"GET /keys/{key}"), lambda it: it["running"] == 0)
    booked = keys.booked(key, 160)["cost_micros"]
    print(f"{case.name}: ${(booked - budget) / 1_000_000:.6f} beyond the budget")
    assert budget / 2 < booked <= budget + case.bound


def test_a_client_that_leaves_is_booked_by_what_it_was_sent(keys: Fleet, server: Upstream) -> None:
    key, secret = keys.make("leaves")
    server.answer(stream([*OPENAI.text(["one ", "two ", "four"])[:4], Step.STALL]))
    request = keys.open(secret, 0, question("gpt-sim", stream=True))
    while b"four" not in request.frame():
        pass
    request.reset()
    sums = keys.booked(key, 1)
    assert sums["estimated"] == 1
    assert sums["input_tokens"] > 10
    assert 3 <= sums["output_tokens"] <= 100


# What goes wrong on the way to the ledger


@pytest.mark.parametrize("fate", ["raises", "silent"])
def test_a_ledger_that_does_not_answer(keys: Fleet, fate: str) -> None:
    key, secret = keys.make(f"open-{fate}", requests_per_minute=1)
    _, strict = keys.make(f"strict-{fate}", strict=True, usd_total=50)
    keys.way.fate = fate
    assert [keys.ask(secret, 2).status for _ in range(3)] == [200] * 3
    refused = keys.ask(strict, 2)
    assert (refused.status, refused.error()["code"]) == (503, "ledger_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    keys.way.fate = "arrives"
    sums = keys.booked(key, 3)
    assert (sums["cost_micros"], sums["errors"]) == (3 * COST, 0)
    keys.wait(lambda: keys.ask(strict, 2).status, lambda status: status == 200)


def test_a_ledger_that_answers_late_is_waited_for(keys: Fleet) -> None:
    _, secret = keys.make("late", requests_per_minute=5)
    fleet.wait_for_a_minute_with(30)
    keys.way.fate = "late"
    statuses = side_by_side(20, lambda number: keys.ask(secret, number % 4).status)
    assert statuses.count(200) == 5
    assert statuses.count(429) == 15


@pytest.mark.parametrize("fate", ["unheard", "twice"])
def test_what_is_told_again_is_booked_once(keys: Fleet, fate: str) -> None:
    key, secret = keys.make(f"once-{fate}")
    assert keys.ask(secret, 3).status == 200
    keys.way.fate = fate
    told = len(keys.way.messages)
    assert [keys.ask(secret, 3).status for _ in range(10)] == [200] * 10
    keys.wait(lambda: len(keys.way.messages), lambda now: now > told)
    assert [keys.ask(secret, 3).status for _ in range(5)] == [200] * 5
    keys.way.fate = "arrives"
    assert keys.booked(key, 16)["cost_micros"] == 16 * COST


def test_a_thousand_calls_are_booked_to_the_token(keys: Fleet, server: Upstream) -> None:
    key, secret = keys.make("a-thousand")
    kinds = [(path, dialect, it) for path in PATHS for dialect in DIALECTS for it in (False, True)]

    def call(number: int) -> int:
        path, dialect, streamed = kinds[number % len(kinds)]
        return keys.ask(secret, number % 4, asked(dialect, path, streamed=streamed), path).status

    assert side_by_side(1_000, call) == [200] * 1_000
    sums = keys.booked(key, 1_000)
    assert len(server.calls) == 1_000
    assert sums["input_tokens"] == 1_000 * INPUT_TOKENS
    assert sums["output_tokens"] == 1_000 * OUTPUT_TOKENS
    assert sums["cost_micros"] == 1_000 * 82
    assert (sums["estimated"], sums["errors"], sums["unpriced"]) == (0, 0, 0)


def test_the_worker_is_restarted_in_the_middle(
    start: Start, server: Upstream, way: Way, tmp_path: Path
) -> None:
    server.forget()
    server.answer_each(answer)
    way.fate = "arrives"
    with start(fleet.bindings(server, way), storage=tmp_path) as gateway:
        before = Fleet(gateway, way)
        key, secret = before.make("restarted", requests_per_minute=2)
        fleet.wait_for_a_minute_with(40)
        assert before.ask(secret).status == 200
        before.booked(key, 1)
    with start(fleet.bindings(server, way), storage=tmp_path) as gateway:
        after = Fleet(gateway, way)
        assert [after.ask(secret).status for _ in range(3)] == [200, 429, 429]
        assert after.booked(key, 4)["cost_micros"] == 2 * COST
