"""Checks JSON from outside against a pydantic-core schema, and describes the first fault.

A protocol describes its requests with the functions below. `Shape` checks a request, and names the
place of a fault as its client would write it: `input[3].content[0].text`.

Checking a list or an object ends at its first fault, because a fault takes some 400 bytes, and a
small body has room for a million of them.
"""

from collections.abc import Callable
from typing import Any

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from xtrix import json
from xtrix.errors import ClientError

STRING = cs.str_schema(strict=True)
NAME = cs.str_schema(strict=True, min_length=1)
BOOL = cs.bool_schema(strict=True)
COUNT = cs.int_schema(strict=True, ge=0)
ANY = cs.any_schema()
OBJECT = cs.dict_schema(STRING, fail_fast=True)
"""An object with any members."""
MODEL = cs.str_schema(strict=True, min_length=1, max_length=256, pattern=r"^[!-~]+$")

LONGEST_ECHO = 64
"""The most characters of a client's own value that an error repeats."""

MOST_VALUES = 150_000
"""The most values in a request. A few megabytes of small values would fill the isolate's memory.
With so many, and 5 MB of text, Python's memory grew from 38 to 78 MB of its 128 (thirteen shapes on
workerd, 2026-11). An agent's request of several megabytes has some thousands."""

_OTHER = "other"
_WINDOW = 65_536


def maybe(schema: cs.CoreSchema) -> cs.TypedDictField:
    """A field that may be absent or null."""
    return cs.typed_dict_field(cs.nullable_schema(schema), required=False)


def must(schema: cs.CoreSchema) -> cs.TypedDictField:
    """A field that may be neither absent nor null."""
    return cs.typed_dict_field(schema, required=True)


def members(**fields: cs.TypedDictField) -> cs.CoreSchema:
    """An object with these fields, and any others, which are not checked."""
    return cs.typed_dict_schema(fields, extra_behavior="allow")


def items(schema: cs.CoreSchema, low: int | None = None, high: int | None = None) -> cs.CoreSchema:
    """A list of `low` to `high` values. Checking ends at the first wrong one.

    A fault takes some 400 bytes, and a small body has room for a million of them.
    """
    return cs.list_schema(schema, min_length=low, max_length=high, fail_fast=True)


def mapping(values: cs.CoreSchema, high: int | None = None) -> cs.CoreSchema:
    """An object with any keys, at most `high` of them. Checking ends as for `items`."""
    return cs.dict_schema(STRING, values, max_length=high, fail_fast=True)


def one_of(*words: str) -> cs.CoreSchema:
    """One of `words`."""
    return cs.literal_schema(list(words))


def number(low: float, high: float) -> cs.CoreSchema:
    """A number from `low` to `high`."""
    return cs.float_schema(strict=True, ge=low, le=high, allow_inf_nan=False)


def tagged(field: str, choices: dict[str, cs.CoreSchema]) -> cs.CoreSchema:
    """An object whose `field` says which of `choices` it is. Other values are refused."""
    return cs.tagged_union_schema(choices, field)


def sorted_by(
    kind: Callable[[dict[str, Any]], object], choices: dict[str, cs.CoreSchema], field: str = "type"
) -> cs.CoreSchema:
    """An object that is the one of `choices` that `kind` names.

    An object that is none of them must have `field`. The decoder then judges it.
    """
    tags: dict[Any, cs.CoreSchema] = {**choices, _OTHER: members(**{field: must(STRING)})}

    def tag(value: object) -> str:
        found = kind(value) if isinstance(value, dict) else None
        return found if isinstance(found, str) and found in choices else _OTHER

    return cs.tagged_union_schema(tags, tag)


def known_or_any(field: str, choices: dict[str, cs.CoreSchema]) -> cs.CoreSchema:
    """Like `tagged`, but the decoder judges an object with an unknown tag."""
    return sorted_by(lambda value: value.get(field), choices, field)


def either(schema: cs.CoreSchema, kind: type, otherwise: cs.CoreSchema) -> cs.CoreSchema:
    """`schema` for a value of `kind`, else `otherwise`.

    This gives one clear error instead of two.
    """
    return cs.tagged_union_schema(
        {"first": schema, "second": otherwise},
        lambda value: "first" if isinstance(value, kind) else "second",
    )


class Shape:
    """The shape of a protocol's requests."""

    def __init__(self, schema: cs.CoreSchema) -> None:
        self.schema = schema
        self._validator = SchemaValidator(schema)

    def decode(self, body: bytes, most_values: int = MOST_VALUES) -> dict[str, Any]:
        """The object in `body`, checked. Raises ClientError."""
        fields = decode_body(body, most_values)
        # Takes two thirds of the time of `validate_python`, which gives back a copy (measured).
        if self._validator.isinstance_python(fields):
            return fields
        try:
            self._validator.validate_python(fields)
        except ValidationError as failure:
            raise _refusal(failure, self.schema) from None
        return fields


