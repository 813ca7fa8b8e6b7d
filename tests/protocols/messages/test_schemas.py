"""A client's JSON schema in the keywords that structured output knows."""

from typing import Any

import pytest

from xtrix.protocols.messages.schemas import Size, encode_schema, size_of


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
        ("minItems", [1], "minItems: [1]"),
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


# Size

ONE: dict[str, Any] = {"properties": {"a": {}}}
EITHER: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("schema", "optional", "unions"),
    [
        ({}, 0, 0),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, 2, 0),
        ({"properties": {"a": {}, "b": {}}, "required": ["a", "c"]}, 1, 0),
        ({"properties": {"a": {}}, "required": ["a"]}, 0, 0),
        ({"items": ONE, "anyOf": [ONE], "allOf": [ONE], "$defs": {"a": ONE}}, 4, 1),
        ({"properties": {"anyOf": ONE, "type": {"type": "string"}}}, 3, 0),
        ({"properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}, 0, 1),
        ({"items": EITHER, "$defs": {"a": EITHER}, "definitions": {"b": EITHER}}, 0, 3),
        ({"oneOf": [EITHER]}, 0, 2),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": ONE}}, 2, 0),
    ],
)
def test_the_size_of_a_schema(schema: dict[str, Any], optional: int, unions: int) -> None:
    assert size_of(schema) == Size(optional, unions)


@pytest.mark.parametrize(
    ("schema", "optional"),
    [
        *((None, 0), (7, 0), ([ONE], 0), ({"properties": ["a"]}, 0), ({"items": [ONE]}, 0)),
        ({"properties": {"a": 7}, "required": True}, 1),
        ({"properties": {"a": {}}, "required": [["a"], 7, "a"]}, 0),
    ],
)
def test_the_size_of_what_makes_no_sense(schema: object, optional: int) -> None:
    assert size_of(schema) == Size(optional, 0)
