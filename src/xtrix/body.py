"""A request's body before it is read: how it is compressed, and how large it may be."""

from xtrix.errors import ClientError
from xtrix.http import RequestHead
from xtrix.steps import Failure

BODY_SECONDS = 30.0
"""Between two pieces of a request's body."""

MAX_READ_BYTES = 5_000_000
"""Of a body without long content. Rewriting 5 MB of JSON takes an isolate's memory to 78 MB of its
128, 10 MB to 113 (measured)."""

CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
"""The words of `content-encoding` that are understood, and what the platform calls them."""


def coding_of(head: RequestHead) -> str | None:
    """How the body is compressed; None for not at all. Raises ClientError."""
    named = head.headers.get("content-encoding", "").strip().lower()
    if named in {"", "identity"}:
        return None
    if named not in CODINGS:
        message = "A request body may be compressed with gzip or deflate only, and once."
        raise ClientError(415, "unsupported_content_encoding", message)
    return CODINGS[named]


def check_head(head: RequestHead, limit: int) -> None:
    """Raise ClientError for a body that is known to be of no use before it is read."""
    coding_of(head)
    declared = head.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)


def most_read(limit: int) -> int:
    """The bytes that a body of up to `limit` may have beside long content."""
    return min(limit, MAX_READ_BYTES)


def unread(failure: Failure, limit: int, most: int | None = None) -> ClientError:
    """Why a body of which reading came to a `failure` is refused.

    `most` is the limit of what is left without long content, where that is left out.
    """
    if failure is Failure.SIZE:
        return too_large(limit, most)
    if failure is Failure.CODING:
        message = "The request's body is not compressed as its content-encoding says."
        return ClientError(400, "invalid_content_encoding", message)
    return ClientError(408, "request_timeout", "The request's body did not come whole.")


def too_large(limit: int, most: int | None = None) -> ClientError:
    """The refusal of a body over the `limit` in bytes. `most` is as `unread` has it."""
    message = f"The request body is larger than the {limit} bytes this gateway takes"
    if most is not None and most < limit:
        message += f", or what is no image and no file in it than {most}"
    message += "."
    return ClientError(413, "request_too_large", message)
