"""Content parts as Anthropic's content blocks.

Nothing is fetched here: an image's URL is passed on for the upstream to read.
Source: platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support, read 2026-11.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

from xtrix.errors import invalid, unsupported

Part = dict[str, Any]
Block = dict[str, Any]

_DATA_URI = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>(;[^;,]*)*),", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_SPACE = re.compile(r"\s+")
_IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"%PDF": "application/pdf",
}
_PDF = "application/pdf"
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
            why = f"only text is allowed here, not '{part['type']}'."
            raise unsupported(f"{path}[{index}].type", why, value=True)
    return encode_content(content, path)


def encode_part(part: Part, path: str) -> Block:
    """The block of one part, with its cache mark. Raises ClientError."""
    encode = _PARTS.get(part["type"])
    if encode is None:
        raise invalid(f"{path}.type", f"there is no content part '{part['type']}'.")
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
    media_type, data = _data_uri(url, path)
    if media_type == _PDF:
        return _document(media_type, data, path)
    if media_type not in _IMAGES:
        why = f"an image must be JPEG, PNG, GIF or WebP, not '{media_type}'."
        raise unsupported(path, why, value=True)
    return {"type": "image", "source": _base64(media_type, data)}


def _file(part: Part, path: str) -> Block:
    said = part["file"]
    data = said.get("file_data")
    if not data:
        why = "files are read from 'file_data'; the upstream knows no 'file_id' of OpenAI's."
        raise unsupported(f"{path}.file.file_id", why, value=True)
    path = f"{path}.file.file_data"
    if data[:5].lower() == "data:":
        media_type, data = _data_uri(data, path)
    else:
        data = _base64_of(data, path)
        media_type = _sniff(data)
    block = _document(media_type, data, path)
    if said.get("filename"):
        block["title"] = said["filename"]
    if isinstance(part.get("citations"), dict):
        block["citations"] = part["citations"]
    return block


def _audio(part: Part, path: str) -> Block:
    why = "the upstream model does not hear 'input_audio'."
    raise unsupported(f"{path}.type", why, value=True)


def _document(media_type: str | None, data: str, path: str) -> Block:
    if media_type == _PDF:
        return {"type": "document", "source": _base64(_PDF, data)}
    if media_type == "text/plain":
        text = base64.b64decode(data).decode(errors="replace")
        source = {"type": "text", "media_type": "text/plain", "data": text}
        return {"type": "document", "source": source}
    why = f"a file must be a PDF or plain text, not '{media_type}'."
    raise unsupported(path, why, value=True)


def _data_uri(uri: str, path: str) -> tuple[str | None, str]:
    """The true media type and the base64 data of a data URI. Raises ClientError."""
    match = _DATA_URI.match(uri)
    if match is None or not match["parameters"].lower().endswith(";base64"):
        raise invalid(path, "it must be an http(s) URL or a base64 data URI.")
    data = _base64_of(uri[match.end() :], path)
    claimed = match["type"].strip().lower()
    return _sniff(data) or {"image/jpg": "image/jpeg"}.get(claimed, claimed), data


def _base64_of(text: str, path: str) -> str:
    """`text` without white space, if it is base64 then. Raises ClientError."""
    data = _SPACE.sub("", text)
    if len(data) % 4 or _BASE64.fullmatch(data) is None:
        raise invalid(path, "its base64 is broken.")
    return data


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
