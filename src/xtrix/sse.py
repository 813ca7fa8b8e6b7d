r"""Decodes server-sent events: text in, events out.

Written from the HTML standard, section 9.2.6, «Interpreting an event stream»
(html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11). Lines end at CRLF, LF or CR
and nowhere else. `id` and `retry` control how a browser reconnects, and are ignored.

Bytes are not known here (the shell's streaming TextDecoder turns them into text), nor what an
event's data means.
"""

import re
from typing import NamedTuple

MAX_EVENT_LENGTH = 6_000_000
"""The most characters of one event. A stream that never ends its line would otherwise fill the
isolate's memory."""

_JOINED_AT_ONCE = 512
_LINE_END = re.compile(r"\r\n|\n|\r")


class _Pieces:
    """A text that comes in pieces.

    A string of one or two characters takes thirty times that in memory. So a few hundred pieces at
    a time are joined.
    """

    def __init__(self) -> None:
        self._joined: list[str] = []
        self._last: list[str] = []

    def add(self, piece: str) -> None:
        self._last.append(piece)
        if len(self._last) == _JOINED_AT_ONCE:
            self._joined.append("".join(self._last))
            self._last.clear()

    def take(self) -> str:
        """Returns all of the text, and forgets it."""
        text = "".join(self._joined) + "".join(self._last)
        self._joined.clear()
        self._last.clear()
        return text


class Event(NamedTuple):
    """One event. `name` is "message" if the stream gave none."""

    name: str
    data: str


class EventTooLong(ValueError):
    """An event has more than `MAX_EVENT_LENGTH` characters."""


class Decoder:
    """Turns the text of one stream, which may be cut anywhere, into events."""

    def __init__(self) -> None:
        self._start = True
        self._after_cr = False
        self._line = _Pieces()
        self._line_length = 0
        self._name = ""
        self._data = _Pieces()
        self._has_data = False
        self._held = 0

    @property
    def between_events(self) -> bool:
        """Whether the next character begins a new event."""
        return not (self._start or self._after_cr or self._held or self._name)

    def feed(self, text: str) -> list[Event]:
        """Returns the events that end in `text`, in order. Raises EventTooLong."""
        *lines, rest = _LINE_END.split(self._strip(text))
        if lines and self._line_length:
            lines[0] = self._take_line() + lines[0]
        events = [event for line in lines if (event := self._take(line))]
        if rest:
            self._line.add(rest)
            self._line_length += len(rest)
            self._held += len(rest)
        if self._held > MAX_EVENT_LENGTH:
            raise EventTooLong(f"an event of more than {MAX_EVENT_LENGTH} characters")
        return events

    def close(self) -> list[Event]:
        """Returns the last event, if the stream ended before the blank line after it.

        The standard drops such an event. Here it is returned, because some upstreams leave out the
        last blank line. The reader of its data finds out whether it is whole.
        """
        line = self._take_line()
        event = (self._take(line) if line else None) or self._dispatch()
        return [event] if event else []

    def _strip(self, text: str) -> str:
        """`text` without a leading byte order mark, and without the LF of a CRLF cut in two."""
        if not text:
            return text
        if self._start:
            self._start = False
            text = text.removeprefix("\ufeff")
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        return text

    def _take_line(self) -> str:
        """Returns the line that has begun."""
        self._held -= self._line_length
        self._line_length = 0
        return self._line.take()

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            if self._has_data:
                self._data.add("\n")
            self._data.add(value)
            self._has_data = True
            self._held += len(value) + 1
        elif field == "event":
            self._name = value
        return None

    def _dispatch(self) -> Event | None:
        name, self._name = self._name, ""
        if not self._has_data:
            return None
        self._has_data = False
        self._held = 0
        return Event(name or "message", self._data.take())
