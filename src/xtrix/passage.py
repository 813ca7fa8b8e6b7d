"""An answer on its way to the client as it is: bytes of any type, whole or as they come.

Nothing is changed but what must not be seen: an upstream's secrets, also where a piece ends within
one, and embeddings in another form than the client's. The beginning of JSON is held until it is
whole or long, so that a fault is still told as one; after that a cut is a connection that breaks,
for nothing may look finished that is not.
"""

import re
from typing import NamedTuple

from xtrix import errors, json
from xtrix.answer import NOTHING_SAID, Usage
from xtrix.errors import ApiError, Headers, UpstreamError, bad_response
from xtrix.http import EVENT_STREAM, UpstreamHead
from xtrix.openai.errors import decode_error
from xtrix.redact import PieceRedactor
from xtrix.relay import Patience
from xtrix.vectors import Vectors

_HELD = 65_536
_USAGE = {
    "prompt": re.compile(rb'"(?:prompt|input)_tokens"\s*:\s*(\d{1,15})\b'),
    "completion": re.compile(rb'"(?:completion|output)_tokens"\s*:\s*(\d{1,15})\b'),
}
_TEXT = re.compile(rb'"text"\s*:\s*"((?:[^"\\]|\\.)*)')
"""What a completion says; of one that is cut into pieces, nearly all."""
_COUNTED = 2048
"""Bytes at either end of an answer in which its usage is looked for."""
_SHORTEST_TICK = 0.05
_LONGEST_TICK = 1.0


class Upload(NamedTuple):
    """What of a request's body is still to come when the upstream is called."""

    screen: "Screen"
    length: int | None
    """Bytes of the whole body; None where nobody knows."""
    seconds: float
    """Between two pieces."""


class Screen:
    """Looks at what a client sends while it goes on to the upstream."""

    fault: ApiError | None = None
    """Why the rest may not go on."""

    def passes(self, data: bytes) -> bool:
        """Whether `data`, which is what came next, may go on."""
        raise NotImplementedError


class Forwarded(NamedTuple):
    """What is to be known of a call whose answer goes to the client as it is."""

    answers: tuple[str, ...]
    """Patterns of the content types it may have; of one without, the first."""
    vectors: str | None = None
    """The form in which the client wants embeddings: `float` or `base64`."""
    upload: Upload | None = None


class Passage:
    """One such answer."""

    status = 200
    unknown_stop_reason = None
    served = NOTHING_SAID

    def __init__(
        self,
        forwarded: Forwarded,
        head: UpstreamHead,
        redactor: PieceRedactor,
        headers: Headers,
        patience: Patience,
    ) -> None:
        kind = head.content_type or forwarded.answers[0]
        self.headers = (("content-type", kind), *headers)
        self.begun = self.over = False
        self.error: ApiError | None = None
        self._head = head
        self._redactor = redactor
        self._vectors = Vectors(forwarded.vectors) if forwarded.vectors else None
        self._patience = patience
        bare = kind.partition(";")[0].strip().lower()
        self._is_json = bare == "application/json"
        self._is_counted = self._is_json or bare == EVENT_STREAM
        self._held: list[bytes] = []
        self._size = 0
        self.characters = 0
        """Of a completion's text."""
        self._first = self._last = b""
        self._heard = self._fed = 0
        self._last_heard: float | None = None

    @property
    def is_told(self) -> bool:
        """Whether nothing more goes to the client."""
        return self.over

    @property
    def finished(self) -> bool:
        """Whether the answer is whole."""
        return self.over and self.error is None

    @property
    def is_cut(self) -> bool:
        """Whether it broke off after the client has got some of it."""
        return self.begun and self.error is not None

    @property
    def ending(self) -> str:
        """Its first and its last bytes, where they are text."""
        return (self._first + self._last).decode(errors="replace")

    @property
    def usage(self) -> Usage:
        """The tokens that it speaks of."""
        said = self._first + self._last
        counts = {name: form.findall(said) for name, form in _USAGE.items()}
        return Usage(**{name: int(found[-1]) for name, found in counts.items() if found})

    @property
    def tick_seconds(self) -> float:
        """How often `tick` wants to be called."""
        shortest = min(self._patience.first_byte, self._patience.idle)
        return max(_SHORTEST_TICK, min(_LONGEST_TICK, shortest / 4))

    def feed(self, data: bytes) -> bytes:
        """What of `data` and of what was held can go to the client."""
        self._fed += 1
        try:
            changed = self._vectors.feed(data) if self._vectors else data
        except UpstreamError as error:
            return self._fail(error)
        return self._pass(self._redactor.feed(changed))

    def close(self, broken: ApiError | None = None) -> bytes:
        """The last of it, at the upstream's end, or where it is `broken`."""
        if self.over:
            return b""
        if broken:
            return self._fail(broken)
        rest = self._vectors.close() if self._vectors else b""
        last = self._redactor.feed(rest) + self._redactor.close()
        if not self.begun:
            self._held.append(last)
            last = b"".join(self._held)
            self._held.clear()
            if fault := self._fault_in(last):
                return self._fail(fault)
        self._count(last)
        self.begun = self.over = True
        return last

    def crash(self) -> bytes:
        """The end after our own fault."""
        return self._fail(errors.internal_error())

    def tick(self, now: float, *, reading: bool = True) -> bytes:
        """End it where too long nothing has come. The first call starts the clock.

        `now` is in seconds; `reading` is whether the upstream is waited for, and not the client.
        """
        if self._last_heard is None or self._heard != self._fed or not reading:
            self._heard, self._last_heard = self._fed, now
            return b""
        limit = self._patience.idle if self._fed else self._patience.first_byte
        if now - self._last_heard >= limit:
            return self.close(errors.out_of_time("nothing came for too long"))
        return b""

    def _pass(self, data: bytes) -> bytes:
        if self.begun or not self._is_json:
            self.begun = self.begun or bool(data)
            self._count(data)
            return data
        self._held.append(data)
        self._size += len(data)
        if self._size <= _HELD:
            return b""
        self.begun = True
        data = b"".join(self._held)
        self._held.clear()
        self._count(data)
        return data

    def _fault_in(self, whole: bytes) -> ApiError | None:
        """What is wrong with an answer that is here as a `whole`."""
        if not self._is_json:
            return None
        try:
            said = json.decode(whole)
        except ValueError:
            return bad_response("it is not JSON")
        if isinstance(said, dict) and said.get("error"):
            return decode_error(self._head, whole)
        return None

    def _fail(self, error: ApiError) -> bytes:
        self.error, self.over = error, True
        self._held.clear()
        return b""

    def _count(self, data: bytes) -> None:
        if self._is_counted:
            self.characters += sum(map(len, _TEXT.findall(data)))
            room = _COUNTED - len(self._first)
            self._first += data[:room]
            self._last = (self._last + data[room:][-_COUNTED:])[-_COUNTED:]
