"""HTTP as values: what came in, what to send on, what to answer.

Knows header names and CORS. Refuses to know who is calling and what a body means.
Header names are lower case throughout.
"""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from xtrix import json
from xtrix.errors import ApiError, Headers

CLIENT_HEADERS = (
    "authorization",
    "x-api-key",
    "anthropic-version",
    "anthropic-beta",
    "x-claude-code-session-id",
    "traceparent",
    "upgrade",
    "content-length",
    "content-type",
    "content-encoding",
    "access-control-request-headers",
)
"""The only headers of a client's request that are read."""

RETRY_HEADERS = ("retry-after", "retry-after-ms", "x-should-retry")
"""Passed from the upstream to the client, where they say what they are for."""

_HTTP_DATE = re.compile(  # RFC 9110, 5.6.7: the one form that may still be sent
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" \d{4} \d\d:\d\d:\d\d GMT"
)
_LONGEST_NUMBER = 20

UPSTREAM_HEADERS = ("content-type", *RETRY_HEADERS)
"""The only headers of an upstream's response that are read."""

JSON_TYPE = ("content-type", "application/json")
EVENT_STREAM = "text/event-stream"
STREAM_HEADERS: Headers = (
    ("content-type", f"{EVENT_STREAM}; charset=utf-8"),
    # no-transform and x-accel-buffering keep proxies on the way from holding frames back.
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
)

ALLOW_ORIGIN = ("access-control-allow-origin", "*")
_EXPOSED = (
    "access-control-expose-headers",
    "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-ignored-parameters, "
    "x-served-by, x-attempts",
)
_ALLOWED_HEADERS = "authorization, x-api-key, content-type, anthropic-version, anthropic-beta"


class RequestHead(NamedTuple):
    """A client's request before its body. `headers` holds only `CLIENT_HEADERS`."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""
    """What follows the `?`, as it came."""


class UpstreamRequest(NamedTuple):
    """One call. `binding` names a service binding to call instead of the network."""

    url: str
    headers: Headers
    body: bytes
    binding: str | None = None
    method: str = "POST"


class UpstreamHead(NamedTuple):
    """An upstream's response before its body. `headers` holds only `UPSTREAM_HEADERS`."""

    status: int
    headers: Mapping[str, str]

    def retry_headers(self) -> Headers:
        """What it said about trying again, as it said it; what is something else is left out."""
        pairs = ((name, self.headers.get(name, "")) for name in RETRY_HEADERS)
        return tuple((name, value) for name, value in pairs if _MAKES_SENSE[name](value))

    @property
    def content_type(self) -> str | None:
        """What the body claims to be; None where it claims nothing."""
        return self.headers.get("content-type")

    def may_be(self, *content_types: str) -> bool:
        """Whether the body does not claim to be anything else than these patterns."""
        if self.content_type is None:
            return True
        claimed = self.content_type.partition(";")[0].strip().lower()
        return claimed in content_types or any(
            fnmatchcase(claimed, content_type) for content_type in content_types
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and len(text) <= _LONGEST_NUMBER


_MAKES_SENSE: dict[str, Callable[[str], bool]] = {
    "retry-after": lambda text: _is_number(text) or bool(_HTTP_DATE.fullmatch(text)),
    "retry-after-ms": _is_number,
    "x-should-retry": lambda text: text in {"true", "false"},
}
"""What each of `RETRY_HEADERS` may say."""


class Reply(NamedTuple):
    """A whole answer to the client."""

    status: int
    headers: Headers
    body: bytes


def reply(value: object, status: int = 200, headers: Headers = ()) -> Reply:
    """`value` as a JSON answer that a browser may read too."""
    return Reply(status, (JSON_TYPE, *headers), json.encode_body(value))


def error_reply(error: ApiError) -> Reply:
    """`error` as an answer."""
    return reply(error.envelope(), error.status, error.headers)


def answer_headers(request_id: str, own_name: str | None = None) -> Headers:
    """What every answer carries. `own_name` is what the client's protocol calls `x-request-id`."""
    headers = (("x-request-id", request_id), ALLOW_ORIGIN, _EXPOSED)
    return ((own_name, request_id), *headers) if own_name else headers


def preflight(head: RequestHead) -> Reply:
    """The answer to a browser that asks whether it may call: any origin may, no cookies.

    The wanted headers are echoed because SDKs in a browser send `x-stainless-*` names of their own
    and `*` does not cover `authorization` (fetch.spec.whatwg.org, CORS protocol).
    """
    wanted = head.headers.get("access-control-request-headers") or _ALLOWED_HEADERS
    headers = (
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        ("access-control-allow-headers", wanted),
        ("access-control-max-age", "86400"),
        ("vary", "access-control-request-headers"),
    )
    return Reply(204, headers, b"")
