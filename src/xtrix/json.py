"""JSON text in and out, for everything that crosses the network.

Refuses what would not survive the way: nesting deeper than `DEEPEST` (the parser's own limit:
deeper nesting in Python's own parser ends the whole isolate instead of raising), NaN, Infinity and
numbers too large for a float. What is read can be written too. Of two equal keys the last one
counts. Lone surrogates, which JSON
may spell and UTF-8 cannot, become U+FFFD, as JavaScript's `toWellFormed` does.
"""

import codecs
import math
import re
from json import dumps
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

# At its first call pydantic-core imports what it needs, `uuid` among it. Done here that is part of
# the deployed snapshot; left to the first request it takes half a second of it (measured).
to_json(None)

Json = dict[str, Any]
"""A JSON object as it came from outside."""

DEEPEST = 200
"""Levels of arrays and objects within each other that are read."""

_TOO_DEEP = "recursion limit exceeded"
_COLUMN = re.compile(r"column (\d+)")
_STEPS_IN_A_PATH = 4

_SURROGATE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_LONE_SURROGATE_LENGTH = 6
_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})
# Every digit as 0 and E as e: what is left of a number is its shape.
_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")


class TooDeep(ValueError):
    """What was to be read has more than `DEEPEST` levels."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(f"it is nested more than {DEEPEST} levels deep")
        self._raw = raw

    @property
    def path(self) -> str | None:
        """The first steps of the way to what is too deep; None where they have no name."""
        # On one line the parser's column is an index of bytes. What comes before it is sound, and
        # there a line break means no more than a space.
        line = self._raw.replace(b"\n", b" ")
        try:
            from_json(line)
        except ValueError as failure:
            found = _COLUMN.search(str(failure))
        assert found
        value = from_json(line[: int(found[1]) - 1], allow_partial=True)
        path = ""
        for _ in range(_STEPS_IN_A_PATH):
            if isinstance(value, dict):
                name, value = next(reversed(value.items()))
                path += f".{name[:64]}"
            else:
                path += f"[{len(value) - 1}]"
                value = value[-1]
        return path.removeprefix(".") if "." in path else None


def decode(data: bytes | str) -> Any:
    """The value that `data` spells. Raises ValueError, which says where it stops making sense."""
    raw = data.encode() if isinstance(data, str) else data.removeprefix(codecs.BOM_UTF8)
    try:
        value = _parse(raw)
    except ValueError:
        mended = mend(raw)
        if mended == raw:
            raise
        value = _parse(mended)
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
    return encode_body(value).decode()


def encode_body(value: object) -> bytes:
    """As `encode`, in UTF-8.

    pydantic-core writes 255 levels, but in WebAssembly, where its stack is smaller, about 60
    (2.50.4, observed). What is deeper the standard library writes, half as fast.
    """
    try:
        return to_json(value)
    except PydanticSerializationError:
        return dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


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


def _parse(raw: bytes) -> Any:
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as failure:
        if _TOO_DEEP in str(failure):
            raise TooDeep(raw) from None
        raise


def _mend_one(match: re.Match[str]) -> str:
    escape = match[0]
    return r"\ufffd" if len(escape) == _LONE_SURROGATE_LENGTH else escape
