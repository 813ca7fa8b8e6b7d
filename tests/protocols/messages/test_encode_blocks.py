"""Content parts as blocks: images and files go by their content, whatever is declared."""

import base64
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest

from tests.protocols.messages.encoding import text
from xtrix.errors import ClientError
from xtrix.prompt import Block
from xtrix.protocols.chat.request import EPHEMERAL, cache_mark, decode_content, decode_part
from xtrix.protocols.messages.encode_turns import Turns
from xtrix.protocols.messages.families import family_of
from xtrix.protocols.messages.names import ToolNames
from xtrix.providers import Provider, Target

BYTES = {
    "image/png": b"\x89PNG\r\n\x1a\n0123456789",
    "image/jpeg": b"\xff\xd8\xff\xe00123456789",
    "image/gif": b"GIF89a0123456789",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "application/pdf": b"%PDF-1.7 0123456789",
}
ODD = base64.b64encode(b"nothing known at all").decode()


def base64_of(media_type: str) -> str:
    return base64.b64encode(BYTES[media_type]).decode()


def image(url: object) -> dict[str, Any]:
    return {"type": "image_url", "image_url": url}


def file(**said: object) -> dict[str, Any]:
    return {"type": "file", "file": said}


def encoded(block: Block) -> dict[str, Any] | None:
    target = Target(Provider("a", "anthropic", "https://a.test/v1"), "claude-haiku-4-5")
    return Turns(target, family_of(target.model), ToolNames([])).block(block)


def encode_content(content: Any, path: str) -> list[dict[str, Any]]:
    return [it for each in decode_content(content, path) if (it := encoded(each))]


def block(part: dict[str, Any]) -> dict[str, Any]:
    seen = encoded(decode_part(part, "messages[0].content[0]"))
    assert seen
    return seen


def refused(part: dict[str, Any]) -> tuple[str | None, str | None]:
    with pytest.raises(ClientError) as caught:
        block(part)
    return caught.value.code, (caught.value.param or "").removeprefix("messages[0].content[0].")


# Text


def test_a_string_is_one_text() -> None:
    assert encode_content("Hello", "") == [text("Hello")]
    assert encode_content([text("a"), text("b")], "") == [text("a"), text("b")]


@pytest.mark.parametrize("nothing", [None, "", " \n\t", [], [text("")], [text(" ")]], ids=repr)
def test_no_text_is_no_block(nothing: Any) -> None:
    assert encode_content(nothing, "") == []


def test_what_is_no_text_is_no_empty_text() -> None:
    assert len(encode_content([text(""), image("https://i.test/a.png")], "")) == 1


# Images


@pytest.mark.parametrize("url", ["https://i.test/a.png?b=c", "http://i.test/", "HTTPS://I.test/a"])
def test_an_images_address_is_passed_on(url: str) -> None:
    expected = {"type": "image", "source": {"type": "url", "url": url}}
    assert block(image({"url": url, "detail": "high"})) == expected
    assert block(image(url)) == expected
    assert block(image(f" {url}\n")) == expected


@pytest.mark.parametrize("media_type", [each for each in BYTES if each.startswith("image/")])
def test_an_images_data(media_type: str) -> None:
    data = base64_of(media_type)
    expected = {"type": "base64", "media_type": media_type, "data": data}
    assert block(image({"url": f"data:{media_type};base64,{data}"}))["source"] == expected


@pytest.mark.parametrize("label", ["image/jpg", "image/gif", "IMAGE/PNG", "text/html", "", "x"])
def test_the_first_bytes_decide_about_a_wrong_label(label: str) -> None:
    source = block(image(f"data:{label};base64,{base64_of('image/jpeg')}"))["source"]
    assert source["media_type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("label", "media_type"),
    [("image/jpg", "image/jpeg"), ("image/png", "image/png"), (" Image/GIF ", "image/gif")],
)
def test_the_label_decides_about_unknown_bytes(label: str, media_type: str) -> None:
    assert block(image(f"data:{label};base64,{ODD}"))["source"]["media_type"] == media_type


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;charset=utf-8;base64,{}",
        "data:image/png;BASE64,{}",
        "DATA:image/png;a=b;c=d;base64,{}",
        "data:image/png;base64, {} ",
        "data:image/png;base64,\n{}\n",
    ],
)
def test_data_in_odd_clothes(uri: str) -> None:
    data = base64_of("image/png")
    broken = f"{data[:8]}\r\n {data[8:]}"
    assert block(image(uri.format(broken)))["source"]["data"] == data


def test_a_pdf_sent_as_an_image_is_a_document() -> None:
    data = base64_of("application/pdf")
    assert block(image(f"data:image/png;base64,{data}")) == {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data},
    }


@pytest.mark.parametrize(
    "url",
    [
        *("", "a.png", "ftp://i.test/a.png", "data:image/png,raw", "data:;base64", "base64,AAAA"),
        *("data:image/png;base64,AAA", "data:image/png;base64,A*==", "data:image/png;base64,"),
        *("data:image/png;base64,AAAA====", "data:image/png;base64,AA=A", "javascript:alert(1)"),
        *("file:///etc/passwd", "data:image/png;base64,ÄÄÄÄ"),
    ],
)
def test_what_is_no_image_is_refused_by_name(url: str) -> None:
    assert refused(image({"url": url})) == ("invalid_value", "image_url.url")
    assert refused(image(url)) == ("invalid_value", "image_url")


@pytest.mark.parametrize("label", ["image/svg+xml", "image/bmp", "video/mp4", "", "text/plain"])
def test_kinds_of_image_that_nobody_sees_are_refused(label: str) -> None:
    assert refused(image(f"data:{label};base64,{ODD}")) == ("unsupported_value", "image_url")


# Files


