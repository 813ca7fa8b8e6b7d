"""Errors as the client sees them: OpenAI's envelope, and whose fault each one is.

Knows what an upstream's status means for our client. Refuses to know how a dialect words its
errors (its `errors` module does) and when to try again (`exchange` does).

Source: platform.openai.com/docs/guides/error-codes, read 2026-11. Both SDKs retry 408, 409, 429
and every 5xx, and obey `x-should-retry` (openai-python 3.3.1 and openai-node 7.5.0, observed).
"""

import re
from typing import NamedTuple

Headers = tuple[tuple[str, str], ...]

BAD_RESPONSE = "bad_upstream_response"
NEVER_RETRY: Headers = (("x-should-retry", "false"),)


class ApiError(Exception):
    """An answer other than success. `param` is the path of the field at fault, None for none."""

    error_type = "api_error"

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        param: str | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = headers

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, as its headers ask; None where they ask for none, or name a date."""
        said = dict(self.headers)
        for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
            try:
                return float(said[name]) / unit
            except (KeyError, ValueError):
                continue
        return None

    def envelope(self) -> dict[str, dict[str, str | None]]:
        """OpenAI's error object."""
        return {
            "error": {
                "message": self.message,
                "type": self.error_type,
                "param": self.param,
                "code": self.code,
            }
        }


class ClientError(ApiError):
    """The client's fault: sending the same again gives the same answer."""

    error_type = "invalid_request_error"


class ConfigurationError(ApiError):
    """The operator's fault: every faulty entry is named, no value is shown."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        message = "This gateway is configured wrongly: " + "; ".join(faults)
        super().__init__(500, "configuration_error", message, headers=NEVER_RETRY)


class UpstreamError(ApiError):
    """The upstream's fault, or the network's on the way to it."""

    def __init__(self, status: int, message: str, *, headers: Headers = ()) -> None:
        """`status` is what the upstream answered, or the one its failure amounts to."""
        fault = FAULTS.get(status) or (UNKNOWN_5XX if status >= 500 else UNKNOWN_4XX)
        super().__init__(
            fault.status or status,
            fault.code,
            fault.message or message,
            param="model" if fault.code == "model_not_found" else None,
            headers=(*headers, *fault.headers),
        )
        self.error_type = fault.error_type
        self.relayed: dict[str, object] | None = None
        """What the upstream's own error object says beside its message, in its protocol's form, for
        a client of the same protocol. Nothing of it can be a secret; None where it says nothing,
        or where the message is ours."""
        self._upstream_status = status

    @property
    def again(self) -> bool:
        """Whether the same call may go well a little later."""
        return self._upstream_status >= 500 or self._upstream_status in {408, 429}

    @property
    def elsewhere(self) -> bool:
        """Whether another target may answer what this one could not."""
        return self.again or self._upstream_status in {401, 402, 403, 404}


class Fault(NamedTuple):
    """What one upstream status becomes."""

    status: int
    """Ours; 0 keeps the upstream's."""
    error_type: str
    code: str | None
    message: str = ""
    """Ours; empty relays the upstream's."""
    headers: Headers = ()


_REQUEST = "invalid_request_error"
_OUR_KEY = "The upstream refused this gateway's own credentials; your key is not at fault."

FAULTS = {
    400: Fault(400, _REQUEST, None),
    401: Fault(502, "api_error", "upstream_authentication_error", _OUR_KEY, NEVER_RETRY),
    402: Fault(429, "insufficient_quota", "insufficient_quota", headers=NEVER_RETRY),
    403: Fault(502, "api_error", "upstream_authentication_error", _OUR_KEY, NEVER_RETRY),
    404: Fault(404, _REQUEST, "model_not_found"),
    408: Fault(504, "timeout", "upstream_timeout"),
    409: Fault(409, _REQUEST, "conflict"),
    413: Fault(413, _REQUEST, "request_too_large"),
    422: Fault(422, _REQUEST, None),
    429: Fault(429, "rate_limit_error", "rate_limit_exceeded"),
    500: Fault(500, "api_error", "upstream_error"),
    502: Fault(502, "api_error", "upstream_error"),
    503: Fault(503, "api_error", "upstream_error"),
    504: Fault(504, "timeout", "upstream_timeout"),
    529: Fault(503, "service_unavailable_error", "server_is_overloaded"),
}
UNKNOWN_4XX = Fault(400, _REQUEST, None)
UNKNOWN_5XX = Fault(502, "api_error", "upstream_error")


_NO_CREDIT = "credit balance is too low"
_TOO_LONG = re.compile(
    r"prompt is too long|maximum context length|exceeds? (the )?(available )?context", re.IGNORECASE
)


def worded(status: int, message: str, headers: Headers = ()) -> UpstreamError:
    """The error of an upstream's `status`, and of what its `message` says beyond that.

    Two faults have no status of their own: no money left, and a prompt too long for the model.
    """
    if status == 400 and _NO_CREDIT in message:
        status = 402
    error = UpstreamError(status, message or f"The upstream answered {status}.", headers=headers)
    if error.status == 400 and _TOO_LONG.search(message):
        error.code = "context_length_exceeded"
    return error


def no_connection() -> UpstreamError:
    """The upstream was not reached, or hung up before it answered."""
    return _bad_gateway("upstream_connection_error", "The upstream could not be reached.")


def bad_response(what: str) -> UpstreamError:
    """The upstream answered with something that is not its protocol. `what` says what, unquoted."""
    return _bad_gateway(BAD_RESPONSE, f"The upstream's answer made no sense: {what}.")


def truncated() -> UpstreamError:
    """The upstream's stream ended before its end."""
    return _bad_gateway("upstream_truncated", "The upstream cut its answer off before the end.")


def out_of_time(what: str) -> UpstreamError:
    """A time limit passed. `what` names what did not come."""
    return UpstreamError(504, f"The upstream took too long: {what}.")


def _bad_gateway(code: str, message: str) -> UpstreamError:
    error = UpstreamError(502, message)
    error.code = code
    return error


def internal_error() -> ApiError:
    """Our own fault, with nothing of its cause in it."""
    return ApiError(500, "internal_error", "The gateway failed; its log says why.")


def unsupported(param: str, why: str, *, value: bool = False) -> ClientError:
    """What `param` asks for cannot be had; `value` when only this value of it cannot."""
    code = "unsupported_value" if value else "unsupported_parameter"
    return ClientError(400, code, f"'{param}' is not supported: {why}", param=param)


def invalid(param: str, why: str) -> ClientError:
    """What `param` says is wrong in itself."""
    return ClientError(400, "invalid_value", f"Invalid '{param}': {why}", param=param)


def invalid_type(param: str, why: str) -> ClientError:
    """What `param` says is of another JSON type than it has to be."""
    return ClientError(400, "invalid_type", f"Invalid type for '{param}': {why}", param=param)
