"""Passes an answer on to the client as it is: bytes of any type, whole or as they come.

Only two things are changed: an upstream's secrets are hidden, also if a piece ends inside of one,
and embeddings are converted if the client wants another form. The beginning of JSON is held until
it is whole or long. So a fault can still set the status, and missing members of a short answer are
filled in. After that, an answer that breaks off breaks the connection, because it must not look
finished.

Progress depends on the type of the answer. Every byte of audio counts. In a stream of events only
data counts, because comments could be sent for ever. Any other body must be whole in time.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from xtrix import errors, json
from xtrix.answer import SERVED_UNKNOWN, Usage
from xtrix.errors import ApiError, Headers, UpstreamError, bad_response
from xtrix.http import EVENT_STREAM, UpstreamHead
from xtrix.openai.errors import decode_error
from xtrix.redact import PieceRedactor
from xtrix.relay import SilenceLimits
from xtrix.vectors import Vectors

_HELD = 65_536
_USAGE = {
    "prompt": re.compile(rb'"(?:prompt|input)_tokens"\s*:\s*(\d{1,15})\b'),
    "completion": re.compile(rb'"(?:completion|output)_tokens"\s*:\s*(\d{1,15})\b'),
}
_FINISH_REASON = re.compile(rb'"finish_reason"\s*:\s*"([a-z_]{1,40})"')
_TEXT = re.compile(rb'"text"\s*:\s*"((?:[^"\\]|\\.)*)')
"""The text of a completion; of one that comes in pieces, almost all of it."""
_COUNTED = 2048
"""The bytes at both ends of an answer in which its usage is looked for."""
_AUDIO = ("audio/", "application/octet-stream")
_LINE_END = re.compile(rb"[\r\n]+")
_DATA = b"data:"


class Upload(NamedTuple):
    """The part of a request's body that has not come yet when the upstream is called."""

    screen: "Screen"
    length: int | None
    """The bytes of the whole body; None if that is not known."""
    seconds: float
    """The most seconds between two pieces."""


class Screen:
    """Checks what a client sends while it is passed on to the upstream."""

    fault: ApiError | None = None
    """Why the rest may not be passed on."""

    def passes(self, data: bytes) -> bool:
        """Whether `data`, the next piece, may be passed on."""
        raise NotImplementedError


class Forwarded(NamedTuple):
    """What is known about a call whose answer is passed on as it is."""

    answers: tuple[str, ...]
    """Patterns of the content types that it may have. Without a content type it counts as the
    first."""
    vectors: str | None = None
    """The form in which the client wants embeddings: `float` or `base64`."""
    upload: Upload | None = None
    fill: Callable[[Any], bytes | None] | None = None
    """Fills in missing members of the JSON of a whole answer; returns None if nothing is
    missing."""


class Passage:
    """One such answer."""

    status = 200
    unknown_stop_reason = None
    served = SERVED_UNKNOWN

    def __init__(
        self,
        forwarded: Forwarded,
        head: UpstreamHead,
        redactor: PieceRedactor,
        headers: Headers,
        limits: SilenceLimits,
    ) -> None:
        kind = head.content_type or forwarded.answers[0]
        self.headers = (("content-type", kind), *headers)
        self.begun = self.over = False
        self.error: ApiError | None = None
        self._head = head
        self._fill = forwarded.fill
        self._redactor = redactor
        self._vectors = Vectors(forwarded.vectors) if forwarded.vectors else None
        self._limits = limits
        bare = kind.partition(";")[0].strip().lower()
        self._is_json = bare == "application/json"
        self._is_stream = bare == EVENT_STREAM
        self._is_counted = self._is_json or self._is_stream
        self._is_audio = bare.startswith(_AUDIO)
        self._held: list[bytes] = []
        self._size = 0
        self.characters = 0
        """The number of characters of a completion's text."""
        self._first = self._last = b""
        self._line = b""
        """The beginning of an event stream's last line."""
        self._heard = self._fed = 0
        self._seen_advanced = self._advanced = 0
        self._last_heard: float | None = None
        self._last_advanced = 0.0

    @property
    def is_drained(self) -> bool:
        """Whether the client gets nothing more."""
        return self.over

    @property
    def finished(self) -> bool:
        """Whether the answer is whole."""
        return self.over and self.error is None

    @property
    def is_cut(self) -> bool:
        """Whether it broke off after the client had got some of it."""
        return self.begun and self.error is not None

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why each completion ended, as far as its first and last bytes tell it."""
        return tuple(it.decode() for it in _FINISH_REASON.findall(self._first + self._last))

    @property
    def usage(self) -> Usage:
        """The usage that it reports."""
        text = self._first + self._last
        counts = {name: form.findall(text) for name, form in _USAGE.items()}
        return Usage(**{name: int(found[-1]) for name, found in counts.items() if found})

    @property
    def tick_seconds(self) -> float:
        """How often `tick` must be called, in seconds."""
        return self._limits.tick_seconds

    def feed(self, data: bytes) -> bytes:
        """The part of `data`, and of what was held, that can go to the client."""
        self._fed += 1
        self._advanced += self._is_audio or (self._is_stream and self._has_data(data))
        try:
            changed = self._vectors.feed(data) if self._vectors else data
        except UpstreamError as error:
            return self._fail(error)
        return self._pass(self._redactor.feed(changed))

    def close(self, broken: ApiError | None = None) -> bytes:
        """The last part, at the upstream's end, or if it is `broken`."""
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
            try:
                last = self._checked(last)
            except UpstreamError as error:
                return self._fail(error)
        self._count(last)
        self.begun = self.over = True
        return last

    def crash(self) -> bytes:
        """The end after our own fault."""
        return self._fail(errors.internal_error())

    def tick(self, now: float, *, reading: bool = True) -> bytes:
        """Ends it if nothing has come for too long. The first call starts the clock.

        `now` is in seconds; `reading` says that the upstream is waited for, and not the client.
        """
        if self._last_heard is None or not reading:
            self._last_heard = self._last_advanced = now
        if self._heard != self._fed:
            self._heard, self._last_heard = self._fed, now
        if self._seen_advanced != self._advanced:
            self._seen_advanced, self._last_advanced = self._advanced, now
        limit = self._limits.idle if self._fed else self._limits.first_byte
        if now - self._last_heard >= limit:
            return self.close(errors.out_of_time("nothing came for too long"))
        if now - self._last_advanced >= self._limits.progress:
            return self.close(errors.out_of_time("its answer went on without an end"))
        return b""

    def _has_data(self, data: bytes) -> bool:
        """Whether `data` contains some of an event's data."""
        *lines, last = _LINE_END.split(self._line + data)
        self._line = last[: len(_DATA)]
        return any(line.startswith(_DATA) and len(line) > len(_DATA) for line in (*lines, last))

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

    def _checked(self, whole: bytes) -> bytes:
        """A `whole` answer, with its missing members. Raises UpstreamError."""
        if not self._is_json:
            return whole
        try:
            answer = json.decode(whole)
        except ValueError:
            raise bad_response("it is not JSON") from None
        if isinstance(answer, dict) and answer.get("error"):
            raise decode_error(self._head, whole)
        return (self._fill and self._fill(answer)) or whole

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
