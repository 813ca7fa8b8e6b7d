"""The configuration: what the operator's variables and secrets say, checked whole.

Knows every variable's name, form and default. Refuses to read an environment itself (a lookup is
handed in) and never shows a value in an error: a secret may stand in the wrong place.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from xtrix import __version__, auth, json
from xtrix.errors import ConfigurationError
from xtrix.providers import Family, Model, Provider, Quirks, Retries, Target, Timeouts

MAX_BODY_BYTES = 5_000_000
"""Rewriting 5 MB of JSON takes an isolate's memory to 78 MB of its 128, 10 MB to 113 (measured)."""

KEEP_ALIVE_SECONDS = 15.0
DEFAULT_MODEL = "claude-3-5-sonnet-20241022"

Lookup = Callable[[str], object]
"""The value of a variable or secret as str, number, list or dict; None where it is not set."""


class Config(NamedTuple):
    """A faultless configuration."""

    accepted_keys: tuple[bytes, ...]
    """SHA-256 digests of the clients' keys; none means that nobody is let in."""
    max_body_bytes: int
    default_model: str
    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    keep_alive: float
    """Seconds of silence after which a client is sent a comment; 0 sends none."""
    fingerprint: str
    """Stands for this version and configuration in `system_fingerprint`."""


def load(lookup: Lookup) -> Config:
    """The configuration that `lookup` finds. Raises ConfigurationError, which names every fault."""
    faults: list[str] = []
    rows = list(_rows(lookup, "PROVIDERS", _PROVIDER, faults))
    providers = tuple(_provider(where, row, lookup, faults) for where, row in rows)
    for name in {provider.name for provider in providers}:
        if sum(provider.name == name for provider in providers) > 1:
            faults.append(f"PROVIDERS names '{name}' twice")
    named = {provider.name: provider for provider in providers}
    models = [
        _model(where, row, named, faults) for where, row in _rows(lookup, "MODELS", _MODEL, faults)
    ]
    config = Config(
        accepted_keys=auth.digests(_text(lookup, "API_KEYS", "", faults)),
        max_body_bytes=int(_number(lookup, "MAX_BODY_BYTES", MAX_BODY_BYTES, faults)),
        default_model=_text(lookup, "DEFAULT_MODEL", DEFAULT_MODEL, faults),
        providers=providers,
        models=tuple(models),
        keep_alive=_number(lookup, "KEEP_ALIVE_SECONDS", KEEP_ALIVE_SECONDS, faults),
        fingerprint=_fingerprint([row for _, row in rows], models),
    )
    if faults:
        raise ConfigurationError(faults)
    return config


def _text(lookup: Lookup, name: str, default: str, faults: list[str]) -> str:
    value = lookup(name)
    if value is None or value == "":
        return default
    if isinstance(value, str):
        return value
    faults.append(f"{name} must be text")
    return default


def _number(lookup: Lookup, name: str, default: float, faults: list[str]) -> float:
    value = lookup(name)
    if value is None or value == "":
        return default
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        faults.append(f"{name} must be a number, 0 or more")
        return default
    return number


# Rows


def _map(schema: cs.CoreSchema) -> cs.CoreSchema:
    return cs.dict_schema(cs.str_schema(), schema)


def _fields(required: tuple[str, ...] = (), **fields: cs.CoreSchema) -> cs.CoreSchema:
    return cs.typed_dict_schema(
        {name: cs.typed_dict_field(it, required=name in required) for name, it in fields.items()},
        extra_behavior="forbid",
    )


