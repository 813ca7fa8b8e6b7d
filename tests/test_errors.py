"""Whose fault an error is, and what the client is told."""

import pytest

from xtrix import errors
from xtrix.errors import (
    ApiError,
    ClientError,
    ConfigurationError,
    UpstreamError,
    invalid,
    unsupported,
    worded,
)


def seen(error: ApiError) -> tuple[int, str, str | None]:
    return error.status, error.error_type, error.code


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, (400, "invalid_request_error", None)),
        (401, (502, "api_error", "upstream_authentication_error")),
        (402, (429, "insufficient_quota", "insufficient_quota")),
        (403, (502, "api_error", "upstream_authentication_error")),
        (404, (404, "invalid_request_error", "model_not_found")),
        (408, (504, "timeout", "upstream_timeout")),
        (409, (409, "invalid_request_error", "conflict")),
        (413, (413, "invalid_request_error", "request_too_large")),
        (422, (422, "invalid_request_error", None)),
        (429, (429, "rate_limit_error", "rate_limit_exceeded")),
        (500, (500, "api_error", "upstream_error")),
        (502, (502, "api_error", "upstream_error")),
        (503, (503, "api_error", "upstream_error")),
        (504, (504, "timeout", "upstream_timeout")),
        (529, (503, "service_unavailable_error", "server_is_overloaded")),
        (418, (400, "invalid_request_error", None)),
        (451, (400, "invalid_request_error", None)),
        (501, (502, "api_error", "upstream_error")),
        (520, (502, "api_error", "upstream_error")),
        (599, (502, "api_error", "upstream_error")),
    ],
)
def test_an_upstreams_status(status: int, expected: tuple[int, str, str | None]) -> None:
    assert seen(UpstreamError(status, "why")) == expected


@pytest.mark.parametrize("status", [400, 404, 413, 422, 429, 500, 529, 402])
def test_an_upstreams_words_are_relayed(status: int) -> None:
    assert UpstreamError(status, "the very words").message == "the very words"


@pytest.mark.parametrize("status", [401, 403])
def test_an_upstream_that_refuses_our_key_is_our_fault(status: int) -> None:
    error = UpstreamError(status, "invalid x-api-key sk-ant-123")
    assert "your key is not at fault" in error.message
    assert "sk-ant" not in error.message


@pytest.mark.parametrize(("status", "told"), [(401, True), (402, True), (403, True), (500, False)])
def test_clients_are_told_not_to_retry_what_cannot_get_better(status: int, told: bool) -> None:
    assert (("x-should-retry", "false") in UpstreamError(status, "").headers) == told


def test_what_the_upstream_said_of_retrying_is_kept() -> None:
    headers = (("retry-after", "7"), ("x-should-retry", "true"))
    assert UpstreamError(429, "", headers=headers).headers == headers


def test_only_an_unknown_model_names_its_parameter() -> None:
    assert UpstreamError(404, "").param == "model"
    assert UpstreamError(400, "").param is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ((), None),
        ((("retry-after", "2"),), 2.0),
        ((("retry-after", "0.5"),), 0.5),
        ((("retry-after-ms", "1500"), ("retry-after", "2")), 1.5),
        ((("retry-after-ms", "soon"), ("retry-after", "2")), 2.0),
        ((("retry-after", "Sun, 22 Nov 2026 15:00:00 GMT"),), None),
    ],
)
def test_how_long_the_upstream_asks_to_wait(headers: errors.Headers, wait: float | None) -> None:
    assert UpstreamError(429, "", headers=headers).retry_after == wait


@pytest.mark.parametrize(
    ("status", "again", "elsewhere"),
    [
        *((status, True, True) for status in (408, 429, 500, 502, 503, 504, 520, 529)),
        *((status, False, True) for status in (401, 402, 403, 404)),
        *((status, False, False) for status in (400, 409, 413, 418, 422)),
    ],
)
def test_what_is_tried_again_and_what_elsewhere(status: int, again: bool, elsewhere: bool) -> None:
    error = UpstreamError(status, "")
    assert (error.policy.repeat, error.policy.elsewhere) == (again, elsewhere)


