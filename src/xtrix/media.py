"""Checks images and files inside a request: data URIs and bare base64, without needless copies.

Nothing is fetched: a URL is passed on, and the upstream reads it. The declared type is compared
with the first bytes, because it is often wrong.
"""

import base64
import string

from xtrix.content import is_whole
from xtrix.errors import invalid, unsupported
from xtrix.prompt import Source

LONGEST_HEAD = 256
"""The most characters of a data URI before its comma."""

_DIGITS = (string.ascii_letters + string.digits + "+/").encode()
_SPACE = b" \t\n\r\f\v"
_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"%PDF": "application/pdf",
}
_SPELLINGS = {"image/jpg": "image/jpeg"}
_CHARSETS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "utf-8-sig",
    "ascii": "utf-8-sig",
    "utf-16": "utf-16",
    # Text that is declared as Latin-1 is read as Windows-1252, as in browsers
    # (encoding.spec.whatwg.org).
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
}
"""Python's names of the encodings that are read. Some of Python's other encodings take quadratic
time."""


def is_data_uri(text: str) -> bool:
    """Whether `text` begins as a data URI."""
    return text[:5].lower() == "data:"


def is_web_url(text: str) -> bool:
    """Whether `text` is an http(s) URL."""
    return text[:8].lower().startswith(("http://", "https://"))


def decode_url(text: str, path: str) -> Source:
    """The source in an http(s) URL or a data URI. Raises ClientError."""
    text = text.strip()
    return Source("url", text) if is_web_url(text) else decode_data_uri(text, path)


def decode_data_uri(uri: str, path: str) -> Source:
    """The content of a base64 data URI. Raises ClientError."""
    head, comma, data = uri.partition(",")
    scheme, _, rest = head[: LONGEST_HEAD + 1].lower().partition(":")
    claimed, *parameters = rest.split(";")
    is_base64 = bool(parameters) and parameters[-1] == "base64"
    if scheme != "data" or not comma or not is_base64 or len(head) > LONGEST_HEAD:
        raise invalid(path, "it must be an http(s) URL or a base64 data URI.")
    charsets = [each[8:].strip('"') for each in parameters if each.startswith("charset=")]
    data = clean_base64(data, path)
    claimed = claimed.strip()
    media_type = sniff(data) or _SPELLINGS.get(claimed, claimed)
    return Source("base64", data, media_type, charsets[0] if charsets else None)


def decode_base64(text: str, path: str) -> Source:
    """The content of bare base64. Raises ClientError."""
    data = clean_base64(text, path)
    return Source("base64", data, sniff(data))


def clean_base64(text: str, path: str) -> str:
    """`text` without white space. Raises ClientError if it is not base64."""
    data = text.encode(errors="replace").translate(None, _SPACE)
    digits = data[:-2] + data[-2:].rstrip(b"=")
    # String methods are used here because a regular expression over the megabytes of an image takes
    # long, and more memory.
    if not digits or len(data) % 4 or digits.translate(None, _DIGITS):
        raise invalid(path, "its base64 is broken.")
    return data.decode()


def text_of(source: Source, path: str) -> str:
    """The text in the base64 of `source`, decoded from its charset. Raises ClientError."""
    if not is_whole(source.data):
        raise invalid(path, "it is no text, though its label says so.")
    encoding = _CHARSETS.get("utf-8" if source.charset is None else source.charset)
    if encoding is None:
        raise unsupported(path, f"text must be in UTF-8, not in '{source.charset}'.", value=True)
    return base64.b64decode(source.data).decode(encoding, errors="replace")


def sniff(data: str) -> str | None:
    """The media type by the first bytes of base64 `data`; None if they do not tell it."""
    first = base64.b64decode(data[:16])
    return next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), None)
