"""Clients and upstreams that would have a call cost less than it does, or break what is counted."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.play import Upstream
from tests.test_named_keys import ROW, Bench, answer
from xtrix import json
from xtrix.errors import ClientError
from xtrix.keys import bounds

TIERED = {"pattern": "*", "input": 1, "output": 10, "tiers": {"fast": 2.0, "flex": 0.5}}
JSON = {"content-type": "application/json"}


def bench(**fields: object) -> Bench:
    return Bench({**ROW, **fields})


def spent(at: Bench, key: str) -> int:
    """Micro-dollars."""
    at.settle()
    total: int = at.admin("GET", f"/keys/{key}")["spent"]["total_micros"]
    return total


def test_of_two_tiers_the_dearer_one_is_booked() -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1)
    assert at.ask(secret, service_tier="auto", speed="fast").log["cost"] == 0.0006
    assert spent(at, key) == 600


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", {"service_tier": "flex"}),
        ("/v1/chat/completions", {"speed": "flex"}),
        ("/v1/messages", {"speed": "flex", "max_tokens": 50}),
    ],
)
def test_a_cheaper_tier_is_booked_only_where_the_upstream_says_that_it_has_served(
    path: str, fields: dict[str, Any]
) -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1)
    body = {"model": "plain", "messages": [{"role": "user", "content": "Hello"}], **fields}
    assert at.call("POST", path, secret, body, answer()).status == 200
    assert spent(at, key) == 300


def test_a_tier_without_a_price_is_refused_to_a_key_with_a_budget() -> None:
    at = bench(prices=[TIERED])
    _, secret = at.make(usd_per_day=1)
    at.ask(secret)  # what may be spent is known from now on
    refused = at.ask(secret, service_tier="priority")
    assert (refused.status, refused.json()["error"]["code"]) == (403, "tier_without_price")
    assert refused.calls == []


def test_a_tier_without_a_price_that_is_allowed_is_never_booked_at_nothing() -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1, unpriced=True)
    assert at.ask(secret, service_tier="priority").log["cost"] is None
    assert spent(at, key) == 600  # at the dearest tier that is known


def test_a_tier_is_known_of_a_body_of_another_protocol_too() -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1)
    body = {"model": "plain", "input": "Hello", "service_tier": "fast"}
    assert at.call("POST", "/v1/chat/completions", secret, body, answer()).status == 200
    assert spent(at, key) == 600


@pytest.mark.parametrize(
    ("fields", "protocol", "most"),
    [
        ({"max_output_tokens": 1}, "chat", bounds.MOST_OUTPUT),
        ({"max_tokens": 1}, "responses", bounds.MOST_OUTPUT),
        ({"max_completion_tokens": 1}, "messages", bounds.MOST_OUTPUT),
        ({"max_tokens": 5, "max_completion_tokens": 9}, "chat", 9),
        ({"max_tokens": 5, "n": 5_000}, "chat", 25_000),
        ({"max_tokens": 5, "n": 2, "best_of": 20, "prompt": "a"}, "completions", 100),
        ({"max_tokens": 5, "prompt": ["a", "b", "c"]}, "completions", 15),
        ({"max_tokens": 5, "n": 2, "prompt": [[1, 2], [3]]}, "completions", 20),
        ({"max_tokens": 5, "prompt": [1, 2, 3]}, "completions", 5),
    ],
)
def test_the_most_that_an_answer_can_have(
    fields: Mapping[str, Any], protocol: str, most: int
) -> None:
    assert bounds.most_output(dict(fields), protocol) == most


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "code_execution_20260101", "name": "run"}]},
        {"mcp_servers": [{"type": "url", "url": "https://tools.test"}]},
        {"web_search_options": {}},
    ],
)
def test_tools_of_the_providers_have_no_bound_in_what_nobody_can_read(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(ClientError, match="strict budget"):
        bounds.most_unread(fields)
    own = [{"type": "function"}, {"type": "custom"}, {"name": "plain"}, {"type": "bash_20250124"}]
    assert bounds.most_unread({"tools": own}) == bounds.MOST_INPUT
    assert bounds.most_unread({"tools": 5}) == bounds.MOST_INPUT


def test_an_answer_that_is_too_large_to_be_taken_is_booked() -> None:
    at = bench(retries={"attempts": 1})
    key, secret = at.make(usd_per_day=100, strict=True)
    large = Upstream(200, JSON, (b'{"choices":[',), too_large=True)
    played = at.ask(secret, large, max_tokens=1_000)
    assert (played.status, played.log["error"]) == (502, "bad_upstream_response")
    assert spent(at, key) > 10_000  # the most that it can have cost: 1,000 tokens of output


def test_usage_that_nobody_can_have_had_is_not_believed() -> None:
    """A column of SQLite, and a number of JavaScript, would not hold what it costs."""
    at = bench()
    key, secret = at.make(usd_per_day=1)
    assert at.ask(secret, answer(10**15, 10**15), max_tokens=20).status == 200
    assert 0 < spent(at, key) < 5_000
    (row,) = at.admin("GET", "/usage")["data"]
    assert row["estimated"] == 1
    assert at.ask(secret).status == 200


def test_a_legacy_completion_without_usage_is_booked_by_its_text() -> None:
    at = bench(endpoints=["completions"])
    key, secret = at.make(usd_per_day=1)
    said = b"".join(
        b'data: {"choices":[{"text":"' + b"word" * 10 + b'","index":0}]}\n\n' for _ in range(100)
    )
    stream = Upstream(200, {"content-type": "text/event-stream"}, (said, b"data: [DONE]\n\n"))
    body = {"model": "plain", "prompt": "Hello", "stream": True}
    played = at.call("POST", "/v1/completions", secret, body, stream)
    assert played.status == 200
    assert spent(at, key) >= 100 * 10 * 10


@pytest.mark.parametrize("limits", [{"models": ["plain"]}, {"usd_per_day": 1}])
def test_no_other_models_are_named_beside_the_one_that_is_checked(limits: dict[str, Any]) -> None:
    at = bench()
    _, secret = at.make("team", **limits)
    assert at.ask(secret).status == 200
    refused = at.ask(secret, models=["other"])
    assert (refused.status, refused.json()["error"]["param"]) == (403, "models")
    assert refused.calls == []


def test_models_that_nobody_has_do_not_fill_the_ledger() -> None:
    at = bench(models=["*"])
    key, secret = at.make()
    said = {"error": {"message": "no such model", "code": "model_not_found"}}
    nobody = Upstream(404, JSON, (json.encode_body(said),))
    for number in range(260):
        assert at.ask(secret, nobody, model=f"none-{number}").status == 404
    at.settle()
    rows = at.admin("GET", "/usage")["data"]
    assert sum(row["requests"] for row in rows) == 260
    assert len(rows) == 201
    assert at.ask(secret, model="plain").status == 200
    at.settle()
    assert "plain" in {row["model"] for row in at.admin("GET", f"/usage?key={key}")["data"]}
