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

    connect: float = 120
    """Until the head of a streamed response: upstreams send it when they accept the call."""
    first_byte: float = 300
    """Until the first event of a stream, or the head of a whole answer."""
    idle: float = 120
    """Between two pieces of a body."""


class Retries(NamedTuple):
    """How often a target is tried before the next one is."""

    attempts: int = 1
    """Calls to one target for one request; 1 never repeats a call."""
    backoff: float = 0.5
    """Seconds before the second attempt; doubled for each further one, a quarter of it random."""
    longest: float = 10
    """Seconds a single wait may take. A longer `retry-after` means the next target instead."""
    rest: float = 30
    """Seconds for which a target that keeps failing is left out, where there are others."""


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


class Family(NamedTuple):
    """What a family of models can do. The defaults are the strictest: what is new is like that."""

    pattern: str
    """Matches the upstream's model ids, as `claude-opus-5*` does."""
    sampling: Literal["any", "both", "one", "none"] = "none"
    """How many of `temperature` and `top_p` it takes in one request, where it does not think and
    the temperature is at most 1. With "any" they go on as they came."""
    thinking: Literal["none", "budget", "adaptive"] = "adaptive"
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

    def serves(self, model: str) -> bool:
        """Whether `model` matches one of its patterns."""
        return any(fnmatch.fnmatchcase(model, pattern) for pattern in self.models)


class Target(NamedTuple):
    """Where one call goes: a provider, and the model's name there."""

    provider: Provider
    model: str


class Plan(NamedTuple):
    """The targets of one request, in the order in which they are tried."""

    targets: tuple[Target, ...]
    deadline: float | None = None
    """Seconds for all attempts together, until an answer has begun; None sets no limit."""


class Model(NamedTuple):
    """A public model with targets of its own, in the order in which they are tried."""

    id: str
    targets: tuple[Target, ...]
    weights: tuple[float | None, ...] = ()
    """One for each target: the share of conversations that starts with it. None is a spare."""
    deadline: float | None = None
    """Seconds for all attempts together, until an answer has begun; None sets no limit."""
