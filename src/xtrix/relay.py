"""An answer that is streamed: upstream text in, the client's frames out, and time in between.

Knows when silence has lasted too long and when the client should hear that we are still here.
Time is told in ticks of the shell's clock, so that a piece of data costs no look at it.
"""

from typing import NamedTuple

from xtrix import errors
from xtrix.errors import ApiError, Headers
from xtrix.protocol import Clock, Stream
from xtrix.redact import Redactor
from xtrix.reframe import Reframer

_SHORTEST_TICK = 0.05
_LONGEST_TICK = 1.0


class Patience(NamedTuple):
    """Seconds of silence."""

    first_byte: float
    """Until the first event."""
    idle: float
    """Between two pieces, once it has come."""
    keep_alive: float
    """Until the client is sent a comment; 0 sends none."""


class Relay(Reframer):
    """One stream on its way to one client."""

    status = 200

    def __init__(
        self,
        stream: Stream,
        redactor: Redactor,
        headers: Headers,
        patience: Patience,
        clock: Clock,
    ) -> None:
        """`clock` is the one that the answer is dated by; each tick sets it."""
        super().__init__(stream, redactor)
        self._redactor = redactor
        self.headers = headers
        self.patience = patience
        self._clock = clock
        self._heard = 0
        self._last_heard: float | None = None
        self._last_sent = 0.0

    @property
    def tick_seconds(self) -> float:
        """How often `tick` wants to be called."""
        first_byte, idle, keep_alive = self.patience
        shortest = min(first_byte, idle, keep_alive or idle)
        return max(_SHORTEST_TICK, min(_LONGEST_TICK, shortest / 4))

    # `typing.override` came with Python 3.12, and this runs on 3.11 too.
    def feed(self, text: str) -> str:  # type: ignore[explicit-override]
        """As a `Reframer`'s, without an upstream's secrets."""
        return self._redactor.answer(super().feed(text))

    def close(  # type: ignore[explicit-override]
        self, broken: ApiError | None = None
    ) -> str:
        """As a `Reframer`'s, without an upstream's secrets."""
        return self._redactor.answer(super().close(broken))

    def fail(self, error: ApiError) -> str:  # type: ignore[explicit-override]
        """As a `Reframer`'s, without a secret in any field of `error`."""
        self._redactor.clean(error)
        return super().fail(error)

    def crash(self) -> str:
        """The last frames after our own fault."""
        return self.fail(errors.internal_error())

    def tick(self, now: float, *, reading: bool = True) -> str:
        """What is due at `now` (seconds): a comment into a long silence, or the end of it.

        `reading` is whether the upstream is waited for. Else it is the client, who has not taken
        the last frames yet, and the upstream's silence is none. The first call starts the clock.
        Until the first event, nothing that comes resets it.
        """
        self._clock.now = now
        heard = self.has_event and (self._heard != self.fed or not reading)
        if self._last_heard is None or heard:
            self._heard = self.fed
            self._last_heard = self._last_sent = now
            return ""
        if self.finished:
            # The upstream has said all and does not hang up. The client need not wait for it.
            return self.close()
        first_byte, idle, keep_alive = self.patience
        if now - self._last_heard >= (idle if self.has_event else first_byte):
            return self.close(errors.out_of_time("nothing came for too long"))
        if self.begun and keep_alive and now - self._last_sent >= keep_alive:
            self._last_sent = now
            return self._stream.keep_alive
        return ""
