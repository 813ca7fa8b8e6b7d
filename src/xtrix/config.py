"""The configuration: what the operator's variables and secrets say, checked whole.

Knows every variable's name, form and default. Refuses to read an environment itself (a lookup is
handed in) and never shows a value in an error: a secret may stand in the wrong place.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
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
    rows = [
        (where, row, _faults_of(where, row, lookup))
        for where, row in _rows(lookup, "PROVIDERS", faults)
    ]
    faults += [fault for _, _, found in rows for fault in found]
    providers = [_provider(row, lookup) for _, row, found in rows if not found]
    models = _models(lookup, [row.get("name") for _, row, _ in rows], providers, faults)
    faults += _twice("PROVIDERS", [provider.name for provider in providers])
    faults += _twice("MODELS", [model.id for model in models])
    config = Config(
        accepted_keys=auth.digests(_text(lookup, "API_KEYS", "", faults)),
        max_body_bytes=int(_number(lookup, "MAX_BODY_BYTES", MAX_BODY_BYTES, faults)),
        default_model=_text(lookup, "DEFAULT_MODEL", DEFAULT_MODEL, faults),
        providers=tuple(providers),
        models=tuple(models),
        keep_alive=_number(lookup, "KEEP_ALIVE_SECONDS", KEEP_ALIVE_SECONDS, faults),
        fingerprint=_fingerprint([row for _, row, _ in rows], models),
    )
    if faults:
        raise ConfigurationError(faults)
    return config


def _twice(where: str, names: list[str]) -> list[str]:
    return [f"{where} names '{name}' twice" for name in sorted(set(names)) if names.count(name) > 1]


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


# What a variable or secret can be; a service binding is none of these.
_VARIABLE = (str, int, float, list, dict, type(None))
_WORD = cs.str_schema(strict=True, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
_TEXT = cs.str_schema(strict=True, min_length=1)
# In capitals, so that a key put where its name belongs is a fault and is never shown as a name.
_SECRET = cs.str_schema(strict=True, pattern=r"^[A-Z][A-Z0-9_]{0,63}$")
_PLACEHOLDER = re.compile(r"\{([A-Z][A-Z0-9_]{0,63})\}")
_TEMPLATE = cs.str_schema(
    strict=True, pattern=r"^[\x20-\x7a\x7c\x7e]*\{[A-Z][A-Z0-9_]{0,63}\}[\x20-\x7a\x7c\x7e]*$"
)
_TEXTS = cs.list_schema(_TEXT)
_SECONDS = cs.float_schema(gt=0, le=3600)
_HEADER = cs.str_schema(strict=True, pattern=r"^[\x20-\x7e]*$")

_PROVIDER = SchemaValidator(
    _fields(
        ("name", "dialect", "base_url"),
        name=_WORD,
        dialect=cs.literal_schema(["anthropic", "openai"]),
        base_url=cs.str_schema(strict=True),  # `_is_base_url` looks closer
        api_key=_SECRET,
        key_header=_WORD,
        models=_TEXTS,
        aliases=_map(_TEXT),
        headers=cs.dict_schema(_WORD, _HEADER),
        secret_headers=cs.dict_schema(_WORD, _TEMPLATE),
        query=cs.str_schema(strict=True, pattern=r"^[!-~]+$"),
        timeouts=_fields(connect=_SECONDS, first_byte=_SECONDS, idle=_SECONDS),
        retries=_fields(
            attempts=cs.int_schema(ge=1, le=10),
            backoff=cs.float_schema(ge=0, le=60),
            longest=cs.float_schema(ge=0, le=60),
            rest=cs.float_schema(ge=0, le=3600),
        ),
        quirks=_fields(
            rename=_map(_TEXT),
            drop=_TEXTS,
            roles=_map(_TEXT),
            null_content=cs.bool_schema(),
            stream_usage=cs.bool_schema(),
            obfuscation=cs.bool_schema(),
        ),
        binding=_SECRET,
        families=cs.list_schema(
            _fields(
                ("pattern",),
                pattern=_TEXT,
                sampling=cs.literal_schema(["any", "both", "one", "none"]),
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


def _rows(lookup: Lookup, name: str, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each table of the list `name` with its place, such as `PROVIDERS[0]`, sound or not."""
    value = lookup(name)
    try:
        rows = json.decode(value) if isinstance(value, str) and value else value or []
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        faults.append(f"{name} must be a list of tables, or that list as JSON")
        return
    for index, row in enumerate(rows):
        where = f"{name}[{index}]"
        if not isinstance(row, dict):
            faults.append(f"{where} must be a table")
            continue
        yield where, row


