"""The tier that was used is booked, whatever was asked for."""

from typing import Any

import pytest

from tests.play import Upstream
from tests.test_named_keys import ROW, Bench
from tests.worker.speech import ANTHROPIC, OPENAI, RESPONSES, Dialect
from xtrix import json

PRICE = {
    "pattern": "*",
    "input": 100,
    "output": 1_000,
    "tiers": {"fast": 2, "priority": 2, "flex": 0.5, "us": 1.1},
}
DIALECTS = {"openai": OPENAI, "anthropic": ANTHROPIC, "openai-responses": RESPONSES}
PATHS = {
    "/v1/chat/completions": OPENAI,
    "/v1/messages": ANTHROPIC,
    "/v1/responses": RESPONSES,
}


def whole(dialect: Dialect, **said: object) -> Upstream:
    """A whole answer that reports this service tier."""
    body = json.decode_object(dialect.whole("Hi"))
    (body["usage"] if dialect is ANTHROPIC else body).update(said)
    return Upstream(200, {"content-type": "application/json"}, (json.encode_body(body),))


def stream(dialect: Dialect, **said: object) -> Upstream:
    """The same, as events."""
    kind = {"content-type": "text/event-stream"}
    return Upstream(200, kind, tuple(_saying(each, dialect, said) for each in dialect.text(["Hi"])))


def _saying(event: bytes, dialect: Dialect, said: dict[str, object]) -> bytes:
    lines = event.split(b"\n")
    for number, line in enumerate(lines):
        if line.startswith(b"data: {"):
            data = json.decode_object(line[6:])
            for place in _places(data, dialect):
                place.update(said)
            lines[number] = b"data: " + json.encode_body(data)
    return b"\n".join(lines)


def _places(data: dict[str, Any], dialect: Dialect) -> list[dict[str, Any]]:
    """The places where upstreams of a dialect report the tier."""
    if dialect is OPENAI:
        return [data]
    if dialect is RESPONSES:
        return [data["response"]] if data.get("type") == "response.completed" else []
    return [data["message"]["usage"]] if "message" in data else []


def micros(dialect: str, path: str, upstream: Upstream, **asked: object) -> int:
    """What a call is booked at."""
    row = {**ROW, "dialect": dialect, "models": ["*"], "prices": [PRICE]}
    at = Bench(row)
    key, secret = at.make(usd_per_day=100)
    turns = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
    body = {"model": "plain", **({"input": "Hello"} if "responses" in path else turns), **asked}
    played = at.call("POST", path, secret, body, upstream)
    assert played.status == 200, played.body
    at.settle()
    total: int = at.admin("GET", f"/keys/{key}")["spent"]["total_micros"]
    return total


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_in_every_protocol(dialect: str, path: str, is_streamed: bool) -> None:
    spoken = DIALECTS[dialect]
    make = stream if is_streamed else whole
    usual = micros(dialect, path, make(spoken, service_tier=_usual(dialect)), stream=is_streamed)
    assert usual > 1_000
    dear = {"speed": "fast"} if dialect == "anthropic" else {"service_tier": "priority"}
    served = make(spoken, **dear)
    assert micros(dialect, path, served, stream=is_streamed) == 2 * usual  # nobody has asked for it
    cheap = make(spoken, service_tier="batch" if dialect == "anthropic" else "flex")
    assert micros(dialect, path, cheap, stream=is_streamed) == usual / 2


def _usual(dialect: str) -> str:
    return "standard" if dialect == "anthropic" else "default"


