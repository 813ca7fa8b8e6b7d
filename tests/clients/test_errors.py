"""Errors in the SDKs: which exception is raised, what it says, and whether the SDK tries again.

The upstream counts how often the SDK has tried.
"""

import time

import pytest

from tests.clients.replay import named, replay
from tests.clients.sdk import Json, Options, Sdk, raised
from tests.scenarios import refused
from tests.worker.scripts import Script
from tests.worker.upstream import Call, Plan, Upstream

AT_ONCE = {"retry-after-ms": "1"}
"""So that no test waits for the SDK's own pause of half a second and more."""

WAIT_MS = 700
"""Longer than any pause that the SDKs make before their first retry."""

TRIES = 3
ASKING = ["create", "chunks"]


def text_request(dialect: str) -> Json:
    return named(f"{dialect}/text").json("request.json")


# The client's own fault


@pytest.mark.parametrize("how", ["create", "chunks", "models"])
def test_a_wrong_key(sdk: Sdk, upstream: Upstream, how: str) -> None:
    error = raised(sdk, how, text_request("anthropic"), Options(key="sk-of-somebody-else"))

    assert (error.kind, error.status) == ("AuthenticationError", 401)
    assert (error.type, error.code) == ("invalid_request_error", "invalid_api_key")
    assert error.request_id
    assert upstream.calls == []


@pytest.mark.parametrize(
    "name",
    [
        *("image-type", "message-no-object", "role-unknown", "stops-five", "temperature-too-high"),
        *("tool-arguments-broken", "tool-choice-absent-tool", "tool-result-orphan"),
    ],
)
def test_a_refused_request_names_the_parameter(sdk: Sdk, upstream: Upstream, name: str) -> None:
    (scenario,) = [each for each in refused() if each.name == name]
    expected = scenario.json("reply.400.json")["error"]

    error = raised(sdk, "create", scenario.json("request.json"))

    assert (error.kind, error.status) == ("BadRequestError", 400)
    assert (error.param, error.code) == (expected["param"], expected["code"])
    assert error.type == "invalid_request_error"
    assert expected["message"] in error.message
    assert upstream.calls == []


@pytest.mark.parametrize("how", ASKING)
def test_what_the_upstream_refuses(sdk: Sdk, upstream: Upstream, dialect: str, how: str) -> None:
    upstream.answer_each(replay(named(f"{dialect}/prompt-too-long")))

    error = raised(sdk, how, text_request(dialect))

    assert (error.kind, error.status) == ("BadRequestError", 400)
    assert error.code == "context_length_exceeded"
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("job", ["create", "model"])
def test_a_model_that_nobody_serves(sdk: Sdk, upstream: Upstream, job: str) -> None:
    name = "nobody-1"
    error = raised(sdk, job, name if job == "model" else {**text_request("openai"), "model": name})

    assert (error.kind, error.status) == ("NotFoundError", 404)
    assert (error.param, error.code) == ("model", "model_not_found")
    assert name in error.message
    assert upstream.calls == []


