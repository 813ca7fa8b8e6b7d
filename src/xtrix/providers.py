"""Providers as rows of data, and the targets that a model's name leads to.

A provider is one upstream API. Names, patterns, aliases and limits are known here. No code knows a
provider by its name: whatever is special about one is a field of its row. What a field means for a
request is decided by the protocol that the row's dialect names.

Many docstrings of fields are also texts of docs/configuration.md.
"""

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple


class Timeouts(NamedTuple):
    """Seconds that an upstream may take. No limit ends an answer that makes progress."""

    connect: float | None = None
    """Seconds until the head of a streamed response, which upstreams send when they accept the
    call. None means 120, or 60 for a target that is not the last one."""
    first_byte: float = 300
    """Seconds until the first event of a stream that is passed on, or until the head of a whole
    answer."""
    idle: float = 120
    """Seconds between two pieces of a body."""
    progress: float = 600
    """Seconds between two events that continue the answer, or until a whole body has come.
    Comments, pings and unknown events do not count: they only keep the connection alive. A model
    that thinks without showing it can send nothing else for minutes. Of an answer that is passed on
    as it is, the data of every event and every byte of audio count."""


class Retries(NamedTuple):
    """How often a target is called before the next one is."""

    attempts: int | None = None
    """Calls to one target for one request; 1 means that a call is never repeated. None means 1, or
    2 for a model with several targets."""
    backoff: float = 0.5
    """Seconds before the second attempt. The wait doubles before each further one. A quarter of it
    is random."""
    longest: float = 10
    """The longest wait in seconds. If `retry-after` asks for a longer one, the next target is tried
    instead."""
    rest: float = 30
    """Seconds for which a target that keeps failing is not tried, if there are others."""


TAKEN = (
    *("verbosity", "metadata", "prompt_cache_key", "prompt_cache_options"),
    *("prompt_cache_retention", "safety_identifier", "user", "service_tier", "top_k"),
    *("web_search_options", "cache_control", "messages.refusal", "tools.custom"),
    "tool_choice.allowed_tools",
)
"""The words of `Quirks.takes`: parameters, and forms of parameters, that only some servers accept.
`cache_control` marks parts of messages for a prompt cache, as in Anthropic's API."""


class Quirks(NamedTuple):
    """How an OpenAI-compatible upstream deviates from OpenAI's own API."""

    rename: Mapping[str, str] = {}
    """Request parameters that have another name there: `{ our_name = "its_name" }`."""
    drop: tuple[str, ...] = ()
    """Request parameters to leave out because the provider refuses them. The client sees their
    names in `x-ignored-parameters`. `messages.NAME` is a field of every message."""
    roles: Mapping[str, str] = {}
    """Roles that have another name there, such as `{ developer = "system" }`."""
    null_content: bool = True
    """Whether a message that only calls tools may have `null` as its content."""
    stream_usage: bool = True
    """Whether the provider accepts `stream_options`. If not, it sends usage unasked or not at
    all."""
    obfuscation: bool = False
    """Whether the provider pads stream events unless `include_obfuscation` is false."""
    client_metadata: bool = False
    """Whether the provider gets the field `client_metadata`, in which OpenAI's own programs
    describe themselves, with ids of their installation."""
    takes: tuple[str, ...] = ()
    """Parameters that the provider accepts although not all servers do; docs/providers.md lists
    them. This matters for requests that are translated from another protocol. Parameters of a
    client of Chat Completions are always passed on."""
    reasoning_back: bool = False
    """Whether the provider requires the `reasoning_content` of each of its messages back with the
    history."""
    most_stops: int = 4
    """How many `stop` sequences the provider accepts."""


class ResponsesRule(NamedTuple):
    """Which calls of a row that speaks Chat Completions use Responses instead."""

    pattern: str
    """A pattern for the provider's model ids, such as `gpt-5.4*`."""
    when: Literal["always", "tools", "effort"] = "always"
    """`always`: all calls. `tools`: calls in which tools may be called, unless the client asks for
    no reasoning. `effort`: calls in which tools may be called and the client asks for reasoning."""


ENDPOINTS = ("completions", "embeddings", "moderations", "images", "audio", "rerank")
"""OpenAI's other endpoints, by their names in a row."""


class EndpointRule(NamedTuple):
    """An endpoint that a provider has besides the calls of its dialect."""

    name: str
    """The endpoint."""
    models: tuple[str, ...] = ("*",)
    """Patterns for the ids of the provider's models that have it."""


