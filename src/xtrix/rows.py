"""The rows of a configuration, parsed: what each field may hold, and which dialect reads it.

Turns a table that an operator wrote into a typed row, or names everything wrong with it. Nothing of
the table is looked at afterwards, so what was checked is what is used. Refuses to know what a row
is for; that is the configuration's.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from xtrix.errors import ConfigurationError
from xtrix.providers import (
    ENDPOINTS,
    TAKEN,
    EndpointRule,
    Family,
    Long,
    Price,
    Quirks,
    ResponsesRule,
    Retries,
    Timeouts,
)

Info: TypeAlias = cs.ValidationInfo[Any]
"""What pydantic-core hands to a function that validates; here its `context` looks up a variable."""

Table: TypeAlias = Mapping[str, Any]
"""What an operator wrote, unchecked."""

OWN_FIELDS: dict[str, frozenset[str]] = {
    "anthropic": frozenset({"families", "web_search"}),
    "openai": frozenset({"query", "quirks", "responses", "families", "endpoints", "web_search"}),
    "openai-responses": frozenset(
        {
            *("query", "families", "endpoints", "quirks.rename", "quirks.drop", "quirks.roles"),
            *("quirks.obfuscation", "quirks.client_metadata"),
        }
    ),
}
"""By dialect, what it reads of the fields that not every dialect reads. `quirks.drop` would be that
one quirk, `quirks` is all of them. A field of some other dialect's is a fault in a row."""


class Secret(NamedTuple):
    """A secret of the environment."""

    name: str
    value: str | None
    """None where it is not set."""


class SecretHeader(NamedTuple):
    """A header's value with a secret in it."""

    before: str
    secret: Secret
    after: str


class ProviderRow(NamedTuple):
    """A row of `PROVIDERS`. Header names are in lower case, `base_url` has no slash at its end."""

    name: str
    """Yours to choose. `name/MODEL` asks for a model of this provider's."""
    dialect: str
    """The protocol it speaks: Messages, Chat Completions or Responses."""
    base_url: str
    """The API's URL, with its `/v1` where it has one."""
    api_key: Secret | None = None
    """The name of the secret that holds the key, never the key. Without it no key is sent."""
    key_header: str = ""
    """The header that carries the key, where it is not the dialect's own. In `authorization` it is
    always `Bearer KEY`."""
    models: tuple[str, ...] = ()
    """Patterns such as `claude-*`. The first provider with one that fits serves the model."""
    aliases: Mapping[str, str] = {}
    """A name that clients use, and the upstream's own name for it."""
    only_listed: bool = False
    """Whether clients reach only `models` and `aliases`. Otherwise `name/ANY-MODEL` goes to it."""
    headers: Mapping[str, str] = {}
    """Headers that every call carries."""
    secret_headers: Mapping[str, SecretHeader] = {}
    """Headers with a secret in them, by its name: `"Bearer {CF_AIG_TOKEN}"`."""
    query: str = ""
    """What every URL ends in after `?`, such as Azure's `api-version=2024-10-21`."""
    timeouts: Timeouts = Timeouts()
    """How long it may take."""
    retries: Retries = Retries()
    """How often it is tried."""
    quirks: Quirks = Quirks()
    """How it deviates from OpenAI's own API."""
    binding: str | None = None
    """A service binding, or the `AI` binding, to call instead of the network."""
    families: tuple[Family, ...] = ()
    """What models can do that the built-in table does not know. The first that fits counts."""
    count_tokens: Literal["estimate", "off"] = "estimate"
    """What a client gets that asks for a count, where the upstream does not count itself."""
    web_search: bool = False
    """Whether a model may search the web where a client of Responses offers that, as Codex does
    with every request. It costs money. An `openai` row has to take `web_search_options` too."""
    responses: tuple[ResponsesRule, ...] = ()
    """Which models an `openai` row calls over Responses. The first rule that fits counts."""
    endpoints: tuple[EndpointRule, ...] | None = None
    """What it has beside the three protocols, for which models. Without it: all that there is."""
    prices: tuple[Price, ...] = ()
    """What models cost, where the built-in table does not know it or you pay something else."""


class TargetRow(NamedTuple):
    """Where a model may go: a provider's name, and the model's name or alias there."""

    provider: str
    model: str
    weight: float | None = None
    """The share of conversations that begin with it. Without one, where others have one, it is
    tried only after those."""


class ModelRow(NamedTuple):
    """A row of `MODELS`."""

    id: str
    """The name that clients use."""
    targets: tuple[TargetRow, ...]
    """In the order in which they are tried, each as `"provider/model"` or as a table."""
    deadline: float | None = None
    """Seconds for all targets together until an answer has begun."""
    first_byte: float | None = None
    """Seconds in which each target but the last has to begin, where its row gives it more."""


