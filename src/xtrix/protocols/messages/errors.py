"""Errors in Messages: decodes an upstream's, and encodes ours.

Clients act on them. Anthropic's SDKs choose an exception's type by the status, and retry 408, 409,
429 and every 5xx twice, unless `x-should-retry` says otherwise. Claude Code reads the English text
of a 400 to find out what to leave out. So the whole text of an upstream's error is passed on. If
another protocol says that a prompt is too long, its text is replaced by Anthropic's.

Sources, read 2026-11: platform.claude.com/docs/en/api/errors; anthropic-python 2.14.0.
"""

from xtrix import json
from xtrix.errors import NEVER_RETRY, ApiError, ClientError, Headers, UpstreamError, worded
from xtrix.http import JSON_TYPE, Reply, UpstreamHead
from xtrix.prompt import Json
from xtrix.protocols.messages.frames import frame
from xtrix.protocols.messages.overflow import encode_overflow
from xtrix.redact import word

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    501: "not_supported",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUSES = {kind: status for status, kind in _TYPES.items()}
_BY_CODE = {"insufficient_quota": 402, "server_is_overloaded": 529}
"""Codes with another status than for OpenAI's clients."""
_NEVER_AGAIN = {401, 402, 501}
_LONGEST_WAIT = 600
"""The longest wait, in seconds. The SDKs of 2026-10 sleep for as long as `retry-after` says, even
weeks."""
_OURS = {401, 403}
"""Statuses of an upstream that are about our key. The client gets our own text for them."""
_UNKNOWN = "unknown"


def invalid(path: str, why: str) -> ClientError:
    """The value at `path` is wrong."""
    return ClientError(400, "invalid_value", f"{path}: {why}", param=path)


def unsupported(path: str, why: str) -> ClientError:
    """A model of another protocol cannot do what `path` asks for."""
    return ClientError(400, "unsupported_value", f"{path}: {why}", param=path)


def encode_error(error: ApiError, request_id: str) -> Reply:
    """`error` as an answer, with the headers that tell the SDKs what to do."""
    status = _status(error)
    headers = dict(error.headers)
    if status in _NEVER_AGAIN or (error.retry_after or 0) > _LONGEST_WAIT:
        headers |= dict(NEVER_RETRY)
    body = json.encode_body(_envelope(error, status, request_id))
    return Reply(status, (JSON_TYPE, *headers.items()), body)


def error_frame(error: ApiError, request_id: str) -> str:
    """The last event of a stream that has begun and failed."""
    return frame(_envelope(error, _status(error), request_id))


def decode_error(head: UpstreamHead, body: bytes) -> UpstreamError:
    """The error in a response with a status other than 200."""
    try:
        error = json.decode_object(body).get("error")
    except ValueError:
        error = None
    return error_of(error, head.status, head.retry_headers())


def error_of(error: object, status: int = 200, headers: Headers = ()) -> UpstreamError:
    """The error for an upstream's error object.

    With `status` 200 (in a stream, or in an answer that is an error), its type decides which it is.
    """
    fields = error if isinstance(error, dict) else {}
    kind = fields.get("type")
    if status == 200:
        status = _STATUSES.get(str(kind), 502)
    message = fields.get("message")
    decoded = worded(status, message if isinstance(message, str) else "", headers)
    if fields and status not in _OURS:
        decoded.relayed = _relayed(fields)
    return decoded


def _relayed(error: Json) -> dict[str, object]:
    """The members of an upstream's error object that may be shown.

    These are single words and numbers, but no texts.
    """
    kept: dict[str, object] = {}
    kind = word(error.get("type"))
    if error.get("type") and kind != _UNKNOWN:
        kept["type"] = kind
    details = error.get("details")
    if isinstance(details, dict):
        harmless = {name: value for name, value in details.items() if _is_harmless(name, value)}
        kept |= {"details": harmless} if harmless else {}
    return kept


def _is_harmless(name: str, value: object) -> bool:
    if word(name) == _UNKNOWN:
        return False
    return isinstance(value, int | float) or (
        isinstance(value, str) and bool(value) and word(value) != _UNKNOWN
    )


def _status(error: ApiError) -> int:
    known = isinstance(error, UpstreamError) or error.code == "server_is_overloaded"
    return _BY_CODE.get(error.code or "", error.status) if known else error.status


def _envelope(error: ApiError, status: int, request_id: str) -> Json:
    kind = _TYPES.get(status) or ("api_error" if status >= 500 else _TYPES[400])
    object_: Json = {"type": kind, "message": _message(error)}
    if isinstance(error, UpstreamError) and error.relayed:
        object_ |= error.relayed
    return {"type": "error", "error": object_, "request_id": request_id}


def _message(error: ApiError) -> str:
    """The message for the client.

    It begins with the path, if there is one, because this protocol has no `param`.
    """
    if isinstance(error, UpstreamError):
        return encode_overflow(error)
    path = error.param
    if not path or error.message.startswith(f"{path}: ") or f"'{path}'" in error.message:
        return error.message
    return f"{path}: {error.message}"
