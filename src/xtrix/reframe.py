"""Upstream data in, client frames out: one upstream stream from its first event to its last.

Knows when a stream has begun and when it is over, and that it ends in a finish or in an error,
never in silence. Refuses to know a dialect's events and the chunk's JSON.
"""

from collections.abc import Callable

from xtrix.answer import Served, Usage
from xtrix.errors import BAD_RESPONSE, ApiError, bad_response
from xtrix.protocol import Stream
from xtrix.sse import Decoder, Event, EventTooLong
from xtrix.template import Template, learn


class Reframer:
    """Turns the text of one upstream stream, cut anywhere, into the client's frames.

    An error before the first frame is kept in `error`, for a real HTTP status; a later one is told
    in the stream, which is then over.
    """

    def __init__(
        self, stream: Stream, redact: Callable[[str], str], *, holds_opening: bool = False
    ) -> None:
        """`redact` takes out of an error's message what the client must not see.

        `holds_opening` keeps back what only announces an answer until the first of the answer.
        """
        self.begun = False
        """Whether the client has been told anything."""
        self.over = False
        self.fed = 0
        """Pieces taken in so far."""
        self.advanced = 0
        """How often the answer was taken further; see `Stream.advances`."""
        self.characters = 0
        """Of what the upstream has said, about: text, reasoning and arguments of calls."""
        self.error: ApiError | None = None
        self._stream = stream
        self._redact = redact
        self._holds_opening = holds_opening
        self._opening = ""
        self._sse = Decoder()
        self.template: Template | None = None
        """What the last event that carried text showed. Whoever feeds text may leave out events of
        this form that stand between others, if it says so with `moved`."""

    @property
    def finished(self) -> bool:
        """Whether the answer is whole, though the upstream may still hold the line."""
        return self._stream.finished

    @property
    def usage(self) -> Usage:
        """What the upstream has said of it so far."""
        return self._stream.usage

    @property
    def served(self) -> Served:
        """What the upstream has said of it so far."""
        return self._stream.served

    @property
    def unknown_stop_reason(self) -> str | None:
        """Why the upstream stopped, where its word for that is not known here."""
        return self._stream.unknown_stop_reason

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why the answer ended, as the client is told."""
        return self._stream.finish_reasons

    def feed(self, text: str) -> str:
        """The frames that `text` completes."""
        self.fed += 1
        if self.over or self._stream.finished:
            return ""
        at_start = self._sse.between_events
        try:
            events = self._sse.feed(text)
        except EventTooLong as failure:
            return self.fail(bad_response(str(failure)))
        frames = self._take(events)
        if events:
            self._learn(text, events, frames, at_start=at_start)
        return "".join(frames)

    @property
    def waits(self) -> bool:
        """Whether there are frames that were too many to be given at once; `more` gives them."""
        return self._stream.waits

    @property
    def is_told(self) -> bool:
        """Whether the stream is over and all its frames are given."""
        return self.over and not self.waits

    def more(self) -> str:
        """The next of those that wait."""
        return self._stream.more()

    def moved(self, count: int, text: str) -> None:
        """Take note of events that became frames by the template.

        There were `count` of them, and `text` is what they carried, all together: the inside of
        JSON strings.
        """
        assert self.template is not None
        self.fed += 1
        self.advanced += 1
        self.characters += len(text)
        self.template = self.template.past(count)
        self._stream.moved(count, text)

    def close(self, broken: ApiError | None = None) -> str:
        """The last frames, at the upstream's end; `broken` says why where it was no clean end.

        An answer whose finish reason has come is whole, however its connection ended.
        """
        if self.over:
            return ""
        frames = "".join(self._take(self._sse.close(), last=True))
        if self.error:
            return frames
        try:
            if not self._stream.finished:
                frames += self._stream.close()
        except ApiError as truncated:
            return frames + self.fail(broken or truncated)
        self.begun = self.over = True
        self.template = None
        return self._opening + frames

    def fail(self, error: ApiError) -> str:
        """The last frames when the answer cannot go on."""
        if self.over:
            return ""
        self.over = True
        self.template = None
        self.error = error
        error.message = self._redact(error.message)
        return self._stream.fail(error) if self.begun else ""

    def _learn(self, text: str, events: list[Event], frames: list[str], *, at_start: bool) -> None:
        """Take what the last of `events` shows, and forget what any other may have changed."""
        known, self.template = self.template, None
        carried = self._stream.carried
        if carried is None or self.over or self.waits or len(frames) != len(events):
            return
        event = _last_event(text, events, at_start=at_start)
        is_same = known and len(events) == 1 and known.frame(carried[1:-1]) == frames[-1]
        if known and is_same and (event is None or known.middle is None):
            # The same event again, cut in two or spelled otherwise.
            self.template = known.past(1)
        elif event:
            self.template = learn(event, frames[-1], carried, self._stream.sequence)

    def _take(self, events: list[Event], *, last: bool = False) -> list[str]:
        """The frames of each of `events`, as far as they are taken."""
        frames = []
        for event in events:
            if self._stream.finished:
                break
            try:
                frame = self._stream.feed(event)
            except ApiError as error:
                # An event that the end cut in two is no more than a sign of the end.
                if not (last and error.code == BAD_RESPONSE):
                    frames.append(self.fail(error))
                break
            if self._stream.advances:
                self.advanced += 1
            if frame:
                self.characters += len(self._stream.carried or frame)
            frames.append(frame if self.begun or not frame else self._begin(frame))
        return frames

    def _begin(self, frame: str) -> str:
        """The first frame that the client gets, behind those that were kept back, if it is that."""
        self._opening += frame
        if self._holds_opening and not self.advanced:
            return ""
        self.begun = True
        opening, self._opening = self._opening, ""
        return opening


def _last_event(text: str, events: list[Event], *, at_start: bool) -> str | None:
    """The text of the last of `events` where it stands alone between two others; else None.

    `text` ended them; `at_start` whether it begins with the first of them.
    """
    end = "\r\n\r\n" if text.endswith("\r\n\r\n") else "\n\n"
    before = text.rfind(end, 0, -len(end)) if text.endswith(end) else -1
    if before < 0:
        return text if at_start and len(events) == 1 else None
    event = text[before + len(end) :]
    decoder = Decoder()
    decoder.feed("\n")  # past what only the first event of a stream may begin with
    return event if decoder.feed(event) == events[-1:] else None
