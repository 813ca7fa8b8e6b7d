"""Turns one upstream stream into the client's events, from the first to the last.

It knows when a stream has begun and ended, and that it always ends with a finish or an error. A
protocol's events are not known here. *Frames* are the text of the client's events.
"""

from collections.abc import Callable

from xtrix.answer import Served, Usage
from xtrix.errors import BAD_RESPONSE, ApiError, bad_response
from xtrix.protocol import Stream
from xtrix.sse import Decoder, Event, EventTooLong
from xtrix.template import Template, learn


class Reframer:
    """Turns the text of one upstream stream, which may be cut anywhere, into the client's frames.

    An error before the first frame is kept in `error`, so that it can set the status. A later error
    is written into the stream, and ends it.
    """

    def __init__(
        self, stream: Stream, redact: Callable[[str], str], *, holds_opening: bool = False
    ) -> None:
        """`redact` removes from an error's message what the client must not see.

        `holds_opening` holds back what only announces an answer, until the answer itself begins.
        """
        self.begun = False
        """Whether the client has got anything."""
        self.over = False
        self.fed = 0
        """The number of pieces that have come."""
        self.advanced = 0
        """How many events contained a part of the answer; see `Stream.advances`."""
        self.characters = 0
        """About how many characters the answer has: text, reasoning and arguments of calls."""
        self.error: ApiError | None = None
        self._stream = stream
        self._redact = redact
        self._holds_opening = holds_opening
        self._opening = ""
        self._sse = Decoder()
        self.template: Template | None = None
        """The template of the last event with text. The caller of `feed` may handle events of this
        form itself, if it reports them with `moved`."""

    @property
    def finished(self) -> bool:
        """Whether the answer is whole, even if the upstream keeps the connection open."""
        return self._stream.finished

    @property
    def usage(self) -> Usage:
        """What the upstream has reported so far."""
        return self._stream.usage

    @property
    def served(self) -> Served:
        """What the upstream has reported so far."""
        return self._stream.served

    @property
    def unknown_stop_reason(self) -> str | None:
        """The upstream's word for why it stopped, if it is not known here."""
        return self._stream.unknown_stop_reason

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why the answer ended, in the client's protocol."""
        return self._stream.finish_reasons

    def feed(self, text: str) -> str:
        """The frames for the events that end in `text`."""
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
        """Whether there are further frames, which `more` gives."""
        return self._stream.waits

    @property
    def is_drained(self) -> bool:
        """Whether the stream has ended and all its frames have been returned."""
        return self.over and not self.waits

    def more(self) -> str:
        """The next of these frames."""
        return self._stream.more()

    def moved(self, count: int, text: str) -> None:
        """Notes events that the fast path has turned into frames.

        There were `count` of them. `text` is all the text in them, as the inside of JSON strings.
        """
        assert self.template is not None
        self.fed += 1
        self.advanced += 1
        self.characters += len(text)
        self.template = self.template.past(count)
        self._stream.moved(count, text)

    def close(self, broken: ApiError | None = None) -> str:
        """The last frames, at the upstream's end; `broken` says why, if the connection broke.

        An answer is whole once its finish reason has come, however the connection ended.
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
        """The last frames of an answer that cannot go on."""
        if self.over:
            return ""
        self.over = True
        self.template = None
        self.error = error
        error.message = self._redact(error.message)
        return self._stream.fail(error) if self.begun else ""

    def _learn(self, text: str, events: list[Event], frames: list[str], *, at_start: bool) -> None:
        """Learns the template of the last of `events`.

        A template that other events may have changed is forgotten.
        """
        known, self.template = self.template, None
        lone_text = self._stream.lone_text
        if lone_text is None or self.over or self.waits or len(frames) != len(events):
            return
        event = _last_event(text, events, at_start=at_start)
        is_same = known and len(events) == 1 and known.frame(lone_text[1:-1]) == frames[-1]
        if known and is_same and (event is None or known.middle is None):
            # The same event again, cut in two or written in another way.
            self.template = known.past(1)
        elif event:
            self.template = learn(event, frames[-1], lone_text, self._stream.sequence)

    def _take(self, events: list[Event], *, last: bool = False) -> list[str]:
        """The frames of each of `events`, as far as they can be read."""
        frames = []
        for event in events:
            if self._stream.finished:
                break
            try:
                frame = self._stream.feed(event)
            except ApiError as error:
                # An event that was cut off at the end only shows that the stream broke.
                if not (last and error.code == BAD_RESPONSE):
                    frames.append(self.fail(error))
                break
            if self._stream.advances:
                self.advanced += 1
            if frame:
                self.characters += len(self._stream.lone_text or frame)
            frames.append(frame if self.begun or not frame else self._begin(frame))
        return frames

    def _begin(self, frame: str) -> str:
        """The first frame for the client, after those that were held back, if `frame` is it."""
        self._opening += frame
        if self._holds_opening and not self.advanced:
            return ""
        self.begun = True
        opening, self._opening = self._opening, ""
        return opening


def _last_event(text: str, events: list[Event], *, at_start: bool) -> str | None:
    """The text of the last of `events` if it is alone between two others; else None.

    `text` is the piece in which they ended; `at_start` says that it begins with the first of them.
    """
    end = "\r\n\r\n" if text.endswith("\r\n\r\n") else "\n\n"
    before = text.rfind(end, 0, -len(end)) if text.endswith(end) else -1
    if before < 0:
        return text if at_start and len(events) == 1 else None
    event = text[before + len(end) :]
    decoder = Decoder()
    decoder.feed("\n")  # after what only the first event of a stream may begin with
    return event if decoder.feed(event) == events[-1:] else None
