"""Errors as the client sees them: OpenAI's envelope, and whose fault each one is.

Knows what each kind of an upstream's fault means for our client, and what may be done about it.
Refuses to know how a dialect words its errors (its `errors` module does), and does nothing about
any of them (`exchange` does).

Source: platform.openai.com/docs/guides/error-codes, read 2026-11. Both SDKs retry 408, 409, 429
and every 5xx, and obey `x-should-retry` (openai-python 3.3.1 and openai-node 7.5.0, observed).
"""

import re
from typing import NamedTuple

Headers = tuple[tuple[str, str], ...]

TOO_LONG = "context_length_exceeded"
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
    """The operator's fault: every faulty entry is named, no value is shown.

    Without `faults` nothing is named either, for whoever has no key.
    """

    def __init__(self, faults: list[str], status: int = 500) -> None:
        self.faults = faults
        what = "; ".join(faults) or "its log, and who asks with a key, is told what is wrong."
        message = f"This gateway is configured wrongly: {what}"
        super().__init__(status, "configuration_error", message, headers=NEVER_RETRY)


class Policy(NamedTuple):
    """What may be done about a fault."""

    repeat: bool
    """Whether the same call may go well a little later."""
    elsewhere: bool
    """Whether another target may answer what this one could not."""
    client_retry: bool
    """Whether the client is left to judge by the status; else it is told not to try again."""
    counts: bool
    """Whether it says of the target that it fails, whoever asks."""
    passes: bool = False
    """Whether the target may answer the same request some other time."""


TRANSIENT = Policy(repeat=True, elsewhere=True, client_retry=True, counts=True, passes=True)
TARGET_REFUSES = Policy(repeat=False, elsewhere=True, client_retry=False, counts=True)
MODEL_IS_MISSING = Policy(repeat=False, elsewhere=True, client_retry=True, counts=True)
REQUEST_IS_WRONG = Policy(repeat=False, elsewhere=False, client_retry=True, counts=False)
# Its size is nobody's failure, and another target may have room.
DOES_NOT_FIT = Policy(repeat=False, elsewhere=True, client_retry=True, counts=False)
# Our own time is spent: to wait as long again for the same target helps nobody.
TIME_IS_UP = Policy(repeat=False, elsewhere=True, client_retry=True, counts=True, passes=True)
# The upstream has done its work and been paid, and would do the same again.
ANSWER_IS_UNUSABLE = Policy(repeat=False, elsewhere=True, client_retry=False, counts=False)


class Fault(NamedTuple):
    """What one kind of fault becomes."""

    status: int
    error_type: str
    code: str | None
    policy: Policy
    message: str = ""
    """Ours; empty relays the upstream's."""


_REQUEST = "invalid_request_error"
_OUR_KEY = "The upstream refused this gateway's own credentials; your key is not at fault."

FAULTS: dict[int | str, Fault] = {
    400: Fault(400, _REQUEST, None, REQUEST_IS_WRONG),
    401: Fault(502, "api_error", "upstream_authentication_error", TARGET_REFUSES, _OUR_KEY),
    402: Fault(429, "insufficient_quota", "insufficient_quota", TARGET_REFUSES),
    403: Fault(502, "api_error", "upstream_authentication_error", TARGET_REFUSES, _OUR_KEY),
    404: Fault(404, _REQUEST, "model_not_found", MODEL_IS_MISSING),
    408: Fault(504, "timeout", "upstream_timeout", TRANSIENT),
    409: Fault(409, _REQUEST, "conflict", REQUEST_IS_WRONG),
    413: Fault(413, _REQUEST, "request_too_large", REQUEST_IS_WRONG),
    422: Fault(422, _REQUEST, None, REQUEST_IS_WRONG),
    429: Fault(429, "rate_limit_error", "rate_limit_exceeded", TRANSIENT),
    500: Fault(500, "api_error", "upstream_error", TRANSIENT),
    502: Fault(502, "api_error", "upstream_error", TRANSIENT),
    503: Fault(503, "api_error", "upstream_error", TRANSIENT),
    504: Fault(504, "timeout", "upstream_timeout", TRANSIENT),
    529: Fault(503, "service_unavailable_error", "server_is_overloaded", TRANSIENT),
    "another 4xx": Fault(400, _REQUEST, None, REQUEST_IS_WRONG),
    "another status": Fault(502, "api_error", "upstream_error", TRANSIENT),
    "no connection": Fault(502, "api_error", "upstream_connection_error", TRANSIENT),
    "out of time": Fault(504, "timeout", "upstream_timeout", TIME_IS_UP),
    "too long a prompt": Fault(400, _REQUEST, TOO_LONG, DOES_NOT_FIT),
    "cut off": Fault(502, "api_error", "upstream_truncated", TRANSIENT),
    "malformed": Fault(502, "api_error", BAD_RESPONSE, TRANSIENT),
    "of another type": Fault(502, "api_error", BAD_RESPONSE, ANSWER_IS_UNUSABLE),
    "too large": Fault(502, "api_error", BAD_RESPONSE, ANSWER_IS_UNUSABLE),
}
"""By the upstream's status, or by a name where there is none to go by."""


