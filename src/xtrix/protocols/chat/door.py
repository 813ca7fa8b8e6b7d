"""The shape of a Chat Completions request, checked once.

Past `decode_request` no code looks again whether a field has the right type. Fields the schema
does not name are kept, so that an OpenAI-compatible upstream gets what its own clients send;
another protocol drops what it cannot use. Null means "not sent" for every optional field.

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import SchemaValidator, ValidationError

from xtrix import json
from xtrix.errors import ClientError
from xtrix.protocol import Request
from xtrix.protocols.chat.schema import REQUEST_SCHEMA

_REQUEST = SchemaValidator(REQUEST_SCHEMA)


MOST_VALUES = 150_000
"""Values that a request may be made of. A few megabytes of small ones would fill the isolate; with
so many, and text up to 5 MB, Python's memory went from 38 to 78 MB of its 128 (thirteen shapes on
workerd, 2026-11). An agent's request of several megabytes has some thousands."""

_LONGEST_KEY = 64
"""Characters of a client's own key that an error repeats."""
_WINDOW = 65_536


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request that `body` spells, its model filled in. Raises ClientError."""
    if has_too_many_values(body):
        message = f"The request is made of more than {MOST_VALUES} values; send fewer, longer ones."
        raise ClientError(413, "request_too_large", message)
    try:
        said = json.decode_object(body)
    except ValueError as failure:
        message = f"The request body is not a JSON object: {failure}."
        raise ClientError(400, "invalid_json", message) from None
    try:
        _REQUEST.validate_python(said)
    except ValidationError as failure:
        raise _refusal(failure) from None
    said["model"] = said.get("model") or default_model
    if said.get("stream_options") and not said.get("stream"):
        message = "'stream_options' is only allowed when 'stream' is true."
        raise ClientError(400, "invalid_value", message, param="stream_options")
    session = said.get("prompt_cache_key") or said.get("user")
    return Request(
        said,
        body,
        said["model"],
        bool(said.get("stream")),
        headers,
        str(session) if session else None,
    )


def has_too_many_values(body: bytes) -> bool:
    """Whether `body` spells more than `MOST_VALUES` values, found without parsing it.

    Every value but the first follows a bracket or a comma (an empty one counts for one more). Those
    inside strings count for nothing, but are left out only where all together are too many: most
    bodies are passed after three counts.
    """
    if _separators(body) <= MOST_VALUES:
        return False
    found = 0
    inside = 0  # 1 where a window begins inside a string
    # An escaped quote is no end of a string, and is told from one after an escaped backslash.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    for start in range(0, len(plain), _WINDOW):
        pieces = plain[start : start + _WINDOW].split(b'"')
        found += _separators(b"".join(pieces[inside::2]))
        inside = (inside + len(pieces) - 1) % 2
        if found > MOST_VALUES:
            return True
    return False


def _separators(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[") + text.count(b",")


_JSON_TYPES = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
_JSON_TYPES |= {list: "an array", dict: "an object", type(None): "null"}


def _refusal(failure: ValidationError) -> ClientError:
    """The first fault of a request as an answer a person can act on."""
    fault = failure.errors(include_url=False)[0]
    kind = fault["type"]
    context = fault.get("ctx", {})
    param = _path(fault["loc"])
    if kind.startswith("union_tag"):
        param += "." + context["discriminator"].strip("'")
    if kind in {"missing", "union_tag_not_found"}:
        message = f"Missing required parameter: '{param}'."
        return ClientError(400, "missing_required_parameter", message, param=param)
    if kind.endswith("_type"):
        got = _JSON_TYPES.get(type(fault["input"]), "something else")
        message = f"Invalid type for '{param}': {_worded(fault['msg'])}, not {got}."
        return ClientError(400, "invalid_type", message, param=param)
    why = _worded(fault["msg"])
    if kind == "union_tag_invalid":
        why = f"'{context['tag'][:64]}' is none of {context['expected_tags']}"
    return ClientError(400, "invalid_value", f"Invalid value for '{param}': {why}.", param=param)


def _path(location: tuple[int | str, ...]) -> str:
    """`location` as one would write it in JavaScript.

    The schema is walked along: where it has a union, the step names the union's choice, which is
    no part of the request.
    """
    path = ""
    schema: Any = REQUEST_SCHEMA
    for step in location:
        while schema.get("type") == "nullable":
            schema = schema["schema"]
        if schema.get("type") == "tagged-union":
            schema = schema["choices"][step]
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step[:_LONGEST_KEY]}"
        field = schema.get("fields", {}).get(step, schema)
        schema = field.get("items_schema") or field.get("schema") or {}
    return path.removeprefix(".")


def _worded(message: str) -> str:
    plain = message.replace(" after validation", "").replace("dictionary", "object")
    plain = plain.removesuffix(" or object to extract fields from")
    return plain[:1].lower() + plain[1:]
