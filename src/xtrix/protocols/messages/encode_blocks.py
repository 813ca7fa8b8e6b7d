"""Encodes images and files as content blocks of Messages.

Nothing is fetched here: an image's URL is passed on for the upstream to read.
Source: platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support, read 2026-11.
"""

from xtrix import media
from xtrix.errors import unsupported
from xtrix.prompt import Audio, Block, File, Image, Json, Source

_IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_PDF = "application/pdf"
_TEXTS = {"application/json", "application/xml"}
"""Types that are text although their name does not say so."""


def encode_media(block: Block, ignored: set[str]) -> Json:
    """The block of an image or a file. Adds to `ignored` what is left out. Raises ClientError."""
    match block:
        case Image():
            if block.detail not in {None, "", "auto"}:
                ignored.add("image_url.detail")
            return _image(block)
        case File():
            return _file(block)
        case Audio():
            why = "the upstream model does not hear 'input_audio'."
            raise unsupported(block.path, why, value=True)
    raise AssertionError(type(block))


def marked(block: Json, cache: Json | None) -> Json:
    """`block` with its cache mark, if there is one."""
    return {**block, "cache_control": cache} if cache else block


def _image(block: Image) -> Json:
    source = block.source
    if source.kind == "url":
        return {"type": "image", "source": {"type": "url", "url": source.data}}
    if source.kind == "base64" and source.media_type == _PDF:
        return _document(source, block.path)
    if source.kind == "base64" and source.media_type in _IMAGES:
        return {"type": "image", "source": _base64(source)}
    why = f"an image must be JPEG, PNG, GIF or WebP, not '{source.media_type}'."
    raise unsupported(block.path, why, value=True)


def _file(block: File) -> Json:
    if block.source.kind == "id":
        why = "files are read from 'file_data'; the upstream knows no 'file_id' of OpenAI's."
        raise unsupported(block.path, why, value=True)
    encoded = _document(block.source, block.path)
    if block.name:
        encoded["title"] = block.name
    if block.context:
        encoded["context"] = block.context
    if block.citations:
        encoded["citations"] = block.citations
    return encoded


def _document(source: Source, path: str) -> Json:
    media_type = source.media_type
    if source.kind == "text":
        return _text(source.data)
    if source.kind == "url":
        return {"type": "document", "source": {"type": "url", "url": source.data}}
    if media_type == _PDF:
        return {"type": "document", "source": _base64(source)}
    if media_type and (media_type.startswith("text/") or media_type in _TEXTS):
        return _text(media.text_of(source, path))
    why = f"a file must be a PDF or text, not '{media_type or ''}'."
    raise unsupported(path, why, value=True)


def _text(text: str) -> Json:
    source = {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "document", "source": source}


def _base64(source: Source) -> Json:
    return {"type": "base64", "media_type": source.media_type, "data": source.data}
