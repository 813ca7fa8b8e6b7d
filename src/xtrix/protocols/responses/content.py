"""Decodes the content parts of a client's items to blocks.

Source: openai-python 3.57.0, `ResponseInputContent` (read 2026-11). An image as an object with a
`url`, as in Chat Completions, is common and accepted too.
"""

from collections.abc import Callable
from typing import Any

from xtrix import media
from xtrix.errors import invalid, unsupported
from xtrix.prompt import Audio, Block, File, Image, Refusal, Source, Text
from xtrix.shape import LONGEST_ECHO, missing

Json = dict[str, Any]

_EPHEMERAL = {"type": "ephemeral"}
_HOUR = {"type": "ephemeral", "ttl": "1h"}
_DETAILS = {"low", "high", "auto"}
"""The values that every protocol has. `original` exists in Responses only, and is refused
elsewhere."""


def decode_content(content: str | list[Json], path: str) -> list[Block]:
    """The blocks of an item's content, which is at `path`. Raises ClientError."""
    if isinstance(content, str):
        return [Text(content, path)] if content else []
    return [_part(part, f"{path}[{index}]") for index, part in enumerate(content)]


def decode_text_content(content: str | list[Json], path: str) -> list[Block]:
    """Like `decode_content`, where only text is possible. Raises ClientError."""
    for index, part in enumerate(content if isinstance(content, list) else ()):
        if _PARTS.get(part["type"]) is not _text:
            why = f"only text is allowed here, not '{part['type'][:LONGEST_ECHO]}'."
            raise unsupported(f"{path}[{index}].type", why, value=True)
    return decode_content(content, path)


def cache_mark(breakpoint_or_options: Json | object) -> Json:
    """A cache mark, as in Messages.

    With a time to live it asks for more than the usual five minutes.
    """
    wanted = breakpoint_or_options
    return _HOUR if isinstance(wanted, dict) and wanted.get("ttl") else _EPHEMERAL


def _part(part: Json, path: str) -> Block:
    decode = _PARTS.get(part["type"])
    if decode is None:
        raise invalid(f"{path}.type", f"there is no content part '{part['type'][:LONGEST_ECHO]}'.")
    block = decode(part, path)
    marked = part.get("prompt_cache_breakpoint")
    if marked:
        block.cache = cache_mark(marked)
    return block


def _text(part: Json, path: str) -> Block:
    return Text(part["text"], path)


def _refusal(part: Json, path: str) -> Block:
    return Refusal(part["refusal"], path)


def _image(part: Json, path: str) -> Block:
    image = part.get("image_url")
    place = f"{path}.image_url"
    detail = part.get("detail")
    if isinstance(image, dict):
        detail = detail or image.get("detail")
        image, place = image["url"], f"{place}.url"
    if image:
        source = media.decode_url(image, place)
    elif part.get("file_id"):
        source, place = Source("id", part["file_id"]), f"{path}.file_id"
    else:
        raise missing(place)
    return Image(source, place, detail=detail if detail in _DETAILS else None)


def _file(part: Json, path: str) -> Block:
    for field, decode in _FILES.items():
        value = part.get(field)
        if value:
            place = f"{path}.{field}"
            return File(decode(value, place), place, name=part.get("filename"))
    raise missing(f"{path}.file_data")


def _file_data(data: str, path: str) -> Source:
    if media.is_data_uri(data):
        return media.decode_data_uri(data, path)
    return media.decode_base64(data, path)


def _file_id(file_id: str, path: str) -> Source:
    del path
    return Source("id", file_id)


def _audio(part: Json, path: str) -> Block:
    audio = part["input_audio"]
    return Audio(audio["data"], audio["format"], f"{path}.type")


_FILES: dict[str, Callable[[str, str], Source]] = {
    "file_data": _file_data,
    "file_url": media.decode_url,
    "file_id": _file_id,
}
_PARTS: dict[str, Callable[[Json, str], Block]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}
