r"""The frames of a stream, numbered, and the long strings in them, each kept once.

A text is told in deltas and then four times whole: as text, in its part, in its item and in the
response. So it is kept while it goes by, spelled as JSON, and the frames at the end are made of the
same pieces: five megabytes cost five, not a hundred. What is more than ASCII is kept in UTF-8: text
with one emoji in it takes four bytes a character in the interpreter.

Every frame is an `event:` line and a `data:` line whose JSON begins with `type` and
`sequence_number`, so that a frame around another text differs in one place and one number.
"""

from collections import deque
from typing import TypeAlias

from xtrix import json

Fragments: TypeAlias = list[str | bytes]
"""JSON that is cut anywhere but inside of a character. Bytes are UTF-8."""

DONE = "data: [DONE]\n\n"
KEEP_ALIVE = ": keep-alive\n\n"
PIECE = 16_384
"""Characters of frames that are handed out at once."""

_KEPT_APART = 16_384
_OVERHEAD = 64
"""Bytes that a short text takes beside its characters."""


def raw(text: str) -> str:
    """`text` as it stands between the quotes of a JSON string."""
    return json.encode_line(text)[1:-1]


class LongString:
    """The inside of one JSON string in the making."""

    __slots__ = ("_chunks", "_counted", "_held", "_pending")

    def __init__(self) -> None:
        self._chunks: Fragments = []
        self._pending: list[str] = []
        self._held = 0
        self._counted = (0, 0)
        """Chunks whose characters have been counted, and how many those are."""

    def add(self, piece: str) -> None:
        """Append `piece`, which is spelled as JSON."""
        self._pending.append(piece)
        self._held += len(piece) + _OVERHEAD
        if self._held > _KEPT_APART:
            self._join()

    def chunks(self) -> Fragments:
        """All of it. No chunk ends inside of a character or an escape."""
        self._join()
        return self._chunks

    def text(self) -> str:
        """What it spells."""
        return _decoded(as_bytes(self.chunks()))

    def mark(self) -> int:
        """A word for its end as it is now."""
        self._join()
        return len(self._chunks)

    def length(self, mark: int) -> int:
        """Characters that it spells up to `mark`, none of which was before one asked about."""
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
    """What `fragments` are together, in UTF-8."""
    return b"".join(it if isinstance(it, bytes) else it.encode() for it in fragments)


def _decoded(inside: bytes) -> str:
    text: str = json.decode(b'"' + inside + b'"')
    return text


class Frames:
    """The frames that wait to be taken."""

    def __init__(self, *, wanted: bool = True) -> None:
        """Frames that are not `wanted` are not made: the answer is told whole."""
        self.number = -1
        """That of the last frame."""
        self._wanted = wanted
        self._waiting: deque[str | bytes] = deque()

    def tell(self, event: str, *members: str | bytes) -> None:
        """A frame: `members` is the rest of its JSON object, beginning with a comma."""
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
        """A frame that is `before` and `after` around its number."""
        if not self._wanted:
            return
        self.number += 1
        self._waiting.append(f"{before}{self.number}{after}")

    def done(self) -> None:
        """The end of the stream, which is no event and has no number."""
        if self._wanted:
            self._waiting.append(DONE)

    @property
    def waits(self) -> bool:
        """Whether any does."""
        return bool(self._waiting)

    def take(self, most: int = PIECE) -> str:
        """The beginning of what waits, a little more than `most` characters; "" is nothing.

        The end of a long answer tells its text four times. Handed out in pieces, only one of them
        has to be held.
        """
        taken = []
        length = 0
        while self._waiting and length < most:
            piece = self._waiting.popleft()
            text = piece if isinstance(piece, str) else piece.decode()
            taken.append(text)
            length += len(text)
        return "".join(taken)
