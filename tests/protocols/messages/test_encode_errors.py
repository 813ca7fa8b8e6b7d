"""Errors as Anthropic's clients read them: status, type, words, and whether to try again."""

from typing import Any

import anthropic
import httpx
import pytest

from xtrix import json
from xtrix.errors import (
    ApiError,
    ClientError,
    ConfigurationError,
    UpstreamError,
    internal_error,
    no_connection,
    out_of_time,
    unsupported,
    worded,
)
from xtrix.http import Reply, UpstreamHead, answer_headers
from xtrix.protocols.messages import MESSAGES
from xtrix.protocols.messages.errors import decode_error, encode_error


def body_of(reply: Reply) -> Any:
    """The error object of a reply. Checks the frame around it."""
    body = json.decode(reply.body)
    assert body.keys() == {"type", "error", "request_id"}
    assert (body["type"], body["request_id"]) == ("error", "req_1")
    assert dict(reply.headers)["content-type"] == "application/json"
    assert len(dict(reply.headers)) == len(reply.headers), "a header that comes twice"
    return body["error"]


def retry(reply: Reply) -> str | None:
    """The headers of a reply about trying again."""
    return dict(reply.headers).get("x-should-retry")


def relayed(status: int, error: Any, headers: dict[str, str] | None = None) -> UpstreamError:
    """The error that an upstream of this protocol answers."""
    body = json.encode_body({"type": "error", "error": error, "request_id": "req_theirs"})
    return decode_error(UpstreamHead(status, headers or {}), body)


TABLE: list[tuple[ApiError, int, str, str | None]] = [
    (ClientError(400, "invalid_value", "m"), 400, "invalid_request_error", None),
    (ClientError(401, "invalid_api_key", "m"), 401, "authentication_error", "false"),
    (ClientError(403, None, "m"), 403, "permission_error", None),
    (ClientError(404, "unknown_url", "m"), 404, "not_found_error", None),
    (ClientError(405, "method_not_allowed", "m"), 405, "invalid_request_error", None),
    (ClientError(408, "request_timeout", "m"), 408, "invalid_request_error", None),
    (ClientError(413, "request_too_large", "m"), 413, "request_too_large", None),
    (ClientError(415, None, "m"), 415, "invalid_request_error", None),
    (ClientError(429, "rate_limit_exceeded", "m"), 429, "rate_limit_error", None),
    (ClientError(429, "insufficient_quota", "m"), 429, "rate_limit_error", None),
    (ClientError(501, "not_supported", "m"), 501, "not_supported", "false"),
    (ConfigurationError(["m"]), 500, "api_error", "false"),
    (internal_error(), 500, "api_error", None),
    (no_connection(), 502, "api_error", None),
    (out_of_time("m"), 504, "timeout_error", None),
    (UpstreamError(401, "their words"), 502, "api_error", "false"),
    (UpstreamError(403, "their other words"), 502, "api_error", "false"),
    (UpstreamError(402, "m"), 402, "billing_error", "false"),
    (UpstreamError(404, "m"), 404, "not_found_error", None),
    (UpstreamError(409, "m"), 409, "conflict_error", None),
    (UpstreamError(422, "m"), 422, "invalid_request_error", None),
    (UpstreamError(429, "m"), 429, "rate_limit_error", None),
    (UpstreamError(500, "m"), 500, "api_error", None),
    (UpstreamError(503, "m"), 503, "api_error", None),
    (UpstreamError(529, "m"), 529, "overloaded_error", None),
]
TABLE_IDS = [f"{number}-{type(row[0]).__name__}-{row[1]}" for number, row in enumerate(TABLE)]


@pytest.mark.parametrize(("error", "status", "kind", "again"), TABLE, ids=TABLE_IDS)
def test_statuses_and_types(error: ApiError, status: int, kind: str, again: str | None) -> None:
    reply = encode_error(error, "req_1")
    assert (reply.status, body_of(reply)["type"], retry(reply)) == (status, kind, again)
    assert "their" not in reply.body.decode()


