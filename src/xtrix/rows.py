"""Parses the rows of a configuration: what each field may hold, and which dialects read it.

Turns a table that an operator wrote into a typed row, or lists everything that is wrong with it.
Afterwards only the typed row is used, so no unchecked value is. What a row is used for is not known
here; `config` knows it.

The docstrings of fields are also the texts of docs/configuration.md.
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
"""What pydantic-core passes to a validating function. Its `context` here looks up a variable."""

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
"""For each dialect: the fields that it reads and some other dialect does not. `quirks` means all
quirks, and `quirks.drop` would mean this one. A field of another dialect is a fault in a row."""


class Secret(NamedTuple):
    """A secret of the environment."""

    name: str
    value: str | None
    """None if it is not set."""


class SecretHeader(NamedTuple):
    """The value of a header that contains a secret."""

    before: str
    secret: Secret
    after: str


class ProviderRow(NamedTuple):
    """A row of `PROVIDERS`. Header names are in lower case, `base_url` has no slash at its end."""

    name: str
    """The provider's name; you choose it. Clients can ask for a model of this provider as
    `name/MODEL`."""
    dialect: str
    """The protocol that the provider speaks: Messages, Chat Completions or Responses."""
    base_url: str
    """The URL of the API, with `/v1` if it has that."""
    api_key: Secret | None = None
    """The name of the secret with the provider's key; not the key itself. Without it no key is
    sent."""
    key_header: str = ""
    """The header for the key, if it is not the usual one of the dialect. In `authorization` the key
    is always sent as `Bearer KEY`."""
    models: tuple[str, ...] = ()
    """Patterns of model names, such as `claude-*`. The first provider with a matching pattern
    serves a model."""
    aliases: Mapping[str, str] = {}
    """Names that clients may use, each with the provider's own name of the model."""
    only_listed: bool = False
    """Whether clients may use only the models of `models` and `aliases`. Otherwise they may ask for
    any model of the provider as `name/MODEL`."""
    headers: Mapping[str, str] = {}
    """Headers to send with every call."""
    secret_headers: Mapping[str, SecretHeader] = {}
    """Headers that contain a secret, with the secret's name in braces:
    `"Bearer {CF_AIG_TOKEN}"`."""
    query: str = ""
    """What to add to every URL after `?`, such as Azure's `api-version=2024-10-21`."""
    timeouts: Timeouts = Timeouts()
    """How long the provider may take."""
    retries: Retries = Retries()
    """How often a call is tried."""
    quirks: Quirks = Quirks()
    """How the provider deviates from OpenAI's own API."""
    binding: str | None = None
    """The name of a service binding, or of the `AI` binding, to call instead of the network."""
    families: tuple[Family, ...] = ()
    """What this provider's models can do, for models that the built-in table does not know. The
    first matching pattern counts."""
    count_tokens: Literal["estimate", "off"] = "estimate"
    """What happens if a client asks for a count of tokens and the provider cannot count: an
    estimate, or an error."""
    web_search: bool = False
    """Whether a model may search the web when a client of Responses allows it. Codex allows it with
    every request, and searches cost money. An `openai` row must also have `web_search_options` in
    `takes`."""
    responses: tuple[ResponsesRule, ...] = ()
    """Which calls of an `openai` row use Responses. The first matching rule counts."""
    endpoints: tuple[EndpointRule, ...] | None = None
    """Which of OpenAI's other endpoints the provider has, and for which models. Without it: all of
    them."""
    prices: tuple[Price, ...] = ()
    """What models cost, if the built-in table does not know it or you pay another price."""


class TargetRow(NamedTuple):
    """One of the models: a provider's name, and the name or alias of a model there."""

    provider: str
    model: str
    weight: float | None = None
    """The share of conversations that begin at this target. If only other targets have a weight,
    this one is tried after them."""


class ModelRow(NamedTuple):
    """A row of `MODELS`."""

    id: str
    """The name that clients ask for."""
    targets: tuple[TargetRow, ...]
    """The models that it stands for, in the order in which they are tried: each as
    `"provider/model"`, or as a table."""
    deadline: float | None = None
    """Seconds until an answer has begun, for all targets together."""
    first_byte: float | None = None
    """Seconds until an answer has begun, for each target except the last, if its row allows
    more."""


