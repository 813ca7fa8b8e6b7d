"""Finding the model in a form, however the network cuts it and however oddly it is written."""

import httpx
import pytest

from xtrix.errors import ClientError
from xtrix.multipart import ModelFinder, boundary_of

BOUNDARY = b"----form-7MA4YWxk"


def part(name: str, value: bytes, filename: str = "") -> bytes:
    file = f'; filename="{filename}"\r\nContent-Type: audio/wav' if filename else ""
    head = f'Content-Disposition: form-data; name="{name}"{file}'
    return b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY, head.encode(), value)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--%b--\r\n" % BOUNDARY


def found(body: bytes, size: int = 0) -> ModelFinder:
    """The result for `body`, which comes in pieces of `size`, or whole."""
    finder = ModelFinder(BOUNDARY)
    step = size or max(1, len(body))
    for start in range(0, len(body), step):
        finder.feed(body[start : start + step])
    return finder


# All that looks like a boundary and is none, in a file.
SOUND = b'\r\n--\r\n----form-7MA4YWx\r\nx----form-7MA4YWxk\r\n\r\nname="model"\r\n\r\n\x00\xff' * 40
FILE = part("file", SOUND, "model.wav")
MODEL = part("model", b"whisper-1")


@pytest.mark.parametrize(
    "parts", [(MODEL, FILE), (FILE, MODEL), (FILE, part("prompt", b""), MODEL)]
)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 64, 1000])
def test_the_model_and_its_place(parts: tuple[bytes, ...], size: int) -> None:
    body = form(*parts)
    finder = found(body, size)
    assert finder.model == "whisper-1"
    assert finder.span
    assert body[finder.span.start : finder.span.end] == b"whisper-1"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Disposition: form-data; name=model",
        b'content-disposition:form-data;name="model"',
        b'CONTENT-DISPOSITION: form-data; filename="x"; NAME="model"',
        b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="model"',
        b'Content-Disposition: form-data;\r\n name="model"',
        b'Content-Disposition: form-data; name="mo\\del"',
        b'Content-Disposition: form-data; name=" Model "',
    ],
)
def test_every_spelling_of_the_name_is_the_model(head: bytes) -> None:
    body = b"--%b\r\n%b\r\n\r\nm\r\n--%b--" % (BOUNDARY, head, BOUNDARY)
    assert found(body).model == "m"
    assert found(body, 1).model == "m"


@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r"])
def test_lines_may_end_as_some_servers_read_them(line: bytes) -> None:
    body = form(FILE, MODEL).replace(b"\r\n", line)
    assert found(body).model == "whisper-1"


@pytest.mark.parametrize("second", [MODEL, MODEL.replace(b"\r\n", b"\n"), part("model", b"")])
@pytest.mark.parametrize("size", [0, 1, 50])
def test_a_second_model_is_refused(second: bytes, size: int) -> None:
    """The gateway could read one of them, and the upstream the other."""
    with pytest.raises(ClientError, match="two fields 'model'"):
        found(form(MODEL, FILE, second), size)


def test_a_second_form_after_the_end_is_read_too() -> None:
    with pytest.raises(ClientError, match="two fields 'model'"):
        found(form(MODEL) + form(MODEL))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"--" + BOUNDARY + b"\r\n" + b"x: y\r\n" * 9000, "the head of a part is too long"),
        (form(part("model", b"m" * 400)), "too long a name"),
        (
            form(MODEL.replace(b'name="model"', b"name*=utf-8''model")),
            "the name of a field is encoded",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ClientError, match=why) as caught:
        found(body, 4096)
    assert (caught.value.status, caught.value.code) == (400, "invalid_form")


def test_nothing_of_a_long_part_is_kept() -> None:
    finder = ModelFinder(BOUNDARY)
    finder.feed(MODEL + b"--%b\r\n\r\n" % BOUNDARY)
    for _ in range(100):
        finder.feed(bytes(10_000))
    assert len(finder._rest) < 100


def test_a_form_without_a_model() -> None:
    assert found(form(FILE)).model is None
    assert found(b"no form at all").model is None
    assert found(b"").model is None


def test_what_httpx_writes() -> None:
    request = httpx.Request(
        "POST", "http://x", data={"model": "whisper-1", "language": "en"}, files={"file": SOUND}
    )
    boundary = boundary_of(request.headers["content-type"])
    assert boundary
    finder = ModelFinder(boundary)
    finder.feed(request.read())
    assert finder.model == "whisper-1"


def test_the_boundary() -> None:
    assert boundary_of("multipart/form-data; boundary=abc") == b"abc"
    assert boundary_of('Multipart/Form-Data; charset=utf-8; Boundary="a b"') == b"a b"
    assert boundary_of("application/json") is None
    assert boundary_of("") is None
    form_of = "multipart/form-data; boundary="
    for wrong in (
        form_of[:19],
        form_of,
        f'{form_of}""',
        f"{form_of}a; boundary=b",
        form_of + "x" * 71,
    ):
        with pytest.raises(ClientError):
            boundary_of(wrong)