class Needs(NamedTuple):
    """What a request needs, to choose between the two protocols of a row that speaks two."""

    client: str = "chat"
    """The client's protocol."""
    tools: bool = False
    """Whether the client offers tools to call."""
    effort: str | None = None
    """How hard the model shall reason; None if the client does not say."""
    chat_only: bool = False
    """Whether it has parameters that exist in Chat Completions only."""


class Family(NamedTuple):
    """What a family of models can do. The defaults are the strictest, as new models are."""

    pattern: str
    """A pattern for the provider's model ids, such as `claude-opus-5*`."""
    sampling: Literal["any", "both", "one", "none"] = "none"
    """How many of `temperature` and `top_p` a request may have. They are sent only if the model
    does not think in this request; in Messages a temperature above 1 becomes 1. `any` passes both
    on as they are."""
    thinking: Literal["none", "budget", "adaptive"] = "adaptive"
    """How the model is asked to think: not at all, with a number of tokens (`budget`), or with an
    effort alone (`adaptive`)."""
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    """The values of `output_config.effort` that it accepts."""
    thinks_unasked: bool = False
    """Whether it thinks by default, so that thinking must be disabled explicitly."""
    prefill: bool = False
    """Whether the last turn may be the assistant's, so that the model continues it."""
    structured: bool = True
    """Whether it supports `output_config.format` and strict tools."""
    forced_tools: bool = False
    """Whether `tool_choice` may force a tool call."""
    system_inside: bool = False
    """Whether system turns are allowed inside the conversation."""
    max_output: int = 128_000
    """The most tokens of an answer."""


class Long(NamedTuple):
    """What a request costs if its prompt is longer than `over`. The factors hold for all of it."""

    over: int
    """The longest prompt at the usual price, in tokens."""
    input: float = 1
    """The factor for all prices of input tokens."""
    output: float = 1
    """The factor for the price of output tokens."""


class Price(NamedTuple):
    """What a model costs, in US dollars for a million tokens."""

    pattern: str
    """A pattern for the provider's model ids."""
    input: float
    """The price of input tokens."""
    output: float
    """The price of output tokens; thinking is output."""
    cached: float | None = None
    """The price of input that is read from the provider's cache. None means the price of
    `input`."""
    cache_write: float | None = None
    """The price of input that is written into the cache. None means the price of `input`."""
    cache_write_hour: float | None = None
    """The price of input that is written into the cache for an hour. None means the price of
    `cache_write`."""
    audio_input: float | None = None
    """The price of audio input, in tokens. None means that the cost of a call with such input is
    not known."""
    audio_output: float | None = None
    """The price of audio output, in tokens. None means that the cost of a call with such output is
    not known."""
    long: Long | None = None
    """What a long prompt costs."""
    tiers: Mapping[str, float] = {}
    """The factor for all prices if a service tier other than the usual one was used, by OpenAI's
    name of the tier, or by Anthropic's `speed` or `inference_geo`. The cost of a tier that is not
    listed is not known."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One row: an operator's endpoint."""

    name: str
    dialect: str
    base_url: str
    key: str | None = None
    """The provider's API key itself; None if it needs none."""
    secrets: tuple[str, ...] = ()
    """All secrets that its answers must not show: the key, and those in its headers."""
    missing_secret: str | None = None
    """The name of a secret that it needs and that is not set. Until it is, no call goes to it."""
    key_header: str = ""
    """The header for the key; empty means the usual one of the dialect."""
    models: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    only_listed: bool = False
    """Whether clients may use only the models of its patterns and aliases."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers to send with every call, with the secrets already in them."""
    query: str = ""
    """What to add to every URL after `?`, such as Azure's `api-version`."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    quirks: Quirks = field(default_factory=Quirks)
    binding: str | None = None
    """The name of a service binding to call instead of the network."""
    families: tuple[Family, ...] = ()
    """Rows that are looked up before the dialect's own table of model families."""
    count_tokens: Literal["estimate", "off"] = "estimate"
    """What a client gets if it asks for a count of tokens and the provider cannot count."""
    web_search: bool = False
    """Whether a model may search the web when a client of Responses allows it. A search costs
    money, and fails if the account does not have web search."""
    responses: tuple[ResponsesRule, ...] = ()
    """Which calls of an `openai` row use Responses. The first matching rule counts; without one a
    call uses Chat Completions."""
    endpoints: tuple[EndpointRule, ...] = ()
    """Which of OpenAI's other endpoints it has."""
    prices: tuple[Price, ...] = ()
    """What its models cost. Looked up before the table in `prices`."""

    def serves(self, model: str) -> bool:
        """Whether `model` matches one of its patterns."""
        return bool(self.models) and _matches(self.models)(model) is not None

    def reaches(self, model: str) -> bool:
        """Whether a client may ask for `model` as `provider/model`."""
        return not self.only_listed or model in self.aliases or self.serves(model)

    def responses_rule(self, model: str) -> ResponsesRule | None:
        """The rule for when calls of the upstream's `model` use Responses; None means never."""
        for rule in self.responses:
            if fnmatch.fnmatchcase(model, rule.pattern):
                return rule
        return None

    def has(self, endpoint: str, model: str | None = None) -> bool:
        """Whether it has `endpoint` for the upstream's `model`, or, with None, for any model."""
        return any(
            rule.name == endpoint
            and (model is None or any(fnmatch.fnmatchcase(model, it) for it in rule.models))
            for rule in self.endpoints
        )

    def url(self, path: str, query: str = "") -> str:
        """The address of `path` below `base_url`, with the row's query before this one."""
        whole = "&".join(filter(None, (self.query, query)))
        return f"{self.base_url}{path}" + (f"?{whole}" if whole else "")

    def headers_with_key(self, own: str) -> dict[str, str]:
        """The headers of every call: those of the row, and the one with the key, if there is a key.

        `own` is the dialect's usual header for it, which a row can override. In `authorization` the
        key is always a bearer token (RFC 6750).
        """
        name = self.key_header or own
        bearer = "Bearer " if name == "authorization" else ""
        return {**({name: f"{bearer}{self.key}"} if self.key else {}), **self.headers}