def parse_provider(where: str, table: Table, lookup: Callable[[str], object]) -> ProviderRow:
    """The row that `table` spells, with its secrets as `lookup` finds them in the environment.

    Raises ConfigurationError with faults that begin with `where`.
    """
    read, unread = _split(table)
    faults = [f"{where}.{path}: this row's dialect does not read it" for path in unread]
    try:
        row: ProviderRow = _PROVIDER.validate_python(read, context=lookup)
    except ValidationError as failure:
        raise ConfigurationError(faults + _faults(where, failure)) from None
    if faults:
        raise ConfigurationError(faults)
    return row


def parse_model(where: str, table: Table) -> ModelRow:
    """As `parse_provider`."""
    row: ModelRow = _parse(_MODEL, where, table)
    return row


def parse_model_name(where: str, value: object) -> str:
    """A name that a client may call a model by. Raises ConfigurationError."""
    name: str = _parse(_CLIENT_MODEL, where, value)
    return name


def _parse(schema: SchemaValidator, where: str, value: object) -> Any:
    try:
        return schema.validate_python(value)
    except ValidationError as failure:
        raise ConfigurationError(_faults(where, failure)) from None


# Forms. Each says in words what a value has to be; the value itself is never shown.


def _worded(message: str, schema: cs.CoreSchema) -> cs.CoreSchema:
    """`schema` with `message` for all that may be wrong with a value."""
    return cs.custom_error_schema(schema, "form", custom_error_message=message)


def _text(pattern: str, message: str) -> cs.CoreSchema:
    return _worded(message, cs.str_schema(strict=True, pattern=pattern))


def _parsed(schema: cs.CoreSchema, parse: Callable[[Any], Any]) -> cs.CoreSchema:
    """What `parse` makes of a value that `schema` accepts. It raises PydanticCustomError."""
    return cs.no_info_after_validator_function(parse, schema)


def _list(item: cs.CoreSchema, *, least: int = 0) -> cs.CoreSchema:
    return _parsed(cs.list_schema(item, strict=True, min_length=least), tuple)


def _map(name: cs.CoreSchema, value: cs.CoreSchema) -> cs.CoreSchema:
    return cs.dict_schema(name, value, strict=True)


def _table(kind: Callable[..., Any], required: str = "", **fields: cs.CoreSchema) -> cs.CoreSchema:
    """A `kind`, which is called with the fields by name. The others may be absent."""
    schema = cs.typed_dict_schema(
        {
            name: cs.typed_dict_field(it, required=name in required.split())
            for name, it in fields.items()
        },
        extra_behavior="forbid",
        strict=True,
    )
    return _parsed(schema, lambda row: kind(**row))


def _number(least: float, most: float) -> cs.CoreSchema:
    return cs.float_schema(strict=True, ge=least, le=most, allow_inf_nan=False)


def _over_zero(most: float) -> cs.CoreSchema:
    return cs.float_schema(strict=True, gt=0, le=most, allow_inf_nan=False)


_BOOL = cs.bool_schema(strict=True)
_SECONDS = _over_zero(3600)
_WORD = _text(r"^[A-Za-z0-9_.-]{1,64}$", "must be 1 to 64 letters, digits, '_', '.' or '-'")
_NAME = _text(r"^[ -~]+$", "must be text, and not empty")
_MODEL_NAME = _text(
    r"^[!-~]{1,256}$", "must be 1 to 256 visible ASCII characters: clients can ask for nothing else"
)
# The log and the header x-served-by name the upstream's model.
_UPSTREAM_MODEL = _text(
    r"^[!-~]([ -~]{0,254}[!-~])?$",
    "must be at most 256 ASCII characters that a header can carry, none of them a space at an end",
)
# In capitals, so that a key put where its name belongs is a fault and is never shown as a name.
_SECRET = _text(
    r"^[A-Z][A-Z0-9_]{0,63}$", "must be a name in capitals, digits and '_', not the secret itself"
)
_HEADER = _text(r"^[ -~]*$", "must be text of ASCII characters that a header can carry")
_URL_TEXT = _worded("must be text", cs.str_schema(strict=True))
_TEMPLATE = re.compile(r"([ -z|~]*)\{([A-Z][A-Z0-9_]{0,63})\}([ -z|~]*)")
_HOST = re.compile(r"[\w.:-]+")
_SENDABLE = re.compile(r"[ -~]*")
_STEP = re.compile(r"[!-~]{1,64}")


# What a variable or secret can be; a service binding is none of these.
_VARIABLE = (str, int, float, list, dict, type(None))