def _against(schema: SchemaValidator, where: str, row: dict[str, Any]) -> list[str]:
    """What `schema` finds wrong with `row`."""
    try:
        schema.validate_python(row)
    except ValidationError as failure:
        found = failure.errors(include_url=False, include_input=False)
        return [f"{where}{_path(fault['loc'])}: {fault['msg']}" for fault in found]
    return []


def _path(location: tuple[int | str, ...]) -> str:
    steps = (step for step in location if step not in {"text", "row"})
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _faults_of(where: str, row: dict[str, Any], lookup: Lookup) -> list[str]:
    """Everything wrong with a provider's row."""
    faults = _against(_PROVIDER, where, row)
    url = row.get("base_url")
    if isinstance(url, str) and not _is_base_url(url):
        faults.append(f"{where}.base_url: must be an http(s) URL without query, fragment or user")
    binding = row.get("binding")
    if isinstance(binding, str) and isinstance(lookup(binding), _VARIABLE):
        faults.append(f"{where}.binding: there is no service binding of this name")
    return faults


def _provider(row: dict[str, Any], lookup: Lookup) -> Provider:
    key, lacks = _secret(lookup, row.get("api_key"))
    headers = {name.lower(): value for name, value in row.get("headers", {}).items()}
    secrets = [key] if key else []
    for name, text in row.get("secret_headers", {}).items():
        before, wanted, after = _PLACEHOLDER.split(text)
        value, missing = _secret(lookup, wanted)
        lacks = lacks or missing
        headers[name.lower()] = f"{before}{value}{after}"
        secrets += [value] if value else []
    return Provider(
        name=row["name"],
        dialect=row["dialect"],
        base_url=row["base_url"].rstrip("/"),
        key=key,
        secrets=tuple(secrets),
        lacks=lacks,
        key_header=row.get("key_header", "").lower(),
        models=tuple(row.get("models", ())),
        aliases=row.get("aliases", {}),
        headers=headers,
        query=row.get("query", ""),
        timeouts=Timeouts(**row.get("timeouts", {})),
        retries=Retries(**row.get("retries", {})),
        quirks=Quirks(**row.get("quirks", {})),
        binding=row.get("binding"),
        families=tuple(_family(family) for family in row.get("families", ())),
    )


def _family(row: dict[str, Any]) -> Family:
    """A row of lists as one of tuples, which can be remembered by."""
    fields: dict[str, Any] = {
        name: tuple(it) if isinstance(it, list) else it for name, it in row.items()
    }
    return Family(**fields)


def _secret(lookup: Lookup, name: str | None) -> tuple[str | None, str | None]:
    """The secret `name`, or else its name as what is lacking; neither where none is wanted."""
    value = lookup(name) if name else None
    if isinstance(value, str) and value.strip():
        return value.strip(), None
    return None, name


def _is_base_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        port_is_sound = url.port is None or url.port > 0
    except ValueError:
        return False
    extras = url.query or url.fragment or url.username or not text.isprintable() or " " in text
    return url.scheme in {"http", "https"} and bool(url.hostname) and port_is_sound and not extras


def _models(
    lookup: Lookup, declared: list[object], providers: list[Provider], faults: list[str]
) -> list[Model]:
    """The models with targets of their own. `declared` are all providers' names, faulty or not."""
    named = {provider.name: provider for provider in providers}
    models = []
    for where, row in _rows(lookup, "MODELS", faults):
        found = _against(_MODEL, where, row)
        faults += found
        if found:
            continue
        targets = []
        for index, entry in enumerate(row["targets"]):
            said: dict[str, Any] = {"target": entry} if isinstance(entry, str) else entry
            name, _, model = said["target"].partition("/")
            if name in named and model:
                provider = named[name]
                upstream_model = provider.aliases.get(model, model)
                targets.append((Target(provider, upstream_model), said.get("weight")))
            elif name not in declared or not model:
                why = "must be 'provider/model' of a provider that PROVIDERS names"
                faults.append(f"{where}.targets[{index}]: {why}")
        models.append(
            Model(
                row["id"],
                tuple(target for target, _ in targets),
                tuple(weight for _, weight in targets),
                row.get("deadline"),
            )
        )
    return models


def _fingerprint(rows: list[dict[str, Any]], models: list[Model]) -> str:
    """`fp_` and ten hex digits; keys have no part in it, rows name their secrets only."""
    ids = [[model.id, [target.model for target in model.targets]] for model in models]
    said = json.encode([__version__, rows, ids])
    return "fp_" + hashlib.sha256(said.encode()).hexdigest()[:10]
