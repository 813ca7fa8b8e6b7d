r"""A fast path for streams: text moved from upstream event to client frame without parsing.

Nearly all events of a stream differ in one string alone. Once such an event has gone the general
way, its text before and after that string, and its frame's, are known; the next event that has
the same text around another string gives the same frame around that string. Anything else goes
the general way. Measured in the Worker: 1 to 2 µs an event instead of 15 to 20.

Both ways give equal bytes: a string is moved only when it is spelled as the general way would
spell it, which excludes escapes like `\/` and `\u00e9` and the line breaks that frames escape.
"""

import re
from typing import NamedTuple

# Possessive: a string that fails at its last character would else be tried in every division.
_STRING_BODY = re.compile(r'(?:[^"\\\x00-\x1f\x85\u2028\u2029]++|\\["\\bfnrt])*+')


class Splice(NamedTuple):
    """What surrounds the string, on the way in and on the way out."""

    before: str
    after: str
    frame_before: str
    frame_between: str
    frame_after: str

    def feed(self, text: str) -> tuple[str, str]:
        """The frames of the events that `text` begins with, and the rest of `text`."""
        before, after, frame_before, frame_between, frame_after = self
        if text.startswith(before) and text.endswith(after):
            body = text[len(before) : -len(after)]
            if body and _STRING_BODY.fullmatch(body):  # one event, as a model writes them
                return frame_before + body + frame_after, ""
        frames = frame_before
        at = 0
        while text.startswith(before, at):
            start = at + len(before)
            end = _STRING_BODY.match(text, start).end()  # type: ignore[union-attr]  # may be empty
            if end == start or not text.startswith(after, end):
                break
            body = text[start:end]
            frames += frame_between + body if at else body
            at = end + len(after)
            if at == len(text):
                return frames + frame_after, ""
        return (frames + frame_after, text[at:]) if at else ("", text)


def learn(event: str, frame: str, carried: str) -> Splice | None:
    """The splice that one event's text and its frame show, or None when they show none.

    `carried` is the JSON string that both hold. It must stand in each exactly once.
    """
    if not event.endswith("\n") or frame.count("\n\n") != 1:
        return None
    if event.count(carried) != 1 or frame.count(carried) != 1:
        return None
    body = carried[1:-1]
    before, after = event.split(carried)
    frame_before, frame_after = frame.split(carried)
    if not body or _STRING_BODY.fullmatch(body) is None:
        return None
    return Splice(
        before=before + '"',
        after='"' + after,
        frame_before=frame_before + '"',
        frame_between='"' + frame_after + frame_before + '"',
        frame_after='"' + frame_after,
    )
