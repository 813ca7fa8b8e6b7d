"""Rewrites a client's JSON schema for Anthropic's structured output.

Anthropic makes a grammar of the schema, which has fewer keywords than JSON Schema. Other keywords
are moved into the description, where the model can still read them. Source:
platform.claude.com/docs/en/build-with-claude/structured-outputs, read 2026-11.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from xtrix import json

Schema = dict[str, Any]

# The API's limits for all grammars of one request together: the same page, "Schema complexity
# limits". It has further limits that are not published. Beyond those, Anthropic's own error says
# what is wrong.
MOST_OPTIONAL = 24
"""The most properties that are not `required` in their object."""
MOST_UNIONS = 16
"""The most schemas with `anyOf` or with a list of types."""
MOST_STRICT_TOOLS = 20

_UNKNOWN = {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "maxItems", "uniqueItems", "contains"),
    *("minContains", "maxContains", "prefixItems", "patternProperties", "propertyNames"),
    *("minProperties", "maxProperties", "if", "then", "else", "not"),
    *("dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
}
_MAPS = {"properties", "$defs", "definitions"}
_LISTS = {"anyOf", "allOf", "oneOf"}


def encode_schema(schema: Schema) -> Schema:
    """`schema` with only the keywords that the grammar has.

    Its objects allow no further members.
    """
    encoded: Schema = {}
    moved = []
    for key, value in schema.items():
        if key in _UNKNOWN or (key == "minItems" and value not in (0, 1)):
            moved.append(f"{key}: {json.encode(value)}")
        elif key in _MAPS and isinstance(value, dict):
            encoded[key] = {name: _encode_any(each) for name, each in value.items()}
        elif key in _LISTS and isinstance(value, list):
            encoded["anyOf" if key == "oneOf" else key] = [_encode_any(each) for each in value]
        else:
            encoded[key] = _encode_any(value) if key == "items" else value
    if encoded.get("type") == "object" or "properties" in encoded:
        encoded["additionalProperties"] = False
    if moved:
        description = encoded.get("description")
        encoded["description"] = (
            f"{description}\n\n" if description else ""
        ) + f"{{{', '.join(moved)}}}"
    return encoded


def has_grammar(schema: object) -> bool:
    """Whether `encode_schema` means the same as `schema`, as far as a grammar can.

    An object whose keys are free would be closed by it, and have no keys.
    """
    todo = [schema]
    while todo:
        at = todo.pop()
        if isinstance(at, dict):
            if _is_open(at) or {"oneOf", "anyOf"} <= at.keys():
                return False
            todo += _inside(at)
    return True


def _is_open(schema: Schema) -> bool:
    """Whether `schema` describes objects whose keys it does not name."""
    kind = schema.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    unnamed = schema.get("additionalProperties", False)
    return (
        (is_object and "properties" not in schema)
        or unnamed is not False
        or bool(schema.get("patternProperties"))
    )


class Size(NamedTuple):
    """A schema's share of a request's grammars."""

    optional: int = 0
    unions: int = 0

    def plus(self, other: "Size") -> "Size":
        """The size of both together."""
        return Size(self.optional + other.optional, self.unions + other.unions)

    @property
    def fits(self) -> bool:
        """Whether the upstream accepts a grammar of this size."""
        return self.optional <= MOST_OPTIONAL and self.unions <= MOST_UNIONS


def size_of(schema: object) -> Size:
    """The size of `schema`. The target of a `$ref` counts once, however often it is used."""
    optional = unions = 0
    todo = [schema]
    while todo:
        at = todo.pop()
        if isinstance(at, dict):
            optional += _optional(at)
            unions += "anyOf" in at or "oneOf" in at or isinstance(at.get("type"), list)
            todo += _inside(at)
    return Size(optional, unions)


def _optional(schema: Schema) -> int:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return 0
    names = required if isinstance(required, list) else ()
    return len(properties.keys() - {name for name in names if isinstance(name, str)})


def _inside(schema: Schema) -> Iterator[object]:
    """The schemas inside of `schema`."""
    yield schema.get("items")
    for key in _MAPS | _LISTS:
        value = schema.get(key)
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, list):
            yield from value


def _encode_any(value: object) -> object:
    return encode_schema(value) if isinstance(value, dict) else value