@pytest.mark.parametrize(("error", "status", "kind", "again"), TABLE, ids=TABLE_IDS)
def test_the_sdk_makes_its_own_exceptions_of_them(
    error: ApiError, status: int, kind: str, again: str | None
) -> None:
    reply = encode_error(error, "req_1")
    response = httpx.Response(
        reply.status,
        headers=[*answer_headers("req_1", MESSAGES.request_id_header), *reply.headers],
        content=reply.body,
        request=httpx.Request("POST", "https://gateway.test"),
    )
    client = anthropic.Anthropic(api_key="k", base_url="https://gateway.test")
    raised = client._make_status_error_from_response(response)  # type: ignore[arg-type]
    assert (raised.status_code, raised.request_id) == (status, "req_1")
    assert type(raised) is not anthropic.APIStatusError or status in {405, 408, 415}
    assert client._should_retry(response) is (  # type: ignore[arg-type]
        again != "false" and (status in {408, 409, 429} or status >= 500)
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ClientError(400, None, "tools.0: no", param="tools.0"), "tools.0: no"),
        (ClientError(400, None, "no", param="tools.0"), "tools.0: no"),
        (unsupported("tools.0", "no"), "'tools.0' is not supported: no"),
        (
            ClientError(
                404, "model_not_found", "The model 'x' does not exist here.", param="model"
            ),
            "model: The model 'x' does not exist here.",
        ),
        (ClientError(400, None, "no"), "no"),
    ],
    ids=str,
)
def test_the_place_comes_first(error: ApiError, message: str) -> None:
    assert body_of(encode_error(error, "req_1"))["message"] == message


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (
            400,
            {
                "type": "invalid_request_error",
                "message": "prompt is too long: 3 tokens > 2 maximum",
            },
        ),
        (
            400,
            {
                "type": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            },
        ),
        (
            400,
            {
                "type": "invalid_request_error",
                "message": "messages.1.content.0: Invalid `signature`",
            },
        ),
        (413, {"type": "request_too_large", "message": "Too much media"}),
        (404, {"type": "not_found_error", "message": "model: claude-x"}),
        (
            409,
            {"type": "conflict_error", "message": "Busy", "details": {"error_code": "in_flight"}},
        ),
        (429, {"type": "rate_limit_error", "message": "Slow down"}),
        (500, {"type": "api_error", "message": "Internal"}),
        (503, {"type": "exceed_context_size_error", "message": "llama.cpp's"}),
        (529, {"type": "overloaded_error", "message": "Overloaded"}),
    ],
    ids=str,
)
def test_an_upstreams_own_words_are_kept(status: int, error: dict[str, Any]) -> None:
    reply = encode_error(relayed(status, error), "req_1")
    assert reply.status == status
    assert body_of(reply) == error


def test_but_for_a_prompt_that_is_too_long() -> None:
    """Other servers speak this protocol too, and agents look for Anthropic's wording."""
    said = "maximum context length is 5 tokens"
    error = {"type": "invalid_request_error", "message": said}
    reply = encode_error(relayed(400, error), "req_1")
    assert reply.status == 400
    assert body_of(reply) == {**error, "message": f"prompt is too long: {said}"}


def test_our_keys_troubles_are_told_in_our_words() -> None:
    for status in (401, 403):
        theirs = {"type": "authentication_error", "message": "invalid x-api-key"}
        reply = encode_error(relayed(status, theirs), "req_1")
        assert (reply.status, retry(reply)) == (502, "false")
        error = body_of(reply)
        assert error["type"] == "api_error"
        assert "your key is not at fault" in error["message"]


@pytest.mark.parametrize("status", [400, 402])
def test_no_credit_is_no_reason_to_try_again(status: int) -> None:
    said = "Your credit balance is too low to access the Anthropic API."
    kind = {400: "invalid_request_error", 402: "billing_error"}[status]
    reply = encode_error(relayed(status, {"type": kind, "message": said}), "req_1")
    assert (reply.status, retry(reply)) == (402, "false")
    assert body_of(reply)["message"] == said