_WORD = cs.str_schema(strict=True, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
_TEXT = cs.str_schema(strict=True, min_length=1)
_TEXTS = cs.list_schema(_TEXT)
_SECONDS = cs.float_schema(gt=0, le=3600)
_HEADER = cs.str_schema(strict=True, pattern=r"^[\x20-\x7e]*$")

_PROVIDER = SchemaValidator(
    _fields(
        ("name", "dialect", "base_url"),
        name=_WORD,
        dialect=cs.literal_schema(["anthropic", "openai"]),
        base_url=_TEXT,
        api_key=_WORD,
        key_header=_WORD,
        models=_TEXTS,
        aliases=_map(_TEXT),
        headers=cs.dict_schema(_WORD, _HEADER),
        query=_TEXT,
        timeouts=_fields(connect=_SECONDS, first_byte=_SECONDS, idle=_SECONDS),
        retries=_fields(
            attempts=cs.int_schema(ge=1, le=10),
            backoff=cs.float_schema(ge=0, le=60),
            longest=cs.float_schema(ge=0, le=60),
        ),
        quirks=_fields(
            rename=_map(_TEXT),
            drop=_TEXTS,
            stream_usage=cs.bool_schema(),
            obfuscation=cs.bool_schema(),
        ),
        binding=_WORD,
        families=cs.list_schema(
            _fields(
                ("pattern",),
                pattern=_TEXT,
                sampling=cs.literal_schema(["both", "one", "none"]),
                thinking=cs.literal_schema(["none", "budget", "adaptive"]),
                efforts=_TEXTS,
                thinks_unasked=cs.bool_schema(),
                prefill=cs.bool_schema(),
                structured=cs.bool_schema(),
                forced_tools=cs.bool_schema(),
                system_inside=cs.bool_schema(),
                max_output=cs.int_schema(ge=1),
            )
        ),
    )
)
_WEIGHTED = _fields(("target",), target=_TEXT, weight=cs.float_schema(gt=0, le=1000))
_MODEL = SchemaValidator(
    _fields(
        ("id", "targets"),
        id=_TEXT,
        targets=cs.list_schema(
            cs.tagged_union_schema(
                {"text": _TEXT, "row": _WEIGHTED},
                lambda value: "row" if isinstance(value, dict) else "text",
            ),
            min_length=1,
        ),
        deadline=_SECONDS,
    )
)


def _rows(
    lookup: Lookup, name: str, schema: SchemaValidator, faults: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each sound row of the list `name` with its place in it, such as `PROVIDERS[0]`."""
    value = lookup(name)
    try:
        rows = json.decode(value) if isinstance(value, str) else value or []
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        faults.append(f"{name} must be a list of tables, or that list as JSON")
        return
    for index, row in enumerate(rows):
        where = f"{name}[{index}]"
        try:
            yield where, schema.validate_python(row)
        except ValidationError as failure:
            for fault in failure.errors(include_url=False, include_input=False):
                path = ".".join(str(step) for step in fault["loc"] if step not in {"text", "row"})
                faults.append(f"{where}.{path}: {fault['msg']}")


def _provider(where: str, row: dict[str, Any], lookup: Lookup, faults: list[str]) -> Provider:
    if not _is_base_url(row["base_url"]):
        faults.append(f"{where}.base_url: must be an http(s) URL without query, fragment or user")
    binding = row.get("binding")
    if binding and lookup(binding) is None:
        faults.append(f"{where}.binding: there is no binding named {binding}")
    secret = row.get("api_key")
    key = lookup(secret) if secret else None
    key = key if isinstance(key, str) and key.strip() else None
    return Provider(
        name=row["name"],
        dialect=row["dialect"],
        base_url=row["base_url"].rstrip("/"),
        key=key.strip() if key else None,
        lacks=secret if secret and not key else None,
        key_header=row.get("key_header", ""),
        models=tuple(row.get("models", ())),
        aliases=row.get("aliases", {}),
        headers={name.lower(): value for name, value in row.get("headers", {}).items()},
        query=row.get("query", ""),
        timeouts=Timeouts(**row.get("timeouts", {})),
        retries=Retries(**row.get("retries", {})),
        quirks=Quirks(**row.get("quirks", {})),
        binding=binding,
        families=tuple(Family(**family) for family in row.get("families", ())),
    )


def _is_base_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        port_is_sound = url.port is None or url.port > 0
    except ValueError:
        return False
    extras = url.query or url.fragment or url.username or not text.isprintable() or " " in text
    return url.scheme in {"http", "https"} and bool(url.hostname) and port_is_sound and not extras


def _model(
    where: str, row: dict[str, Any], providers: Mapping[str, Provider], faults: list[str]
) -> Model:
    targets: list[Target] = []
    weights: list[float | None] = []
    for index, entry in enumerate(row["targets"]):
        weighted: dict[str, Any] = {"target": entry} if isinstance(entry, str) else entry
        name, _, model = weighted["target"].partition("/")
        if name not in providers or not model:
            faults.append(f"{where}.targets[{index}]: must be 'provider/model' of a provider above")
            continue
        targets.append(Target(providers[name], model))
        weights.append(weighted.get("weight"))
    return Model(row["id"], tuple(targets), tuple(weights), row.get("deadline"))


def _fingerprint(rows: list[dict[str, Any]], models: list[Model]) -> str:
    """`fp_` and ten hex digits; keys have no part in it, rows name their secrets only."""
    ids = [[model.id, [target.model for target in model.targets]] for model in models]
    said = json.encode([__version__, rows, ids])
    return "fp_" + hashlib.sha256(said.encode()).hexdigest()[:10]
