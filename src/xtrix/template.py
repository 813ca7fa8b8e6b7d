r"""Templates for the fast path: the text around the one string in which most events differ.

After one such event has taken the general path, the text around its string is known, in the event
and in the client's event. Another event with the same text around another string becomes the same
client event with that string. This knowledge is a template. `splice.js` uses it to move strings
without Python. Everything else takes the general path.

A protocol may number its events. Then the template counts along, and an event with another number
than the next does not match.

Both paths give equal bytes. Only a string in the form in which the general path would write it is
learnt from and moved. This excludes escapes such as `\/` and `\u00e9`, and the line breaks that are
escaped in client events.
"""

import re
from typing import NamedTuple

# Possessive: otherwise a string that fails at its last character would be tried in every division.
_NUMBER = re.compile(r'"sequence_number": ?(\d{1,15})(?=[,}])')
_STRING_BODY = re.compile(r'(?:[^"\\\x00-\x1f\x85\u2028\u2029]++|\\["\\bfnrt])++')


class Template(NamedTuple):
    """The text around the string, in the upstream's event and in the client's."""

    before: str
    """The text up to the event's number, if it has one; else up to the string."""
    middle: str | None
    """The text from the number to the string; None if events have no number."""
    after: str
    number: int
    """The next event's number; 0 if events have none."""
    frame_before: str
    frame_middle: str | None
    frame_after: str
    frame_number: int

    def frame(self, body: str) -> str:
        """The next client event, around a string without its quotes."""
        if self.frame_middle is None:
            return f"{self.frame_before}{body}{self.frame_after}"
        head = f"{self.frame_before}{self.frame_number}{self.frame_middle}"
        return f"{head}{body}{self.frame_after}"

    def past(self, count: int) -> "Template":
        """The template after `count` further events."""
        return self._replace(
            number=self.number if self.middle is None else self.number + count,
            frame_number=self.frame_number
            if self.frame_middle is None
            else self.frame_number + count,
        )


def learn(event: str, frame: str, lone_text: str, number: int | None = None) -> Template | None:
    """The template of one event and the client's event for it; None if they show none.

    `lone_text` is the JSON string that both contain, each exactly once. `number` is the number of
    the client's event, if it has one; it comes before the string.
    """
    if not event.endswith(("\n\n", "\n\r\n")) or frame.count("\n\n") != 1:
        return None
    if event.count(lone_text) != 1 or frame.count(lone_text) != 1:
        return None
    body = lone_text[1:-1]
    if _STRING_BODY.fullmatch(body) is None:
        return None
    before, after = event.split(lone_text)
    frame_before, frame_after = frame.split(lone_text)
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
    """The text before the string, divided at its number, and the next number.

    None if the `number` is not in it.
    """
    if number is None:
        return f'{before}"', None, 0
    found = _NUMBER.search(before)
    if found is None or int(found[1]) != number:
        return None
    return before[: found.start(1)], f'{before[found.end(1) :]}"', number + 1
