r"""Server-sent events: text in, events out.

Written from the HTML standard, section 9.2.6, «Interpreting an event stream»
(html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11). Lines end at CRLF, LF or
CR and nowhere else. `id` and `retry` steer a browser's reconnection and are passed over.

Knows framing only. Refuses to know bytes (the shell's streaming TextDecoder turns them into text)
and what an event's data means.
"""

import re
from typing import NamedTuple

MAX_EVENT_LENGTH = 16 * 1024 * 1024
"""Characters one event may have. A stream that never ends its line would fill the isolate."""

_LINE_END = re.compile(r"\r\n|\n|\r")


class Event(NamedTuple):
    """One dispatched event. `name` is "message" where the stream gave none."""

    name: str
    data: str


class EventTooLong(ValueError):
    """An event passed `MAX_EVENT_LENGTH`."""


class Decoder:
    """Turns the text of one stream, cut anywhere, into events."""

    def __init__(self) -> None:
        self._start = True
        self._after_cr = False
        self._line: list[str] = []
        self._name = ""
        self._data: list[str] = []
        self._held = 0

    @property
    def between_events(self) -> bool:
        """Whether nothing is held: what comes next is the first character of an event."""
        return not (self._start or self._after_cr or self._held or self._name)

    def feed(self, text: str) -> list[Event]:
        """The events that `text` completes, in order. Raises EventTooLong."""
        *lines, rest = _LINE_END.split(self._strip(text))
        if lines and self._line:
            begun = "".join(self._line)
            self._line.clear()
            self._held -= len(begun)
            lines[0] = begun + lines[0]
        events = [event for line in lines if (event := self._take(line))]
        if rest:
            self._line.append(rest)
            self._held += len(rest)
        if self._held > MAX_EVENT_LENGTH:
            raise EventTooLong(f"an event of more than {MAX_EVENT_LENGTH} characters")
        return events

    def close(self) -> list[Event]:
        """The event that the end of the stream cut short, if it has data.

        The standard drops it. Here it is handed out, for upstreams that leave out the last blank
        line; whoever reads it finds out from its data whether it is whole.
        """
        line = "".join(self._line)
        self._line.clear()
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

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
            self._held += len(value) + 1
        elif field == "event":
            self._name = value
        return None

    def _dispatch(self) -> Event | None:
        name, self._name = self._name, ""
        if not self._data:
            return None
        data = "\n".join(self._data)
        self._data.clear()
        self._held = 0
        return Event(name or "message", data)
