"""Reads and checks the configuration: the operator's variables and secrets.

Every variable's name, form and default is known here. The environment is read through a function
that is passed in. No error shows a value, because a secret may have been put in the wrong place.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic_core import SchemaValidator
from pydantic_core import core_schema as cs

from xtrix import __version__, auth, json
from xtrix.errors import ConfigurationError
from xtrix.keys import proof
from xtrix.keys import record as records
from xtrix.keys.leases import Client
from xtrix.providers import ENDPOINTS, EndpointRule, Model, Provider, Target, find_target
from xtrix.rows import (
    OWN_FIELDS,
    ModelRow,
    ProviderRow,
    TargetRow,
    is_base_url,
    parse_model,
    parse_model_name,
    parse_provider,
)
from xtrix.telemetry import Collector, collector

MAX_BODY_BYTES = 32_000_000
"""Anthropic's own limit. A large body is mostly images and files; see `body`."""

MAX_UPLOAD_BYTES = 100_000_000
"""The limit for forms, which are streamed: Cloudflare's own limit for a request on its free
plan."""

KEEP_ALIVE_SECONDS = 15.0
DEFAULT_MODEL = "claude-3-5-sonnet-20241022"
LEDGER = "LEDGER"
"""The binding of the Durable Object that counts usage."""

_SHORTEST_ADMIN_KEY = 16
_SOUND_KEY = re.compile(r"[!-+\--~]*")
_LIKE_AN_ID = re.compile(r"[0-9a-f]{16}")

EXPORTER = "OTEL_EXPORTER_OTLP_"
ENDPOINT = f"{EXPORTER}ENDPOINT"

Lookup = Callable[[str], object]
"""Returns the value of a variable or secret as str, number, list or dict; None if it is not set."""

_T = TypeVar("_T")


class Config(NamedTuple):
    """A configuration without faults."""

    accepted_keys: tuple[bytes, ...]
    """SHA-256 digests of the clients' keys. If there are none, no client is accepted."""
    max_body_bytes: int
    default_model: str
    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    keep_alive: float
    """Seconds without an event after which a client gets a comment; 0 sends none."""
    fingerprint: str
    """Identifies this version and configuration in `system_fingerprint`."""
    max_upload_bytes: int = MAX_UPLOAD_BYTES
    collector: Collector | None = None
    """Where a span of each request is sent; None for nowhere."""
    store_days: float = 0
    """How many days responses are kept; 0 keeps none."""
    secret: bytes = b""
    """A secret of this gateway, derived from all its secrets. It changes when one of them does."""
    clients: Mapping[bytes, Client] = {}
    """The clients whose keys have a name in API_KEYS, by the digest of the key."""
    admin_key: tuple[bytes, ...] = ()
    """The digest of the operator's key; empty if there is none."""
    key_secret: bytes = b""
    """Signs and checks the keys that are made at `/admin`."""
    has_ledger: bool = False
    """Whether the usage of keys with a name is counted."""

    def model(self, name: str) -> Model | None:
        """The configured model `name`; None if there is none."""
        for model in self.models:
            if model.id == name:
                return model
        return None


def load(lookup: Lookup) -> Config:
    """The configuration that `lookup` finds. Raises ConfigurationError, which names every fault."""
    variables = _Variables(lookup)
    tables = variables.tables("PROVIDERS")
    rows = variables.parsed(tables, lambda where, table: parse_provider(where, table, lookup))
    providers = {row.name: _provider(row) for row in rows}
    declared = {table["name"] for _, table in tables if isinstance(table.get("name"), str)}
    models = variables.parsed(
        variables.tables("MODELS"),
        lambda where, table: _model(where, parse_model(where, table), providers, declared),
    )
    variables.faults += _twice("PROVIDERS", [row.name for row in rows])
    variables.faults += _twice("MODELS", [model.id for model in models])
    keys = variables.text("API_KEYS", "")
    clients, has_limits = _clients(variables, keys)
    admin_key, own_secret = _admin_key(variables), variables.text("KEY_SECRET", "")
    if admin_key and set(auth.digests(admin_key)) & set(auth.digests(keys)):
        variables.faults.append("ADMIN_KEY must not be one of API_KEYS")
    config = Config(
        accepted_keys=auth.digests(keys),
        max_body_bytes=variables.number("MAX_BODY_BYTES", MAX_BODY_BYTES, _BYTES),
        max_upload_bytes=variables.number("MAX_UPLOAD_BYTES", MAX_UPLOAD_BYTES, _BYTES),
        collector=_collector(variables),
        default_model=variables.model("DEFAULT_MODEL", DEFAULT_MODEL),
        providers=tuple(providers.values()),
        models=tuple(models),
        keep_alive=variables.number("KEEP_ALIVE_SECONDS", KEEP_ALIVE_SECONDS, _SECONDS),
        fingerprint="",
        clients=clients,
        admin_key=auth.digests(admin_key),
        key_secret=proof.secret_of(admin_key, own_secret) if admin_key else b"",
        has_ledger=bool(admin_key or has_limits),
        store_days=variables.number("STORE_DAYS", 0, _DAYS),
    )
    if config.has_ledger and lookup(LEDGER) is None:
        variables.faults.append(
            f"{LEDGER}: there is no such Durable Object; wrangler.toml has to bind it, as it does"
            " in this project, in each of its environments"
        )
    # If rows are faulty, one of them might serve it.
    if not variables.faults and variables.is_set("DEFAULT_MODEL") and not _serves_default(config):
        variables.faults.append("DEFAULT_MODEL is no model that PROVIDERS or MODELS serve")
    if variables.faults:
        raise ConfigurationError(variables.faults)
    return config._replace(
        fingerprint=_fingerprint([table for _, table in tables], models), secret=_secret_of(config)
    )


