"""Anthropic's errors: the status decides, and the type only if there is no status."""

import pytest

from xtrix import json
from xtrix.errors import UpstreamError
from xtrix.http import UpstreamHead
from xtrix.protocols.messages.errors import decode_error, error_of


def decoded(
    status: int, kind: str = "api_error", message: str = "Why.", **head: str
) -> UpstreamError:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return decode_error(UpstreamHead(status, head), json.encode(body).encode())


@pytest.mark.parametrize(
    ("status", "kind", "expected", "code"),
    [
        (400, "invalid_request_error", 400, None),
        (401, "authentication_error", 502, "upstream_authentication_error"),
        (402, "billing_error", 429, "insufficient_quota"),
        (403, "permission_error", 502, "upstream_authentication_error"),
        (404, "not_found_error", 404, "model_not_found"),
        (413, "request_too_large", 413, "request_too_large"),
        (429, "rate_limit_error", 429, "rate_limit_exceeded"),
        (500, "api_error", 500, "upstream_error"),
        (504, "timeout_error", 504, "upstream_timeout"),
        (529, "overloaded_error", 503, "server_is_overloaded"),
        (500, "overloaded_error", 500, "upstream_error"),
        (200, "invalid_request_error", 400, None),
        (200, "authentication_error", 502, "upstream_authentication_error"),
        (200, "billing_error", 429, "insufficient_quota"),
        (200, "permission_error", 502, "upstream_authentication_error"),
        (200, "not_found_error", 404, "model_not_found"),
        (200, "request_too_large", 413, "request_too_large"),
        (200, "rate_limit_error", 429, "rate_limit_exceeded"),
        (200, "api_error", 500, "upstream_error"),
        (200, "timeout_error", 504, "upstream_timeout"),
        (200, "overloaded_error", 503, "server_is_overloaded"),
        (200, "unheard_of", 502, "upstream_error"),
    ],
)
def test_statuses(status: int, kind: str, expected: int, code: str | None) -> None:
    error = decoded(status, kind)
    assert (error.status, error.code) == (expected, code)


def test_its_words_are_relayed() -> None:
    assert decoded(400, message="messages.0: too odd").message == "messages.0: too odd"


def test_what_it_says_of_retrying_is_kept() -> None:
    head = UpstreamHead(429, {"retry-after": "5", "content-type": "application/json"})
    assert dict(decode_error(head, b"{}").headers) == {"retry-after": "5"}


def test_no_money_left_and_too_long_a_prompt_are_told_by_its_words() -> None:
    credit = decoded(400, message="Your credit balance is too low to access the API.")
    assert (credit.status, credit.code) == (429, "insufficient_quota")
    assert decoded(400, message="prompt is too long: 9").code == "context_length_exceeded"


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad</html>", b"[]", b'{"error":"x"}', b'{"error":{}}']
)
def test_a_body_that_says_nothing(body: bytes) -> None:
    error = decode_error(UpstreamHead(503, {}), body)
    assert error.status == 503
    assert error.message == "The upstream answered 503."


@pytest.mark.parametrize("message", [None, 7, ["x"], ""])
def test_odd_words(message: object) -> None:
    assert error_of({"type": ["x"], "message": message}).message == "The upstream answered 502."
