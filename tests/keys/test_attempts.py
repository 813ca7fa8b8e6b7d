"""The cost of a call that took more than one attempt."""

from typing import Any

import pytest

from tests.play import Played, Upstream
from tests.test_named_keys import ROW, Bench, answer
from xtrix import json
from xtrix.steps import Failure

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
SAID = json.encode_body({"error": {"message": "no", "type": "server_error"}})
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
STREAM = Upstream(200, EVENTS, (CHUNK, b"data: [DONE]\n\n"))

MAYBE = {
    "no head came in time": (Upstream(failure=Failure.TIME), False),
    "it was lost after a while": (Upstream(failure=Failure.CONNECTION, takes=5), False),
    "its whole answer broke off": (Upstream(200, JSON, (b'{"choices":',), cut=True), False),
    "its whole answer is too large": (Upstream(200, JSON, too_large=True), False),
    "its whole answer makes no sense": (Upstream(200, JSON, (b'{"choices":[]}',)), False),
    "its whole answer is something else": (Upstream(200, EVENTS, (CHUNK,)), False),
    "its stream said nothing": (Upstream(200, EVENTS), True),
    "its stream makes no sense": (Upstream(200, EVENTS, (b"data: 5\n\n",)), True),
    "its stream is something else": (answer(), True),
    "Cloudflare waited in vain for it": (Upstream(524, {}, (b"<html>",)), False),
}
"""What an upstream may have been paid for, and whether a stream was asked for."""

NOTHING = {
    "nobody is there": (Upstream(failure=Failure.CONNECTION), False),
    "nobody is there after a while": (Upstream(failure=Failure.CONNECTION, takes=4), True),
    "too many requests": (Upstream(429, JSON, (SAID,)), False),
    "overloaded": (Upstream(529, JSON, (SAID,)), False),
    "it failed": (Upstream(500, JSON, (SAID,)), False),
    "it failed, and broke off": (Upstream(503, JSON, (SAID[:5],), cut=True), False),
    "it failed with a long story": (Upstream(502, JSON, too_large=True), False),
    "its whole answer is an error": (Upstream(200, JSON, (SAID,)), False),
    "its stream begins with an error": (
        Upstream(200, EVENTS, (b"data: " + SAID + b"\n\n",)),
        True,
    ),
    "it is elsewhere": (Upstream(302, {"location": "/"}, ()), False),
}
"""What costs nothing."""


def bench(**fields: object) -> Bench:
    """Each call is made up to twice."""
    return Bench({**ROW, "retries": {"attempts": 2, "backoff": 0}, **fields})


def booked(at: Bench) -> dict[str, Any]:
    at.settle()
    (row,) = at.admin("GET", "/usage")["data"]
    found: dict[str, Any] = row
    return found


def asked(*, streamed: bool) -> dict[str, Any]:
    return {"max_tokens": 100, "stream": streamed}


@pytest.mark.parametrize("case", MAYBE)
def test_one_that_may_have_been_charged_for_is_never_booked_at_nothing(case: str) -> None:
    failed, streamed = MAYBE[case]
    at, played = helped_out(failed, streamed=streamed)
    at.settle()
    lost, served = sorted(at.admin("GET", "/usage")["data"], key=lambda row: row["provider"])
    assert (lost["provider"], lost["requests"], lost["estimated"]) == ("a-first", 0, 1)
    assert lost["cost_micros"] >= 100 * 10  # all of the output that was set aside
    assert lost["input_tokens"] > 10
    assert (served["provider"], served["requests"], served["errors"]) == ("b-second", 1, 0)
    assert played.log["cost"] * 1_000_000 == lost["cost_micros"] + served["cost_micros"]


@pytest.mark.parametrize("case", NOTHING)
def test_one_that_nobody_charges_for_costs_nothing(case: str) -> None:
    failed, streamed = NOTHING[case]
    at, _ = helped_out(failed, streamed=streamed)
    row = booked(at)
    assert (row["provider"], row["requests"]) == ("b-second", 1)
    assert row["estimated"] == streamed  # of a stream that tells no usage


