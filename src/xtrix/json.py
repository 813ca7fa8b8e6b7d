"""JSON text in and out, for everything that crosses the network.

Refuses what would not survive the way: nesting deeper than about 200 (the parser's own limit:
deeper nesting in Python's own parser ends the whole isolate instead of raising), NaN, Infinity and
numbers too large for a float. Of two equal keys the last one counts. Lone surrogates, which JSON
may spell and UTF-8 cannot, become U+FFFD, as JavaScript's `toWellFormed` does.
"""

import codecs
import math
import re
from typing import Any

from pydantic_core import from_json, to_json

# At its first call pydantic-core imports what it needs, `uuid` among it. Done here that is part of
# the deployed snapshot; left to the first request it takes half a second of it (measured).
to_json(None)

Json = dict[str, Any]
"""A JSON object as it came from outside."""

_SURROGATE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_LONE_SURROGATE_LENGTH = 6
_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})
# Every digit as 0 and E as e: what is left of a number is its shape.
_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")


def decode(data: bytes | str) -> Any:
    """The value that `data` spells. Raises ValueError, which says where it stops making sense."""
    raw = data.encode() if isinstance(data, str) else data.removeprefix(codecs.BOM_UTF8)
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError:
        mended = mend(raw)
        if mended == raw:
            raise
        value = from_json(mended, allow_inf_nan=False)
    if may_overflow(raw):
        refuse_infinity(value)
    return value


def decode_object(data: bytes | str) -> Json:
    """As `decode`, for an object. Raises ValueError for every other value too."""
    value = decode(data)
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value


def encode(value: object) -> str:
    """`value` as compact JSON, other scripts spelled as they are."""
    return to_json(value).decode()


def encode_body(value: object) -> bytes:
    """As `encode`, in UTF-8."""
    return to_json(value)


def encode_line(value: object) -> str:
    """As `encode`, but no reader of lines takes it for more than one.

    U+0085, U+2028 and U+2029 are escaped: JSON may hold them raw, but clients that split lines as
    Python's `splitlines` does would break a frame there.
    """
    return one_line(encode(value))


def one_line(text: str) -> str:
    """JSON `text` with such characters escaped."""
    return text if text.isascii() else text.translate(_LINE_BREAKS)


def mend(raw: bytes) -> bytes:
    """`raw` with every lone surrogate escape replaced by that of U+FFFD, cut escapes left alone."""
    text = raw.decode(errors="surrogateescape")
    return _SURROGATE.sub(_mend_one, text).encode(errors="surrogateescape")


def may_overflow(raw: bytes) -> bool:
    """Whether some number in `raw` might be too large for a float; false at little cost."""
    shape = raw.translate(_SHAPE)
    # An exponent of three digits, or so many digits that one of two is enough.
    return b"0e000" in shape or b"0e+000" in shape or b"0" * 209 in shape


def refuse_infinity(value: object) -> None:
    """Raise ValueError when a number anywhere in `value` overflowed."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo += item.values()
        elif isinstance(item, list):
            todo += item
        elif isinstance(item, float) and math.isinf(item):
            raise ValueError("number out of range")


def _mend_one(match: re.Match[str]) -> str:
    escape = match[0]
    return r"\ufffd" if len(escape) == _LONE_SURROGATE_LENGTH else escape
