"""Relays one stream to its client, with its time limits: upstream text in, client frames out.

It decides when a silence has been too long, and when the client should get a keep-alive. The
shell's clock calls `tick` from time to time, so that a piece of data does not have to look at the
time.
"""

from typing import NamedTuple

from xtrix import errors
from xtrix.errors import ApiError, Headers
from xtrix.protocol import Clock, Stream
from xtrix.recorder import Recorder
from xtrix.redact import Redactor
from xtrix.reframe import Reframer

_SHORTEST_TICK = 0.05
_LONGEST_TICK = 1.0


class SilenceLimits(NamedTuple):
    """Seconds of silence."""

    first_byte: float
    """Until the first event that the client gets."""
    idle: float
    """Between two pieces, after the first event."""
    keep_alive: float
    """Until the client gets a comment; 0 sends none."""
    progress: float = 600
    """Between two events that contain a part of the answer: an upstream may send others for
    ever."""
    holds_opening: bool = False
    """Whether the first event must contain a part of the answer. What only announces one is held
    back."""

    @property
    def tick_seconds(self) -> float:
        """How often the clock has to be looked at, so that no limit is noticed much too late."""
        shortest = min(self.first_byte, self.idle, self.keep_alive or self.idle, self.progress)
        return max(_SHORTEST_TICK, min(_LONGEST_TICK, shortest / 4))


class _Counts(NamedTuple):
    """How often each has happened."""

    heard: int = 0
    advanced: int = 0
    sent: int = 0


class _Times(NamedTuple):
    """When each has happened last, in seconds."""

    heard: float
    advanced: float
    sent: float


class Relay(Reframer):
    """One stream on its way to one client."""

    status = 200

    def __init__(
        self,
        stream: Stream,
        redactor: Redactor,
        headers: Headers,
        limits: SilenceLimits,
        clock: Clock,
    ) -> None:
        """`clock` dates the answer; each tick sets it."""
        super().__init__(stream, redactor, holds_opening=limits.holds_opening)
        self._redactor = redactor
        self.headers = headers
        self.limits = limits
        self._clock = clock
        self._tail = ""
        """The end of frames of which more will follow: a secret may begin there."""
        self.recorder: Recorder | None = None
        """Listens to what the client gets; None if nothing of it is kept."""
        self._sent = 0
        """The number of pieces that gave frames for the client."""
        self._seen = _Counts()
        """The counts at the last tick."""
        self._since: _Times | None = None
        self._had_begun = self._had_finished = False
        """Whether the answer had begun and finished at the last tick."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that no answer may contain, in the form of JSON."""
        return self._redactor.in_answers

    @property
    def tick_seconds(self) -> float:
        """How often `tick` wants to be called."""
        return self.limits.tick_seconds

    # `typing.override` came with Python 3.12, and this code also runs on 3.11.
    def feed(self, text: str) -> str:  # type: ignore[explicit-override]
        """See `Reframer`; without an upstream's secrets."""
        frames = self._clean(super().feed(text))
        if frames:
            self._sent += 1
        return frames

    def more(self) -> str:  # type: ignore[explicit-override]
        """See `Reframer`; without an upstream's secrets."""
        return self._clean(super().more())

    def moved(self, count: int, text: str) -> None:  # type: ignore[explicit-override]
        """See `Reframer`."""
        super().moved(count, text)
        self._sent += 1

    def close(  # type: ignore[explicit-override]
        self, broken: ApiError | None = None
    ) -> str:
        """See `Reframer`; without an upstream's secrets."""
        return self._clean(super().close(broken))

    def fail(self, error: ApiError) -> str:  # type: ignore[explicit-override]
        """See `Reframer`; without a secret in any field of `error`."""
        self._redactor.clean(error)
        return super().fail(error)

    def crash(self) -> str:
        """The last frames after our own fault."""
        return self._clean(self.fail(errors.internal_error()))

    def tick(self, now: float, *, reading: bool = True) -> str:
        """What is due at `now` (seconds): a keep-alive, or the end of a stream that is too silent.

        `reading` says that the upstream is waited for. Otherwise the client has not taken the last
        frames yet, and the upstream's silence does not count. The first call starts the clock.
        Until the client has got something, nothing that comes resets it.
        """
        self._clock.now = now
        if self.over:
            return ""
        counts = _Counts(self.fed, self.advanced, self._sent)
        seen, self._seen = self._seen, counts
        begins, self._had_begun = self.begun != self._had_begun, self.begun
        if self._since is None or begins or (self.begun and not reading):
            self._since = _Times(now, now, now)
            return ""
        if self._had_finished:
            # The upstream has sent everything and does not close the connection. The client need
            # not wait for that.
            return self.close()
        self._had_finished = self.finished
        if self.begun:
            moved = zip(seen, counts, self._since, strict=True)
            self._since = _Times(*(at if old == new else now for old, new, at in moved))
        if self._is_overdue(now, self._since):
            return self.close(errors.out_of_time("nothing came for too long"))
        keep_alive = self.limits.keep_alive
        if self.begun and keep_alive and now - self._since.sent >= keep_alive:
            self._since = self._since._replace(sent=now)
            return self._stream.keep_alive
        return ""

    def _clean(self, frames: str) -> str:
        """`frames` without an upstream's secrets.

        A secret that further frames would complete is hidden too.
        """
        text = self._tail + frames
        clean = self._redactor.answer(text)
        if clean is not text:
            self.template = None  # no frame may be made like one of these
        end = max(0, len(clean) - self._redactor.longest) if self.waits else len(clean)
        self._tail, frames = clean[end:], clean[:end]
        if self.recorder:
            self.recorder.feed(frames)
        return frames

    def _is_overdue(self, now: float, since: _Times) -> bool:
        first_byte, idle, _, progress, _ = self.limits
        if not self.begun:
            return now - since.heard >= first_byte
        return now - since.heard >= idle or now - since.advanced >= progress