@pytest.mark.parametrize(
    ("said", "asked", "factor"),
    [
        ({"service_tier": "default"}, {"service_tier": "priority"}, 1),
        ({"service_tier": "default"}, {"service_tier": "flex"}, 1),
        ({"service_tier": "flex"}, {"service_tier": "flex"}, 0.5),
        ({"service_tier": "auto"}, {"service_tier": "flex"}, 1),
        ({"service_tier": "auto"}, {"service_tier": "priority"}, 2),
        ({"service_tier": 5}, {"service_tier": "priority"}, 2),
        ({"service_tier": ""}, {"service_tier": "flex"}, 1),
        ({"service_tier": "default"}, {"speed": "fast"}, 2),
        ({"service_tier": "flex"}, {"speed": "fast"}, 2),
        ({}, {"service_tier": "flex"}, 1),
        ({}, {"service_tier": "priority"}, 2),
    ],
)
def test_what_the_upstream_says_counts(
    said: dict[str, Any], asked: dict[str, Any], factor: float
) -> None:
    path = "/v1/chat/completions"
    usual = micros("openai", path, whole(OPENAI))
    assert micros("openai", path, whole(OPENAI, **said), **asked) == usual * factor


@pytest.mark.parametrize(
    ("said", "factor"), [({}, 2), ({"speed": "fast"}, 2), ({"speed": "standard"}, 1)]
)
def test_what_anthropic_says_of_its_speed(said: dict[str, Any], factor: int) -> None:
    """An answer at the usual speed costs the usual price, even if a faster one was requested."""
    path = "/v1/messages"
    usual = micros("anthropic", path, whole(ANTHROPIC))
    told = whole(ANTHROPIC, service_tier="standard", **said)
    assert micros("anthropic", path, told, speed="fast") == usual * factor


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("said", "asked", "factor"),
    [
        ({"inference_geo": "us"}, {}, 1.1),  # as the workspace's default has it
        ({"inference_geo": "us", "speed": "fast"}, {}, 2.2),
        ({}, {"inference_geo": "us"}, 1.1),
        ({"inference_geo": "global"}, {"inference_geo": "us"}, 1),
        ({"inference_geo": "not_available"}, {}, 1),
    ],
)
def test_what_anthropic_says_of_the_place(
    said: dict[str, Any], asked: dict[str, Any], factor: float, *, is_streamed: bool
) -> None:
    path, make = "/v1/messages", stream if is_streamed else whole
    usual = micros("anthropic", path, make(ANTHROPIC), stream=is_streamed)
    told = make(ANTHROPIC, service_tier="standard", **said)
    booked = micros("anthropic", path, told, stream=is_streamed, **asked)
    assert booked == round(usual * factor)


def test_a_place_without_a_price_is_refused_to_a_key_with_a_budget() -> None:
    at = Bench({**ROW, "dialect": "anthropic", "prices": [{**PRICE, "tiers": {"fast": 2}}]})
    _, secret = at.make(usd_per_day=100)
    turns = [{"role": "user", "content": "Hello"}]
    body = {"model": "plain", "messages": turns, "max_tokens": 5, "inference_geo": "us"}
    refused = at.call("POST", "/v1/messages", secret, body)
    assert (refused.status, refused.calls) == (403, [])


def test_a_tier_that_nobody_knows_the_price_of_is_booked_at_the_dearest() -> None:
    at = Bench({**ROW, "prices": [PRICE]})
    key, secret = at.make(usd_per_day=100)
    assert at.ask(secret, whole(OPENAI, service_tier="ultra")).log["cost"] is None
    at.settle()
    (row,) = at.admin("GET", "/usage")["data"]
    most = 2.2 * (100 * row["input_tokens"] + 1_000 * row["output_tokens"])
    assert (row["unpriced"], row["cost_micros"]) == (1, most)
    assert key == row["key"]


def test_of_a_strict_key_the_dearest_is_set_aside() -> None:
    """The upstream may use a tier that was not requested."""
    at = Bench({**ROW, "prices": [PRICE]})
    _, secret = at.make(usd_total=0.2 + 2 * 0.11 + 0.01, strict=True)
    assert at.ask(secret, whole(OPENAI), max_tokens=50).status == 200
    refused = at.ask(secret, max_tokens=200)
    assert (refused.status, refused.calls) == (429, [])
