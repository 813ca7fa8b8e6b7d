"""Describes the calls for keys and usage: the operator's, and a client's own.

The form of a key's limits comes from the code that checks them (`xtrix.keys.record`).
"""

from __future__ import annotations

from pydantic_core import core_schema as cs

from tools.openapi_words import (
    COUNT,
    FLAG,
    MAYBE_COUNT,
    TEXT,
    Schema,
    answer,
    body,
    errors,
    items,
    obj,
    parameter,
    ref,
    requested,
)
from xtrix.admin import COLUMNS
from xtrix.keys import record

_OPERATOR: list[Schema] = [{"operator": []}]
_REFUSED = ("400", "401", "405", "500")
_NO_KEY = "There is no such key, or the gateway has no operator's key."
_NO_OPERATOR = "The gateway has no operator's key (ADMIN_KEY)."
_SILENT = "The ledger of keys did not answer; try again."
_DAY: Schema = {"type": "string", "pattern": r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"}
_SPAN = [
    parameter("from", "query", _DAY, "The first day; today where it is left out."),
    parameter("to", "query", _DAY, "The last day."),
    parameter("format", "query", {"enum": ["json", "csv"]}),
]
_KEY = parameter("id", "path", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})
_TEXTS = {"day", "key", "name", "provider", "model"}


def paths() -> Schema:
    """Returns the calls by path."""
    made = {"201": answer("The key, and its `secret`, which is told this once.", json=_SECRET)}
    new = obj("name", **_FIELDS)
    grace = obj("", grace_seconds={"type": "integer", "minimum": 0, "maximum": 86_400})
    return {
        "/v1/usage": {"get": _own_usage()},
        "/admin/keys": {
            "get": _call("listKeys", "All keys.", {"200": _answer("KeyList")}, _404=_NO_OPERATOR),
            "post": _call("makeKey", "Makes a key.", made, new, _404=_NO_OPERATOR),
        },
        "/admin/keys/{id}": {
            "parameters": [_KEY],
            "get": _call("getKey", "One key.", {"200": _answer("Key")}, _404=_NO_KEY),
            "patch": _call(
                "changeKey",
                "Changes what is named; a limit that is null is taken away.",
                {"200": _answer("Key")},
                obj("", **_FIELDS, active=FLAG),
                _404=_NO_KEY,
            ),
            "delete": _call(
                "deleteKey",
                "Ends a key. What was used stays.",
                {"200": _DELETED, **errors("409")},
                _404=_NO_KEY,
            ),
        },
        "/admin/keys/{id}/rotate": {
            "parameters": [_KEY],
            "post": _call(
                "rotateKey",
                "Gives a key a new secret; the old one goes on for `grace_seconds`.",
                {"200": answer("The key, and its new `secret`, told this once.", json=_SECRET)},
                grace,
                _404=_NO_KEY,
            ),
        },
        "/admin/usage": {"get": _usage()},
    }


def schemas() -> Schema:
    """Returns the components."""
    fields = {
        name: cs.typed_dict_field(schema, required=False)
        for name, schema in record.LIMIT_FIELDS.items()
    }
    limits = requested(cs.typed_dict_schema(fields))
    return {
        "Limits": {**limits, "additionalProperties": False},
        "Key": _key(),
        "KeyList": obj(
            "object data now prefix",
            object={"const": "list"},
            data=items(ref("Key")),
            now={"type": "number", "description": "Unix seconds."},
            prefix={**TEXT, "description": "What a secret begins with."},
        ),
        "Usage": obj(
            "object from to now data",
            object={"const": "usage"},
            to=_DAY,
            now={"type": "number", "description": "Unix seconds."},
            data=items(_row()),
            key={"anyOf": [ref("Key"), {"type": "null"}]},
            running=items(obj("key name calls", key=TEXT, name=TEXT, calls=COUNT)),
            **{"from": _DAY},
        ),
    }


def _call(
    operation: str, summary: str, answers: Schema, fields: Schema | None = None, **missing: str
) -> Schema:
    """Returns a call of the operator with `fields`; `missing` says what a 404 means."""
    refused = _refused(**missing)
    if fields is None:
        taken: Schema = {}
    else:
        closed = {**fields, "additionalProperties": False}
        taken = {"requestBody": body(closed, required=bool(fields["required"]))}
        refused |= errors("408", "409", "413")
    said = {"operationId": operation, "summary": summary, "security": _OPERATOR}
    return {**said, **taken, "responses": {**answers, **refused}}


def _refused(**missing: str) -> Schema:
    return errors(*_REFUSED, _503=_SILENT, **missing)


def _answer(name: str) -> Schema:
    return answer("What the ledger has.", json=ref(name))


def _usage() -> Schema:
    operation = _call(
        "getUsage", "What was used, by day, key, provider and model.", _USED, _404=_NO_OPERATOR
    )
    key = parameter("key", "query", TEXT, "The id of one key; of all where it is left out.")
    return operation | {"parameters": [*_SPAN, key]}


def _own_usage() -> Schema:
    operation = _call(
        "getOwnUsage",
        "What the key that asks has used, and its limits.",
        _USED,
        _404="The key has no name, so what is done with it is not counted.",
    )
    return operation | {"parameters": _SPAN, "security": [{"bearer": []}]}


def _key() -> Schema:
    spans = {f"{span}_micros": COUNT for span in record.BUDGETS}
    left = dict.fromkeys(spans, MAYBE_COUNT)
    return obj(
        "id name source active state limits left spent today running",
        id=TEXT,
        name=TEXT,
        source={"enum": ["admin", "config"]},
        created={**MAYBE_COUNT, "description": "Unix seconds, as the other times."},
        rotated=MAYBE_COUNT,
        active=FLAG,
        state={"enum": ["active", "off", "expired", "deleted"]},
        expires=MAYBE_COUNT,
        limits=ref("Limits"),
        left={**obj(" ".join(left), **left), "description": "Of each budget, in micro-dollars."},
        spent=obj(" ".join(spans), **spans),
        today=obj("requests errors", requests=COUNT, errors=COUNT),
        running={**COUNT, "description": "Calls that run now."},
        last_used=MAYBE_COUNT,
    )


def _row() -> Schema:
    columns = {name: TEXT if name in _TEXTS else COUNT for name in COLUMNS}
    return obj(" ".join(columns), **columns)


_FIELDS: Schema = {
    "name": {"type": "string", "pattern": record.NAME},
    "limits": ref("Limits"),
    "expires": {**MAYBE_COUNT, "maximum": 100_000_000_000, "description": "Unix seconds."},
}
_SECRET: Schema = {"allOf": [ref("Key"), obj("secret", secret=TEXT)]}
_DELETED = answer("It is gone.", json=obj("id deleted", id=TEXT, deleted={"const": True}))
_USED = {"200": answer("The rows.", json=ref("Usage"), csv=TEXT)}
