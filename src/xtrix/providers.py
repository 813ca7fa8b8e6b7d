"""Providers as rows of data, and the targets a model's name leads to.

Knows names, patterns, aliases and limits. Refuses to know any provider by name: what sets one
apart is a field of its row. What a dialect does with the row is the dialect's.
"""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class Timeouts(NamedTuple):
    """Seconds an upstream may take. None of them limits an answer that keeps coming."""

    connect: float | None = None
    """Until the head of a streamed response: upstreams send it when they accept the call. None is
    120, and 60 for a target that is not the last one."""
    first_byte: float = 300
    """Until a stream's first event that the client is told, or the head of a whole answer."""
    idle: float = 120
    """Between two pieces of a body."""
    progress: float = 600
    """Between two events that take the answer further, or until a whole body has come. Comments,
    pings and events that are not known here keep a connection alive and say nothing; a model that
    thinks unseen sends nothing else, for minutes. Where an answer is passed on as it is, the data
    of any event and every byte of a sound count."""


class Retries(NamedTuple):
    """How often a target is tried before the next one is."""

    attempts: int | None = None
    """Calls to one target for one request; 1 never repeats a call. None is 1, and 2 where a model
    has targets of its own."""
    backoff: float = 0.5
    """Seconds before the second attempt; doubled for each further one, a quarter of it random."""
    longest: float = 10
    """Seconds a single wait may take. A longer `retry-after` means the next target instead."""
    rest: float = 30
    """Seconds for which a target that keeps failing is left out, where there are others."""


TAKEN = (
    *("verbosity", "metadata", "prompt_cache_key", "prompt_cache_options"),
    *("prompt_cache_retention", "safety_identifier", "user", "service_tier", "top_k"),
    *("web_search_options", "cache_control", "messages.refusal", "tools.custom"),
    "tool_choice.allowed_tools",
)
"""What only some OpenAI-compatible servers take, the words of `Quirks.takes`: parameters, and forms
of others. `cache_control` marks parts of messages as in Anthropic's API."""


class Quirks(NamedTuple):
    """How an OpenAI-compatible upstream deviates from OpenAI's own API."""

    rename: Mapping[str, str] = {}
    """Request parameters it knows by another name."""
    drop: tuple[str, ...] = ()
    """Request parameters it refuses and does not need; they are listed as ignored.
    `messages.NAME` is a field of every message."""
    roles: Mapping[str, str] = {}
    """Roles it knows by another name, such as `developer` by `system`."""
    null_content: bool = True
    """Whether a message that only calls tools may have no content."""
    stream_usage: bool = True
    """Whether it accepts `stream_options`; without it usage comes unasked or not at all."""
    obfuscation: bool = False
    """Whether it pads stream events unless `include_obfuscation` says false."""
    client_metadata: bool = False
    """Whether it may be told what OpenAI's own programs say of themselves: ids of an installation
    among it, in the field of that name."""
    takes: tuple[str, ...] = ()
    """What it takes that only some servers take, in words of `TAKEN`. Only what is made out of
    another protocol's request asks this: a client of Chat Completions says itself what it sends."""
    reasoning_back: bool = False
    """Whether it wants the `reasoning_content` of each of its messages back with the history."""
    most_stops: int = 4
    """How many `stop` sequences it takes."""


class ResponsesRule(NamedTuple):
    """Which calls of a row that speaks Chat Completions go by way of Responses."""

    pattern: str
    """Matches the upstream's model ids, as `gpt-5.4*` does."""
    when: Literal["always", "tools", "effort"] = "always"
    """`tools`: where tools may be called, unless the client asks for no reasoning; `effort`: where
    tools may be called and the client asks for reasoning."""


ENDPOINTS = ("completions", "embeddings", "moderations", "images", "audio", "rerank")
"""OpenAI's other endpoints, by the words that a row has for them."""


