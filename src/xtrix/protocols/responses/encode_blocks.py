"""Encodes text, images and files as content parts of Responses.

Nothing is fetched here: a URL is passed on for the upstream to read.
Source: openai-python 3.57.0, `ResponseInputText`, `ResponseInputImage`, `ResponseInputFile` (read
2026-11).
"""

from xtrix.errors import invalid, unsupported
from xtrix.prompt import Audio, Block, File, Image, Json, Opaque, Refusal, Source, Text

PROTOCOL = "responses"

_PDF = "application/pdf"
_FILE_NAMES = {_PDF: "document.pdf", None: "document.pdf"}


def encode_parts(block: Block) -> list[Json]:
    """The parts for a block of the user. Raises ClientError."""
    match block:
        case Text() | Refusal():
            return [input_text(block.text)]
        case Image():
            return [_image(block)]
        case File():
            return _file(block)
        case Audio():
            why = "the upstream model does not hear 'input_audio'."
            raise unsupported(block.path, why, value=True)
        case Opaque():
            return _opaque(block)
    raise AssertionError(type(block))


def encode_answer_part(block: Block) -> Json | None:
    """The part for a block of an earlier answer; None for an empty one. Raises ClientError."""
    match block:
        case Text():
            return {"type": "output_text", "text": block.text} if block.text else None
        case Refusal():
            return {"type": "refusal", "refusal": block.text} if block.text else None
        case Opaque():
            return {"type": "output_text", "text": block.text} if block.text else None
    why = "the upstream takes text alone as an assistant's earlier words."
    raise unsupported(block.path, why, value=True)


def input_text(text: str) -> Json:
    """A part of plain text."""
    return {"type": "input_text", "text": text}


def _image(block: Image) -> Json:
    source = block.source
    if source.kind == "base64" and source.media_type == _PDF:
        return _data_file(source, None)
    part: Json = {"type": "input_image"}
    if source.kind == "id":
        part["file_id"] = source.data
    else:
        part["image_url"] = source.data if source.kind == "url" else _data_uri(source)
    if block.detail:
        part["detail"] = block.detail
    return part


def _file(block: File) -> list[Json]:
    """The parts of a file, after its description. Plain text is sent as text."""
    source = block.source
    if source.kind == "text":
        heads = [line for line in (block.name, block.context) if line]
        return [input_text("\n\n".join([*heads, source.data]))]
    about = [input_text(block.context)] if block.context else []
    if source.kind == "base64":
        return [*about, _data_file(source, block.name)]
    if not source.data:
        raise invalid(block.path, "a file needs its data, an address or an id.")
    field = "file_id" if source.kind == "id" else "file_url"
    return [*about, {"type": "input_file", field: source.data}]


def _data_file(source: Source, name: str | None) -> Json:
    """A file with its content, which needs a name."""
    name = name or _FILE_NAMES.get(source.media_type, "document")
    return {"type": "input_file", "filename": name, "file_data": _data_uri(source)}


def _data_uri(source: Source) -> str:
    return f"data:{source.media_type or _PDF};base64,{source.data}"


def _opaque(block: Opaque) -> list[Json]:
    if block.protocol == PROTOCOL:
        return [block.value]
    return [input_text(block.text)] if block.text else []
