"""Many clients at once, with little processor time: a test machine has two cores for everything."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

from tests.worker.client import CLIENT_KEYS

Body = Mapping[str, object]
Check = Callable[[int, bytes], None]

_HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    f"Authorization: Bearer {CLIENT_KEYS[0]}\r\nContent-Length: "
)


def request_bytes(body: Body) -> bytes:
    """Returns a whole HTTP request."""
    content = json.dumps(body).encode()
    return f"{_HEAD}{len(content)}\r\n\r\n".encode() + content


class Connection:
    """One client's connection, used for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connects."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24))

    def send(self, data: bytes) -> None:
        """Sends bytes, which may be half a request."""
        self._writer.write(data)

    async def sent(self) -> None:
        """Returns when the kernel has taken all that was sent."""
        self._writer.transport.set_write_buffer_limits(high=0)
        await self._writer.drain()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Returns status and body of the answer."""
        self.send(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if b"\r\ntransfer-encoding: chunked" in head:
            return status, await self._chunks()
        length = head.split(b"\r\ncontent-length: ", 1)[1].split(b"\r\n", 1)[0]
        return status, await self._reader.readexactly(int(length))

    async def _chunks(self) -> bytes:
        pieces = []
        while size := int(await self._reader.readline(), 16):
            pieces.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return b"".join(pieces)

    def close(self) -> None:
        """Closes the connection."""
        self._writer.close()

    def reset(self) -> None:
        """Resets the connection (RST)."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def ask_all_at_once(port: int, bodies: Sequence[Body]) -> list[tuple[int, bytes]]:
    """Sends each body on a connection of its own; returns status and body of the answers."""

    async def one(body: Body) -> tuple[int, bytes]:
        connection = await Connection.open(port)
        answer = await connection.ask(request_bytes(body))
        connection.close()
        return answer

    return await asyncio.gather(*map(one, bodies))


async def ask_in_turns(port: int, requests: Iterable[bytes], check: Check, clients: int) -> None:
    """Runs this many clients. Each sends its next request when the last one is answered."""
    queue = iter(requests)

    async def one() -> None:
        connection = await Connection.open(port)
        for request in queue:
            check(*await connection.ask(request))
        connection.close()

    await asyncio.gather(*(one() for _ in range(clients)))
