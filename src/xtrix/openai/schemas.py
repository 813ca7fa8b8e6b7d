"""Which schemas OpenAI can enforce.

Source: developers.openai.com/api/docs/guides/structured-outputs, read 2026-11.
"""

from typing import Any

Json = dict[str, Any]

_STRICT_KEYWORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const"),
    *("$ref", "$defs", "definitions", "description", "title", "$schema"),
}


def is_strict(schema: Json | None) -> bool:
    """Whether `schema` follows OpenAI's rules for strict schemas, so that asking for it is safe."""
    return bool(schema) and schema is not None and "anyOf" not in schema and _fits(schema)


def _fits(schema: object) -> bool:
    if not isinstance(schema, dict) or not schema.keys() <= _STRICT_KEYWORDS:
        return False
    properties = schema.get("properties") or {}
    if "object" in _listed(schema.get("type")) and not (
        isinstance(properties, dict)
        and schema.get("additionalProperties") is False
        and {*map(str, _listed(schema.get("required")))} == properties.keys()
    ):
        return False
    inner = [*_listed(schema.get("anyOf")), *_values(properties)]
    inner += [*_values(schema.get("$defs")), *_values(schema.get("definitions"))]
    if "items" in schema:
        inner.append(schema["items"])
    return all(_fits(each) for each in inner)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []


def _values(value: object) -> list[Any]:
    return [*value.values()] if isinstance(value, dict) else []
