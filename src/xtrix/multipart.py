"""Finds the model in a `multipart/form-data` body while the body streams by.

Only the value of `model` is kept. The body is read as leniently as any server might read it (with
any line break before a boundary, and any spelling of a name). If the upstream found a model that
this gateway overlooked, a client could use a model that its key does not allow.

Sources: RFC 7578, RFC 2046 (5.1.1), RFC 6266.
"""

import re
from typing import NamedTuple

from xtrix.errors import ClientError

FORM = "multipart/form-data"

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]*)"|([^\s";,]*))', re.IGNORECASE)
_LONGEST_BOUNDARY = 70
_HEAD_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DISPOSITION = re.compile(
    rb"(?:^|[\r\n])content-disposition\s*:([^\r\n]*(?:[\r\n]+[ \t][^\r\n]*)*)", re.I
)
_NAME = re.compile(rb';\s*name(\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))', re.IGNORECASE)
_ESCAPED = re.compile(rb"\\(.)")
_LONGEST_HEAD = 16_384
_LONGEST_MODEL = 256
_LONG_MODEL = "its model has too long a name"
_LINE_BREAKS = b"\r\n"


class Span(NamedTuple):
    """The place of a value, in bytes from the beginning of the body."""

    start: int
    end: int


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a form; None if `content_type` is something else. Raises ClientError."""
    if content_type.partition(";")[0].strip().lower() != FORM:
        return None
    found: list[str] = [quoted or bare for quoted, bare in _BOUNDARY.findall(content_type)]
    if len(found) != 1 or not 0 < len(found[0]) <= _LONGEST_BOUNDARY:
        raise _malformed("its content type has no boundary, or more than one")
    return found[0].encode()


class ModelFinder:
    """Reads a form piece by piece, and finds the field `model` in it."""

    def __init__(self, boundary: bytes) -> None:
        self.model: str | None = None
        """The value of the field, once it has come."""
        self.span: Span | None = None
        self._mark = b"--" + boundary
        self._rest = b"\n"  # the first boundary needs a line break before it
        self._offset = -1
        """The place of `_rest` in the body."""
        self._in_head = False
        self._is_model = False

    def feed(self, data: bytes) -> None:
        """Reads the next piece. Raises ClientError for a malformed form, or one with two models."""
        self._rest += data
        while self._read_head() if self._in_head else self._read_part():
            pass

    def _read_head(self) -> bool:
        """Reads the head of a part. Returns whether all of it was there."""
        found = _HEAD_END.search(self._rest)
        if found is None:
            if len(self._rest) > _LONGEST_HEAD:
                raise _malformed("the head of a part is too long")
            return False
        self._is_model = _names_model(self._rest[: found.start()])
        if self._is_model and self.span:
            raise _malformed("it has two fields 'model'")
        # The line break stays, because the boundary of an empty part can follow right after it.
        self._drop(found.end() - 1)
        self._in_head = False
        return True

    def _read_part(self) -> bool:
        """Reads a part up to the next boundary. Returns whether that was there."""
        at = self._find_mark()
        if at is None:
            if self._is_model and len(self._rest) > _LONGEST_MODEL + len(self._mark) + 4:
                raise _malformed(_LONG_MODEL)
            if not self._is_model:
                self._drop(max(0, len(self._rest) - len(self._mark) - 1))
            return False
        if self._is_model:
            self._take_model(at)
        after = at + len(self._mark)
        if len(self._rest) < after + 2:
            self._is_model = False
            self._drop(at - 1)
            return False
        is_last = self._rest[after : after + 2] == b"--"
        self._drop(after)
        # Text after the last boundary belongs to no part, unless further boundaries follow.
        self._in_head, self._is_model = not is_last, False
        return True

    def _find_mark(self) -> int | None:
        """The place of the next boundary, which is at the beginning of a line."""
        at = self._rest.find(self._mark, 1)
        while at > 0 and self._rest[at - 1] not in _LINE_BREAKS:
            at = self._rest.find(self._mark, at + 1)
        return at if at > 0 else None

    def _take_model(self, at: int) -> None:
        value = self._rest[1:at]
        for ending in (b"\r\n", b"\n", b"\r"):
            if value.endswith(ending):
                value = value.removesuffix(ending)
                break
        if len(value) > _LONGEST_MODEL:
            raise _malformed(_LONG_MODEL)
        start = self._offset + 1
        self.span = Span(start, start + len(value))
        self.model = value.decode(errors="replace").strip()

    def _drop(self, size: int) -> None:
        self._rest = self._rest[size:]
        self._offset += size


def _names_model(head: bytes) -> bool:
    """Whether the part with this `head` is the field `model`. Raises ClientError."""
    for disposition in _DISPOSITION.finditer(head):
        for star, quoted, bare in _NAME.findall(disposition[1]):
            if star:
                raise _malformed("the name of a field is encoded")
            name = _ESCAPED.sub(rb"\1", quoted) if quoted else bare
            if name.strip().lower() == b"model":
                return True
    return False


def _malformed(what: str) -> ClientError:
    message = f"The request's body is not a form as it should be: {what}."
    return ClientError(400, "invalid_form", message)