_MAY_HAVE_COST = {
    *("out of time", "cut off", "malformed", "of another type", "too large"),
    # Of Cloudflare, before an upstream that was reached and has not answered
    # (developers.cloudflare.com/support/troubleshooting/http-status-codes, read 2026-11).
    *(520, 524),
}
"""The faults at which an upstream was asked and has not said that it does not answer."""


class UpstreamError(ApiError):
    """The upstream's fault, or the network's on the way to it."""

    def __init__(self, kind: int | str, message: str, *, headers: Headers = ()) -> None:
        """`kind` is the status that the upstream answered or its failure amounts to, or a name."""
        self.knows_no_such_call = kind in {404, 405, 501}
        """Whether the upstream may have nothing at the path that was called."""
        self.may_have_cost = kind in _MAY_HAVE_COST
        """Whether the upstream may have worked on the call, and charge for it all the same."""
        if kind not in FAULTS:
            kind = "another 4xx" if 400 <= int(kind) < 500 else "another status"
        fault = FAULTS[kind]
        self.policy = fault.policy
        """What may be done about it."""
        super().__init__(
            fault.status,
            fault.code,
            fault.message or message,
            param="model" if fault.code == "model_not_found" else None,
            headers=headers if fault.policy.client_retry else (*headers, *NEVER_RETRY),
        )
        self.error_type = fault.error_type
        self.refuses_reasoning = False
        """Whether it refuses the reasoning that the request gives back."""
        self.relayed: dict[str, object] | None = None
        """What the upstream's own error object says beside its message, in its protocol's form, for
        a client of the same protocol. Nothing of it can be a secret; None where it says nothing,
        or where the message is ours."""


_NO_CREDIT = "credit balance is too low"
_TOO_LONG = re.compile(
    r"(prompt|input)( is)? too long"
    r"|maximum (context|prompt) length|greater than the context length"
    r"|exceeds?(ed)? (the )?(available |max |maximum )?context|context window exceeds"
    r"|(token count|prompt)( \([\d,]+\)| of [\d,]+)? exceeds the (maximum number of tokens|limit)"
    r"|prompt exceeds max length|exceeded model token limit",
    re.IGNORECASE,
)
"""Anthropic, Bedrock, Ollama; OpenAI and who follows it, xAI, LM Studio; OpenAI's Responses,
llama.cpp, MiniMax; Gemini, Copilot; z.ai, Moonshot: what their servers, or reports of their users,
say (read 2026-11)."""
_MAY_BE_TOO_LONG = {400, 413, 422}

_REASONING_REFUSED = re.compile(
    r"signature|expected .thinking"
    r"|thinking. (or .redacted_thinking. )?blocks?\b|encrypted.content|reasoning. item",
    re.IGNORECASE,
)
"""What 400s say of reasoning that was issued elsewhere or changed: Anthropic's, Gemini's and
OpenAI's words (anomalyco/opencode#4608, can1357/oh-my-pi#3399, read 2026-11)."""


def worded(
    status: int, message: str, headers: Headers = (), *, code: object = None
) -> UpstreamError:
    """The error of an upstream's `status`, and of what its `message` and `code` say beyond that.

    Two faults have no status of their own: no money left, and a prompt too long for the model.
    """
    kind: int | str = status
    if status == 400 and _NO_CREDIT in message:
        kind = 402
    elif status in _MAY_BE_TOO_LONG and (code == TOO_LONG or _TOO_LONG.search(message)):
        kind = "too long a prompt"
    error = UpstreamError(kind, message or f"The upstream answered {status}.", headers=headers)
    error.refuses_reasoning = status == 400 and _REASONING_REFUSED.search(message) is not None
    return error


def no_connection() -> UpstreamError:
    """The upstream was not reached, or hung up before it answered."""
    return UpstreamError("no connection", "The upstream could not be reached.")


def bad_response(what: str, *, kind: str = "malformed") -> UpstreamError:
    """The upstream answered with something that is not its protocol. `what` says what, unquoted."""
    return UpstreamError(kind, f"The upstream's answer made no sense: {what}.")


def wrong_type(what: str) -> UpstreamError:
    """The upstream answered with something that does not even claim to be its protocol."""
    return bad_response(what, kind="of another type")


def too_large() -> UpstreamError:
    """The upstream's answer is larger than can be rewritten."""
    return bad_response("it is too large", kind="too large")


def truncated() -> UpstreamError:
    """The upstream's stream ended before its end."""
    return UpstreamError("cut off", "The upstream cut its answer off before the end.")


def out_of_time(what: str) -> UpstreamError:
    """A time limit passed. `what` names what did not come."""
    return UpstreamError("out of time", f"The upstream took too long: {what}.")


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
