"""The one field that a relay writes: which model it is, in a body that else stays as it came.

Bytes are changed in one place instead of being written anew, because much of what JSON may spell
does not survive that: repeated keys, the spelling of numbers, blanks, lone surrogates. It is done
only where it is certain which place that is; else the object is written anew, in its order.
"""

import codecs
import re

from xtrix import json
from xtrix.prompt import Json

_FIELD = "model"
_COLON = rb"[ \t\r\n]*:[ \t\r\n]*"
_BACKSLASH = ord("\\")


def with_model(body: bytes, fields: Json, model: str) -> bytes:
    """`body` with `model` in its field of that name. `fields` is what `body` spells."""
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
    """Where the name stands that `body`, a valid object, gives its model; None for not certain.

    A quotation mark that no backslash precedes begins or ends a string, and before a bare word it
    begins one: so what is found is a key. It is the outermost object's if it is the only one with
    this value, unless that one is spelled with escapes.
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
    """Whether some character of the field or its value is spelled as an escape anywhere."""
    if "/" in named and rb"\/" in body:
        return True
    if rb"\u" not in body:
        return False
    codes = "|".join(sorted({_either_case(f"{ord(letter):04x}") for letter in _FIELD + named}))
    return re.search(rf"\\u(?:{codes})".encode(), body) is not None


def _either_case(code: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" for digit in code)
