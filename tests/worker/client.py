"""A client of the Worker that reads raw bytes, and disconnects in every way. Every answer that it
reads, in any test, is searched for what no answer may contain: a key, a page of HTML, a traceback,
a header that is not on the list.
"""

import contextlib
import http.client
import json
import re
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.worker.upstream import PATIENCE

CLIENT_KEYS = ("sk-client-first-8d1f0c", "sk-client-second-57b2ae")
UPSTREAM_KEYS = {
    "anthropic": "upstream.anthropic.91c4",
    "openai": "sk-upstream-openai-3ea7",
    "openai-responses": "upstream.responses.6bd2",
}
"""One that looks like a key and two that do not."""


def secret_name(dialect: str) -> str:
    """The name of the secret that holds a dialect's key."""
    return f"{dialect.upper().replace('-', '_')}_SECRET"


HEADERS_ALLOWED = re.compile(
    r"content-(type|length)|transfer-encoding|connection|date|cache-control|x-accel-buffering|allow"
    r"|(x-)?request-id|retry-after(-ms)?|x-should-retry|x-ignored-parameters|x-token-count"
    r"|www-authenticate|x-served-by|x-attempts|content-disposition"
    r"|(x|anthropic)-ratelimit-[a-z-]+"
    r"|access-control-(allow|expose)-[a-z]+|access-control-max-age|vary"
)
REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")
DONE = b"data: [DONE]\n\n"
PROMPT = "Say something about plugh."
_KEYS = "|".join(map(re.escape, [*CLIENT_KEYS, *UPSTREAM_KEYS.values()]))
NEVER_TOLD = (
    *("traceback", "<html", "<!doctype", "jsexception", "pyodide"),
    *CLIENT_KEYS,
    *UPSTREAM_KEYS.values(),
)
"""What no answer may hold, in small or capital letters; nor may it name a Python file.

Each is looked for on its own, which takes a twentieth of the time of one expression for all.
"""
_PYTHON_FILE = re.compile(r"\.py\b")
NEVER_LOGGED = re.compile(rf"Traceback|plugh|first words|last ones|{_KEYS}", re.IGNORECASE)
"""What no log may hold; the words are those of `PROMPT` and of `sees.SAID`."""

