"""Errors as Responses upstreams word them: whole, as an `error` event, or in a failed response.

An `error` event comes in two forms: the fields in the event itself, as the SDKs' types have it, or
in a member `error`, as OpenAI sends it and Open Responses demands it.

Sources: openai-python 3.57.0, `ResponseError` and `ResponseErrorEvent`, and
platform.openai.com/docs/guides/error-codes (read 2026-11).
"""

from typing import Any

from xtrix import json
from xtrix.errors import UpstreamError, worded
from xtrix.http import UpstreamHead

Json = dict[str, Any]

_STATUS = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "invalid_encrypted_content": 400,
    "bio_policy": 400,
    "cyber_policy": 400,
    "misalignment_policy_violation": 400,
    "data_residency_mismatch": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_base64_image": 400,
    "invalid_image_url": 400,
    "invalid_image_mode": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "image_parse_error": 400,
    "image_content_policy_violation": 400,
    "image_file_too_large": 400,
    "image_file_not_found": 400,
    "unsupported_image_media_type": 400,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
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
    "slow_down": 503,
    "server_error": 500,
    "internal_server_error": 500,
    "service_unavailable_error": 503,
    "vector_store_timeout": 504,
    "overloaded_error": 529,
    "server_is_overloaded": 529,
}
_QUOTA = {"insufficient_quota", "usage_not_included"}


def decode_error(head: UpstreamHead, body: bytes) -> UpstreamError:
    """The error that a response with a status other than 200 stands for."""
    try:
        said = json.decode(body)
    except ValueError:
        said = None
    return error_of(said.get("error", said) if isinstance(said, dict) else None, head)


def error_of(said: object, head: UpstreamHead | None = None) -> UpstreamError:
    """The error that an upstream's error object stands for; its words decide where no head does.

    `said` is an object, or the message alone; anything else says nothing.
    """
    error: Json = said if isinstance(said, dict) else {"message": said}
    words = [error.get("code"), error.get("type")]
    status = head.status if head and head.status != 200 else _status(words)
    if any(isinstance(each, str) and each in _QUOTA for each in words):
        status = 402
    message = error.get("message")
    headers = head.retry_headers() if head else ()
    failure = worded(status, message if isinstance(message, str) else "", headers)
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
