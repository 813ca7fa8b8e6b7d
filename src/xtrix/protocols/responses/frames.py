r"""Writes the numbered events of a stream, and keeps each long string in them only once.

A text is sent in deltas, and then four times whole: as text, in its part, in its item and in the
response. So it is kept while it passes, already in the form of JSON, and the events at the end are
made of the same pieces. Five megabytes then take five in memory, not a hundred. Non-ASCII text is
kept in UTF-8, because text with one emoji takes four bytes a character in the interpreter.

Every event is an `event:` line and a `data:` line, whose JSON begins with `type` and
`sequence_number`. So two events with different texts differ in one place and one number.
"""

from collections import deque
from typing import TypeAlias

from xtrix import json

Fragments: TypeAlias = list[str | bytes]
"""JSON in pieces, which are never cut inside of a character. Bytes are UTF-8."""

DONE = "data: [DONE]\n\n"
KEEP_ALIVE = ": keep-alive\n\n"
PIECE = 16_384
"""The characters that `take` returns at once."""

_KEPT_APART = 16_384
_OVERHEAD = 64
"""The bytes that a short text takes in memory besides its characters."""


def raw(text: str) -> str:
    """`text` as it looks between the quotes of a JSON string."""
    return json.encode_line(text)[1:-1]


class LongString:
    """The inside of one JSON string that grows."""

    __slots__ = ("_chunks", "_counted", "_held", "_pending")

    def __init__(self) -> None:
        self._chunks: Fragments = []
        self._pending: list[str] = []
        self._held = 0
        self._counted = (0, 0)
        """How many chunks have been counted, and how many characters they have."""

    def add(self, piece: str) -> None:
        """Appends `piece`, which is already in the form of JSON."""
        self._pending.append(piece)
        self._held += len(piece) + _OVERHEAD
        if self._held > _KEPT_APART:
            self._join()

    def chunks(self) -> Fragments:
        """The whole string. No chunk ends inside of a character or an escape."""
        self._join()
        return self._chunks

    def text(self) -> str:
        """The text, decoded."""
        return _decoded(as_bytes(self.chunks()))

    def mark(self) -> int:
        """A mark for its present end."""
        self._join()
        return len(self._chunks)

    def length(self, mark: int) -> int:
        """The number of characters up to `mark`. Marks must be asked about in order."""
        counted, characters = self._counted
        characters += sum(len(_decoded(as_bytes([it]))) for it in self._chunks[counted:mark])
        self._counted = (mark, characters)
        return characters

    def __bool__(self) -> bool:
        return bool(self._pending or self._chunks)

    def _join(self) -> None:
        if self._pending:
            text = "".join(self._pending)
            self._chunks.append(text if text.isascii() else text.encode())
            self._pending.clear()
            self._held = 0


def as_bytes(fragments: Fragments) -> bytes:
    """`fragments`, joined, in UTF-8."""
    return b"".join(it if isinstance(it, bytes) else it.encode() for it in fragments)


def _decoded(inside: bytes) -> str:
    text: str = json.decode(b'"' + inside + b'"')
    return text


class Frames:
    """The events that wait to be taken."""

    def __init__(self, *, wanted: bool = True) -> None:
        """Without `wanted` no events are made, because the answer is written whole."""
        self.number = -1
        """The number of the last event."""
        self._wanted = wanted
        self._waiting: deque[str | bytes] = deque()

    def tell(self, event: str, *members: str | bytes) -> None:
        """Adds an event: `members` is the rest of its JSON object, and begins with a comma."""
        if not self._wanted:
            return
        self.number += 1
        head = f'event: {event}\ndata: {{"type":"{event}","sequence_number":{self.number}'
        if len(members) == 1 and isinstance(members[0], str):
            self._waiting.append(f"{head}{members[0]}}}\n\n")
        else:
            self._waiting.append(head)
            self._waiting.extend(members)
            self._waiting.append("}\n\n")

    def delta(self, before: str, after: str) -> None:
        """Adds an event with `before` and `after` around its number."""
        if not self._wanted:
            return
        self.number += 1
        self._waiting.append(f"{before}{self.number}{after}")

    def done(self) -> None:
        """Adds the end of the stream, which is not an event and has no number."""
        if self._wanted:
            self._waiting.append(DONE)

    @property
    def waits(self) -> bool:
        """Whether any events wait."""
        return bool(self._waiting)

    def take(self, most: int = PIECE) -> str:
        """Returns the first waiting events, a little more than `most` characters; empty for none.

        The end of a long answer has its text four times. In pieces, only one of them is in memory
        at a time.
        """
        taken = []
        length = 0
        while self._waiting and length < most:
            piece = self._waiting.popleft()
            text = piece if isinstance(piece, str) else piece.decode()
            taken.append(text)
            length += len(text)
        return "".join(taken)
