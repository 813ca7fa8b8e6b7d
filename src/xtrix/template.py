r"""What surrounds the one string in which nearly all events of a stream differ, in and out.

Once such an event has gone the general way, its text before and after that string, and its
frame's, are known; the next event that has the same text around another string gives the same
frame around that string. What is known so is a template. `splice.js` moves strings by it, without
Python; anything else goes the general way.

A protocol may number its events, and its frames. Then the number that stood in the one is counted
on: an event with another number than the next is none of the known form.

Both ways give equal bytes: only a string that is spelled as the general way would spell it is
learnt from, and moved, which excludes escapes like `\/` and `\u00e9` and the line breaks that
frames escape.
"""

import re
from typing import NamedTuple

# Possessive: a string that fails at its last character would else be tried in every division.
_NUMBER = re.compile(r'"sequence_number": ?(\d{1,15})(?=[,}])')
_STRING_BODY = re.compile(r'(?:[^"\\\x00-\x1f\x85\u2028\u2029]++|\\["\\bfnrt])++')


class Template(NamedTuple):
    """What surrounds the string, on the way in and on the way out."""

    before: str
    """Up to the event's number, where it has one; else up to the string."""
    middle: str | None
    """From the number to the string; None where no number counts the events."""
    after: str
    number: int
    """The next event's; 0 where none counts them."""
    frame_before: str
    frame_middle: str | None
    frame_after: str
    frame_number: int

    def frame(self, body: str) -> str:
        """The next frame, around a string that is given without its quotes."""
        if self.frame_middle is None:
            return f"{self.frame_before}{body}{self.frame_after}"
        head = f"{self.frame_before}{self.frame_number}{self.frame_middle}"
        return f"{head}{body}{self.frame_after}"

    def past(self, count: int) -> "Template":
        """The same after `count` events more."""
        return self._replace(
            number=self.number if self.middle is None else self.number + count,
            frame_number=self.frame_number
            if self.frame_middle is None
            else self.frame_number + count,
        )


def learn(event: str, frame: str, carried: str, number: int | None = None) -> Template | None:
    """The template that one event's text and its frame show, or None when they show none.

    `carried` is the JSON string that both hold. It must stand in each exactly once. `number` is
    the one in the frame that counts the frames, if any does; it stands before the string.
    """
    if not event.endswith(("\n\n", "\n\r\n")) or frame.count("\n\n") != 1:
        return None
    if event.count(carried) != 1 or frame.count(carried) != 1:
        return None
    body = carried[1:-1]
    if _STRING_BODY.fullmatch(body) is None:
        return None
    before, after = event.split(carried)
    frame_before, frame_after = frame.split(carried)
    into = _counted(before, None if (found := _NUMBER.search(before)) is None else int(found[1]))
    out = _counted(frame_before, number)
    if into is None or out is None:
        return None
    (before, middle, counted), (frame_before, frame_middle, frame_number) = into, out
    return Template(
        *(before, middle, f'"{after}', counted),
        *(frame_before, frame_middle, f'"{frame_after}', frame_number),
    )


def _counted(before: str, number: int | None) -> tuple[str, str | None, int] | None:
    """What stands before the string, divided at its number, and the next number.

    None where the `number` is not there.
    """
    if number is None:
        return f'{before}"', None, 0
    found = _NUMBER.search(before)
    if found is None or int(found[1]) != number:
        return None
    return before[: found.start(1)], f'{before[found.end(1) :]}"', number + 1
