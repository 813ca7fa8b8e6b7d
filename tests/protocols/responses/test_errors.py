"""Errors as Responses upstreams word them."""

from typing import Any

import pytest

from xtrix import json
from xtrix.errors import UpstreamError
from xtrix.http import UpstreamHead
from xtrix.protocols.responses.errors import decode_error, error_of

Json = dict[str, Any]


def decoded(status: int, said: object, **headers: str) -> UpstreamError:
    return decode_error(UpstreamHead(status, headers), json.encode_body(said))


@pytest.mark.parametrize(
    ("status", "error", "expected", "code"),
    [
        (400, {"type": "invalid_request_error"}, 400, None),
        (400, {"type": "invalid_request_error", "code": "bad_thing"}, 400, "bad_thing"),
        (400, {"message": "prompt is too long"}, 400, "context_length_exceeded"),
        (401, {"code": "invalid_api_key"}, 502, "upstream_authentication_error"),
        (403, {"type": "permission_error"}, 502, "upstream_authentication_error"),
        (404, {"code": "model_not_found"}, 404, "model_not_found"),
        (429, {"code": "insufficient_quota"}, 429, "insufficient_quota"),
        (403, {"code": "usage_not_included"}, 429, "insufficient_quota"),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, 429, "rate_limit_exceeded"),
        (500, {"type": "server_error"}, 500, "upstream_error"),
        (503, {"code": "slow_down"}, 503, "upstream_error"),
        (200, {"code": 429}, 429, "rate_limit_exceeded"),
        (200, {"code": "slow_down"}, 503, "upstream_error"),
        (200, {"code": "server_is_overloaded"}, 503, "server_is_overloaded"),
        (200, {"code": "failed_to_download_image"}, 400, "failed_to_download_image"),
        (200, {"code": "cyber_policy"}, 400, "cyber_policy"),
        (200, {"code": ["odd"], "type": {}}, 502, "upstream_error"),
        (200, {}, 502, "upstream_error"),
    ],
    ids=str,
)
def test_statuses(status: int, error: Json, expected: int, code: str | None) -> None:
    seen = decoded(status, {"error": {"message": "Why.", **error}})
    assert (seen.status, seen.code) == (expected, code)


def test_the_upstreams_words_and_place() -> None:
    error = {"message": "Why.", "type": "invalid_request_error", "param": "input[0]", "code": None}
    seen = decoded(400, {"error": error})
    assert (seen.message, seen.param, seen.error_type) == (
        "Why.",
        "input[0]",
        "invalid_request_error",
    )


def test_headers_about_trying_again() -> None:
    seen = decoded(429, {"error": {"message": "Why."}}, **{"retry-after": "3"})
    assert ("retry-after", "3") in seen.headers
    assert seen.retry_after == 3


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"error": "Why."}, "Why."),
        ({"message": "Why."}, "Why."),
        ({"error": {"message": 7}}, "The upstream answered 500."),
        ({"error": None}, "The upstream answered 500."),
        ([], "The upstream answered 500."),
        ("x", "The upstream answered 500."),
    ],
    ids=str,
)
def test_other_forms(said: object, message: str) -> None:
    assert decoded(500, said).message == message


def test_a_body_that_is_not_json() -> None:
    assert decode_error(UpstreamHead(503, {}), b"<html>").status == 503


def test_without_a_head_the_words_decide() -> None:
    assert error_of({"code": "rate_limit_exceeded", "message": "Why."}).status == 429
    assert error_of("Why.").message == "Why."
    assert error_of(None).status == 502
