"""Reads and writes JSON, for everything that crosses the network.

It refuses what could not be passed on: nesting deeper than `DEEPEST` (which in Python's own parser
would end the whole isolate instead of raising), NaN, Infinity, and numbers too large for a float.
Everything that can be read can also be written. Of two equal keys the last one counts. Lone
surrogates, which JSON can contain and UTF-8 cannot, become U+FFFD, as in JavaScript's
`toWellFormed`.
"""

import codecs
import math
import re
from json import dumps
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

# At its first call pydantic-core imports what it needs, such as `uuid`. A call here makes that a
# part of the deployed snapshot. At the first request it would take half a second (measured).
to_json(None)

Json = dict[str, Any]
"""A JSON object from outside."""

DEEPEST = 200
"""The most levels of arrays and objects inside of each other that are read."""

_TOO_DEEP = "recursion limit exceeded"
_COLUMN = re.compile(r"column (\d+)")
_STEPS_IN_A_PATH = 4

_SURROGATE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_LONE_SURROGATE_LENGTH = 6
_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})
# Replaces every digit and plus sign by 0 and E by e, so that only a number's form is left.
_SHAPE = bytes.maketrans(b"123456789E+", b"000000000e0")


class TooDeep(ValueError):
    """The JSON has more than `DEEPEST` levels."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(f"it is nested more than {DEEPEST} levels deep")
        self._raw = raw

    @property
    def path(self) -> str | None:
        """The first steps of the path to the place that is too deep; None if they have no names."""
        # On one line, the parser's column is an index of bytes. The text before it is valid, and
        # there a line break means the same as a space.
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
    """The value in `data`. Raises ValueError, whose message says where it stops being JSON."""
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
    """Like `decode`, for an object. Raises ValueError for any other value too."""
    value = decode(data)
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value


def decode_own(text: str) -> Any:
    """The value in `text` that this Worker's own JavaScript wrote, for which no check is needed."""
    return from_json(text)


def encode(value: object) -> str:
    """`value` as compact JSON, without escapes for non-ASCII characters."""
    return encode_body(value).decode()


def encode_body(value: object) -> bytes:
    """Like `encode`, as bytes in UTF-8.

    pydantic-core can write 255 levels, but in WebAssembly, where its stack is smaller, only about
    60 (2.50.4, observed). Deeper values are written by the standard library, half as fast.
    """
    try:
        return to_json(value)
    except PydanticSerializationError:
        return dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def encode_line(value: object) -> str:
    """Like `encode`, but always a single line for any client.

    U+0085, U+2028 and U+2029 are escaped. JSON may contain them, but clients that split lines as
    Python's `splitlines` does would break an event there.
    """
    return one_line(encode(value))


def one_line(text: str) -> str:
    """JSON `text` with these characters escaped."""
    return text if text.isascii() else text.translate(_LINE_BREAKS)


def mend(raw: bytes) -> bytes:
    """`raw` with every escape of a lone surrogate replaced by that of U+FFFD.

    Escapes that are cut off stay.
    """
    text = raw.decode(errors="surrogateescape")
    return _SURROGATE.sub(_mend_one, text).encode(errors="surrogateescape")


def may_overflow(raw: bytes) -> bool:
    """Whether some number in `raw` might be too large for a float. This is a cheap first check."""
    shape = raw.translate(_SHAPE)
    # An exponent of three digits, or so many digits that an exponent of two is enough.
    return b"0e000" in shape or b"0" * 209 in shape


def refuse_infinity(value: object) -> None:
    """Raises ValueError if a number anywhere in `value` is infinite."""
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
