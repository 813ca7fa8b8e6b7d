"""Errors of OpenAI and of upstreams that follow it."""

from typing import Any

import pytest

from xtrix import json
from xtrix.errors import UpstreamError
from xtrix.http import UpstreamHead
from xtrix.openai.errors import decode_error, error_of


def decoded(status: int, said: object, **headers: str) -> UpstreamError:
    return decode_error(UpstreamHead(status, headers), json.encode(said).encode())


@pytest.mark.parametrize(
    ("status", "error", "expected", "code"),
    [
        (400, {"type": "invalid_request_error"}, 400, None),
        (400, {"type": "invalid_request_error", "code": "bad_thing"}, 400, "bad_thing"),
        (400, {"code": "context_length_exceeded"}, 400, "context_length_exceeded"),
        (400, {"message": "prompt is too long"}, 400, "context_length_exceeded"),
        (401, {"code": "invalid_api_key"}, 502, "upstream_authentication_error"),
        (403, {"type": "permission_error"}, 502, "upstream_authentication_error"),
        (404, {"code": "model_not_found"}, 404, "model_not_found"),
        (402, {}, 429, "insufficient_quota"),
        (429, {"code": "insufficient_quota"}, 429, "insufficient_quota"),
        (429, {"type": "insufficient_quota"}, 429, "insufficient_quota"),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, 429, "rate_limit_exceeded"),
        (422, {"code": 422}, 422, None),
        (500, {"type": "server_error"}, 500, "upstream_error"),
        (503, {"code": "x"}, 503, "upstream_error"),
        (503, {"code": "slow_down"}, 503, "slow_down"),
        (503, {"code": "server_is_overloaded"}, 503, "server_is_overloaded"),
        (500, {"code": "slow_down"}, 500, "upstream_error"),
        (200, {"code": "slow_down"}, 503, "slow_down"),
        (200, {"code": 429}, 429, "rate_limit_exceeded"),
        (200, {"code": "rate_limit_exceeded"}, 429, "rate_limit_exceeded"),
        (200, {"type": "overloaded_error"}, 503, "server_is_overloaded"),
        (200, {"type": "server_error"}, 500, "upstream_error"),
        (200, {"code": "unheard_of"}, 502, "upstream_error"),
        (200, {"code": 42}, 502, "upstream_error"),
        (403, {"code": "usage_not_included"}, 429, "insufficient_quota"),
        (200, {"code": "context_length_exceeded"}, 400, "context_length_exceeded"),
        (200, {"code": "image_too_large"}, 400, "image_too_large"),
        (200, {}, 502, "upstream_error"),
    ],
    ids=str,
)
def test_statuses(status: int, error: dict[str, Any], expected: int, code: str | None) -> None:
    seen = decoded(status, {"error": {"message": "Why.", **error}})
    assert (seen.status, seen.code) == (expected, code)


@pytest.mark.parametrize(
    ("word", "expected", "code"),
    [
        ("invalid_request_error", 400, None),
        ("invalid_api_key", 502, "upstream_authentication_error"),
        ("authentication_error", 502, "upstream_authentication_error"),
        ("insufficient_quota", 429, "insufficient_quota"),
        ("permission_error", 502, "upstream_authentication_error"),
        ("model_not_found", 404, "model_not_found"),
        ("rate_limit_exceeded", 429, "rate_limit_exceeded"),
        ("rate_limit_error", 429, "rate_limit_exceeded"),
        ("requests", 429, "rate_limit_exceeded"),
        ("tokens", 429, "rate_limit_exceeded"),
        ("server_error", 500, "upstream_error"),
        ("internal_server_error", 500, "upstream_error"),
        ("overloaded_error", 503, "server_is_overloaded"),
        ("server_is_overloaded", 503, "server_is_overloaded"),
        ("service_unavailable_error", 503, "upstream_error"),
        ("usage_not_included", 429, "insufficient_quota"),
        ("slow_down", 503, "upstream_error"),
        ("vector_store_timeout", 504, "upstream_timeout"),
        ("context_length_exceeded", 400, None),
        ("failed_to_download_image", 400, None),
        ("cyber_policy", 400, None),
    ],
)
def test_its_type_decides_where_there_is_no_status(
    word: str, expected: int, code: str | None
) -> None:
    seen = error_of({"type": word})
    assert (seen.status, seen.code) == (expected, code)


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "Why."}},
        [{"error": {"message": "Why."}}],
        {"message": "Why."},
        {"error": "Why."},
        {"object": "error", "message": "Why.", "code": 40303},
    ],
)
def test_the_words_wherever_they_stand(said: object) -> None:
    assert decoded(422, said).message == "Why."


@pytest.mark.parametrize("body", [b"", b"<html>Bad</html>", b"[]", b"7", b"null", b'{"error":7}'])
def test_a_body_that_says_nothing(body: bytes) -> None:
    error = decode_error(UpstreamHead(503, {}), body)
    assert (error.status, error.message) == (503, "The upstream answered 503.")


def test_the_field_that_the_upstream_names_is_the_clients() -> None:
    error = decoded(400, {"error": {"message": "Why.", "param": "messages[0].content"}})
    assert error.param == "messages[0].content"
    assert decoded(400, {"error": {"message": "Why.", "param": 7}}).param is None
    assert decoded(500, {"error": {"message": "Why.", "param": "x"}}).param is None


def test_what_it_says_of_retrying_is_kept() -> None:
    head = {"retry-after": "5", "x-should-retry": "true", "content-type": "x"}
    seen = decode_error(UpstreamHead(429, head), b"{}")
    assert dict(seen.headers) == {"retry-after": "5", "x-should-retry": "true"}


def test_a_message_alone_or_nothing() -> None:
    assert error_of("Why.").message == "Why."
    assert error_of(None).message == "The upstream answered 502."


@pytest.mark.parametrize("message", [None, 7, ["x"], ""])
def test_odd_words(message: object) -> None:
    seen = error_of({"code": ["x"], "type": {}, "message": message})
    assert (seen.status, seen.message) == (502, "The upstream answered 502.")