@lru_cache(maxsize=256)
def _matches(patterns: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    """A function that finds whether a text matches one of a row's `patterns`."""
    return re.compile("|".join(map(fnmatch.translate, patterns))).match


PROTOCOLS = {"anthropic": "messages", "openai": "chat", "openai-responses": "responses"}
"""The protocol that a row of each dialect speaks."""


def protocol_of(provider: Provider, model: str, needs: Needs) -> str:
    """The protocol in which `provider` is called for the upstream's `model`.

    A row can speak two protocols. A client then gets its own one, because a request of the same
    protocol is passed on without loss, unless a rule says that this call works only in the other.
    """
    if needs.client == "completions" and provider.has("completions", model):
        return "completions"
    own = PROTOCOLS[provider.dialect]
    rule = provider.responses_rule(model)
    if needs.client == "responses" and provider.responses:
        return "responses"
    if rule is None or needs.chat_only:
        return own
    if rule.when == "always":
        return "responses"
    silent = {"none"} if rule.when == "tools" else {"none", None}
    return "responses" if needs.tools and needs.effort not in silent else own


class Target(NamedTuple):
    """Where one call goes: a provider, and the model's name there."""

    provider: Provider
    model: str


def find_target(providers: tuple[Provider, ...], name: str) -> Target | None:
    """The target of the model `name`; None if no provider serves it.

    Aliases are looked up first, then plain names, then `provider/model`, then patterns.
    """
    for provider in providers:
        if name in provider.aliases:
            return Target(provider, provider.aliases[name])
    for provider in providers:
        if name in provider.models:
            return Target(provider, name)
    first, _, rest = name.partition("/")
    for provider in providers:
        if provider.name == first and rest and provider.reaches(rest):
            return Target(provider, provider.aliases.get(rest, rest))
    for provider in providers:
        if provider.serves(name):
            return Target(provider, name)
    return None


class Plan(NamedTuple):
    """The targets of one request, in the order in which they are tried."""

    targets: tuple[Target, ...]
    deadline: float | None = None
    """Seconds until an answer has begun, for all attempts together; None means no limit."""
    first_byte: float | None = None
    """Seconds until an answer has begun, for each target except the last; None means that only the
    limits of their rows hold. A stream has begun with the model's first words, a whole answer with
    its head."""
    is_choice: bool = False
    """Whether the model was configured with targets, so that its name does not say who answers."""

    @property
    def most_calls(self) -> int:
        """How often a target may be called if its row does not say."""
        return 2 if self.is_choice else 1


class Model(NamedTuple):
    """A model name that stands for several targets, in the order in which they are tried."""

    id: str
    targets: tuple[Target, ...]
    weights: tuple[float | None, ...] = ()
    """For each target the share of conversations that begin there; None for one that is tried only
    after the others."""
    deadline: float | None = None
    """Seconds until an answer has begun, for all attempts together; None means no limit."""
    first_byte: float | None = None
    """As `Plan.first_byte`."""
    names: tuple[str, ...] = ()
    """The operator's name for the model of each target. Two targets with the same name are the same
    model, whatever their providers call it."""
