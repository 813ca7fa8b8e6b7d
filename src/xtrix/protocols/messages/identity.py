"""Replaces the model's name in a body, and leaves everything else as it came.

Only the bytes of the name are changed. Writing the JSON anew would lose much that JSON may contain:
repeated keys, the spelling of numbers, blanks, lone surrogates. If it is not certain where the name
is, the object is written anew, with its keys in the same order.
"""

import codecs
import re

from xtrix import json
from xtrix.prompt import Json

_FIELD = "model"
_COLON = rb"[ \t\r\n]*:[ \t\r\n]*"
_BACKSLASH = ord("\\")


def with_model(body: bytes, fields: Json, model: str) -> bytes:
    """`body` with another `model`. `fields` is the decoded `body`."""
    body = body.removeprefix(codecs.BOM_UTF8)
    named = fields.get(_FIELD)
    if named == model:
        return body
    place = _place(body, named) if isinstance(named, str) else None
    if place is None:
        return json.encode_body({**fields, _FIELD: model})
    start, end = place
    return b"".join((body[:start], json.encode_body(model), body[end:]))


def _place(body: bytes, named: str) -> tuple[int, int] | None:
    """The place of the model's name in `body`, a valid object; None if it is not certain.

    A quotation mark without a backslash before it begins or ends a string. Before a word it begins
    one, so the match is a key. It belongs to the outermost object if no other key has this value,
    unless the outermost key is written with escapes.
    """
    spelled = json.encode_body(named)
    if b"\\" in spelled or not spelled.isascii() or _may_be_escaped(body, named):
        return None
    pattern = b'"' + _FIELD.encode() + b'"' + _COLON + re.escape(spelled)
    found = [
        match
        for match in re.finditer(pattern, body)
        if not match.start() or body[match.start() - 1] != _BACKSLASH
    ]
    if len(found) != 1:
        return None
    end = found[0].end()
    return end - len(spelled), end


def _may_be_escaped(body: bytes, named: str) -> bool:
    """Whether a character of the field's name or value may be written as an escape."""
    if "/" in named and rb"\/" in body:
        return True
    if rb"\u" not in body:
        return False
    codes = "|".join(sorted({_either_case(f"{ord(letter):04x}") for letter in _FIELD + named}))
    return re.search(rf"\\u(?:{codes})".encode(), body) is not None


def _either_case(code: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" for digit in code)
