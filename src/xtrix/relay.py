"""An answer that is streamed: upstream text in, the client's frames out, and time in between.

Knows when silence has lasted too long and when the client should hear that we are still here.
Time is told in ticks of the shell's clock, so that a piece of data costs no look at it.
"""

from typing import NamedTuple

from xtrix import errors
from xtrix.chunks import KEEP_ALIVE
from xtrix.completions import Usage
from xtrix.errors import ApiError, Headers
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


class Relay:
    """One stream on its way to one client."""

    status = 200

    def __init__(
        self, reframer: Reframer, headers: Headers, patience: Patience, now: float
    ) -> None:
        """`now` is the shell's clock in seconds."""
        self.headers = headers
        self.feed = reframer.feed
        self.close = reframer.close
        self._reframer = reframer
        self._patience = patience
        self._heard = reframer.fed
        self._last_heard = self._last_sent = now

    @property
    def tick_seconds(self) -> float:
        """How often `tick` wants to be called."""
        limits = [
            self._patience.first_byte,
            self._patience.idle,
            self._patience.keep_alive or _LONGEST_TICK,
        ]
        return max(_SHORTEST_TICK, min(_LONGEST_TICK, min(limits) / 4))

    @property
    def begun(self) -> bool:
        """Whether the client has something to see."""
        return self._reframer.begun

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._reframer.over

    @property
    def error(self) -> ApiError | None:
        """What ended the stream, where it did not end well."""
        return self._reframer.error

    @property
    def usage(self) -> Usage:
        """What is known of it so far."""
        return self._reframer.usage

    def crash(self) -> str:
        """The last frames after our own fault."""
        return self._reframer.fail(errors.internal_error())

    def tick(self, now: float) -> str:
        """What is due at `now`: a comment into a long silence, or the end of it."""
        if self.begun and self._heard != self._reframer.fed:
            self._heard = self._reframer.fed
            self._last_heard = self._last_sent = now
            return ""
        if self._reframer.finished:
            # The upstream has said all and does not hang up. The client need not wait for it.
            return self.close()
        limit = self._patience.idle if self.begun else self._patience.first_byte
        if now - self._last_heard >= limit:
            return self.close(errors.out_of_time("nothing came for too long"))
        if (
            self.begun
            and self._patience.keep_alive
            and now - self._last_sent >= self._patience.keep_alive
        ):
            self._last_sent = now
            return KEEP_ALIVE
        return ""