def test_a_model_that_the_upstream_has_not(sdk: Sdk, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(replay(named(f"{dialect}/not-found")))

    error = raised(sdk, "create", text_request(dialect))

    assert (error.kind, error.status) == ("NotFoundError", 404)
    assert (error.param, error.code) == ("model", "model_not_found")
    assert len(upstream.calls) == 1


def test_an_address_that_is_not_there(sdk: Sdk) -> None:
    error = raised(sdk, "get", "/files")

    assert (error.kind, error.status) == ("NotFoundError", 404)
    assert error.code == "unknown_url"


# The upstream's fault, which may have passed the next time


@pytest.mark.parametrize("how", ASKING)
def test_a_rate_limit_is_waited_for_as_long_as_it_asks(
    sdk: Sdk, upstream: Upstream, dialect: str, how: str
) -> None:
    limited, text = named(f"{dialect}/rate-limited"), named(f"{dialect}/text")
    arrivals: list[float] = []
    headers = {"retry-after-ms": str(WAIT_MS)}
    upstream.answer_each(timed(replay(limited, text, headers=headers), arrivals))

    assert sdk.do(how, text_request(dialect))

    first, second = arrivals
    assert second - first >= WAIT_MS / 1000


@pytest.mark.parametrize("how", ASKING)
@pytest.mark.parametrize("name", ["rate-limited", "server-error", "overloaded", "timeout"])
def test_what_passes_is_tried_again(sdk: Sdk, upstream: Upstream, name: str, how: str) -> None:
    failing, text = named(f"anthropic/{name}"), named("anthropic/text")
    upstream.answer_each(replay(failing, failing, text, headers=AT_ONCE))

    assert sdk.do(how, text_request("anthropic"))

    assert len(upstream.calls) == TRIES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic/rate-limited", ("RateLimitError", 429, "rate_limit_exceeded")),
        ("openai/rate-limited", ("RateLimitError", 429, "rate_limit_exceeded")),
        ("anthropic/server-error", ("InternalServerError", 500, "upstream_error")),
        ("openai/server-error", ("InternalServerError", 500, "upstream_error")),
        ("anthropic/overloaded", ("InternalServerError", 503, "server_is_overloaded")),
        ("openai/overloaded", ("InternalServerError", 503, "upstream_error")),
    ],
)
def test_what_lasts_is_raised(
    sdk: Sdk, upstream: Upstream, name: str, expected: tuple[str, int, str]
) -> None:
    scenario = named(name)
    upstream.answer_each(replay(scenario, headers=AT_ONCE))

    error = raised(sdk, "create", text_request(scenario.dialect))

    assert (error.kind, error.status, error.code) == expected
    assert error.request_id
    assert len(upstream.calls) == TRIES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic/bad-key", ("InternalServerError", 502, "upstream_authentication_error")),
        ("openai/bad-key", ("InternalServerError", 502, "upstream_authentication_error")),
        ("anthropic/no-credit", ("RateLimitError", 429, "insufficient_quota")),
        ("openai/no-credit", ("RateLimitError", 429, "insufficient_quota")),
    ],
)
def test_what_only_the_operator_can_mend_is_tried_once(
    sdk: Sdk, upstream: Upstream, name: str, expected: tuple[str, int, str]
) -> None:
    scenario = named(name)
    upstream.answer_each(replay(scenario))

    error = raised(sdk, "create", text_request(scenario.dialect))

    assert (error.kind, error.status, error.code) == expected
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("retries", [0, 1])
def test_the_client_says_how_often(sdk: Sdk, upstream: Upstream, retries: int) -> None:
    upstream.answer_each(replay(named("anthropic/overloaded"), headers=AT_ONCE))

    raised(sdk, "create", text_request("anthropic"), Options(retries=retries))

    assert len(upstream.calls) == 1 + retries


# Streams that fail


@pytest.mark.parametrize("how", ["chunks", "stream"])
def test_an_error_before_the_first_chunk_has_a_status(
    sdk: Sdk, upstream: Upstream, dialect: str, how: str
) -> None:
    scenario = named(f"{dialect}/error-first-event")
    upstream.answer_each(replay(scenario))
    expected = scenario.status_of("reply")

    error = raised(sdk, how, text_request(dialect), Options(retries=0))

    assert error.status == expected
    assert error.code == scenario.json(f"reply.{expected}.json")["error"]["code"]
    assert error.chunks == []


@pytest.mark.parametrize("how", ["chunks", "stream"])
@pytest.mark.parametrize("name", ["error-mid-stream", "truncated", "malformed-event"])
def test_an_error_in_mid_stream_is_raised_after_the_text_so_far(
    sdk: Sdk, upstream: Upstream, dialect: str, name: str, how: str
) -> None:
    scenario = named(f"{dialect}/{name}")
    upstream.answer_each(replay(scenario))
    expected = scenario.json("reply.error.json")

    error = raised(sdk, how, text_request(dialect))

    assert error.kind == "APIError"
    assert (error.type, error.code) == (expected["type"], expected["code"])
    assert expected["message"] in error.message
    choices = [chunk["choices"][0] for chunk in error.chunks]
    assert "".join(choice["delta"].get("content", "") for choice in choices)
    assert {choice["finish_reason"] for choice in choices} == {None}
    assert len(upstream.calls) == 1, "a stream that has begun is not asked for again"


def timed(plan: Plan, arrivals: list[float]) -> Plan:
    """Returns `plan`, and notes the time of each call."""

    def noting(call: Call) -> Script:
        arrivals.append(time.monotonic())
        return plan(call)

    return noting
