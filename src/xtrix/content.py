"""Long base64 of a request that was left out of its body, and the word that stands for it.

The shell keeps the content of images, files and speech where it came in (content.js), puts a word
in its place, and the content in the word's place again where that goes out. So what is read here is
an image's first and last bytes. Nothing of it is decided by the word but how long the content is,
which only an estimate asks, and that what is not here cannot be read.
"""

import re

_HEAD = 4096
"""Characters that stand in front of the word."""
_WORD = re.compile(r"xcut[0-9a-f]{32}[0-9]{4}([0-9]{8})")


def length(data: str) -> int:
    """Characters of the base64 `data`, with those that were left out."""
    word = _WORD.match(data, _HEAD)
    return len(data) - len(word[0]) + int(word[1]) if word else len(data)


def is_whole(data: str) -> bool:
    """Whether nothing of `data` was left out."""
    return _WORD.match(data, _HEAD) is None
