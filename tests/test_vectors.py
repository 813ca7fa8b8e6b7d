"""Embeddings in the form that was asked for, whatever form came, and however it was cut."""

import base64
import json
import struct
from typing import Any

import pytest

from xtrix.errors import UpstreamError
from xtrix.vectors import Vectors

NUMBERS = [[0.5, -1.25, 3e-05, 7.0], [0.0, 1.0, -0.125, 2.0]]


def packed(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(form: str, **spacing: Any) -> bytes:
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": packed(each) if form == "base64" else each,
        }
        for index, each in enumerate(NUMBERS)
    ]
    whole = {"object": "list", "data": data, "model": 'the "embedding": [1', "usage": {"n": 1}}
    return json.dumps(whole, **spacing).encode()


def fed(wanted: str, body: bytes, size: int) -> bytes:
    vectors = Vectors(wanted)
    pieces = [vectors.feed(body[at : at + size]) for at in range(0, len(body), size)]
    return b"".join(pieces) + vectors.close()


@pytest.mark.parametrize("size", [1, 2, 13, 100, 10_000])
@pytest.mark.parametrize("spacing", [{}, {"separators": (",", ":")}, {"indent": 2}])
@pytest.mark.parametrize("wanted", ["float", "base64"])
@pytest.mark.parametrize("came", ["float", "base64"])
def test_the_form_is_the_one_that_was_asked_for(
    wanted: str, came: str, spacing: dict[str, Any], size: int
) -> None:
    body = answer(came, **spacing)
    given = fed(wanted, body, size)
    if wanted == came:
        assert given == body
    said, expected = json.loads(given), json.loads(answer(wanted))
    if wanted == "float":  # a 32-bit float has fewer digits than it is told with
        for each, numbers in zip(said["data"], NUMBERS, strict=True):
            assert each.pop("embedding") == pytest.approx(numbers)
        for each in expected["data"]:
            del each["embedding"]
    assert said == expected


@pytest.mark.parametrize("body", [b'{"data":[]}', b"", b"[1]", b'{"embedding":null}', b"\xff\xfe"])
def test_what_has_no_vectors_stays(body: bytes) -> None:
    for wanted in ("float", "base64"):
        assert fed(wanted, body, 3) == body


@pytest.mark.parametrize(
    ("wanted", "body"),
    [
        ("base64", b'{"embedding":[[1,2],[3]]}'),
        ("base64", b'{"embedding":["a"]}'),
        ("base64", b'{"embedding":[1e300]}'),
        ("base64", b'{"embedding":[1,]}'),
        ("float", b'{"embedding":"not base64"}'),
        ("float", b'{"embedding":"AAA="}'),
        ("float", b'{"embedding":"AADAfw=="}'),
        ("base64", b'{"embedding":[' + b"1," * 1_500_000),
    ],
)
def test_what_is_no_vector_is_the_upstreams_fault(wanted: str, body: bytes) -> None:
    with pytest.raises(UpstreamError, match="made no sense: an embedding"):
        fed(wanted, body, 100_000)
