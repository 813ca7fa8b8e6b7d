"""Scripts: what the simulated upstream does with one call, step by step.

A step is bytes to write, seconds to wait, or a `Step`. The functions frame bodies as HTTP/1.1 does.
What the bodies say is in `speech.py`.
"""

from collections.abc import Iterable, Iterator
from enum import Enum


class Step(Enum):
    """What a script can do besides writing and waiting."""

    GATE = "wait until the test calls Call.release"
    STALL = "say nothing more until the peer leaves"
    CLOSE = "end the connection in order (FIN)"
    RESET = "break the connection off (RST); what the peer has not read yet may be lost"


GATE, STALL, CLOSE, RESET = Step.GATE, Step.STALL, Step.CLOSE, Step.RESET
Script = Iterable[bytes | float | Step]
Headers = Iterable[tuple[str, str]]

JSON: Headers = (("content-type", "application/json"),)
TEXT: Headers = (("content-type", "text/plain"),)
EVENT_STREAM: Headers = (("content-type", "text/event-stream; charset=utf-8"),)
LAST_CHUNK = b"0\r\n\r\n"


def head(status: int, headers: Headers = ()) -> bytes:
    """Returns a status line and headers, as bytes."""
    lines = [f"HTTP/1.1 {status} Simulated", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Returns one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(status: int, body: bytes, headers: Headers = JSON) -> list[bytes]:
    """Returns the script of an answer with a content length."""
    return [head(status, [*headers, ("content-length", str(len(body)))]) + body]


def stream(pieces: Script, headers: Headers = EVENT_STREAM) -> list[bytes | float | Step]:
    """Returns the script of a 200 whose body has these pieces, each in one HTTP chunk. workerd
    passes on each HTTP chunk by itself, so the Worker gets exactly these pieces.
    """
    steps = [chunk(step) if isinstance(step, bytes) else step for step in pieces]
    return [stream_head(headers), *steps, LAST_CHUNK]


def endless(data: bytes, pause: float) -> Iterator[bytes | float]:
    """Returns the script of a stream that repeats this piece for ever, with a pause of these
    seconds.
    """
    yield stream_head()
    while True:
        yield chunk(data)
        yield pause


def stream_head(headers: Headers = EVENT_STREAM) -> bytes:
    """Returns the head of a 200 with a chunked body."""
    return head(200, [*headers, ("transfer-encoding", "chunked")])
