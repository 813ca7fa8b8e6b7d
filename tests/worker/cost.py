"""What a body costs the isolate that takes it: its memory, and the time that all others wait.

Everything is seen from outside: the kernel's books on the process, and the answers to a second
client that asks for `/health` without pause.
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

from tests.worker.client import CLIENT_KEYS, Client, question
from tests.worker.memory import memory_of
from tests.worker.shapes import Shape, in_chunks, on_the_wire
from tests.worker.upstream import Upstream

MEGABYTE = 1_000_000
TIMES = 24
BESIDE = 10 * MEGABYTE
"""Whatever its shape, a body takes no more memory than `TIMES` its bytes and this."""
ISOLATE = 128 * MEGABYTE
"""What Cloudflare gives an isolate (developers.cloudflare.com/workers/platform/limits)."""

_MOST_SECONDS = 120.0
_HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    f"Authorization: Bearer {CLIENT_KEYS[0]}\r\n"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one body. Bytes and seconds."""

    shape: str
    size: int
    status: int
    """What was answered; 0 where the connection broke off."""
    python: int
    """By how much the interpreter's memory grew."""
    grown: int
    """The same of all that was resident, at the most."""
    isolate: int
    """The interpreter's memory and what else grew beside it, at the most: it must fit."""
    wait: float
    """The longest wait of another request."""
    seconds: float

    @property
    def allowed(self) -> int:
        """The memory that it may take."""
        return TIMES * self.size + BESIDE


def cost_of(worker: Client, pid: int, upstream: Upstream, shape: Shape, size: int) -> Cost:
    """Sends the shape with about `size` bytes, alone but for a client that asks for `/health`.

    A shape with an upstream's answer is asked for by a small request.
    """
    request, size = _request(upstream, shape, size)
    before = memory_of(pid)
    resident = before.python + before.rest
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the kernel forgets the most there was
    began = time.monotonic()
    with _another_client(worker.port) as waits:
        status = _status_of(_exchange(worker.port, request))
    seconds = time.monotonic() - began
    after = memory_of(pid)
    python = after.python - before.python
    grown = most_resident(pid) - resident
    return Cost(
        shape.name,
        size,
        status,
        python,
        max(python, grown),
        after.python + max(0, grown - python),
        max(waits),
        seconds,
    )


def _request(upstream: Upstream, shape: Shape, size: int) -> tuple[bytes, int]:
    """The bytes of the request, and how many of them, or of its answer, are counted."""
    if shape.answers:
        upstream.answer(on_the_wire(shape, size))
        body = json.dumps(question(shape.model, stream=shape.streamed)).encode()
        return _with_length(body), len(shape.body(size))
    body = shape.body(size)
    if shape.pieces:
        head = f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
        return head + in_chunks(body, shape.pieces), len(body)
    return _with_length(body), len(body)


def _with_length(body: bytes) -> bytes:
    return f"{_HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _exchange(port: int, request: bytes) -> bytes:
    """Sends the request, and returns the first bytes of the answer when all of it has come.

    What is refused unread may be answered while it is sent, and the connection then broken off.
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
    """Yields the seconds that each request of another client took while the block ran."""
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
    """The most bytes of the process that were resident at once since the kernel last forgot."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
