"""A client's JSON schema as Anthropic's structured output takes it.

The grammar behind it knows fewer keywords than JSON Schema. What it does not know moves into the
description, where the model still reads it.
Source: platform.claude.com/docs/en/build-with-claude/structured-outputs, read 2026-11.
"""

from typing import Any

from xtrix import json

Schema = dict[str, Any]

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
    """`schema` in the keywords that the grammar knows, objects closed."""
    encoded: Schema = {}
    moved = []
    for key, value in schema.items():
        if key in _UNKNOWN or (key == "minItems" and value not in {0, 1}):
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
        said = encoded.get("description")
        encoded["description"] = (f"{said}\n\n" if said else "") + f"{{{', '.join(moved)}}}"
    return encoded


def _encode_any(value: object) -> object:
    return encode_schema(value) if isinstance(value, dict) else value
