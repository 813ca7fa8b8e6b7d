"""Measures what a body costs the isolate: its memory, and the time that other requests wait.

Everything is measured from outside: by the kernel's figures for the process, and by a second client
that calls `/health` without pause.
"""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from tests.worker.client import CLIENT_KEYS, question
from tests.worker.memory import memory_of
from tests.worker.scripts import Script, whole
from tests.worker.shapes import ANSWERS, CONVERSATION, Shape, answered, on_the_wire
from tests.worker.speech import DIALECTS
from tests.worker.upstream import Call, Upstream

MEGABYTE = 1_000_000
TIMES = 24
BESIDE = 10 * MEGABYTE
"""Whatever its shape, a body takes no more memory than `TIMES` its bytes and this."""
ISOLATE = 128 * MEGABYTE
"""What Cloudflare gives an isolate (developers.cloudflare.com/workers/platform/limits)."""

V8_FLAGS = ("--max-semi-space-size=1", "--max-old-space-size=64")
"""Megabytes: V8 has to collect its garbage at once, as in an isolate that is near its limit.
Elsewhere it lets 150 MB of it lie, and nobody could tell garbage from what is held."""

_MOST_SECONDS = 120.0
_IN_CRUMBS = "streamed: words, byte by byte"
_HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    f"Authorization: Bearer {CLIENT_KEYS[0]}\r\n"
)


class Worker(Protocol):
    """A Worker that is running."""

    pid: int
    port: int


@dataclass(slots=True)
class Most:
    """Bytes, at the most, while something went on."""

    grown: int = 0
    """By how much the interpreter's memory grew, or all that was resident."""
    isolate: int = 0
    """The interpreter's memory and what grew beside it: what has to fit."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one body, in bytes and seconds."""

    shape: str
    size: int
    """On the wire."""
    status: int
    """What was answered; 0 where the connection broke off."""
    grown: int
    isolate: int
    """As in `Most`."""
    others: int
    """How many other requests were answered meanwhile."""
    wait: float
    """The longest wait of another request."""
    seconds: float

    @property
    def allowed(self) -> int:
        """The memory that it may take."""
        return TIMES * self.size + BESIDE

    @override
    def __str__(self) -> str:
        """The text for a failed test."""
        grown, allowed, isolate = (
            f"{size / MEGABYTE:.1f} MB" for size in (self.grown, self.allowed, self.isolate)
        )
        of = f"{self.size / MEGABYTE:.2f} MB of {self.shape} ({self.status})"
        return f"{of} took {grown} and may take {allowed}; the isolate had {isolate}"


@contextlib.contextmanager
def most_of(worker: Worker) -> Iterator[Most]:
    """Yields what is filled in at the end of the block."""
    most = Most()
    before = memory_of(worker.pid)
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # the kernel forgets the most there was
    yield most
    python = memory_of(worker.pid).python
    grown = most_resident(worker.pid) - before.python - before.rest
    most.grown = max(python - before.python, grown)
    most.isolate = python + max(0, grown - (python - before.python))


def cost_of(worker: Worker, upstream: Upstream, shape: Shape, size: int) -> Cost:
    """Sends the shape with about `size` bytes, while only another client calls `/health`. A shape
    that is an upstream's answer is requested with a small body.
    """
    body = shape.body(size)
    framed = on_the_wire(shape, body)
    if shape.answers:
        upstream.answer(answered(shape, body))
        request = json.dumps(question(shape.model, stream=shape.streamed)).encode()
        request = _with_length(request)
    else:
        upstream.answer_each(_yes)
        chunked = f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + framed
        request = chunked if shape.pieces else _with_length(body)
    began = time.monotonic()
    with most_of(worker) as most, _another_client(worker.port) as waits:
        status = _status_of(_exchange(worker.port, request))
    seconds = time.monotonic() - began
    upstream.calls.clear()
    return Cost(
        shape.name,
        len(framed),
        status,
        most.grown,
        most.isolate,
        len(waits),
        max(waits),
        seconds,
    )


def take_once(worker: Worker, upstream: Upstream, *, in_crumbs: bool = True) -> None:
    """Has a fresh Worker take what it takes once and never gives back, whatever it serves next.

    That is memory for each dialect's first request, and V8's room for garbage: V8 lets garbage lie
    until there is as much of it as there is of what lives. The first stream of 17,000 pieces takes
    14 MB so, and each one after it, of 75,000 pieces too, 1 to 2 MB (workerd 1.20261117, observed).
    `in_crumbs` has such streams come too, which takes seconds.
    """
    for ordinary in CONVERSATION.values():
        cost_of(worker, upstream, ordinary, 10_000)
    for name in CONVERSATION if in_crumbs else ():
        streams = ANSWERS[f"streams, {name}"]
        crumbs = next(shape for shape in streams if shape.name.startswith(_IN_CRUMBS))
        cost_of(worker, upstream, crumbs, 100_000)


def _yes(call: Call) -> Script:
    dialect = next(it for it in DIALECTS if it.path == call.path)
    return whole(200, dialect.whole("Yes."))


def _with_length(body: bytes) -> bytes:
    return f"{_HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _exchange(port: int, request: bytes) -> bytes:
    """Sends the request. Returns the first bytes of the answer when all of it has come. An answer
    that refuses the body may come while it is sent, and the connection may break.
    """
    with socket.create_connection(("127.0.0.1", port), _MOST_SECONDS) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        first = b""
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(2**20):
                first = first or data
        return first


def _status_of(answer: bytes) -> int:
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


@contextlib.contextmanager
def _another_client(port: int) -> Iterator[list[float]]:
    """Yields the seconds that each request of another client takes while the block runs."""
    waits: list[float] = []
    over = threading.Event()
    thread = threading.Thread(target=_ask_without_pause, args=(port, waits, over))
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def _ask_without_pause(port: int, waits: list[float], over: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_MOST_SECONDS)
    while not over.is_set():
        began = time.monotonic()
        connection.request("GET", "/health")
        connection.getresponse().read()
        waits.append(time.monotonic() - began)
        over.wait(0.002)
    connection.close()


def most_resident(pid: int) -> int:
    """The process's peak of resident memory, in bytes, since the last reset."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