def _admin_key(variables: "_Variables") -> str:
    key: str = variables.text("ADMIN_KEY", "").strip()
    if key and (len(key) < _SHORTEST_ADMIN_KEY or not _SOUND_KEY.fullmatch(key)):
        variables.faults.append(
            f"ADMIN_KEY must have at least {_SHORTEST_ADMIN_KEY} characters, none of them a space"
            " or a comma: what keys are proved with is made of it"
        )
    return key


def _clients(variables: "_Variables", keys: str) -> tuple[dict[bytes, Client], bool]:
    """The clients of API_KEYS with a name, by the digest of the key, and whether any has limits."""
    rows = {}
    given = [key for key in auth.given(keys) if key.name]
    names = {key.name for key in given}
    for where, table in variables.tables("LIMITS"):
        try:
            row = records.parse_configured(where, table)
        except ConfigurationError as error:
            variables.faults += error.faults
            continue
        if row.name not in names:
            variables.faults.append(f"{where}.key: API_KEYS has no key of that name")
        if row.name in rows:
            variables.faults.append(f"{where}.key: another row has this name")
        rows[row.name] = row
    if any(_LIKE_AN_ID.fullmatch(name) for name in names):
        variables.faults.append("API_KEYS: a name must not be 16 hex digits; such are made here")
    records_of = {name: rows.get(name, records.configured(name)) for name in names}
    clients = {
        key.digest: Client(
            key.name, key.name, records_of[key.name].limits.strict, record=records_of[key.name]
        )
        for key in given
    }
    return clients, bool(rows)


def _collector(variables: "_Variables") -> Collector | None:
    """Where spans are sent, read from OpenTelemetry's own variables."""
    endpoint = variables.text(ENDPOINT, "")
    headers = variables.text(f"{EXPORTER}HEADERS", "")
    service = variables.text("OTEL_SERVICE_NAME", "xtrix")
    if not endpoint:
        return None
    if not is_base_url(endpoint):
        variables.faults.append(
            f"{ENDPOINT} must be an http(s) URL without query, fragment or user"
        )
        return None
    try:
        return collector(endpoint, headers, service)
    except ValueError:
        variables.faults.append(f"{EXPORTER}HEADERS must be 'name=value', with commas between")
        return None


def _secret_of(config: Config) -> bytes:
    keys = [secret.encode() for row in config.providers for secret in row.secrets]
    return hashlib.sha256(b"\0".join(sorted([*keys, *config.accepted_keys]))).digest()


def _twice(where: str, names: list[str]) -> list[str]:
    return [f"{where} names '{name}' twice" for name in sorted(set(names)) if names.count(name) > 1]


def _serves_default(config: Config) -> bool:
    name = config.default_model
    has_targets = any(model.id == name for model in config.models)
    return has_targets or find_target(config.providers, name) is not None


# Variables


class _Number(NamedTuple):
    """What a number may be, with its description for an error."""

    schema: SchemaValidator
    words: str


_BYTES = _Number(SchemaValidator(cs.int_schema(strict=True, ge=1)), "a number, whole and 1 or more")
_DAYS = _Number(
    SchemaValidator(cs.float_schema(strict=True, ge=0, le=3660, allow_inf_nan=False)),
    "a number, 0 or more and at most 3660",
)
_SECONDS = _Number(
    SchemaValidator(cs.float_schema(strict=True, ge=0, le=3600, allow_inf_nan=False)),
    "a number, 0 or more and at most 3600",
)