@pytest.mark.parametrize(
    "message", ["credit balance is too low", "Your credit balance is too low."]
)
def test_no_money_left_has_no_status_of_its_own(message: str) -> None:
    assert seen(worded(400, message)) == (429, "insufficient_quota", "insufficient_quota")


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "This model's maximum context length is 8192 tokens.",
        "the request exceeds the available context size",
        "Your input exceeds the context window of this model.",
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
    ],
)
def test_a_prompt_too_long_has_no_status_of_its_own(message: str) -> None:
    assert seen(worded(400, message)) == (400, "invalid_request_error", "context_length_exceeded")


def test_the_words_of_other_statuses_decide_nothing() -> None:
    assert worded(500, "prompt is too long").code == "upstream_error"
    assert worded(429, "credit balance is too low").code == "rate_limit_exceeded"


def test_an_error_without_words_gets_some() -> None:
    assert worded(500, "").message == "The upstream answered 500."


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.no_connection(), (502, "api_error", "upstream_connection_error")),
        (errors.bad_response("odd"), (502, "api_error", "bad_upstream_response")),
        (errors.truncated(), (502, "api_error", "upstream_truncated")),
        (errors.out_of_time("nothing"), (504, "timeout", "upstream_timeout")),
        (errors.internal_error(), (500, "api_error", "internal_error")),
        (unsupported("n", "why"), (400, "invalid_request_error", "unsupported_parameter")),
        (unsupported("n", "why", value=True), (400, "invalid_request_error", "unsupported_value")),
        (invalid("n", "why"), (400, "invalid_request_error", "invalid_value")),
        (ConfigurationError(["a", "b"]), (500, "api_error", "configuration_error")),
    ],
    ids=lambda value: value.code if isinstance(value, ApiError) else "",
)
def test_each_fault(error: ApiError, expected: tuple[int, str, str | None]) -> None:
    assert seen(error) == expected
    assert error.message


@pytest.mark.parametrize("fault", [errors.no_connection(), errors.truncated()])
def test_the_networks_faults_are_tried_again(fault: UpstreamError) -> None:
    assert fault.policy.repeat
    assert fault.policy.elsewhere


def test_our_own_time_is_not_spent_twice_on_one_target() -> None:
    policy = errors.out_of_time("").policy
    assert (policy.repeat, policy.elsewhere, policy.counts) == (False, True, True)
    assert UpstreamError(504, "theirs").policy.repeat


@pytest.mark.parametrize("fault", [errors.too_large(), errors.wrong_type("it is text")])
def test_an_answer_that_was_paid_for_and_is_of_no_use_is_not_bought_again(
    fault: UpstreamError,
) -> None:
    """It is repeated neither by the gateway nor by the client's SDK, and no target rests because of
    it.
    """
    assert seen(fault) == (502, "api_error", "bad_upstream_response")
    assert not fault.policy.repeat
    assert not fault.policy.counts
    assert fault.policy.elsewhere
    assert dict(fault.headers)["x-should-retry"] == "false"


@pytest.mark.parametrize("kind", errors.FAULTS)
def test_what_is_repeated_here_may_go_well_elsewhere_and_for_the_client_too(
    kind: int | str,
) -> None:
    policy = errors.FAULTS[kind].policy
    if policy.repeat:
        assert policy.elsewhere
        assert policy.client_retry
        assert policy.counts
    told = ("x-should-retry", "false") in UpstreamError(kind, "").headers
    assert told != policy.client_retry


def test_every_fault_of_a_configuration_is_named() -> None:
    error = ConfigurationError(["one is wrong", "two is wrong"])
    assert "one is wrong; two is wrong" in error.message
    assert error.faults == ["one is wrong", "two is wrong"]


def test_the_envelope() -> None:
    error = ClientError(400, "invalid_value", "Too odd.", param="messages[0]")
    assert error.envelope() == {
        "error": {
            "message": "Too odd.",
            "type": "invalid_request_error",
            "param": "messages[0]",
            "code": "invalid_value",
        }
    }
    assert str(error) == "Too odd."