def test_a_pdf() -> None:
    data = base64_of("application/pdf")
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    for said in (data, f"data:application/pdf;base64,{data}", f"data:;base64,{data}"):
        assert block(file(file_data=said)) == {"type": "document", "source": source}
    assert block(file(file_data=data, filename="a.pdf"))["title"] == "a.pdf"
    lines = base64.encodebytes(BYTES["application/pdf"] * 9).decode()
    assert "\n" in lines.strip()
    assert block(file(file_data=lines))["source"]["data"] == lines.replace("\n", "")


def test_a_text_file() -> None:
    data = base64.b64encode("Grüße".encode()).decode()
    assert block(file(file_data=f"data:text/plain;charset=utf-8;base64,{data}"))["source"] == {
        "type": "text",
        "media_type": "text/plain",
        "data": "Grüße",
    }
    broken = base64.b64encode(b"a\xffb").decode()
    assert block(file(file_data=f"data:text/plain;base64,{broken}"))["source"]["data"] == "a\ufffdb"


def test_citations_that_the_client_asks_for() -> None:
    part = {**file(file_data=base64_of("application/pdf")), "citations": {"enabled": True}}
    assert block(part)["citations"] == {"enabled": True}
    assert "citations" not in block({**part, "citations": "yes"})


@pytest.mark.parametrize(
    ("said", "code", "param"),
    [
        ({"file_id": "file-1"}, "unsupported_value", "file.file_id"),
        ({}, "unsupported_value", "file.file_id"),
        ({"file_data": ""}, "unsupported_value", "file.file_id"),
        ({"file_data": "data:application/zip;base64,AAAA"}, "unsupported_value", "file.file_data"),
        ({"file_data": ODD}, "unsupported_value", "file.file_data"),
        ({"file_data": "data:text/plain;base64,AAA"}, "invalid_value", "file.file_data"),
        ({"file_data": "data:text/plain,Hello"}, "invalid_value", "file.file_data"),
        ({"file_data": "JVBERi0=="}, "invalid_value", "file.file_data"),
        ({"file_data": "JVBERi0xLjcg***"}, "invalid_value", "file.file_data"),
        ({"file_data": "not base64 at all"}, "invalid_value", "file.file_data"),
    ],
    ids=str,
)
def test_files_that_are_refused(said: dict[str, Any], code: str, param: str) -> None:
    assert refused(file(**said)) == (code, param)


# Others


def test_what_the_model_does_not_hear() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    assert refused(part) == ("unsupported_value", "type")


def test_an_unknown_part_is_refused_by_name() -> None:
    assert refused({"type": "video_url", "video_url": "x"}) == ("invalid_value", "type")


def test_a_refusal_is_text() -> None:
    assert block({"type": "refusal", "refusal": "No."}) == text("No.")


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "ephemeral", "ttl": "1h"}),
        ({"prompt_cache_breakpoint": {"mode": "explicit"}}, EPHEMERAL),
        ({"cache_control": None}, None),
        ({"cache_control": "ephemeral"}, None),
        ({"prompt_cache_breakpoint": None}, None),
        ({}, None),
    ],
    ids=str,
)
def test_cache_marks_in_eithers_words(said: dict[str, Any], mark: dict[str, str] | None) -> None:
    assert cache_mark(said) == mark
    assert block({**text("x"), **said}).get("cache_control") == mark


# What a long run of one character costs


@pytest.mark.parametrize("character", list(";:,=/+-A \n\u3000é"))
@pytest.mark.parametrize(
    "before", ["", "data:", "data:;", "data:image/png;base64,", "data:a;base64"]
)
def test_a_long_run_of_one_character_takes_no_more_than_its_copies(
    character: str, before: str
) -> None:
    length = 400_000
    said = image(before + character * length)
    tracemalloc.start()
    with suppress(ClientError):
        block(said)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * length


@pytest.mark.parametrize("pause", ["", " ", "\r\n"])
def test_base64_in_short_lines_takes_no_more_than_its_copies(pause: str) -> None:
    length = 400_000
    said = image("data:image/png;base64," + f"AA{pause}AA" * (length // 4))
    tracemalloc.start()
    assert block(said)["source"]["data"] == "A" * length
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * length


def test_a_data_uri_without_end_is_refused() -> None:
    assert refused(image("data:image/png;" + "a" * 300 + ";base64,AAAA")) == (
        "invalid_value",
        "image_url",
    )


# Text files


@pytest.mark.parametrize(
    ("label", "data", "expected"),
    [
        ("text/plain", "é".encode(), "é"),
        ("text/plain;charset=utf-8", "é".encode(), "é"),
        ("text/plain;charset=UTF-8", "\ufeffé".encode(), "é"),
        ("text/plain;charset=iso-8859-1", b"\xe9\x80", "é€"),
        ('text/plain;charset="windows-1252"', b"\xe9", "é"),
        ("text/plain;charset=utf-16", "é".encode("utf-16"), "é"),
        ("text/markdown", b"# x", "# x"),
        ("text/csv;header=present", b"a,b", "a,b"),
        ("application/json", b"{}", "{}"),
        ("application/xml", b"<a/>", "<a/>"),
    ],
)
def test_a_text_file_of_each_kind(label: str, data: bytes, expected: str) -> None:
    uri = f"data:{label};base64,{base64.b64encode(data).decode()}"
    source = {"type": "text", "media_type": "text/plain", "data": expected}
    assert block(file(file_data=uri)) == {"type": "document", "source": source}


@pytest.mark.parametrize("charset", ["idna", "zlib", "koi8-r", "", "x" * 50])
def test_text_in_an_encoding_that_is_not_read(charset: str) -> None:
    said = file(file_data=f"data:text/plain;charset={charset};base64,AAAA")
    assert refused(said) == ("unsupported_value", "file.file_data")
