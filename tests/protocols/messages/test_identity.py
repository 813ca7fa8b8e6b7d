"""Only the model's name is changed in a body that is passed on, whatever its JSON looks like."""

import json as plain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.messages.answering import recorded
from xtrix import json
from xtrix.protocols.messages.identity import with_model

NEW = 'new/"model'
ODDITIES = {
    "blanks": b'{ "model" : "old",\n\t"a": [1,  2] }',
    "order": b'{"z":1,"model":"old","a":2}',
    "unicode": '{"model":"old","a":"größe 北京 🙂"}'.encode(),
    "escaped text": rb'{"model":"old","a":"gr\u00f6\u00dfe \ud83d\ude42 \u003c"}',
    "lone surrogate": rb'{"model":"old","a":"\ud800"}',
    "floats": b'{"model":"old","a":[1.0,1e5,1E-7,0.10,-0.0,1.7976931348623157e308]}',
    "large integers": b'{"model":"old","a":[9007199254740993,123456789012345678901234567890]}',
    "repeated keys": b'{"model":"old","a":{"b":1,"b":2},"a":{"c":1,"c":2}}',
    "deep": b'{"model":"old","a":' + b"[" * 150 + b"]" * 150 + b"}",
    "nested field of another value": b'{"a": {"model":"x", "model":{}}, "model":"old"}',
    "nested key with a quotation mark": rb'{"a": {"x\"model":"old"}, "model":"old"}',
    "value that looks like the field": rb'{"a": "\"model\":\"old\"", "model":"old"}',
    "first of two": b'{"model":"other","model":"old"}',
}
"""Bodies of which every byte but the model's survives."""
REWRITTEN = {
    "nested field of the same value": b'{"a":{"model":"old"},"model":"old"}',
    "repeated field": b'{"model":"old","model":"old"}',
    "field with an escape": rb'{"m\u006Fdel":"old","a":{"model":"old"}}',
    "value with an escape": rb'{"model":"\u006fld","a":{"model":"old"}}',
}
"""Bodies in which the place is not certain: they are written anew, in their order."""


@pytest.mark.parametrize("name", ODDITIES)
def test_every_other_byte_survives(name: str) -> None:
    body = ODDITIES[name]
    changed = with_model(body, json.decode_object(body), NEW)
    if name == "lone surrogate":
        assert changed == rb'{"model":"new/\"model","a":"\ud800"}'
        return
    at = changed.index(b'"new')
    assert changed == body[:at] + json.encode_body(NEW) + body[at + len(b'"old"') :]
    assert plain.loads(changed) == {**plain.loads(body), "model": NEW}


@pytest.mark.parametrize("name", REWRITTEN)
def test_where_the_place_is_not_certain_the_object_is_the_same(name: str) -> None:
    body = REWRITTEN[name]
    changed = with_model(body, json.decode_object(body), NEW)
    assert plain.loads(changed) == {**plain.loads(body), "model": NEW}
    assert list(plain.loads(changed)) == list(plain.loads(body))


@pytest.mark.parametrize("name", [*ODDITIES, *REWRITTEN])
def test_a_body_of_the_same_model_is_the_same_body(name: str) -> None:
    body = (ODDITIES | REWRITTEN)[name]
    assert with_model(body, json.decode_object(body), "old") is body


def test_a_name_in_another_script_may_be_spelled_in_more_ways() -> None:
    body = r'{"model":"\ud83d\ude42","a":{"model":"🙂"}}'.encode()
    changed = with_model(body, json.decode_object(body), "new")
    assert plain.loads(changed) == {"model": "new", "a": {"model": "🙂"}}


def test_a_byte_order_mark_is_no_part_of_a_body() -> None:
    body = b'\xef\xbb\xbf{"model":"old"}'
    assert with_model(body, json.decode_object(body), "old") == b'{"model":"old"}'
    assert with_model(body, json.decode_object(body), "new") == b'{"model":"new"}'


def test_a_model_is_put_in_where_there_is_none() -> None:
    assert with_model(b'{"a":1}', {"a": 1}, "new") == b'{"a":1,"model":"new"}'
    assert with_model(b'{"model":5}', {"model": 5}, "new") == b'{"model":"new"}'


def test_claude_codes_request_keeps_its_bytes() -> None:
    body = recorded("claude_code")
    changed = with_model(body, json.decode_object(body), "claude-opus-5-5-20261001")
    assert changed == body.replace(b'"claude-opus-5-5"', b'"claude-opus-5-5-20261001"')


KEYS = st.sampled_from(["model", "a", 'x"model', "\\model", 'model":', "größe"])
NAMES = st.sampled_from(["old", "a/b", 'o"ld', "model"])
VALUES = st.recursive(
    NAMES | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def spelled(value: Any, draw: Any) -> str:
    """`value` as JSON in one of many spellings, with keys that come twice."""
    if isinstance(value, dict):
        pairs = [f"{spelled(key, draw)} :{spelled(inner, draw)}" for key, inner in value.items()]
        twice = draw(st.lists(st.sampled_from(pairs), max_size=1)) if pairs else []
        return "{" + ",".join([*twice, *pairs]) + "}"
    if isinstance(value, list):
        return "[" + " , ".join(spelled(inner, draw) for inner in value) + "]"
    text = plain.dumps(value)
    if isinstance(value, str) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        escape = "".join(f"\\u{ord(letter):04X}" for letter in value[at])
        return plain.dumps(value[:at])[:-1] + escape + plain.dumps(value[at + 1 :])[1:]
    return text


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_nothing_but_the_model_ever_changes(data: st.DataObject) -> None:
    fields = data.draw(st.dictionaries(KEYS, VALUES, max_size=4)) | {"model": data.draw(NAMES)}
    body = spelled(fields, data.draw).encode()
    assert json.decode_object(body) == fields
    changed = with_model(body, json.decode_object(body), NEW)
    assert plain.loads(changed) == {**fields, "model": NEW}
