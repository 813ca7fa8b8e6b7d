"""A key as data: its name, its limits, and whether it may be used now.

Data from outside is checked here, field by field. Data from the ledger is read leniently, because a
Worker and its object may have different versions for some seconds.
"""

import fnmatch
from typing import Any, NamedTuple

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from xtrix.errors import ClientError, ConfigurationError
from xtrix.json import Json

MICROS = 1_000_000
"""Micro-dollars in a dollar."""

BUDGETS = {"day": "usd_per_day", "month": "usd_per_month", "total": "usd_total"}
"""The limit for each span of time in which money is counted."""

_LONGEST_GRACE = 86_400


class Limits(NamedTuple):
    """What a key may do. None means no limit."""

    models: tuple[str, ...] | None = None
    """Patterns of the names that clients ask for, such as `claude-*`."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    """Calls at the same time."""
    usd_per_day: float | None = None
    usd_per_month: float | None = None
    usd_total: float | None = None
    strict: bool = False
    """Whether the budgets can never be exceeded: the most that a call can cost is reserved before
    it starts, and calls are refused while the ledger cannot be asked."""
    unpriced: bool = False
    """Whether models without a price may be used although there is a budget."""

    @property
    def has_budget(self) -> bool:
        """Whether any of the budgets is set."""
        return (self.usd_per_day, self.usd_per_month, self.usd_total) != (None, None, None)

    @property
    def budgets(self) -> dict[str, int]:
        """The budgets in micro-dollars, by the span of `BUDGETS`, without unlimited ones."""
        given = ((span, getattr(self, name)) for span, name in BUDGETS.items())
        return {span: round(usd * MICROS) for span, usd in given if usd is not None}

    def allows(self, model: str) -> bool:
        """Whether a client may ask for `model`."""
        if self.models is None:
            return True
        return any(fnmatch.fnmatchcase(model, pattern) for pattern in self.models)


class KeyRecord(NamedTuple):
    """A key. Times are Unix seconds."""

    id: str
    name: str
    limits: Limits = Limits()
    source: str = "admin"
    """`config` for a key of API_KEYS."""
    created: int = 0
    expires: int | None = None
    active: bool = True
    deleted: bool = False
    generation: int = 1
    rotated: int | None = None
    grace_until: int = 0
    """The time until which the generation before this one is accepted too."""

    def state(self, now: float) -> str:
        """The state in one word: `active`, `off`, `expired` or `deleted`."""
        if self.deleted:
            return "deleted"
        if not self.active:
            return "off"
        return "expired" if self.expires is not None and now >= self.expires else "active"

    def takes(self, generation: int, now: float) -> bool:
        """Whether a key of this generation is still valid."""
        is_last = generation == self.generation - 1 and now < self.grace_until
        return generation == self.generation or is_last


def encode(record: KeyRecord) -> Json:
    """`record` as JSON for the ledger."""
    return {**record._asdict(), "limits": record.limits._asdict()}


def decode(fields: Json) -> KeyRecord:
    """The record that `encode` made, in any version. Unknown members are left out."""
    limits = {name: it for name, it in fields["limits"].items() if name in Limits._fields}
    if limits.get("models") is not None:
        limits["models"] = tuple(limits["models"])
    known = {name: it for name, it in fields.items() if name in KeyRecord._fields}
    return KeyRecord(**{**known, "limits": Limits(**limits)})


# Data from outside


def _worded(message: str, schema: cs.CoreSchema) -> cs.CoreSchema:
    return cs.custom_error_schema(schema, "form", custom_error_message=message)


def _text(pattern: str, message: str) -> cs.CoreSchema:
    return _worded(message, cs.str_schema(strict=True, pattern=pattern))


_COUNT = _worded(
    "must be a whole number from 1 to 1000000000, or null",
    cs.nullable_schema(cs.int_schema(strict=True, ge=1, le=1_000_000_000)),
)
_USD = _worded(
    "must be a number of dollars from 0 to 1000000, or null",
    cs.nullable_schema(cs.float_schema(strict=True, ge=0, le=1_000_000, allow_inf_nan=False)),
)
_FLAG = _worded("must be true or false", cs.bool_schema(strict=True))
_PATTERN = _text(r"^[!-~]{1,256}$", "must be 1 to 256 visible ASCII characters")
NAME = r"^[A-Za-z0-9]([A-Za-z0-9._ -]{0,62}[A-Za-z0-9._-])?$"
_NAME = _text(NAME, "must be 1 to 64 letters, digits, spaces, '.', '_' or '-'")
_TIME = _worded(
    "must be Unix seconds, or null",
    cs.nullable_schema(cs.int_schema(strict=True, ge=0, le=100_000_000_000)),
)

LIMIT_FIELDS: dict[str, Any] = {
    "models": _worded(
        "must be a list of up to 100 patterns of model names, or null",
        cs.nullable_schema(cs.list_schema(_PATTERN, strict=True, min_length=1, max_length=100)),
    ),
    **dict.fromkeys(("requests_per_minute", "tokens_per_minute", "parallel"), _COUNT),
    **dict.fromkeys(BUDGETS.values(), _USD),
    "strict": _FLAG,
    "unpriced": _FLAG,
}
"""The allowed values of each limit, for JSON and for TOML."""


def _table(required: str = "", **fields: cs.CoreSchema) -> cs.CoreSchema:
    """An object with these fields, of which those in `required` must be there."""
    return cs.typed_dict_schema(
        {
            name: cs.typed_dict_field(schema, required=name in required.split())
            for name, schema in fields.items()
        },
        extra_behavior="forbid",
        strict=True,
    )


_LIMITS = _table(**LIMIT_FIELDS)
_NEW = SchemaValidator(_table("name", name=_NAME, limits=_LIMITS, expires=_TIME))
_CHANGES = SchemaValidator(_table(name=_NAME, limits=_LIMITS, expires=_TIME, active=_FLAG))
_ROTATION = SchemaValidator(
    _table(
        grace_seconds=_worded(
            f"must be a whole number from 0 to {_LONGEST_GRACE}",
            cs.int_schema(strict=True, ge=0, le=_LONGEST_GRACE),
        )
    )
)
_CONFIGURED = SchemaValidator(_table("key", key=_NAME, expires=_TIME, **LIMIT_FIELDS))


def parse_new(value: object) -> Json:
    """The fields for a new key. Raises ClientError."""
    return _parse(_NEW, value)


def parse_changes(value: object) -> Json:
    """The changes for a key. Raises ClientError."""
    return _parse(_CHANGES, value)


def parse_grace(value: object) -> int:
    """For how many seconds the old key is still accepted. Raises ClientError."""
    seconds: int = _parse(_ROTATION, value).get("grace_seconds", 0)
    return seconds


def configured(name: str) -> KeyRecord:
    """A key of API_KEYS with a name and without limits."""
    return KeyRecord(name, name, source="config")


def parse_configured(where: str, table: Json) -> KeyRecord:
    """A key of API_KEYS, from its row in LIMITS at `where`. Raises ConfigurationError."""
    try:
        fields: Json = _CONFIGURED.validate_python(table)
    except ValidationError as failure:
        faults = failure.errors(include_url=False, include_input=False, include_context=False)
        paths = [(".".join(map(str, it["loc"]))[:_LONGEST_PATH], it["msg"]) for it in faults]
        raise ConfigurationError([f"{where}.{path}: {why}" for path, why in paths]) from None
    name, expires = fields.pop("key"), fields.pop("expires", None)
    return changed(configured(name)._replace(expires=expires), {"limits": fields})


def changed(record: KeyRecord, changes: Json) -> KeyRecord:
    """`record` with `changes`. Limits that they do not name stay, and null removes a limit."""
    fields = encode(record)
    return decode(
        {**fields, **changes, "limits": {**fields["limits"], **changes.get("limits", {})}}
    )


_KINDS = {
    "extra_forbidden": ("unknown_parameter", "is not known here"),
    "missing": ("missing_required_parameter", "has to be there"),
}
"""The code for a kind of pydantic-core's, and what is wrong; what else there is has its own."""
_LONGEST_PATH = 100


def _parse(schema: SchemaValidator, value: object) -> Json:
    try:
        fields: Json = schema.validate_python(value)
    except ValidationError as failure:
        fault = failure.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _refusal(fault["type"], fault["loc"], fault["msg"]) from None
    return fields


def _refusal(kind: str, location: tuple[int | str, ...], message: str) -> ClientError:
    path = ".".join(map(str, location))[:_LONGEST_PATH]
    if not path:
        return ClientError(400, "invalid_type", "The body must be a JSON object.")
    code, why = _KINDS.get(kind, ("invalid_value", message))
    return ClientError(400, code, f"'{path}' {why}.", param=path)
