"""Decodes content blocks of Messages to blocks of a Prompt, one at a time.

A block that only Anthropic can read is kept for Anthropic, or described in words. Something that is
stored at Anthropic, such as an upload, is refused with its place. Which block may follow which is
known to `turns`.

Source: platform.claude.com/docs/en/api/messages, read 2026-11.
"""

from collections.abc import Callable, Iterator

from xtrix import json
from xtrix.prompt import (
    Block,
    Call,
    File,
    Image,
    Json,
    Opaque,
    Result,
    Sealed,
    Source,
    Text,
    Thinking,
)
from xtrix.protocols.messages.errors import unsupported
from xtrix.protocols.messages.history import line_of
from xtrix.reasoning import Carrier, is_packed

PROTOCOL = "messages"
PDF = "application/pdf"

_INSIDE = {"text", "image"}
_UPLOAD = "an upload is known to its own provider alone; send the data itself."


def each(content: str | list[Json] | None, path: str) -> Iterator[tuple[Json, str]]:
    """The blocks of a content, with their places. A string counts as a text block."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}, path
        return
    for index, block in enumerate(content or ()):
        yield block, f"{path}.{index}"


def shown(block: Json, path: str) -> list[Block]:
    """A block from a user or a tool: text, an image, a document. Raises ClientError."""
    decode = _SHOWN.get(block["type"])
    if decode is None:
        why = f"blocks of the type '{block['type'][:64]}' are known to Anthropic's models only."
        raise unsupported(f"{path}.type", why)
    return decode(block, path)


def result(block: Json, path: str) -> Result:
    """The result of a tool. Raises ClientError."""
    content = [
        decoded
        for inner, place in each(block.get("content"), f"{path}.content")
        for decoded in shown(inner, place)
    ]
    return Result(
        call_id=block["tool_use_id"],
        content=content,
        is_error=bool(block.get("is_error")),
        path=path,
        cache=block.get("cache_control"),
    )


def call(block: Json, path: str) -> Call:
    """A call of one of the client's tools."""
    arguments = json.encode(block["input"])
    cache = block.get("cache_control")
    return Call(block["id"], block["name"], arguments, path=path, cache=cache)


def thinking(block: Json, path: str, carrier: Carrier) -> list[Block]:
    """Reasoning. It is sealed if its signature is Anthropic's, or one of ours that opens."""
    words, signature = block["thinking"], block.get("signature")
    sealed = Sealed(block) if signature else None
    if is_packed(signature):
        sealed = carrier.open(signature)
    return [Thinking(words, sealed, path)] if words or sealed else []


def redacted(block: Json, path: str, carrier: Carrier) -> list[Block]:
    """Reasoning that only its issuer can read."""
    data = block["data"]
    sealed = Sealed(block) if data else None
    if is_packed(data):
        sealed = carrier.open(data)
    return [Thinking("", sealed, path)] if sealed else []


def opaque(block: Json, path: str) -> Opaque:
    """A block that only Anthropic can read."""
    words = block.get("content") if block["type"] == "compaction" else line_of(block)
    return Opaque(PROTOCOL, block, words or "", path, _mark(block))


def text(block: Json, path: str) -> list[Block]:
    """Text. An empty text, which Anthropic refuses, gives no block."""
    return [Text(block["text"], path, block.get("cache_control"))] if block["text"] else []


def _image(block: Json, path: str) -> list[Block]:
    source = block["source"]
    place = f"{path}.source"
    match source["type"]:
        case "base64":
            found = Source("base64", source["data"], source["media_type"].lower())
            place += ".data"
        case "url":
            found = Source("url", source["url"])
            place += ".url"
        case "file":
            raise unsupported(f"{place}.file_id", _UPLOAD)
        case _:
            raise unsupported(f"{place}.type", "an image is base64 or a URL.")
    return [Image(found, place, block.get("cache_control"))]


def _document(block: Json, path: str) -> list[Block]:
    source = block["source"]
    place = f"{path}.source"
    match source["type"]:
        case "base64":
            return [_file(block, Source("base64", source["data"], source["media_type"]), place)]
        case "text":
            return [_file(block, Source("text", source["data"], "text/plain"), place)]
        case "url":
            return [_file(block, Source("url", source["url"], PDF), place)]
        case "content":
            return _composed(block, f"{place}.content")
        case "file":
            raise unsupported(f"{place}.file_id", _UPLOAD)
    raise unsupported(f"{place}.type", "a document is base64, text, content or a URL.")


def _file(block: Json, source: Source, path: str) -> File:
    return File(
        source,
        path,
        cache=block.get("cache_control"),
        name=block.get("title"),
        context=block.get("context"),
        citations=block.get("citations"),
    )


def _composed(block: Json, path: str) -> list[Block]:
    """A document made of blocks. Text alone becomes one text file; with images it is no file."""
    blocks: list[Block] = []
    for inner, place in each(block["source"]["content"], path):
        if inner["type"] not in _INSIDE:
            raise unsupported(f"{place}.type", "a document is made of text and images.")
        blocks += shown(inner, place)
    texts = [decoded.text for decoded in blocks if isinstance(decoded, Text)]
    if len(texts) == len(blocks):
        return [_file(block, Source("text", "\n\n".join(texts), "text/plain"), path)]
    head = "\n".join(filter(None, (block.get("title"), block.get("context"))))
    return [*([Text(head, path)] if head else []), *blocks]


def _search_result(block: Json, path: str) -> list[Block]:
    head = f"{block['title']}\n{block['source']}"
    texts = [inner["text"] for inner in block["content"]]
    return [Text("\n\n".join([head, *texts]), path, block.get("cache_control"))]


def _tool_reference(block: Json, path: str) -> list[Block]:
    return [Text(f"Loaded: {block['tool_name']}", path)]


def _mark(block: Json) -> Json | None:
    mark = block.get("cache_control")
    return mark if isinstance(mark, dict) else None


_SHOWN: dict[str, Callable[[Json, str], list[Block]]] = {
    "text": text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_reference": _tool_reference,
}