def test_no_secret_leaves_in_what_is_not_text() -> None:
    error = {
        "type": "sk-ant-api03-1234567890abcdef",
        "message": "m",
        "details": {
            "error_code": "sk-ant-api03-1234567890abcdef",
            "sk-ant-api03-1234567890abcdef": "x",
            "nested": {"a": "b"},
            "limit": 5,
            "text": "a long text",
            "empty": "",
        },
        "param": "sk-ant-api03-1234567890abcdef",
    }
    assert body_of(encode_error(relayed(400, error), "req_1")) == {
        "type": "invalid_request_error",
        "message": "m",
        "details": {"limit": 5},
    }


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error":null}', b'{"error":"x"}', b'{"error":{"type":[]}}']
)
def test_errors_without_a_form(body: bytes) -> None:
    reply = encode_error(decode_error(UpstreamHead(500, {}), body), "req_1")
    assert body_of(reply) == {"type": "api_error", "message": "The upstream answered 500."}


@pytest.mark.parametrize(
    ("headers", "again"),
    [
        ({"retry-after": "5"}, None),
        ({"retry-after": "5", "x-should-retry": "true"}, "true"),
        ({"retry-after": "600"}, None),
        ({"retry-after": "86400"}, "false"),
        ({"retry-after": "86400", "x-should-retry": "true"}, "false"),
        ({"retry-after-ms": "86400000"}, "false"),
    ],
    ids=str,
)
def test_nobody_sleeps_till_tomorrow(headers: dict[str, str], again: str | None) -> None:
    reply = encode_error(
        relayed(429, {"type": "rate_limit_error", "message": "m"}, headers), "req_1"
    )
    assert retry(reply) == again
    assert headers.items() - {("x-should-retry", "true")} <= dict(reply.headers).items()


@pytest.mark.parametrize(
    ("message", "translated"),
    [
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 8300 tokens. Please reduce the length of the messages.",
            "prompt is too long: 8300 tokens > 8192 maximum",
        ),
        (
            "This model's maximum context length is 4097 tokens. However, you requested 4200 "
            "tokens (3200 in the messages, 1000 in the completion).",
            "input length and `max_tokens` exceed context limit: 3200 + 1000 > 4097, decrease "
            "input length or `max_tokens` and try again",
        ),
        (
            "This model's maximum context length is 4097 tokens. However, you requested 6000 "
            "tokens (5000 in the messages, 1000 in the completion).",
            "prompt is too long: 5000 tokens > 4097 maximum",
        ),
        (
            "This endpoint's maximum context length is 128,000 tokens. However, you requested "
            "about 150,000 tokens (149,000 of text input, 1000 in the output).",
            "prompt is too long: 149000 tokens > 128000 maximum",
        ),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum "
            "context length is 32768 tokens and your request has 900 input tokens "
            "(32000 > 32768 - 900).",
            "input length and `max_tokens` exceed context limit: 900 + 32000 > 32768, decrease "
            "input length or `max_tokens` and try again",
        ),
        (
            "request (5000 tokens) exceeds the available context size (4096 tokens), try "
            "increasing it",
            "prompt is too long: 5000 tokens > 4096 maximum",
        ),
        (
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 "
            "maximum context length",
            "prompt is too long: 40000 tokens > 32768 maximum",
        ),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed "
            "(1048576).",
            "prompt is too long: 1200000 tokens > 1048576 maximum",
        ),
        (
            "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
            "prompt is too long: 140000 tokens > 131072 maximum",
        ),
        (
            "the request exceeds the available context size. try increasing it",
            "prompt is too long: the request exceeds the available context size. try increasing it",
        ),
        ("context: no such field", "context: no such field"),
        ("maximum context length is 99999999999999999999 tokens", None),
    ],
)
def test_too_long_a_prompt_is_told_in_anthropics_words(
    message: str, translated: str | None
) -> None:
    error = body_of(encode_error(worded(400, message), "req_1"))
    assert error["message"] == (translated or f"prompt is too long: {message}")
    assert body_of(encode_error(worded(500, message), "req_1"))["message"] == message
