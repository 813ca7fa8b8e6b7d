"""A real HTTP/1.1 server that does exactly what a test tells it to, however wrong.

A script says what one call gets (`scripts.py`); its content is not known here. One event loop in
one thread serves every connection, so that hundreds of streams can be open at once. The public
methods may be called from any thread.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TypeVar

from typing_extensions import override

from tests.worker.scripts import TEXT, Script, Step, whole

PATIENCE = 15.0
"""Seconds a test waits for something that should happen at once before it fails."""

BLOCKED_AFTER = 0.3
"""Seconds without progress after which a write counts as held back by a peer that reads slowly."""


_ENDS = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
"""The ways in which a connection's service ends."""

Plan = Callable[["Call"], Script]
_T = TypeVar("_T")


class Call:
    """One request as it reached the server, and what happened to its connection since."""

    def __init__(self, request_line: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.method, self.path, _ = request_line.split(" ", 2)
        self.headers = headers
        """As they came, names in lower case."""
        self.body = body
        self.sent = 0
        """Bytes of the script that the kernel has taken."""
        self.left = threading.Event()
        """Set when the peer has closed its side or reset the connection."""
        self.left_at = 0.0
        """When that was, in seconds of `time.monotonic`."""
        self.blocked = threading.Event()
        """Set when data has waited `BLOCKED_AFTER` seconds for the peer to read."""
        self._loop = asyncio.get_running_loop()
        self._gate = asyncio.Semaphore(0)

    def release(self, times: int = 1) -> None:
        """Opens the next `GATE` of the script, or the next few."""
        for _ in range(times):
            self._loop.call_soon_threadsafe(self._gate.release)

    async def pass_gate(self) -> None:
        """Returns when the test has released the gate."""
        await self._gate.acquire()

    def note_peer_left(self) -> None:
        """Notes the time, once."""
        if not self.left.is_set():
            self.left_at = time.monotonic()
            self.left.set()


class Upstream:
    """The server. With a `greeting` it sends that to every connection and closes it."""

    def __init__(self, greeting: bytes | None = None) -> None:
        self.calls: list[Call] = []
        self.heads = threading.Semaphore(0)
        """Released for each request whose head has come, before its body has."""
        self._greeting = greeting
        self._arrival = threading.Condition()
        self._plan: Plan = _unplanned
        self._talks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        # Accepted sockets inherit it; without it small writes wait 40 ms for the peer's ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = listener.getsockname()[1]
        self._server = self._run(
            self._loop.create_server(lambda: _Watched(self._talk), sock=listener)
        )

    @property
    def base_url(self) -> str:
        """The server's base URL for a provider's row."""
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, script: Script) -> None:
        """Plays this script for every call from now on."""
        self._plan = lambda _: script

    def answer_each(self, plan: Plan) -> None:
        """Plays this script for every call from now on."""
        self._plan = plan

    def wait_for_call(self, number: int = 1) -> Call:
        """Returns the call of that number, counted from 1 since the last `forget`."""
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: len(self.calls) >= number, PATIENCE)
            assert arrived, f"the upstream got {len(self.calls)} calls, not {number}"
            return self.calls[number - 1]

    def forget(self) -> None:
        """Aborts running scripts, and clears the calls and the plan."""
        self._run(self._break_off())
        self.calls = []
        self.heads = threading.Semaphore(0)
        self._plan = _unplanned

    def stop(self) -> None:
        """Ends the server and its thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _run(self, coroutine: Coroutine[None, None, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    async def _close(self) -> None:
        self._server.close()
        await self._break_off()

    async def _break_off(self) -> None:
        talks = list(self._talks)
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until either side has had enough of it."""
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            with contextlib.suppress(*_ENDS):
                if self._greeting is None:
                    await self._serve_calls(reader, writer, task)
                else:
                    writer.write(self._greeting)
        finally:
            self._talks.discard(task)
            writer.close()

    async def _serve_calls(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        task: asyncio.Task[None],
    ) -> None:
        transport = writer.transport
        transport.set_write_buffer_limits(high=0)
        watched = transport.get_protocol()
        assert isinstance(watched, _Watched)
        kept_alive = True
        while kept_alive:
            call = await _read_call(reader, self.heads)
            watched.when_peer_leaves(partial(_peer_left, call, task))
            with self._arrival:
                self.calls.append(call)
                self._arrival.notify_all()
            kept_alive = await _play(self._plan(call), call, writer)


class _Watched(asyncio.StreamReaderProtocol):
    """Streams that notice at once when the peer closes, and not only at the next read or write."""

    def __init__(
        self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> None:
        super().__init__(asyncio.StreamReader(limit=2**20), talk)
        self._gone = False
        self._tell: Callable[[], None] | None = None

    def when_peer_leaves(self, tell: Callable[[], None]) -> None:
        """Calls `tell` when the peer closes, or now if it has closed. The last one set counts."""
        self._tell = tell
        if self._gone:
            tell()

    @override
    def eof_received(self) -> bool | None:
        self._peer_left()
        return super().eof_received()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._peer_left()
        super().connection_lost(exc)

    def _peer_left(self) -> None:
        self._gone = True
        if self._tell is not None:
            self._tell()


def _unplanned(call: Call) -> Script:
    return whole(599, b"no script was set", TEXT)


def _peer_left(call: Call, talk: asyncio.Task[None]) -> None:
    call.note_peer_left()
    talk.cancel()


async def _read_call(reader: asyncio.StreamReader, heads: threading.Semaphore) -> Call:
    """Reads one request, body included."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    heads.release()
    request_line, *lines = head.rstrip("\r\n").split("\r\n")
    pairs = [line.split(":", 1) for line in lines]
    headers = [(name.lower(), value.strip()) for name, value in pairs]
    framing = dict(headers)
    if "transfer-encoding" in framing:
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(framing.get("content-length", 0)))
    return Call(request_line, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(pieces)


async def _play(script: Script, call: Call, writer: asyncio.StreamWriter) -> bool:
    """Goes through the steps. Returns whether the connection can serve another call."""
    for step in script:
        if isinstance(step, bytes):
            await _write(step, call, writer)
        elif isinstance(step, float):
            await asyncio.sleep(step)
        elif step is Step.GATE:
            await call.pass_gate()
        elif step is Step.STALL:
            await asyncio.get_running_loop().create_future()
        else:
            _hang_up(writer, in_order=step is Step.CLOSE)
            return False
    return True


async def _write(data: bytes, call: Call, writer: asyncio.StreamWriter) -> None:
    """Hands the data to the kernel, and returns when it has taken the last of it."""
    writer.write(data)
    if writer.transport.get_write_buffer_size():
        try:
            await asyncio.wait_for(writer.drain(), BLOCKED_AFTER)
        except TimeoutError:
            call.blocked.set()
            await writer.drain()
    else:
        await asyncio.sleep(0)  # lets the other connections have their turn in an endless script
    call.sent += len(data)


def _hang_up(writer: asyncio.StreamWriter, *, in_order: bool) -> None:
    if in_order:
        writer.close()
        return
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
