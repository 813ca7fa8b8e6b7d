"""HTTP as values: requests, responses and headers.

Header names and CORS are known here; who is calling, and what a body means, is not. Header names
are in lower case everywhere.
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
"""Headers that are passed on from the upstream to the client, if their values are valid."""

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
    # no-transform and x-accel-buffering stop proxies on the way from buffering a stream.
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
    """The head of a client's request. `headers` has only those of `CLIENT_HEADERS`."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""
    """The text after the `?`, as it came."""


class UpstreamRequest(NamedTuple):
    """One call. `binding` names a service binding to call instead of the network."""

    url: str
    headers: Headers
    body: bytes
    binding: str | None = None
    method: str = "POST"


class UpstreamHead(NamedTuple):
    """The head of an upstream's response. `headers` has only those of `UPSTREAM_HEADERS`."""

    status: int
    headers: Mapping[str, str]

    def retry_headers(self) -> Headers:
        """Its headers about trying again, unchanged, without those whose values are not valid."""
        pairs = ((name, self.headers.get(name, "")) for name in RETRY_HEADERS)
        return tuple((name, value) for name, value in pairs if _MAKES_SENSE[name](value))

    @property
    def content_type(self) -> str | None:
        """The content type of the body; None if it has none."""
        return self.headers.get("content-type")

    def may_be(self, *content_types: str) -> bool:
        """Whether the content type matches one of these patterns, or is absent."""
        declared = self.content_type
        if declared is None:
            return True
        claimed = declared.partition(";")[0].strip().lower()
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
"""Checks the value of each of `RETRY_HEADERS`."""


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
    """The headers of every answer. `own_name` is the protocol's own name for `x-request-id`."""
    headers = (("x-request-id", request_id), ALLOW_ORIGIN, _EXPOSED)
    return ((own_name, request_id), *headers) if own_name else headers


def preflight(head: RequestHead) -> Reply:
    """The answer to a browser's CORS preflight: any origin may call, without cookies.

    The requested headers are echoed, because SDKs in a browser send `x-stainless-*` headers, and
    `*` does not include `authorization` (fetch.spec.whatwg.org, CORS protocol).
    """
    wanted = head.headers.get("access-control-request-headers") or _ALLOWED_HEADERS
    headers = (
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        ("access-control-allow-headers", wanted),
        ("access-control-max-age", "86400"),
        ("vary", "access-control-request-headers"),
    )
    return Reply(204, headers, b"")
