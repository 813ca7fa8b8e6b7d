"""Counting without a tokenizer: always a little too much, and never far off."""

import base64
import struct
import zlib
from typing import Any

import pytest

from tests.protocols.messages.answering import prompt, recorded
from xtrix import json
from xtrix.estimate import estimate

WORDS = "The quick brown fox jumps over the lazy dog. "


def tokens(content: Any, **fields: Any) -> int:
    """The estimate of a request with one message."""
    return estimate(prompt({"messages": [{"role": "user", "content": content}], **fields}))


def image(data: bytes, media_type: str = "image/png") -> list[dict[str, Any]]:
    """A message that shows one picture."""
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    return [{"type": "image", "source": source}]


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG of this size."""
    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + crc


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    """The beginning of a JPEG of this size, with something `before` its frame."""
    preview = b"\xff\xe1" + struct.pack(">H", len(before) + 2) + before
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, height, width) + bytes(10)
    return b"\xff\xd8" + preview + frame


def test_a_short_message() -> None:
    assert 5 <= tokens("Hi") <= 8


@pytest.mark.parametrize(
    ("text", "counted"),
    # Counted with OpenAI's o200k_base by bpe-openai 0.1.4, 2026-11.
    [
        (WORDS * 100, 1001),
        ("今天天气很好\uff0c我们去公园散步吧。" * 50, 600),
        ("Съешь ещё этих мягких французских булок, да выпей чаю. " * 40, 721),
        ("def add(a, b):\n    return a + b\n\n" * 50, 600),
        ('{"id": 12345, "name": "abc", "values": [1, 2, 3.5]}' * 40, 1080),
    ],
    ids=["english", "chinese", "russian", "code", "json"],
)
def test_texts_are_not_far_off(text: str, counted: int) -> None:
    assert counted * 0.9 <= tokens(text) <= counted * 1.5 + 6


def test_it_grows_with_all_that_is_said() -> None:
    body = json.decode(recorded("claude_code"))
    whole = estimate(prompt(recorded("claude_code")))
    for name in ("system", "tools"):
        assert estimate(prompt(json.encode_body({**body, name: body[name][:-1]}))) < whole
    assert estimate(prompt(json.encode_body({**body, "messages": body["messages"][:-1]}))) < whole
    schema = {"type": "json_schema", "schema": {"type": "object", "title": WORDS}}
    assert tokens("Hi") < tokens("Hi", output_config={"format": schema})


def test_tools_that_are_not_shown_do_not_count() -> None:
    tool = {"name": "f", "description": WORDS, "input_schema": {}, "defer_loading": True}
    assert tokens("Hi", tools=[tool]) == tokens("Hi")
    assert tokens("Hi", tools=[{**tool, "defer_loading": False}]) > tokens("Hi") + 12


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(750, 100), 100),
        (png(4000, 4000), 1600),
        (jpeg(300, 250), 100),
        (jpeg(300, 250, bytes(20_000)), 100),
        (b"GIF89a" + bytes(40), 1600),
        (b"\xff\xd8", 1600),
        (b"\xff\xd8\xff\xe1\x00\x00" * 3, 1600),
        (b"\x89PNG\r\n\x1a\n", 1600),
        (b"", 1600),
    ],
    ids=[
        *("png", "large png", "jpeg", "jpeg with a preview", "gif", "cut jpeg", "endless jpeg"),
        *("cut png", "nothing"),
    ],
)
def test_pictures_are_measured_where_they_tell_their_size(data: bytes, expected: int) -> None:
    assert expected <= tokens(image(data)) <= expected * 1.05 + 6


def test_pictures_without_a_size_count_for_the_largest() -> None:
    by_url = [{"type": "image", "source": {"type": "url", "url": "https://a"}}]
    broken = [{"type": "image", "source": {"type": "base64", "media_type": "a", "data": "é!"}}]
    assert tokens(by_url) == tokens(broken) == 1685


def test_documents() -> None:
    def pdf(size: int) -> int:
        source = {"type": "base64", "media_type": "application/pdf", "data": "J" * size}
        return tokens([{"type": "document", "source": source}])

    assert 2000 <= pdf(100) <= 2200
    assert 10_000 <= pdf(400_000) <= 11_000


def test_everything_has_a_count() -> None:
    assert estimate(prompt(recorded("everything"))) > 3000


@pytest.mark.timeout(20)
def test_thirty_five_at_once_are_nothing() -> None:
    body = recorded("claude_code")
    for _ in range(35):
        assert estimate(prompt(body)) > 0