def _looked_up(schema: cs.CoreSchema, parse: Callable[[Any, Info], Any]) -> cs.CoreSchema:
    """As `_parsed`; `parse` finds the environment in its second argument's context."""
    return cs.with_info_after_validator_function(parse, schema)


def _secret(name: str, info: Info) -> Secret:
    value = info.context(name)
    # A newline at the end is what `echo` gave to whoever set the secret.
    value = value.strip() if isinstance(value, str) else ""
    if not _SENDABLE.fullmatch(value):
        message = "the secret {name} has a line break or another character that no header can carry"
        raise PydanticCustomError("form", message, {"name": name})
    return Secret(name, value or None)


def _secret_header(text: str, info: Info) -> SecretHeader:
    found = _TEMPLATE.fullmatch(text)
    if found is None:
        raise PydanticCustomError("form", "must have one name of a secret in it, as '{A_TOKEN}'")
    return SecretHeader(found[1], _secret(found[2], info), found[3])


def _binding(name: str, info: Info) -> str:
    if isinstance(info.context(name), _VARIABLE):
        raise PydanticCustomError("form", "there is no service binding of this name")
    return name


def _base_url(text: str) -> str:
    if not is_base_url(text):
        message = "must be an http(s) URL without query, fragment or user"
        raise PydanticCustomError("form", message)
    return text.rstrip("/")


def is_base_url(text: str) -> bool:
    """Whether `text` is an http(s) URL to which a path can be added."""
    try:
        url = urlsplit(text)
        port_is_sound = url.port is None or url.port > 0
    except ValueError:
        return False
    extras = url.query or url.fragment or "@" in url.netloc or not text.isprintable() or " " in text
    host_is_sound = _HOST.fullmatch(url.hostname or "") is not None
    return url.scheme in {"http", "https"} and host_is_sound and port_is_sound and not extras


def _by_lower_name(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in headers.items()}


def _target(text: str) -> TargetRow:
    provider, _, model = text.partition("/")
    return TargetRow(provider, model)


def _weighted(*, target: TargetRow, weight: float | None = None) -> TargetRow:
    return target._replace(weight=weight)


def _with_weight(entry: object) -> object:
    """A target without a weight may be written as text alone."""
    return {"target": entry} if isinstance(entry, str) else entry


def _with_pattern(entry: object) -> object:
    """A rule without a condition may be written as its pattern alone."""
    return {"pattern": entry} if isinstance(entry, str) else entry


def _with_name(entry: object) -> object:
    """An endpoint for all models may be written as its name alone."""
    return {"name": entry} if isinstance(entry, str) else entry


def _provider(
    *,
    headers: Mapping[str, str] = {},
    secret_headers: Mapping[str, SecretHeader] = {},
    **row: Any,
) -> ProviderRow:
    """A row, once its fields are sound by themselves."""
    count = Counter(name.lower() for name in (*headers, *secret_headers))
    if twice := [name for name in count if count[name] > 1]:
        message = "headers and secret_headers name '{name}' twice"
        raise PydanticCustomError("form", message, {"name": min(twice)})
    return ProviderRow(
        headers=_by_lower_name(headers), secret_headers=_by_lower_name(secret_headers), **row
    )


_TIMEOUTS = _table(
    Timeouts, connect=_SECONDS, first_byte=_SECONDS, idle=_SECONDS, progress=_SECONDS
)
_RETRIES = _table(
    Retries,
    attempts=cs.int_schema(strict=True, ge=1, le=10),
    backoff=_number(0, 60),
    longest=_number(0, 60),
    rest=_number(0, 3600),
)
_TAKEN = cs.literal_schema(list(TAKEN))
_QUIRKS = _table(
    Quirks,
    rename=_map(_NAME, _NAME),
    drop=_list(_NAME),
    roles=_map(_NAME, _NAME),
    null_content=_BOOL,
    stream_usage=_BOOL,
    obfuscation=_BOOL,
    client_metadata=_BOOL,
    takes=_list(_worded("must be a word that docs/providers.md lists", _TAKEN)),
    reasoning_back=_BOOL,
    most_stops=cs.int_schema(strict=True, ge=1),
)
_FAMILY = _table(
    Family,
    "pattern",
    pattern=_UPSTREAM_MODEL,
    sampling=cs.literal_schema(["any", "both", "one", "none"]),
    thinking=cs.literal_schema(["none", "budget", "adaptive"]),
    efforts=_list(_NAME),
    thinks_unasked=_BOOL,
    prefill=_BOOL,
    structured=_BOOL,
    forced_tools=_BOOL,
    system_inside=_BOOL,
    max_output=cs.int_schema(strict=True, ge=1),
)
_RESPONSES_RULE = cs.no_info_before_validator_function(
    _with_pattern,
    _table(
        ResponsesRule,
        "pattern",
        pattern=_UPSTREAM_MODEL,
        when=cs.literal_schema(["always", "tools", "effort"]),
    ),
)
_ENDPOINT_RULE = cs.no_info_before_validator_function(
    _with_name,
    _table(
        EndpointRule,
        "name",
        name=cs.literal_schema(list(ENDPOINTS)),
        models=_list(_UPSTREAM_MODEL, least=1),
    ),
)
_USD = _number(0, 1_000_000)
_FACTOR = _over_zero(1000)
_PRICE = _table(
    Price,
    "pattern input output",
    pattern=_UPSTREAM_MODEL,
    input=_USD,
    output=_USD,
    cached=_USD,
    cache_write=_USD,
    cache_write_hour=_USD,
    audio_input=_USD,
    audio_output=_USD,
    long=_table(Long, "over", over=cs.int_schema(strict=True, ge=1), input=_FACTOR, output=_FACTOR),
    tiers=_map(_WORD, _FACTOR),
)

