"""A client's JSON schema in the keywords that structured output knows."""

from typing import Any

import pytest

from xtrix.dialects.anthropic.schemas import encode_schema


def test_what_is_known_stays() -> None:
    schema = {
        "type": "object",
        "title": "A",
        "properties": {"a": {"$ref": "#/$defs/b"}, "c": {"type": "string", "format": "date"}},
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"b": {"type": "integer", "enum": [1, 2], "default": 1}},
    }
    assert encode_schema(schema) == schema


@pytest.mark.parametrize(
    "schema",
    [{"type": "object"}, {"properties": {}}, {"type": "object", "additionalProperties": {}}],
)
def test_objects_are_closed(schema: dict[str, Any]) -> None:
    assert encode_schema(schema)["additionalProperties"] is False


def test_objects_are_closed_at_every_depth() -> None:
    thing: dict[str, Any] = {"type": "object", "properties": {}}
    schema = {
        "properties": {"a": thing, "b": {"type": "array", "items": thing}},
        "$defs": {"c": thing},
        "definitions": {"d": thing},
        "anyOf": [thing],
        "allOf": [thing],
    }
    assert str(encode_schema(schema)).count("'additionalProperties': False") == 7


def test_one_of_becomes_any_of() -> None:
    assert encode_schema({"oneOf": [{"type": "null"}]}) == {"anyOf": [{"type": "null"}]}


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("minimum", 1, "minimum: 1"),
        ("maxLength", 5, "maxLength: 5"),
        ("minItems", 2, "minItems: 2"),
        ("uniqueItems", True, "uniqueItems: true"),
        ("patternProperties", {"^a": {}}, 'patternProperties: {"^a":{}}'),
        ("not", {"type": "null"}, 'not: {"type":"null"}'),
        ("if", {}, "if: {}"),
    ],
)
def test_what_is_not_known_is_described(keyword: str, value: object, words: str) -> None:
    assert encode_schema({keyword: value}) == {"description": f"{{{words}}}"}
    described = encode_schema({"description": "A thing.", keyword: value})
    assert described == {"description": f"A thing.\n\n{{{words}}}"}


def test_several_are_described_together() -> None:
    schema = {"type": "integer", "minimum": 1, "maximum": 5}
    assert encode_schema(schema) == {"type": "integer", "description": "{minimum: 1, maximum: 5}"}


@pytest.mark.parametrize("count", [0, 1])
def test_the_smallest_counts_stay(count: int) -> None:
    assert encode_schema({"minItems": count}) == {"minItems": count}


def test_a_property_may_be_named_like_a_keyword() -> None:
    schema = {"properties": {"minimum": {"type": "integer"}, "items": {"type": "string"}}}
    assert encode_schema(schema)["properties"] == schema["properties"]


@pytest.mark.parametrize(
    "schema", [{"properties": True}, {"items": False}, {"anyOf": "x"}, {"$defs": [1]}]
)
def test_what_makes_no_sense_is_left_for_the_upstream_to_judge(schema: dict[str, Any]) -> None:
    assert encode_schema(schema).items() >= schema.items()


def test_the_clients_schema_is_not_changed() -> None:
    schema = {"type": "object", "properties": {"a": {"minimum": 1}}}
    encode_schema(schema)
    assert schema == {"type": "object", "properties": {"a": {"minimum": 1}}}


def test_a_schema_as_deep_as_the_door_lets_in() -> None:
    schema: dict[str, Any] = {}
    for _ in range(190):
        schema = {"items": schema}
    assert "items" in encode_schema(schema)
