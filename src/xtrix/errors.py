"""Errors as the client sees them: OpenAI's error object, and whose fault each error is.

For each kind of upstream fault this module says what the client is told, and whether the call may
be repeated. How a protocol words its errors is known to its module `errors`. Repeating is done by
`exchange`.

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
    """An error answer. `param` is the path of the wrong field; None for none."""

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
        """The seconds that its headers ask to wait; None if they ask for none, or give a date."""
        headers = dict(self.headers)
        for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
            try:
                return float(headers[name]) / unit
            except (KeyError, ValueError):
                continue
        return None

    def envelope(self) -> dict[str, dict[str, str | None]]:
        """OpenAI's error object, inside of its envelope."""
        return {
            "error": {
                "message": self.message,
                "type": self.error_type,
                "param": self.param,
                "code": self.code,
            }
        }


class ClientError(ApiError):
    """The client's fault. The same request would get the same answer again."""

    error_type = "invalid_request_error"


class ConfigurationError(ApiError):
    """The operator's fault. It names every faulty entry, and shows no value.

    Without `faults` it names nothing, for a caller who has no key.
    """

    def __init__(self, faults: list[str], status: int = 500) -> None:
        self.faults = faults
        what = "; ".join(faults) or "its log, and who asks with a key, is told what is wrong."
        message = f"This gateway is configured wrongly: {what}"
        super().__init__(status, "configuration_error", message, headers=NEVER_RETRY)


class Policy(NamedTuple):
    """What may be done about a fault."""

    repeat: bool
    """Whether the same call may succeed a little later."""
    elsewhere: bool
    """Whether another target may succeed."""
    client_retry: bool
    """Whether the client may try again, as far as the status suggests it. If not, the answer says
    so."""
    counts: bool
    """Whether it counts as a failure of the target. Some faults are the request's."""
    passes: bool = False
    """Whether the target may answer the same request at another time."""


TRANSIENT = Policy(repeat=True, elsewhere=True, client_retry=True, counts=True, passes=True)
TARGET_REFUSES = Policy(repeat=False, elsewhere=True, client_retry=False, counts=True)
MODEL_IS_MISSING = Policy(repeat=False, elsewhere=True, client_retry=True, counts=True)
REQUEST_IS_WRONG = Policy(repeat=False, elsewhere=False, client_retry=True, counts=False)
# A request that is too long is not the target's failure, and another target may have room for it.
DOES_NOT_FIT = Policy(repeat=False, elsewhere=True, client_retry=True, counts=False)
# A time limit of ours has passed. To wait as long again for the same target is of no use.
TIME_IS_UP = Policy(repeat=False, elsewhere=True, client_retry=True, counts=True, passes=True)
# The upstream has made an answer and charged for it, and would make the same one again.
ANSWER_IS_UNUSABLE = Policy(repeat=False, elsewhere=True, client_retry=False, counts=False)


# Nothing is wrong with the target. It has made an answer already, and may charge for it.
OURS_ALONE = Policy(repeat=False, elsewhere=False, client_retry=True, counts=False)


class Fault(NamedTuple):
    """What the client gets for one kind of fault."""

    status: int
    error_type: str
    code: str | None
    policy: Policy
    message: str = ""
    """Our own message; empty passes on the upstream's."""


_REQUEST = "invalid_request_error"
_NO_MEMORY = "The gateway holds as many large bodies as it has memory for; try again."
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
    "no memory": Fault(503, "api_error", "overloaded", OURS_ALONE, _NO_MEMORY),
}
"""The faults, by the upstream's status, or by a name if there is no status."""


_MAY_HAVE_COST = {
    *("out of time", "cut off", "malformed", "of another type", "too large", "no memory"),
    # Of Cloudflare, before an upstream that was reached and has not answered
    # (developers.cloudflare.com/support/troubleshooting/http-status-codes, read 2026-11).
    *(520, 524),
}
"""The faults at which an upstream was asked and has not said that it does not answer."""