class EndpointRule(NamedTuple):
    """An endpoint that a row has beside the calls of its dialect."""

    name: str
    """One of `ENDPOINTS`."""
    models: tuple[str, ...] = ("*",)
    """Patterns of the upstream's model ids that it is for."""


class Needs(NamedTuple):
    """What decides between the protocols of a row that speaks two."""

    client: str = "chat"
    """The client's protocol."""
    tools: bool = False
    """Whether there are tools of the client's to call."""
    effort: str | None = None
    """How hard the model is asked to reason; None where the client leaves it open."""
    chat_only: bool = False
    """Whether something is asked that only Chat Completions can be asked."""


class Family(NamedTuple):
    """What a family of models can do. The defaults are the strictest: what is new is like that."""

    pattern: str
    """Matches the upstream's model ids, as `claude-opus-5*` does."""
    sampling: Literal["any", "both", "one", "none"] = "none"
    """How many of `temperature` and `top_p` it takes in one request, where it does not think and
    the temperature is at most 1. With "any" they go on as they came."""
    thinking: Literal["none", "budget", "adaptive"] = "adaptive"
    """How it is asked to think: with a number of tokens (`budget`), or by an effort alone."""
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    """The words of `output_config.effort` that it knows."""
    thinks_unasked: bool = False
    """Whether it thinks by default and takes `disabled` to stop it."""
    prefill: bool = False
    """Whether the last turn may be the assistant's, to be gone on with."""
    structured: bool = True
    """Whether it has `output_config.format` and strict tools."""
    forced_tools: bool = False
    """Whether `tool_choice` may force a call."""
    system_inside: bool = False
    """Whether a system turn may stand inside the chat."""
    max_output: int = 128_000
    """Tokens."""


class Long(NamedTuple):
    """What a request costs more from some length of its prompt on, all of it."""

    over: int
    """Tokens that a prompt may have at the usual price."""
    input: float = 1
    """By what the prices of tokens that go in are multiplied."""
    output: float = 1
    """By what the price of tokens that come out is multiplied."""


