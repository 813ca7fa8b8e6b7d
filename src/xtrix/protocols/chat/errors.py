"""Errors as OpenAI-compatible upstreams word them, whole or inside a stream.

Sources: platform.openai.com/docs/guides/error-codes and openrouter.ai/docs/api/reference/errors
(read 2026-11): an error object with `message`, `type`, `param`, `code`, where some put a number.
"""

from typing import Any

from xtrix import json
from xtrix.errors import UpstreamError, worded
from xtrix.http import UpstreamHead

_STATUS = {
    "invalid_request_error": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "insufficient_quota": 402,
    "permission_error": 403,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "requests": 429,
    "tokens": 429,
    "server_error": 500,
    "internal_server_error": 500,
    "overloaded_error": 529,
    "server_is_overloaded": 529,
    "service_unavailable_error": 503,
}
_QUOTA = "insufficient_quota"


def decode_error(head: UpstreamHead, body: bytes) -> UpstreamError:
    """The error that a response with a status other than 200 stands for."""
    try:
        said = json.decode(body)
    except ValueError:
        said = None
    if isinstance(said, list) and said:
        said = said[0]  # Gemini's compatible endpoint puts its errors into a list
    error = said.get("error", said) if isinstance(said, dict) else None
    if isinstance(error, str):
        error = {"message": error}
    return error_of(error if isinstance(error, dict) else {}, head)


def error_of(error: dict[str, Any], head: UpstreamHead | None = None) -> UpstreamError:
    """The error that an upstream's error object stands for; its words decide where no head does."""
    words = [error.get("code"), error.get("type")]
    status = head.status if head and head.status != 200 else _status(words)
    if _QUOTA in words:
        status = 402
    said = error.get("message")
    message = said if isinstance(said, str) else ""
    failure = worded(status, message, head.retry_headers() if head else ())
    if failure.error_type == "invalid_request_error":
        failure.code = failure.code or (words[0] if isinstance(words[0], str) else None)
        failure.param = error["param"] if isinstance(error.get("param"), str) else failure.param
    return failure


def _status(words: list[object]) -> int:
    for word in words:
        if isinstance(word, int) and 400 <= word <= 599:
            return word
        if isinstance(word, str) and word in _STATUS:
            return _STATUS[word]
    return 502