class UpstreamError(ApiError):
    """The upstream's fault, or the network's on the way to it."""

    def __init__(self, kind: int | str, message: str, *, headers: Headers = ()) -> None:
        """`kind` is the upstream's status, the status that its failure amounts to, or a name."""
        self.knows_no_such_call = kind in {404, 405, 501}
        """Whether the upstream may lack the path that was called."""
        self.may_have_cost = kind in _MAY_HAVE_COST
        """Whether the upstream may have done work for the call, and may charge for it."""
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
        """Whether the upstream refuses the reasoning that the request contains."""
        self.relayed: dict[str, object] | None = None
        """Further members of the upstream's own error object, in its protocol's form, for a client
        of the same protocol. They contain nothing that could be a secret. None if there are none,
        or if the message is ours."""


_NO_CREDIT = "credit balance is too low"
_TOO_LONG = re.compile(
    r"(prompt|input)( is)? too long"
    r"|maximum (context|prompt) length|greater than the context length"
    r"|exceeds?(ed)? (the )?(available |max |maximum )?context|context window exceeds"
    r"|(token count|prompt)( \([\d,]+\)| of [\d,]+)? exceeds the (maximum number of tokens|limit)"
    r"|prompt exceeds max length|exceeded model token limit",
    re.IGNORECASE,
)
"""Messages for a prompt that is too long: of Anthropic, Bedrock, Ollama; OpenAI and its imitators,
xAI, LM Studio; OpenAI's Responses, llama.cpp, MiniMax; Gemini, Copilot; z.ai, Moonshot. They come
from their servers' sources or from reports of their users (read 2026-11)."""
_MAY_BE_TOO_LONG = {400, 413, 422}

_REASONING_REFUSED = re.compile(
    r"signature|expected .thinking"
    r"|thinking. (or .redacted_thinking. )?blocks?\b|encrypted.content|reasoning. item",
    re.IGNORECASE,
)
"""Messages of a 400 for reasoning that was issued elsewhere or changed: of Anthropic, Gemini and
OpenAI (anomalyco/opencode#4608, can1357/oh-my-pi#3399, read 2026-11)."""


def worded(
    status: int, message: str, headers: Headers = (), *, code: object = None
) -> UpstreamError:
    """The error for an upstream's `status`, or for what its `message` or `code` says beyond that.

    Two faults have no status of their own: no money left, and a prompt that is too long for the
    model.
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
    """The upstream was not reached, or closed the connection before it answered."""
    return UpstreamError("no connection", "The upstream could not be reached.")


def bad_response(what: str, *, kind: str = "malformed") -> UpstreamError:
    """The upstream's answer is not valid in its protocol.

    `what` says what it is, without quoting it.
    """
    return UpstreamError(kind, f"The upstream's answer made no sense: {what}.")


def wrong_type(what: str) -> UpstreamError:
    """The upstream's answer has a content type that its protocol does not have."""
    return bad_response(what, kind="of another type")


def too_large() -> UpstreamError:
    """The upstream's answer is too large to be rewritten."""
    return bad_response("it is too large", kind="too large")


def truncated() -> UpstreamError:
    """The upstream's stream broke off."""
    return UpstreamError("cut off", "The upstream cut its answer off before the end.")


def out_of_time(what: str) -> UpstreamError:
    """A time limit passed. `what` says what did not come in time."""
    return UpstreamError("out of time", f"The upstream took too long: {what}.")


def no_memory() -> ApiError:
    """The isolate holds so many large bodies that there was no room for the client's."""
    return ApiError(503, "overloaded", _NO_MEMORY, headers=(("retry-after", "1"),))


def no_memory_for_answer() -> UpstreamError:
    """The same for an upstream's answer."""
    return UpstreamError("no memory", "")


def internal_error() -> ApiError:
    """Our own fault. It does not tell the cause."""
    return ApiError(500, "internal_error", "The gateway failed; its log says why.")


def unsupported(param: str, why: str, *, value: bool = False) -> ClientError:
    """The upstream cannot do what `param` asks for; `value` if other values of it are possible."""
    code = "unsupported_value" if value else "unsupported_parameter"
    return ClientError(400, code, f"'{param}' is not supported: {why}", param=param)


def invalid(param: str, why: str) -> ClientError:
    """The value of `param` is wrong."""
    return ClientError(400, "invalid_value", f"Invalid '{param}': {why}", param=param)


def invalid_type(param: str, why: str) -> ClientError:
    """The value of `param` has the wrong JSON type."""
    return ClientError(400, "invalid_type", f"Invalid type for '{param}': {why}", param=param)
