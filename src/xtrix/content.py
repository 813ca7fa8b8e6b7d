"""Long base64 that was left out of a request's body, and the placeholder for it.

The shell keeps the content of images, files and speech in JavaScript (content.js), and puts a
placeholder into the body. Where the placeholder is in an outgoing body, the shell puts the content
back. So the core sees only the first and the last bytes of an image. From the placeholder it reads
only how long the content is, which estimates need, and that the rest is missing.
"""

import re

_HEAD = 4096
"""Characters of the content that are left before the placeholder."""
_WORD = re.compile(r"xcut[0-9a-f]{32}[0-9]{4}([0-9]{8})")
_IN_BODY = re.compile(_WORD.pattern.encode())


def length(data: str) -> int:
    """The number of characters of the base64 `data`, with those that were left out."""
    word = _WORD.match(data, _HEAD)
    return len(data) - len(word[0]) + int(word[1]) if word else len(data)


def left_out(body: bytes) -> dict[str | None, int]:
    """How many characters each placeholder in `body` stands for."""
    return {found[0].decode(): int(found[1]) for found in _IN_BODY.finditer(body)}


def placeholder(data: str) -> str | None:
    """The placeholder in the base64 `data`; None if nothing was left out."""
    word = _WORD.match(data, _HEAD)
    return word[0] if word else None


def is_whole(data: str) -> bool:
    """Whether nothing of `data` was left out."""
    return placeholder(data) is None
