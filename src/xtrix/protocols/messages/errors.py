"""Errors as Anthropic words them, whole or inside a stream.

Source: platform.claude.com/docs/en/api/errors (read 2026-11): a status and an error type each.
"""

from typing import Any

from xtrix import json
from xtrix.errors import UpstreamError, worded
from xtrix.http import UpstreamHead

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def decode_error(head: UpstreamHead, body: bytes) -> UpstreamError:
    """The error that a response with a status other than 200 stands for."""
    try:
        error = json.decode_object(body).get("error")
    except ValueError:
        error = None
    return error_of(error if isinstance(error, dict) else {}, head)


def error_of(error: dict[str, Any], head: UpstreamHead | None = None) -> UpstreamError:
    """The error that Anthropic's error object stands for; its type decides where no head does."""
    message = error.get("message")
    message = message if isinstance(message, str) else ""
    known = _STATUS.get(str(error.get("type")), 502)
    status = head.status if head and head.status != 200 else known
    return worded(status, message, head.retry_headers() if head else ())
