"""Upstream data in, client frames out: one upstream stream from its first event to its last.

Knows when a stream has begun and when it is over, and that it ends in a finish or in an error,
never in silence. Refuses to know a dialect's events and the chunk's JSON.
"""

from collections.abc import Callable

from xtrix import splice
from xtrix.chunks import error_frames
from xtrix.completions import Usage
from xtrix.dialect import StreamDecoder
from xtrix.errors import BAD_RESPONSE, ApiError, bad_response
from xtrix.sse import Decoder, Event, EventTooLong


class Reframer:
    """Turns the text of one upstream stream, cut anywhere, into the client's frames.

    An error before the first frame is kept in `error`, for a real HTTP status; a later one is told
    in the stream, which is then over.
    """

    def __init__(self, decoder: StreamDecoder, redact: Callable[[str], str]) -> None:
        """`redact` takes out of an error's message what the client must not see."""
        self.begun = False
        self.over = False
        self.fed = 0
        """Pieces taken in so far."""
        self.error: ApiError | None = None
        self._decoder = decoder
        self._redact = redact
        self._sse = Decoder()
        self._known: splice.Splice | None = None
        """What the last event that carried text showed."""
        self._splice: splice.Splice | None = None
        """The same while it may be used: between two events of a stream that goes on."""

    @property
    def finished(self) -> bool:
        """Whether the answer is whole, though the upstream may still hold the line."""
        return self._decoder.finished

    @property
    def usage(self) -> Usage:
        """What the upstream has said of it so far."""
        return self._decoder.usage

    @property
    def unknown_stop_reason(self) -> str | None:
        """Why the upstream stopped, where its word for that is not known here."""
        return self._decoder.unknown_stop_reason

    def feed(self, text: str) -> str:
        """The frames that `text` completes."""
        self.fed += 1
        if self._splice is None:
            return self._feed(text)
        frames, rest = self._splice.feed(text)
        return frames + self._feed(rest) if rest else frames

    def close(self, broken: ApiError | None = None) -> str:
        """The last frames, at the upstream's end; `broken` says why where it was no clean end.

        An answer whose finish reason has come is whole, however its connection ended.
        """
        if self.over:
            return ""
        frames = self._take(self._sse.close(), last=True)
        if self.error:
            return frames
        try:
            if not self._decoder.finished:
                frames += self._decoder.close()
        except ApiError as truncated:
            return frames + self.fail(broken or truncated)
        self.begun = self.over = True
        self._splice = None
        return frames

    def fail(self, error: ApiError) -> str:
        """The last frames when the answer cannot go on."""
        if self.over:
            return ""
        self.over = True
        self._splice = None
        self.error = error
        error.message = self._redact(error.message)
        return error_frames(error) if self.begun else ""

    def _feed(self, text: str) -> str:
        """The general way."""
        if self.over or self._decoder.finished:
            return ""
        at_start = self._sse.between_events
        try:
            events = self._sse.feed(text)
        except EventTooLong as failure:
            return self.fail(bad_response(str(failure)))
        frames = self._take(events)
        between = self._sse.between_events
        if events:
            # What any other event changed may change what the known one's text stands for.
            carried = self._decoder.carried
            alone = at_start and between and len(events) == 1
            self._known = splice.learn(text, frames, carried) if alone and carried else None
        self._splice = self._known if between and not self.over else None
        return frames

    def _take(self, events: list[Event], *, last: bool = False) -> str:
        frames = []
        for event in events:
            if self._decoder.finished:
                break
            try:
                frame = self._decoder.feed(event)
            except ApiError as error:
                # An event that the end cut in two is no more than a sign of the end.
                if not (last and error.code == BAD_RESPONSE):
                    frames.append(self.fail(error))
                break
            if frame:
                self.begun = True
                frames.append(frame)
        return "".join(frames)