class Price(NamedTuple):
    """What a model costs, in US dollars for a million tokens."""

    pattern: str
    """Matches the upstream's model ids."""
    input: float
    """Tokens that go in."""
    output: float
    """Tokens that come out, those of thinking among them."""
    cached: float | None = None
    """Input that is read from the provider's cache; None is the price of other input, as all the
    fields below that are None."""
    cache_write: float | None = None
    """Input that is written into the cache."""
    cache_write_hour: float | None = None
    """Input that is written into it for an hour; None is the price of `cache_write`."""
    audio_input: float | None = None
    """As `audio_output`."""
    audio_output: float | None = None
    """Audio, in tokens; with None what has any costs nobody knows what."""
    long: Long | None = None
    """What a long prompt costs more."""
    tiers: Mapping[str, float] = {}
    """By what all prices are multiplied where a tier other than the usual one has served, by
    OpenAI's name for it. What another tier costs is not known."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One row: an operator's endpoint."""

    name: str
    dialect: str
    base_url: str
    key: str | None = None
    """The upstream's API key itself; None where it wants none."""
    secrets: tuple[str, ...] = ()
    """All that must not be seen of it: the key, and those that its headers hold."""
    lacks: str | None = None
    """The secret it wants and does not have: it is left alone until the operator sets it."""
    key_header: str = ""
    """The header that carries the key; empty for the dialect's own."""
    models: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    only_listed: bool = False
    """Whether `provider/model` reaches its patterns and aliases only, and no other model of it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every call, the secret ones among them."""
    query: str = ""
    """Appended to the URL after `?`, as Azure's `api-version` wants."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    quirks: Quirks = field(default_factory=Quirks)
    binding: str | None = None
    """A service binding to call instead of the network."""
    families: tuple[Family, ...] = ()
    """Rows for the dialect's table of model families, tried before its own."""
    count_tokens: Literal["estimate", "off"] = "estimate"
    """What a client gets that asks for a count of tokens, where the upstream does not count."""
    web_search: bool = False
    """Whether the search of the web that a client of Responses lets the model make, as Codex does
    with every request, is made. It costs money, and fails where an account does not have it."""
    responses: tuple[ResponsesRule, ...] = ()
    """For an `openai` row that speaks Responses too: which calls take that. The first rule whose
    pattern fits counts; a model that none fits takes Chat Completions."""
    endpoints: tuple[EndpointRule, ...] = ()
    """Which of OpenAI's other endpoints it has."""
    prices: tuple[Price, ...] = ()
    """What its models cost, before the table of `prices`."""

    def serves(self, model: str) -> bool:
        """Whether `model` matches one of its patterns."""
        return any(fnmatch.fnmatchcase(model, pattern) for pattern in self.models)

    def reaches(self, model: str) -> bool:
        """Whether a client may ask for `model` by this provider's name."""
        return not self.only_listed or model in self.aliases or self.serves(model)

    def responses_rule(self, model: str) -> ResponsesRule | None:
        """What says when calls for the upstream's `model` take Responses; None for never."""
        rules = self.responses
        return next((it for it in rules if fnmatch.fnmatchcase(model, it.pattern)), None)

    def has(self, endpoint: str, model: str | None = None) -> bool:
        """Whether it has `endpoint` for the upstream's `model`; None asks for any model."""
        return any(
            rule.name == endpoint
            and (model is None or any(fnmatch.fnmatchcase(model, it) for it in rule.models))
            for rule in self.endpoints
        )

    def url(self, path: str, query: str = "") -> str:
        """The address of `path` below `base_url`, with the row's query and then this one."""
        whole = "&".join(filter(None, (self.query, query)))
        return f"{self.base_url}{path}" + (f"?{whole}" if whole else "")

    def headers_with_key(self, own: str) -> dict[str, str]:
        """What every call carries: the row's headers, and the key, if there is one.

        It goes into the dialect's `own` header unless the row names another. `authorization` always
        holds a bearer token (RFC 6750).
        """
        name = self.key_header or own
        bearer = "Bearer " if name == "authorization" else ""
        return {**({name: f"{bearer}{self.key}"} if self.key else {}), **self.headers}


PROTOCOLS = {"anthropic": "messages", "openai": "chat", "openai-responses": "responses"}
"""The protocol that a row of each dialect speaks."""


def protocol_of(provider: Provider, model: str, needs: Needs) -> str:
    """The protocol in which `provider` is called for the upstream's `model`.

    Where a row speaks two, a client gets its own protocol, because that is relayed without loss,
    unless a rule says that this call is only answered in the other.
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
    """Where `name` leads among `providers`; None where nobody serves it.

    Aliases come first, then plain names, then `provider/model`, then patterns.
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
    """Seconds for all attempts together, until an answer has begun; None sets no limit."""
    first_byte: float | None = None
    """Seconds in which each target but the last has to begin to answer, of a stream with what the
    model says, of a whole answer with its head; None leaves it to their rows."""
    is_choice: bool = False
    """Whether the model has targets of its own, so that its name does not say who answers."""

    @property
    def most_calls(self) -> int:
        """Calls to one target whose row does not say how many."""
        return 2 if self.is_choice else 1


class Model(NamedTuple):
    """A public model with targets of its own, in the order in which they are tried."""

    id: str
    targets: tuple[Target, ...]
    weights: tuple[float | None, ...] = ()
    """One for each target: the share of conversations that starts with it. None is a spare."""
    deadline: float | None = None
    """Seconds for all attempts together, until an answer has begun; None sets no limit."""
    first_byte: float | None = None
    """As `Plan.first_byte`."""
    names: tuple[str, ...] = ()
    """What the operator calls the model of each target: where two are called the same, they are the
    same model, whatever their providers call it."""
