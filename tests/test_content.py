"""Long content of a body does not reach the core, and comes back in its place.

Node runs `content.js`, and the core itself reads what that leaves.
"""

import base64
import json
import random
from pathlib import Path

import pytest

from tests import node
from xtrix import content, media
from xtrix.errors import ClientError
from xtrix.prompt import Source

PROGRAM = Path(__file__).with_name("content.mjs")
WORD = 48
BEGINNINGS = {
    "jpeg": b"\xff\xd8\xff\xe0",
    "png": b"\x89PNG\r\n\x1a\n",
    "gif": b"GIF89a",
    "webp or wav": b"RIFF\x24\x08\x00\x00",
    "pdf": b"%PDF-1.7",
    "mp3": b"ID3\x04",
    "bare mp3": b"\xff\xfb\x90\x44",
    "ogg": b"OggS\x00",
    "flac": b"fLaC\x00",
    "mp4": b"\x00\x00\x00\x20ftypisom",
    "office": b"PK\x03\x04",
}


def some(size: int, beginning: bytes = BEGINNINGS["png"]) -> str:
    """Base64 of `size` bytes without a pattern."""
    return base64.b64encode(
        beginning + random.Random(size).randbytes(size - len(beginning))
    ).decode()


def taken(body: bytes) -> tuple[bytes, list[str]]:
    """The body without its long content, and that content. Checks that together they are the
    original.
    """
    left, out, whole = node.running(PROGRAM).ask(body.decode("latin1"))
    assert whole.encode("latin1") == body
    return left.encode("latin1"), out


def said(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize("kind", BEGINNINGS)
@pytest.mark.parametrize("size", [100_000, 100_001, 100_002, 98_302, 98_303, 98_304, 98_305])
def test_long_content_is_left_out(kind: str, size: int) -> None:
    data = some(size, BEGINNINGS[kind])
    body = said({"a": data, "b": f"data:image/png;base64,{data}", "c": "über"})
    left, out = taken(body)
    assert len(out) == 2
    assert len(left) < 11_000
    values = json.loads(left)
    assert values["c"] == "über"
    kept = values["a"]
    assert content.length(kept) == len(data)
    assert not content.is_whole(kept)
    source = media.decode_base64(kept, "a")
    assert source == Source("base64", kept, media.sniff(data))
    assert media.decode_data_uri(values["b"], "b").data[:4096] == data[:4096]
    assert kept.endswith(data[-4:])
    with pytest.raises(ClientError, match="it is no text"):
        media.text_of(source, "a")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(some(12_000), id="it is short"),
        pytest.param("A" * 50_000, id="it begins like nothing known"),
        pytest.param(some(50_000)[:-9] + "-" + "A" * 8, id="it is no base64 at its end"),
        pytest.param(some(50_000)[:3000] + "é" + some(50_000), id="it is no base64 in its head"),
        pytest.param("\n".join([some(1_000)] * 40), id="it is in lines"),
        pytest.param(some(50_000).replace("A", "A "), id="it has blanks in it"),
        pytest.param("data:" + "x" * 300 + "," + some(50_000), id="a URI with a long head"),
        pytest.param("data:image/png;base64", id="a URI without an end"),
        pytest.param("see " + some(50_000), id="it stands in a sentence"),
    ],
)
def test_stays_where_it_is(text: str) -> None:
    assert content.is_whole(text)
    assert content.length(text) == len(text)
    body = said([text])
    assert taken(body) == (body, [])


def test_content_in_json_in_strings() -> None:
    data = some(60_000)
    value: object = {"image": data}
    for _ in range(3):
        value = {"arguments": json.dumps(value)}
    left, out = taken(said(value))
    assert len(out) == 1
    inner = json.loads(left)
    for _ in range(3):
        inner = json.loads(inner["arguments"])
    assert content.length(inner["image"]) == len(data)


def test_what_is_no_json_comes_back_too() -> None:
    data = some(60_000)
    for body in (data, f'"{data}', f'{data}"', f'\\"{data}\\', f'"{data}"' * 3, '"' * 70_000):
        taken(body.encode())


def test_a_client_can_write_no_word() -> None:
    forged = "xcut" + "f" * 32 + "0000" + "00001000"
    body = said([forged, some(60_000), forged, some(60_000, BEGINNINGS["pdf"]), forged])
    left, out = taken(body)
    assert len(out) == 2
    assert json.loads(left)[0] == forged


@pytest.mark.parametrize("seed", range(40))
def test_any_mixture_comes_back(seed: int) -> None:
    draw = random.Random(seed)
    kinds = [*BEGINNINGS.values()]
    pieces: list[object] = []
    for _ in range(draw.randrange(1, 30)):
        size = draw.choice([20, 4096, 12_000, 12_287, 12_288, 12_289, 20_000, 70_000])
        text = some(size + draw.randrange(4), draw.choice(kinds))
        text = draw.choice(["", "data:image/png;base64,", "x", '"', "\\", "é"]) + text
        pieces.append(draw.choice([text, {"url": text}, [text, text], "words " * 50]))
    left, _ = taken(said(pieces))
    assert len(json.loads(left)) == len(pieces)


def test_ten_thousand_pictures_are_no_more_than_there_are_numbers_for() -> None:
    data = some(12_300)
    body = said([data] * 10_050)
    left, out = taken(body)
    assert len(out) == 10_000
    assert json.loads(left)[-1] == data
