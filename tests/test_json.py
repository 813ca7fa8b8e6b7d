"""JSON from outside: what is refused, what is mended, how it is written."""

from typing import Any

import pytest

from xtrix import json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":[1,2.5,true,null,"\\u00e9"]}', {"a": [1, 2.5, True, None, "é"]}),
        ('  "x"  ', "x"),
        ("1e3", 1000.0),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ('{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_decodes(text: str, value: Any) -> None:
    assert json.decode(text) == value
    assert json.decode(text.encode()) == value


def test_a_byte_order_mark_is_ignored() -> None:
    assert json.decode(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "{",
            "{]",
            "{'a':1}",
            '{"a":1,}',
            "[1,]",
            "01",
            "+1",
            ".5",
            "nul",
            "{} {}",
            "//",
        ),
        *("NaN", "Infinity", "-Infinity", "[1, NaN]", '"a\nb"', '"\\x"', '"\\u12"', '{"a" 1}'),
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.decode(text)


@pytest.mark.parametrize(
    "data", [b"\xff", b'"\xff"', b'{"a":"\xc3"}', b"\x00", "{}".encode("utf-16")]
)
def test_bytes_that_are_no_utf_8_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.decode(data)


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "1E+400", "1" * 400 + ".5", "1" * 250 + "e99"]
)
@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"a":{{"b":[1,{}]}}}}'])
def test_numbers_too_large_for_a_float_are_refused(number: str, form: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        json.decode(form.format(number))


@pytest.mark.parametrize("text", ["1e100", "1e-400", '"1e999"', "0." + "1" * 400])
def test_numbers_that_only_look_too_large_are_not(text: str) -> None:
    assert json.decode(text) is not None


@pytest.mark.parametrize("nested", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_is_refused_and_ends_nothing(nested: str, depth: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.decode(nested * depth)
    with pytest.raises(ValueError, match=r"."):
        json.decode("[" * depth + "]" * depth)


def test_nesting_that_people_use_is_not_refused() -> None:
    assert json.decode("[" * 100 + "]" * 100)


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        (r'"\ud83d\ude42"', "🙂"),
        (r'"\uD83D\uDE42"', "🙂"),
        (r'"a\ud83db"', "a\ufffdb"),
        (r'"\ude42\ud83d"', "\ufffd\ufffd"),
        (r'"\ud83d\ud83d\ude42"', "\ufffd🙂"),
        (r'"\\ud83d"', r"\ud83d"),
        (r'"\\\ud83d"', "\\\ufffd"),
    ],
)
def test_lone_surrogates_become_replacement_characters(spelled: str, text: str) -> None:
    assert json.decode(spelled) == text
    assert json.decode(f"[{spelled}]".encode()) == [text]


def test_a_broken_text_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        json.decode(r'{"a":"\ud83d"')


@pytest.mark.parametrize("text", ["[]", "1", "null", '"a"', "true"])
def test_an_object_is_an_object(text: str) -> None:
    with pytest.raises(ValueError, match="expected an object"):
        json.decode_object(text)
    assert json.decode_object("{}") == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, 2.5, None, True]}, '{"a":[1,2.5,null,true]}'),
        ("é🙂\u2028", '"é🙂\u2028"'),
        ('\x00\x1f"\\\n\t\r\b\f/', '"\\u0000\\u001f\\"\\\\\\n\\t\\r\\b\\f/"'),
        (10**30, "1" + "0" * 30),
    ],
)
def test_encodes_compactly(value: object, text: str) -> None:
    assert json.encode(value) == text
    assert json.decode(text) == value


def nested(depth: int) -> Any:
    """A value with this many levels, lists and objects in turn."""
    value: Any = "é\u2028"
    for level in range(depth):
        value = [value, 1.5, None] if level % 2 else {"a": value, "b": True}
    return value


@pytest.mark.parametrize("depth", [1, 60, 190, json.DEEPEST, 260, 400])
def test_what_was_read_can_be_written(depth: int) -> None:
    """At any depth. pydantic-core's own limit is lower, and lower still in WebAssembly."""
    text = json.encode(nested(depth))
    assert text == json.encode_body(nested(depth)).decode()
    assert text.count("é\u2028") == 1
    assert " " not in text
    if depth <= json.DEEPEST:
        assert json.decode(text) == nested(depth)
    else:
        with pytest.raises(json.TooDeep):
            json.decode(text)


def test_what_cannot_be_written_is_not_written_otherwise() -> None:
    for value in (object(), {"a": [object()]}):
        with pytest.raises(TypeError):
            json.encode(value)


@pytest.mark.parametrize("deep", ["[" * 300, '{"a":' * 300, '[{"a":' * 300])
@pytest.mark.parametrize(
    ("before", "path"),
    [
        ('{"a":1,"tools":', "tools"),
        (
            '{\n"é":"\\n",\r\n"tools":\n[1,\n{"function":{"parameters":',
            "tools[1].function.parameters",
        ),
        ('[[{"b":', "[0][0].b"),
    ],
)
def test_what_is_too_deep_is_found(before: str, path: str, deep: str) -> None:
    for text in (before + deep, "\ufeff" + before + deep, before + r'["\ud800",' + deep):
        with pytest.raises(json.TooDeep) as caught:
            json.decode(text.encode())
        assert str(caught.value.path).startswith(path)


def test_what_has_no_name_has_no_path() -> None:
    with pytest.raises(json.TooDeep) as caught:
        json.decode("[" * 300)
    assert caught.value.path is None