class _Variables:
    """Reads the environment. `faults` collects everything that is wrong with it.

    Empty text means that a variable is not set: `.dev.vars` has no other way to unset one.
    """

    def __init__(self, lookup: Lookup) -> None:
        self.faults: list[str] = []
        self._lookup = lookup

    def is_set(self, name: str) -> bool:
        """Whether the variable is set."""
        value = self._lookup(name)
        return not (value is None or value == "")

    def text(self, name: str, default: str) -> str:
        """A text variable."""
        value = self._lookup(name) if self.is_set(name) else default
        if isinstance(value, str):
            return value
        self.faults.append(f"{name} must be text")
        return default

    def model(self, name: str, default: str) -> str:
        """A model's name."""
        given = self.text(name, default)
        try:
            return parse_model_name(name, given)
        except ConfigurationError as error:
            self.faults += error.faults
            return default

    def number(self, name: str, default: float, form: _Number) -> Any:
        """A number, or a number as text as in JSON, because variables and secrets may be text."""
        if not self.is_set(name):
            return default
        value = self._lookup(name)
        try:
            given = json.decode(value) if isinstance(value, str) else value
            return form.schema.validate_python(given)
        except ValueError:  # pydantic-core's ValidationError is one
            self.faults.append(f"{name} must be {form.words}")
            return default

    def tables(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """The tables of a list, each with its place, such as `PROVIDERS[0]`."""
        value = self._lookup(name) if self.is_set(name) else []
        try:
            entries = json.decode(value) if isinstance(value, str) else value
        except ValueError:
            entries = None
        if not isinstance(entries, list):
            self.faults.append(f"{name} must be a list of tables, or that list as JSON")
            return []
        tables = []
        for index, entry in enumerate(entries):
            if isinstance(entry, dict):
                tables.append((f"{name}[{index}]", entry))
            else:
                self.faults.append(f"{name}[{index}] must be a table")
        return tables

    def parsed(
        self, tables: list[tuple[str, dict[str, Any]]], parse: Callable[[str, dict[str, Any]], _T]
    ) -> list[_T]:
        """The results of `parse` for each table, without those that it refuses."""
        made = []
        for where, table in tables:
            try:
                made.append(parse(where, table))
            except ConfigurationError as error:
                self.faults += error.faults
        return made


# From rows to values


def _provider(row: ProviderRow) -> Provider:
    wanted = [row.api_key] if row.api_key else []
    wanted += [header.secret for header in row.secret_headers.values()]
    secret_headers = {
        name: f"{header.before}{header.secret.value}{header.after}"
        for name, header in row.secret_headers.items()
    }
    return Provider(
        name=row.name,
        dialect=row.dialect,
        base_url=row.base_url,
        key=row.api_key.value if row.api_key else None,
        secrets=tuple(secret.value for secret in wanted if secret.value),
        missing_secret=next((secret.name for secret in wanted if secret.value is None), None),
        key_header=row.key_header,
        models=row.models,
        aliases=row.aliases,
        only_listed=row.only_listed,
        headers={**row.headers, **secret_headers},
        query=row.query,
        timeouts=row.timeouts,
        retries=row.retries,
        quirks=row.quirks,
        binding=row.binding,
        families=row.families,
        count_tokens=row.count_tokens,
        web_search=row.web_search,
        responses=row.responses,
        endpoints=_endpoints(row),
        prices=row.prices,
    )


def _endpoints(row: ProviderRow) -> tuple[EndpointRule, ...]:
    """The endpoints of `row`. Without the field, all that its dialect can have."""
    if row.endpoints is not None:
        return row.endpoints
    return tuple(map(EndpointRule, ENDPOINTS)) if "endpoints" in OWN_FIELDS[row.dialect] else ()


def _model(
    where: str, row: ModelRow, providers: Mapping[str, Provider], declared: set[str]
) -> Model:
    """The model of `row`. `declared` names all providers, also faulty ones.

    Raises ConfigurationError for a target of a provider that has no row.
    """
    strangers = [
        f"{where}.targets[{index}]: must be 'provider/model' of a provider that PROVIDERS names"
        for index, target in enumerate(row.targets)
        if target.provider not in declared
    ]
    if strangers:
        raise ConfigurationError(strangers)
    sound = [target for target in row.targets if target.provider in providers]
    return Model(
        row.id,
        tuple(_target(target, providers[target.provider]) for target in sound),
        tuple(target.weight for target in sound),
        row.deadline,
        row.first_byte,
        tuple(target.model for target in sound),
    )


def _target(row: TargetRow, provider: Provider) -> Target:
    return Target(provider, provider.aliases.get(row.model, row.model))


def _fingerprint(tables: list[dict[str, Any]], models: list[Model]) -> str:
    """`fp_` and ten hex digits, the form that OpenAI's documentation shows.

    The first six digits are the version, two for each of its numbers: `fp_0002008c2f` is from
    0.2.0. Keys are not part of it, because rows contain only the names of their secrets.
    """
    ids = [[model.id, [target.model for target in model.targets]] for model in models]
    text = json.encode([tables, ids])
    version = "".join(f"{int(number):02x}" for number in __version__.split("."))
    return f"fp_{version}{hashlib.sha256(text.encode()).hexdigest()[:4]}"