def helped_out(failed: Upstream, *, streamed: bool) -> tuple[Bench, Played]:
    """A call where the first provider fails in this way and the second one answers."""
    at = fallback()
    _, secret = at.make(usd_per_day=1)
    played = at.ask(secret, failed, STREAM if streamed else answer(), **asked(streamed=streamed))
    assert (played.status, len(played.calls)) == (200, 2)
    return at, played


def fallback() -> Bench:
    """Two providers, one after the other."""
    rows = [{**ROW, "name": name, "models": ["plain"]} for name in ("a-first", "b-second")]
    model = {"id": "plain", "targets": ["a-first/plain", "b-second/plain"]}
    return Bench(*({**row, "retries": {"attempts": 1}} for row in rows), MODELS=[model])


@pytest.mark.parametrize("case", MAYBE)
def test_where_nobody_answers_each_is_booked(case: str) -> None:
    failed, streamed = MAYBE[case]
    at = fallback()
    _, secret = at.make(usd_per_day=1)
    played = at.ask(secret, failed, failed, **asked(streamed=streamed))
    assert played.status >= 500
    at.settle()
    rows = at.admin("GET", "/usage")["data"]
    assert [(row["estimated"], row["cost_micros"] >= 1_000) for row in rows] == [(1, True)] * 2
    assert sum(row["requests"] for row in rows) == sum(row["errors"] for row in rows) == 1


def test_the_same_target_twice() -> None:
    at = bench()
    _, secret = at.make(usd_per_day=1)
    timeout = Upstream(408, {}, (b"",))
    assert at.ask(secret, timeout, answer(), max_tokens=100).status == 200
    assert booked(at)["cost_micros"] == 300
    broken = Upstream(200, JSON, cut=True)
    assert at.ask(secret, broken, answer(), max_tokens=100).status == 200
    row = booked(at)
    assert (row["requests"], row["estimated"]) == (2, 1)
    assert row["cost_micros"] >= 2 * 300 + 30 * 10  # one and a half times its usual output


def test_a_strict_key_pays_for_no_attempt_that_it_has_no_money_for() -> None:
    at = bench()
    key, secret = at.make(usd_total=0.005, strict=True)
    broken = Upstream(200, JSON, cut=True)
    played = at.ask(secret, broken, answer(), max_tokens=200)
    assert len(played.calls) == 1
    assert played.status == 429
    at.settle()
    refused = at.ask(secret, max_tokens=200)
    assert (refused.json()["error"]["code"], refused.calls) == ("insufficient_quota", [])
    view = at.admin("GET", f"/keys/{key}")
    assert 3_000 < view["spent"]["total_micros"] <= 5_000
    assert view["running"] == 0


def test_a_strict_key_that_has_the_money_is_tried_again() -> None:
    at = bench()
    key, secret = at.make(usd_total=0.02, strict=True)
    broken = Upstream(200, JSON, cut=True)
    assert at.ask(secret, broken, answer(), max_tokens=200).status == 200
    at.settle()
    spent = at.admin("GET", f"/keys/{key}")["spent"]["total_micros"]
    assert 3_300 < spent <= 2 * 5_000


def test_another_attempt_is_no_other_request_and_no_other_call() -> None:
    at = bench()
    _, secret = at.make(requests_per_minute=2, parallel=1, usd_per_day=1)
    broken = Upstream(200, JSON, cut=True)
    assert [at.ask(secret, broken, answer()).status for _ in range(3)] == [200, 200, 429]


def test_a_client_that_left_while_nobody_was_called_pays_nothing() -> None:
    at = bench()
    _, secret = at.make(usd_per_day=1)
    gone = Upstream(failure=Failure.CONNECTION, leaves=True)
    at.ask(secret, gone, gone)
    row = booked(at)
    assert (row["requests"], row["estimated"], row["cost_micros"]) == (1, 0, 0)


@pytest.mark.parametrize("end", ["the client left", "our own fault"])
def test_a_call_that_is_ended_before_its_answer_is_booked(end: str) -> None:
    at = bench()
    _, secret = at.make(usd_per_day=1)
    exchange = at.begin(secret, max_tokens=100)
    if end == "our own fault":
        assert exchange.crash().status == 500
    exchange.close()
    exchange.log_line(at.now, left=end == "the client left")
    row = booked(at)
    assert (row["requests"], row["estimated"]) == (1, 1)
    assert row["cost_micros"] >= 1_000
