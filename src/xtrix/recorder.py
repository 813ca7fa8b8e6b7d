"""Listens to a stream of Responses for the object that is to be kept.

The last event contains the whole response as the client gets it. The recorder looks at nothing
else.
"""

from xtrix import archive
from xtrix.json import Json, decode_object, encode_line

_EVENTS = ("event: response.completed\ndata: ", "event: response.incomplete\ndata: ")
_END = "\n\n"
_LONGEST_MARK = max(map(len, _EVENTS))


class Recorder:
    """Listens to one answer."""

    def __init__(self, name: str, given: str, previous: str | None, expires: float) -> None:
        """`given` is the request's own input as JSON, `name` that of the archive's object."""
        self.name = name
        self._given = given
        self._previous = previous
        self._expires = expires
        self._tail = ""
        """The end of the text so far, because a mark may be cut in two."""
        self._heard: list[str] | None = None
        """The last event, as far as it has come."""
        self._response: Json | None = None
        self._has_all = False

    def feed(self, frames: str) -> None:
        """Reads what is sent to the client."""
        if self._has_all:
            return
        if self._heard is None:
            text = self._tail + frames
            starts = [text.find(mark) for mark in _EVENTS]
            found = next(
                (at + len(it) for at, it in zip(starts, _EVENTS, strict=True) if at >= 0), 0
            )
            if not found:
                self._tail = text[-_LONGEST_MARK:]
                return
            self._heard, frames = [], text[found:]
        end = (self._heard[-1][-1:] if self._heard else "") + frames
        self._heard.append(frames)
        if _END in end:
            event, _, _ = "".join(self._heard).partition(_END)
            self._heard, self._has_all = [], True
            self._response = decode_object(event)["response"]

    def message(self) -> str | None:
        """The message that keeps the response. It is returned once; None before and afterwards."""
        response, self._response = self._response, None
        if response is None:
            return None
        return self.message_of(encode_line(response))

    def message_of(self, body: str) -> str:
        """The message that keeps the response `body`, which is one line of JSON."""
        return archive.keep(body, self._given, self._previous, self._expires)