Json = Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the Worker, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Returns the body of an answer that is not a stream."""
        assert self.headers["content-type"].startswith("application/json"), self
        return json.loads(self.body)

    def error(self) -> Json:
        """Returns the content of `error`. Checks its form."""
        assert self.status >= 400, self
        return error_in(self.json())

    def payloads(self) -> list[Json]:
        """Returns the JSON of the frames. Checks that the stream ends correctly."""
        assert self.status == 200, self
        return payloads_in(self.body)

    def text(self) -> str:
        """Returns the whole text of a stream that ends well."""
        return text_in(self.payloads())


def error_in(value: Json) -> Json:
    """Returns the four fields of an error. Checks its form."""
    assert set(value) == {"error"}, value
    error = value["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str), error
    assert error["message"], error
    assert isinstance(error["type"], str), error
    assert all(isinstance(error[name], str | None) for name in ("param", "code")), error
    return error


def payloads_in(body: bytes) -> list[Json]:
    """Returns the JSON of every frame before `[DONE]`; comments are left out."""
    assert body.endswith(DONE), body[-300:]
    assert body.count(DONE) == 1, "more than one [DONE]"
    frames = body.removesuffix(DONE).split(b"\n\n")
    assert frames.pop() == b""
    data = [frame for frame in frames if not frame.startswith(b":")]
    assert all(frame.startswith(b"data: ") and b"\n" not in frame for frame in data), body
    return [json.loads(frame.removeprefix(b"data: ")) for frame in data]


def text_in(payloads: Sequence[Json]) -> str:
    """Returns the text of the chunks, joined."""
    deltas = [choice["delta"] for chunk in payloads for choice in chunk.get("choices", ())]
    return "".join(delta.get("content") or "" for delta in deltas)


def settled(body: bytes) -> bytes:
    """Returns the stream with equal ids and times, so that two streams can be compared."""
    body = re.sub(rb'"chatcmpl-[0-9a-f]{32}"', b'"chatcmpl-"', body)
    return re.sub(rb'"created":\d+', b'"created":0', body)


class Request:
    """One request that has been sent. A part that takes too long fails the test."""

    def __init__(self, port: int, body: bytes, headers: Mapping[str, str], line: str) -> None:
        method, path = line.split(" ")
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._connection.connect()
        # So that a test of a slow reader need not fill the megabytes that the kernel would allow.
        self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**17)
        # A body that is refused unread cannot be sent to its end; the answer is there all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.request(method, path, body, dict(headers))
        self._socket: socket.socket = self._connection.sock
        self._response: http.client.HTTPResponse | None = None
        self._read: list[bytes] = []

    def response(self) -> http.client.HTTPResponse:
        """Returns the answer's head, when it has come."""
        if self._response is None:
            self._response = self._connection.getresponse()
        return self._response

    def frame(self) -> bytes:
        """Returns the next frame with its blank line, or nothing at the end of the stream."""
        lines = []
        while line := self.response().readline():
            lines.append(line)
            if line == b"\n":
                break
        self._read += lines
        return b"".join(lines)

    def frame_of_text(self) -> bytes:
        """Returns the first frame to come that holds text of the model."""
        while frame := self.frame():
            if b'"content":"' in frame and b'"content":""' not in frame:
                return frame
        raise AssertionError(b"the stream ended without text: " + b"".join(self._read))

    def answer(self) -> Answer:
        """Reads the rest, and returns all of the answer."""
        response = self.response()
        self._read.append(response.read())
        self._connection.close()
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, headers, b"".join(self._read))
        _look_for_what_must_not_be(answer)
        return answer

    def reset(self) -> None:
        """Resets the connection (RST)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Closes the connection normally (FIN)."""
        if self._response is not None:
            self._response.close()
        self._connection.close()
        self._socket.close()


def _look_for_what_must_not_be(answer: Answer) -> None:
    assert all(HEADERS_ALLOWED.fullmatch(name) for name in answer.headers), answer.headers
    assert REQUEST_ID.fullmatch(answer.headers["x-request-id"]), answer.headers
    assert answer.headers["access-control-allow-origin"] == "*"
    text = answer.headers.get("content-type", "").startswith(("application/json", "text/"))
    for held in (answer.body.decode(errors="strict" if text else "replace"), repr(answer.headers)):
        small = held.casefold()
        assert [it for it in NEVER_TOLD if it.casefold() in small] == [], held
        assert not _PYTHON_FILE.search(small), held


class Client:
    """A client of one Worker, with a valid key by default."""

    def __init__(self, port: int) -> None:
        self.port = port

    def open(
        self,
        body: Mapping[str, object] | bytes = b"",
        headers: Mapping[str, str] | None = None,
        line: str = "POST /v1/chat/completions",
    ) -> Request:
        """Sends a request. `headers` replace the key and the content type."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if headers is None:
            headers = {
                "authorization": f"Bearer {CLIENT_KEYS[0]}",
                "content-type": "application/json",
            }
        return Request(self.port, content, headers, line)

    def ask(
        self,
        body: Mapping[str, object] | bytes = b"",
        headers: Mapping[str, str] | None = None,
        line: str = "POST /v1/chat/completions",
    ) -> Answer:
        """Sends a request and reads the whole answer."""
        return self.open(body, headers, line).answer()


def question(model: str, *, stream: bool = False, **more: object) -> dict[str, object]:
    """Returns a small chat request."""
    messages = [{"role": "user", "content": PROMPT}]
    return {"model": model, "messages": messages, **({"stream": True} if stream else {}), **more}
