"""Reads errors of OpenAI, and of upstreams that follow it, as whole answers and inside of streams.

An error object has `message`, `type`, `param` and `code`; some put a number into `code`. In a
stream of Responses, the error is the event itself or its member `error`.

Sources, read 2026-11: platform.openai.com/docs/guides/error-codes, openai-python 3.57.0
(`ResponseError`), and openrouter.ai/docs/api/reference/errors.
"""

from typing import Any

from xtrix import json
from xtrix.errors import UpstreamError, worded
from xtrix.http import UpstreamHead

_REFUSALS = {
    *("invalid_request_error", "context_length_exceeded", "invalid_prompt"),
    *("invalid_encrypted_content", "bio_policy", "cyber_policy", "data_residency_mismatch"),
    *("misalignment_policy_violation", "image_content_policy_violation"),
    *("invalid_image", "invalid_image_format", "invalid_image_mode", "invalid_image_url"),
    *("invalid_base64_image", "image_too_large", "image_too_small", "image_file_too_large"),
    *("image_parse_error", "image_file_not_found", "empty_image_file"),
    *("unsupported_image_media_type", "failed_to_download_image"),
}
_STATUS = {
    **dict.fromkeys(_REFUSALS, 400),
    "invalid_api_key": 401,
    "authentication_error": 401,
    "insufficient_quota": 402,
    "usage_not_included": 402,
    "permission_error": 403,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "requests": 429,
    "tokens": 429,
    "server_error": 500,
    "internal_server_error": 500,
    "service_unavailable_error": 503,
    "slow_down": 503,
    "vector_store_timeout": 504,
    "overloaded_error": 529,
    "server_is_overloaded": 529,
}
_QUOTA = {"insufficient_quota", "usage_not_included"}
_TOO_BUSY = ("server_is_overloaded", "slow_down")
"""The codes of a 503 that clients are told. At the first one Codex gives up; without a code it
repeats a 503 thirty times (observed with 0.169)."""


def decode_error(head: UpstreamHead, body: bytes) -> UpstreamError:
    """The error in a response with a status other than 200."""
    try:
        answer = json.decode(body)
    except ValueError:
        answer = None
    if isinstance(answer, list) and answer:
        answer = answer[0]  # Gemini's compatible endpoint puts its errors into a list
    return error_of(answer.get("error", answer) if isinstance(answer, dict) else None, head)


def error_of(value: object, head: UpstreamHead | None = None) -> UpstreamError:
    """The error for an upstream's error object. Without a `head` its own words decide which it is.

    `value` is an object, or only the message. Anything else tells nothing.
    """
    error: dict[str, Any] = value if isinstance(value, dict) else {"message": value}
    words = [error.get("code"), error.get("type")]
    status = head.status if head and head.status != 200 else _status(words)
    if any(isinstance(word, str) and word in _QUOTA for word in words):
        status = 402
    message = error.get("message")
    headers = head.retry_headers() if head else ()
    code = words[0] if isinstance(words[0], str) else None
    failure = worded(status, message if isinstance(message, str) else "", headers, code=code)
    if failure.status == 503 and code in _TOO_BUSY:
        failure.code = code
    if failure.error_type == "invalid_request_error":
        failure.code = failure.code or code
        failure.param = error["param"] if isinstance(error.get("param"), str) else failure.param
    return failure


def _status(words: list[object]) -> int:
    for word in words:
        if isinstance(word, int) and 400 <= word <= 599:
            return word
        if isinstance(word, str) and word in _STATUS:
            return _STATUS[word]
    return 502