PROVIDER_SCHEMA = _table(
    _provider,
    "name dialect base_url",
    name=_WORD,
    dialect=cs.literal_schema(list(OWN_FIELDS)),
    base_url=_parsed(_URL_TEXT, _base_url),
    api_key=_looked_up(_SECRET, _secret),
    key_header=_parsed(_WORD, str.lower),
    models=_list(_MODEL_NAME),
    aliases=_map(_MODEL_NAME, _UPSTREAM_MODEL),
    only_listed=_BOOL,
    headers=_map(_WORD, _HEADER),
    secret_headers=_map(_WORD, _looked_up(_HEADER, _secret_header)),
    query=_text(r"^[!\"$->@-~][!\"$-~]*$", "must be a URL's query, without its '?'"),
    timeouts=_TIMEOUTS,
    retries=_RETRIES,
    quirks=_QUIRKS,
    binding=_looked_up(_SECRET, _binding),
    families=_list(_FAMILY),
    count_tokens=cs.literal_schema(["estimate", "off"]),
    web_search=_BOOL,
    responses=_list(_RESPONSES_RULE),
    endpoints=_list(_ENDPOINT_RULE),
    prices=_list(_PRICE),
)
_PROVIDER = SchemaValidator(PROVIDER_SCHEMA)
_TARGET = _parsed(
    _text(
        r"^[A-Za-z0-9_.-]{1,64}/[!-~]([ -~]{0,254}[!-~])?$",
        "must be 'provider/model' of a provider that PROVIDERS names",
    ),
    _target,
)
MODEL_SCHEMA = _table(
    ModelRow,
    "id targets",
    id=_MODEL_NAME,
    targets=_list(
        cs.no_info_before_validator_function(
            _with_weight, _table(_weighted, "target", target=_TARGET, weight=_over_zero(1000))
        ),
        least=1,
    ),
    deadline=_SECONDS,
    first_byte=_SECONDS,
)
_MODEL = SchemaValidator(MODEL_SCHEMA)
_CLIENT_MODEL = SchemaValidator(_MODEL_NAME)


# Faults


def _faults(where: str, failure: ValidationError) -> list[str]:
    found = failure.errors(include_url=False, include_input=False)
    return [f"{where}{_path(fault['loc'])}: {fault['msg']}" for fault in found]


def _path(location: tuple[int | str, ...]) -> str:
    """Where in a row `location` is. A faulty name in a map is a value too, and is not shown."""
    steps = location[:-2] if location and location[-1] == "[key]" else location
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in steps)


def _shown(step: str) -> str:
    return step if _STEP.fullmatch(step) else "?"


def _split(table: Table) -> tuple[Table, list[str]]:
    """`table` without the fields that its dialect never reads, and their paths."""
    dialect = table.get("dialect")
    own = OWN_FIELDS.get(dialect) if isinstance(dialect, str) else None
    if own is None:
        return table, []
    read, unread = {**table}, []
    of_some = {path.partition(".")[0] for paths in OWN_FIELDS.values() for path in paths}
    for name in sorted(of_some & table.keys() - own):
        of_own = {path.removeprefix(f"{name}.") for path in own if path.startswith(f"{name}.")}
        value = table[name]
        if not of_own:
            del read[name]
            unread.append(name)
        elif isinstance(value, dict):
            read[name] = {each: it for each, it in value.items() if each in of_own}
            unread += [f"{name}.{_shown(each)}" for each in value if each not in of_own]
    return read, unread