def parse_provider(where: str, table: Table, lookup: Callable[[str], object]) -> ProviderRow:
    """The row in `table`, with its secrets, which `lookup` finds in the environment.

    Raises ConfigurationError; each of its faults begins with `where`.
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
    """`value`, checked to be a model name that a client can send. Raises ConfigurationError."""
    name: str = _parse(_CLIENT_MODEL, where, value)
    return name


def _parse(schema: SchemaValidator, where: str, value: object) -> Any:
    try:
        return schema.validate_python(value)
    except ValidationError as failure:
        raise ConfigurationError(_faults(where, failure)) from None


# What values may be. Each message says what a value must be, and never shows the value.


def _worded(message: str, schema: cs.CoreSchema) -> cs.CoreSchema:
    """`schema`, with `message` as its only error message."""
    return cs.custom_error_schema(schema, "form", custom_error_message=message)


def _text(pattern: str, message: str) -> cs.CoreSchema:
    return _worded(message, cs.str_schema(strict=True, pattern=pattern))


def _parsed(schema: cs.CoreSchema, parse: Callable[[Any], Any]) -> cs.CoreSchema:
    """A schema that gives each accepted value to `parse`, which may raise PydanticCustomError."""
    return cs.no_info_after_validator_function(parse, schema)


def _list(item: cs.CoreSchema, *, least: int = 0) -> cs.CoreSchema:
    return _parsed(cs.list_schema(item, strict=True, min_length=least), tuple)


def _map(name: cs.CoreSchema, value: cs.CoreSchema) -> cs.CoreSchema:
    return cs.dict_schema(name, value, strict=True)


def _table(kind: Callable[..., Any], required: str = "", **fields: cs.CoreSchema) -> cs.CoreSchema:
    """A table with these fields, of which `required` must be there. They are passed to `kind`."""
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
# A secret's name is in capitals. So a key that was put here by mistake is a fault, and is never
# shown as a name.
_SECRET = _text(
    r"^[A-Z][A-Z0-9_]{0,63}$", "must be a name in capitals, digits and '_', not the secret itself"
)
_HEADER = _text(r"^[ -~]*$", "must be text of ASCII characters that a header can carry")
_URL_TEXT = _worded("must be text", cs.str_schema(strict=True))
_TEMPLATE = re.compile(r"([ -z|~]*)\{([A-Z][A-Z0-9_]{0,63})\}([ -z|~]*)")
_HOST = re.compile(r"[\w.:-]+")
_SENDABLE = re.compile(r"[ -~]*")
_STEP = re.compile(r"[!-~]{1,64}")


# The types of variables and secrets. A service binding has none of these.
_VARIABLE = (str, int, float, list, dict, type(None))


def _looked_up(schema: cs.CoreSchema, parse: Callable[[Any, Info], Any]) -> cs.CoreSchema:
    """Like `_parsed`, but `parse` also gets the environment, as its second argument's `context`."""
    return cs.with_info_after_validator_function(parse, schema)


def _secret(name: str, info: Info) -> Secret:
    value = info.context(name)
    # `echo` adds a newline when a secret is set through it.
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
    """Lets a target without a weight be written as text alone."""
    return {"target": entry} if isinstance(entry, str) else entry


def _with_pattern(entry: object) -> object:
    """Lets a rule without a condition be written as its pattern alone."""
    return {"pattern": entry} if isinstance(entry, str) else entry


def _with_name(entry: object) -> object:
    """Lets an endpoint for all models be written as its name alone."""
    return {"name": entry} if isinstance(entry, str) else entry


def _provider(
    *,
    headers: Mapping[str, str] = {},
    secret_headers: Mapping[str, SecretHeader] = {},
    **row: Any,
) -> ProviderRow:
    """A row, made of fields that are valid one by one."""
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
    """The path of `location` in a row.

    A faulty name in a map is the operator's value too, so it is not shown.
    """
    steps = location[:-2] if location and location[-1] == "[key]" else location
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in steps)


def _shown(step: str) -> str:
    return step if _STEP.fullmatch(step) else "?"


def _split(table: Table) -> tuple[Table, list[str]]:
    """`table` without the fields that its dialect never reads, and the paths of those fields."""
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
