"""Functions that make the parts of an OpenAPI 3.1 description: schemas, errors and calls.

They have what all calls have in common, and know no single call.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema as cs

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
FLAG: Schema = {"type": "boolean"}
JSON = "application/json"
EVENTS = "text/event-stream"
CSV = "text/csv"
HEADERS: Schema = {
    "x-request-id": {
        "description": "Names this call in the log.",
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{32}$"},
    }
}
ASKED_OF_A_MODEL = (
    *("400", "401", "403", "404", "413", "415", "429"),
    *("500", "502", "503", "504"),
)
"""What a call that reaches an upstream may be refused with."""

_STATUSES = {
    "400": "The request is wrong; `param` says where.",
    "401": "The key is missing, malformed or wrong.",
    "402": "The upstream's money is used up.",
    "403": "The key may not do this.",
    "404": "There is no such model, or no provider that can do this with it.",
    "405": "The path takes another method.",
    "408": "The request's body did not come whole.",
    "409": "Another key has this name, or this one stands in the configuration.",
    "413": "The request is too large.",
    "415": "The request's body is compressed otherwise than with gzip or deflate.",
    "429": "The upstream's rate limit, or its money, is used up.",
    "500": "The upstream or the gateway failed; `code` says which.",
    "501": "Tokens are not counted for this model.",
    "502": "The upstream could not be reached, refused the gateway, or answered nonsense.",
    "503": "The upstream is overloaded.",
    "504": "The upstream took too long.",
    "529": "The upstream is overloaded.",
}


def ref(name: str) -> Schema:
    """Returns what stands for a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def obj(required: str, /, **properties: Schema) -> Schema:
    """Returns an object's schema; `required` lists names, separated by spaces."""
    return {"type": "object", "required": required.split(), "properties": properties}


def items(schema: Schema, **more: object) -> Schema:
    """Returns the schema of a list."""
    return {"type": "array", "items": schema, **more}


def requested(schema: cs.CoreSchema) -> Schema:
    """Returns, as JSON Schema, the schema with which pydantic-core checks a request."""
    described: Schema = _plain(GenerateJsonSchema().generate(schema))
    return described


def body(schema: Schema, example: Schema | None = None, *, required: bool = True) -> Schema:
    """Returns a request's body in JSON."""
    content = {"schema": schema, **({"example": example} if example else {})}
    return {"required": required, "content": {JSON: content}}


def answer(description: str, **schemas: Schema) -> Schema:
    """Returns an answer; `schemas` are by the names of the content types above, in lower case."""
    content = {globals()[kind.upper()]: {"schema": schema} for kind, schema in schemas.items()}
    return {"description": description, "headers": HEADERS, "content": content}


def errors(*statuses: str, schema: str = "Error", **descriptions: str) -> Schema:
    """Returns the answers of these statuses; `descriptions` of others are named `_404`."""
    texts = {status: _STATUSES[status] for status in statuses}
    texts |= {status.strip("_"): text for status, text in descriptions.items()}
    return {status: answer(text, json=ref(schema)) for status, text in sorted(texts.items())}


def parameter(name: str, place: str, schema: Schema, description: str = "") -> Schema:
    """Returns a parameter, `place` being `path` or `query`."""
    said = {"description": description} if description else {}
    return {"name": name, "in": place, "required": place == "path", "schema": schema, **said}


def _plain(value: Any) -> Any:
    """Removes titles, which repeat names, and discriminators, which need named schemas."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = value.get("properties")
    kept = {
        key: _plain(item)
        for key, item in value.items()
        if key not in {"title", "discriminator", "properties"}
    }
    return kept if fields is None else kept | {"properties": {k: _plain(fields[k]) for k in fields}}
