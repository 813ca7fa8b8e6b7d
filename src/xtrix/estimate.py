"""Estimates how many tokens a prompt has, rather too many than too few.

Targets that cannot count tokens need this. No tokenizer is small enough for the gateway, and each
family of models has its own. Clients count tokens to stay below a limit, so unknown things count as
more. The size of an image is read from its first bytes if its format allows that.

Sources: platform.claude.com/docs/en/build-with-claude/vision (pixels to tokens), …/pdf-support and
…/token-counting (read 2026-11). What a character amounts to is a rule of thumb of
our own: measured against OpenAI's o200k_base (2026-11), it gives 0.9 to 1.5 times its count for
prose, source text and JSON in several scripts; Anthropic's tokenizers count more than that one.
"""

import base64
import math
import re
from collections.abc import Callable
from typing import Any

from xtrix import json
from xtrix.content import length
from xtrix.prompt import (
    Audio,
    Block,
    Call,
    File,
    Image,
    Opaque,
    Prompt,
    Refusal,
    Result,
    Source,
    Thinking,
    Tool,
)
from xtrix.prompt import Text as TextBlock

_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123)) + b" \t\r\n"
_CJK = re.compile(
    r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+"
)
_PER_LETTER = 1 / 4
_PER_SIGN = 0.7
_PER_CJK = 1.0
_PER_OTHER = 1 / 2
_PER_TURN = 4
_PER_TOOL = 12
_MOST_PER_IMAGE = 1600
_PIXELS_PER_TOKEN = 750
_BASE64_PER_TOKEN = 40
_PDF_PAGE = 2000
_MARGIN = 1.05
_HEAD = 64 * 1024
"""The characters of an image's base64 in which its size is looked for. Photos can begin with a
preview."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_SIZED_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The JPEG segments that contain the height and width of the image."""


def estimate(prompt: Prompt) -> int:
    """An estimate of the tokens of `prompt`."""
    tokens = sum(_PER_TURN + sum(map(_block, turn.blocks)) for turn in prompt.turns)
    tokens += sum(map(_tool, prompt.tools))
    if prompt.settings.format:
        tokens += _text(json.encode(prompt.settings.format.schema))
    return math.ceil(tokens * _MARGIN)


def _block(block: Block) -> float:
    return _BLOCKS[type(block)](block)


def _call(call: Call) -> float:
    return _PER_TURN + _text(call.name) + _text(call.arguments)


def _result(result: Result) -> float:
    return _PER_TURN + sum(map(_block, result.content))


def _file(file: File) -> float:
    head = _text(file.name or "") + _text(file.context or "")
    kind, data = file.source.kind, file.source.data
    if kind == "text":
        return head + _text(data)
    return head + max(_PDF_PAGE, length(data) / _BASE64_PER_TOKEN)


def _image(image: Image) -> float:
    size = _size(image.source)
    if size is None:
        return _MOST_PER_IMAGE
    return min(_MOST_PER_IMAGE, size[0] * size[1] / _PIXELS_PER_TOKEN)


def _tool(tool: Tool) -> float:
    described = (tool.name, tool.description or "", json.encode(tool.schema or {}))
    return _PER_TOOL + sum(map(_text, described))


def _text(text: str) -> float:
    ascii_part = text.encode("ascii", "ignore")
    signs = len(ascii_part.translate(None, _LETTERS))
    letters = len(ascii_part) - signs
    beyond = len(text) - len(ascii_part)
    cjk = sum(len(run[0]) for run in _CJK.finditer(text)) if beyond else 0
    return letters * _PER_LETTER + signs * _PER_SIGN + cjk * _PER_CJK + (beyond - cjk) * _PER_OTHER


def _size(source: Source) -> tuple[int, int] | None:
    """The width and height of an image, if its first bytes tell them."""
    if source.kind != "base64":
        return None
    try:
        head = base64.b64decode(source.data[:_HEAD], validate=True)
    except ValueError:
        return None
    if head.startswith(_PNG) and len(head) >= 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    return _jpeg_size(head) if head.startswith(_JPEG) else None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """The size in the first frame's header. It comes after other segments, each with its length."""
    at = len(_JPEG)
    while at + 9 <= len(head) and head[at] == 0xFF:
        if head[at + 1] in _SIZED_MARKERS:
            height, width = head[at + 5 : at + 7], head[at + 7 : at + 9]
            return int.from_bytes(width), int.from_bytes(height)
        at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return None


_BLOCKS: dict[type, Callable[[Any], float]] = {
    TextBlock: lambda block: _text(block.text),
    Refusal: lambda block: _text(block.text),
    Thinking: lambda block: _text(block.text),
    Opaque: lambda block: _text(block.text),
    Audio: lambda block: length(block.data) / _BASE64_PER_TOKEN,
    Image: _image,
    File: _file,
    Call: _call,
    Result: _result,
}
