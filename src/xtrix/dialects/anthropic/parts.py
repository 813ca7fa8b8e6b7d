"""Content parts as Anthropic's content blocks.

Nothing is fetched here: an image's URL is passed on for the upstream to read.
Source: platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support, read 2026-11.
"""

import base64
import string
from collections.abc import Callable
from typing import Any, NamedTuple

from xtrix.errors import invalid, unsupported

Part = dict[str, Any]
Block = dict[str, Any]

_LONGEST_HEAD = 256
"""Characters of a data URI before its data: a media type and a parameter or two."""
_DIGITS = (string.ascii_letters + string.digits + "+/").encode()
_SPACE = b" \t\n\r\f\v"
_IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"%PDF": "application/pdf",
}
_PDF = "application/pdf"
_TEXTS = {"application/json", "application/xml"}
"""What is text without being called so."""
_CHARSETS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "utf-8-sig",
    "ascii": "utf-8-sig",
    "utf-16": "utf-16",
    # What is labelled Latin-1 is Windows-1252, as browsers hold it (encoding.spec.whatwg.org).
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
}
"""Python's names of the encodings that are read. Some of its others take quadratic time."""
EPHEMERAL = {"type": "ephemeral"}


def encode_content(content: str | list[Part] | None, path: str) -> list[Block]:
    """The blocks of a message's content; text that is empty or white space is left out.

    `path` is where the content stands in the request. Raises ClientError.
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks = [encode_part(part, f"{path}[{index}]") for index, part in enumerate(content or [])]
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def text_blocks(content: str | list[Part] | None, path: str) -> list[Block]:
    """As `encode_content`, where only text makes sense. Raises ClientError."""
    for index, part in enumerate(content if isinstance(content, list) else []):
        if part["type"] != "text":
            why = f"only text is allowed here, not '{part['type'][:64]}'."
            raise unsupported(f"{path}[{index}].type", why, value=True)
    return encode_content(content, path)


def encode_part(part: Part, path: str) -> Block:
    """The block of one part, with its cache mark. Raises ClientError."""
    encode = _PARTS.get(part["type"])
    if encode is None:
        raise invalid(f"{path}.type", f"there is no content part '{part['type'][:64]}'.")
    return encode(part, path) | cache_mark(part)


def cache_mark(said: Part) -> Block:
    """`cache_control` as the client asked for it, in Anthropic's or in OpenAI's words."""
    control = said.get("cache_control")
    if isinstance(control, dict):
        return {"cache_control": control}
    return {"cache_control": EPHEMERAL} if said.get("prompt_cache_breakpoint") else {}


def _text(part: Part, path: str) -> Block:
    return {"type": "text", "text": part["text"]}


def _refusal(part: Part, path: str) -> Block:
    return {"type": "text", "text": part["refusal"]}


def _image(part: Part, path: str) -> Block:
    said = part["image_url"]
    url, path = (
        (said, f"{path}.image_url")
        if isinstance(said, str)
        else (
            said["url"],
            f"{path}.image_url.url",
        )
    )
    url = url.strip()
    if url[:8].lower().startswith(("http://", "https://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    said = _data_uri(url, path)
    if said.media_type == _PDF:
        return _document(said, path)
    if said.media_type not in _IMAGES:
        why = f"an image must be JPEG, PNG, GIF or WebP, not '{said.media_type}'."
        raise unsupported(path, why, value=True)
    return {"type": "image", "source": _base64(said.media_type, said.data)}


def _file(part: Part, path: str) -> Block:
    said = part["file"]
    data = said.get("file_data")
    if not data:
        why = "files are read from 'file_data'; the upstream knows no 'file_id' of OpenAI's."
        raise unsupported(f"{path}.file.file_id", why, value=True)
    path = f"{path}.file.file_data"
    if data[:5].lower() == "data:":
        block = _document(_data_uri(data, path), path)
    else:
        data = _base64_of(data, path)
        block = _document(_Data(_sniff(data) or "", "utf-8", data), path)
    if said.get("filename"):
        block["title"] = said["filename"]
    if isinstance(part.get("citations"), dict):
        block["citations"] = part["citations"]
    return block


def _audio(part: Part, path: str) -> Block:
    why = "the upstream model does not hear 'input_audio'."
    raise unsupported(f"{path}.type", why, value=True)


def _document(said: "_Data", path: str) -> Block:
    if said.media_type == _PDF:
        return {"type": "document", "source": _base64(_PDF, said.data)}
    if said.media_type.startswith("text/") or said.media_type in _TEXTS:
        text = _text_of(said, path)
        return {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": text},
        }
    why = f"a file must be a PDF or text, not '{said.media_type}'."
    raise unsupported(path, why, value=True)


def _text_of(said: "_Data", path: str) -> str:
    encoding = _CHARSETS.get(said.charset)
    if encoding is None:
        raise unsupported(path, f"text must be in UTF-8, not in '{said.charset}'.", value=True)
    return base64.b64decode(said.data).decode(encoding, errors="replace")


class _Data(NamedTuple):
    """What a data URI holds."""

    media_type: str
    charset: str
    data: str
    """Base64 without white space."""


def _data_uri(uri: str, path: str) -> _Data:
    """The data of a data URI with its true media type. Raises ClientError."""
    head, comma, data = uri.partition(",")
    scheme, _, rest = head[: _LONGEST_HEAD + 1].lower().partition(":")
    claimed, *parameters = rest.split(";")
    is_base64 = bool(parameters) and parameters[-1] == "base64"
    if scheme != "data" or not comma or not is_base64 or len(head) > _LONGEST_HEAD:
        raise invalid(path, "it must be an http(s) URL or a base64 data URI.")
    charsets = [each[8:].strip('"') for each in parameters if each.startswith("charset=")]
    data = _base64_of(data, path)
    claimed = claimed.strip()
    media_type = _sniff(data) or {"image/jpg": "image/jpeg"}.get(claimed, claimed)
    return _Data(media_type, charsets[0] if charsets else "utf-8", data)


def _base64_of(text: str, path: str) -> str:
    """`text` without white space, if it is base64 then. Raises ClientError."""
    data = text.encode(errors="replace").translate(None, _SPACE)
    digits = data[:-2] + data[-2:].rstrip(b"=")
    # Plain methods: a pattern over the megabytes of an image takes its time, and more memory.
    if not digits or len(data) % 4 or digits.translate(None, _DIGITS):
        raise invalid(path, "its base64 is broken.")
    return data.decode()


def _sniff(data: str) -> str | None:
    """What the first bytes of base64 `data` are; labels are often wrong."""
    first = base64.b64decode(data[:16])
    return next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), None)


def _base64(media_type: str, data: str) -> Block:
    return {"type": "base64", "media_type": media_type, "data": data}


_PARTS: dict[str, Callable[[Part, str], Block]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}
