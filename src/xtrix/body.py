"""Checks a request's body before it is read: its compression and its size."""

from xtrix.errors import ApiError, ClientError, no_memory
from xtrix.http import RequestHead
from xtrix.steps import Failure

BODY_SECONDS = 30.0
"""The longest time between two pieces of a request's body."""

WHOLE_BODY_SECONDS = 600.0
"""The longest time for the whole body, which holds memory meanwhile."""

MAX_READ_BYTES = 5_000_000
"""The most bytes of a body without its long content. To rewrite 5 MB of JSON takes an isolate's
memory to 78 MB of its 128, 10 MB to 113 (measured)."""

CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
"""The values of `content-encoding` that are accepted, and the runtime's names for them."""


def coding_of(head: RequestHead) -> str | None:
    """The compression of the body; None for none. Raises ClientError."""
    named = head.headers.get("content-encoding", "").strip().lower()
    if named in {"", "identity"}:
        return None
    if named not in CODINGS:
        message = "A request body may be compressed with gzip or deflate only, and once."
        raise ClientError(415, "unsupported_content_encoding", message)
    return CODINGS[named]


def check_head(head: RequestHead, limit: int) -> None:
    """Raises ClientError if the head already shows that the body is not acceptable."""
    coding_of(head)
    declared = head.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)


def most_read(limit: int) -> int:
    """The most bytes of a body of up to `limit` bytes, besides its long content."""
    return min(limit, MAX_READ_BYTES)


def unread(failure: Failure, limit: int, most: int | None = None) -> ApiError:
    """The error for a body that could not be read because of `failure`.

    `most` is the limit for the rest of a body whose long content is left out.
    """
    if failure is Failure.SIZE:
        return too_large(limit, most)
    if failure is Failure.CODING:
        message = "The request's body is not compressed as its content-encoding says."
        return ClientError(400, "invalid_content_encoding", message)
    if failure is Failure.MEMORY:
        return no_memory()
    return ClientError(408, "request_timeout", "The request's body did not come whole.")


def too_large(limit: int, most: int | None = None) -> ClientError:
    """The error for a body over the `limit` in bytes. `most` is as in `unread`."""
    message = f"The request body is larger than the {limit} bytes this gateway takes"
    if most is not None and most < limit:
        message += f", or what is no image and no file in it than {most}"
    message += "."
    return ClientError(413, "request_too_large", message)