def decode_body(body: bytes, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """The object in a request's body, not checked. Raises ClientError."""
    if has_too_many_values(body, most_values):
        raise too_many_values(most_values)
    try:
        return json.decode_object(body)
    except ValueError as failure:
        path = failure.path if isinstance(failure, json.TooDeep) else None
        what = f"'{path}'" if path else "The request body is not a JSON object"
        raise ClientError(400, "invalid_json", f"{what}: {failure}.", param=path) from None


def too_many_values(most: int = MOST_VALUES) -> ClientError:
    """The error for a request with too many values."""
    message = f"The request is made of more than {most} values; send fewer, longer ones."
    return ClientError(413, "request_too_large", message)


class ValueBudget:
    """Counts the values of JSON text inside of strings, such as the arguments of tool calls.

    The count of a body does not include what is inside of strings.
    """

    def __init__(self) -> None:
        self._spent = 0

    def spend(self, text: str) -> None:
        """Counts the values in `text`, before it is decoded.

        Raises ClientError if there are too many.
        """
        self._spent += text.count("{") + text.count("[") + text.count(",")
        if self._spent > MOST_VALUES:
            raise too_many_values()


def has_too_many_values(body: bytes, most: int = MOST_VALUES) -> bool:
    """Whether `body` has more than `most` values, without parsing it.

    Every value except the first follows a bracket or a comma. (An empty list counts one more.)
    Brackets and commas inside strings must not count, but they are left out only if there are too
    many altogether: for most bodies three counts are enough, and a body that has not so many bytes
    needs none.
    """
    if len(body) <= most or _separators(body) <= most:
        return False
    found = 0
    inside = 0  # 1 if a window begins inside a string
    # An escaped quote does not end a string. Escaped backslashes are removed first, because a quote
    # after one does.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    for start in range(0, len(plain), _WINDOW):
        pieces = plain[start : start + _WINDOW].split(b'"')
        found += _separators(b"".join(pieces[inside::2]))
        inside = (inside + len(pieces) - 1) % 2
        if found > most:
            return True
    return False


def _separators(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[") + text.count(b",")


def missing(param: str) -> ClientError:
    """The error for a missing field."""
    message = f"Missing required parameter: '{param}'."
    return ClientError(400, "missing_required_parameter", message, param=param)


_JSON_TYPES = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
_JSON_TYPES |= {list: "an array", dict: "an object", type(None): "null"}


def _refusal(failure: ValidationError, schema: cs.CoreSchema) -> ClientError:
    """The first fault of a request, as an error that a person can act on."""
    fault = failure.errors(include_url=False)[0]
    kind = fault["type"]
    context = fault.get("ctx", {})
    param = _path(fault["loc"], schema)
    if kind.startswith("union_tag"):
        field = context["discriminator"].strip("'")
        param += f".{field}"
    if kind in {"missing", "union_tag_not_found"}:
        return missing(param)
    if kind.endswith("_type"):
        got = _JSON_TYPES.get(type(fault["input"]), "something else")
        message = f"Invalid type for '{param}': {_worded(fault['msg'])}, not {got}."
        return ClientError(400, "invalid_type", message, param=param)
    why = _worded(fault["msg"])
    if kind == "union_tag_invalid":
        given = fault["input"][field]
        # As JSON, for Python's versions spell a dict differently.
        tag = given if isinstance(given, str) else json.encode(given)
        why = f"'{tag[:LONGEST_ECHO]}' is none of {context['expected_tags']}"
    return ClientError(400, "invalid_value", f"Invalid value for '{param}': {why}.", param=param)


def steps_of(location: tuple[int | str, ...], schema: Any) -> list[int | str]:
    """The steps of a fault's `location` that are part of the request.

    The schema is followed at the same time: if it has a union, the step names the union's choice,
    which is not part of the request.
    """
    steps = []
    for step in location:
        while schema.get("type") == "nullable":
            schema = schema["schema"]
        if schema.get("type") == "tagged-union":
            schema = schema["choices"][step]
            continue
        steps.append(step)
        field = schema.get("fields", {}).get(step, schema)
        schema = (
            field.get("items_schema") or field.get("values_schema") or field.get("schema") or {}
        )
    return steps


def _path(location: tuple[int | str, ...], schema: Any) -> str:
    """`location`, written as in JavaScript."""
    steps = steps_of(location, schema)
    path = (f"[{s}]" if isinstance(s, int) else f".{s[:LONGEST_ECHO]}" for s in steps)
    return "".join(path).removeprefix(".")


def _worded(message: str) -> str:
    plain = message.replace(" after validation", "").replace("dictionary", "object")
    plain = plain.removesuffix(" or object to extract fields from")
    return plain[:1].lower() + plain[1:]
