"""What a client asks, in no protocol's form: turns of blocks in order, tools and settings.

The form keeps what the richest protocol can say, so that nothing is lost on the way from one to
another that both could tell. Every block, tool and choice knows the place in the client's request
that it came from, in the client's own spelling, so that whoever refuses it can name that place.

Whoever decodes a request has checked it: types are right, every call has a result before the next
turn of the assistant, and every result answers a call of the turn before. Refuses to know any
protocol's JSON, and what a model can do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

Json = dict[str, Any]

_UNSIGNED = "messages"
"""The protocol whose reasoning comes without a word on who issued it."""

Role = Literal["system", "developer", "user", "assistant"]


class Origin(NamedTuple):
    """Who issued something that only its issuer can read."""

    provider: str
    """The name of the provider's row."""
    model: str
    """The upstream's id of the model."""
    protocol: str


class Sealed(NamedTuple):
    """What a provider wants back byte for byte: signed or encrypted reasoning, and the like."""

    value: Json
    """The object of the issuer's protocol: a `thinking` or `redacted_thinking` block of Messages, a
    `reasoning` item of Responses, `{"reasoning_content": …}` or the like of Chat Completions."""
    origin: Origin | None = None
    """None for a block of Messages' that came without a word on who issued it."""


@dataclass(slots=True)
class Text:
    """Plain text."""

    text: str
    path: str = ""
    cache: Json | None = None
    """A cache mark in Messages' form, `{"type": "ephemeral"}` with or without a `ttl`."""


@dataclass(slots=True)
class Refusal:
    """The assistant's words when it refused."""

    text: str
    path: str = ""
    cache: Json | None = None


class Source(NamedTuple):
    """Where an image's or a file's content is."""

    kind: Literal["base64", "url", "text", "id"]
    """`text` is plain text itself; `id` names an upload at one provider."""
    data: str
    media_type: str | None = None
    """What it is, lower case: by its first bytes where they tell, else as the client labelled it.
    None where nobody says."""
    charset: str | None = None
    """Of text in `base64`; None where the client did not say."""


@dataclass(slots=True)
class Image:
    """A picture."""

    source: Source
    path: str = ""
    """The place of the data itself, such as `messages[0].content[1].image_url.url`."""
    cache: Json | None = None
    detail: str | None = None
    """OpenAI's word for how closely to look; None leaves it open."""


@dataclass(slots=True)
class File:
    """A document."""

    source: Source
    path: str = ""
    cache: Json | None = None
    name: str | None = None
    """A file name or title."""
    context: str | None = None
    citations: Json | None = None
    """Messages' `citations` object of a document."""


@dataclass(slots=True)
class Audio:
    """Recorded speech, base64."""

    data: str
    format: str
    path: str = ""
    cache: Json | None = None


@dataclass(slots=True)
class Thinking:
    """Reasoning of an earlier answer. Without `sealed` no provider takes it as its own."""

    text: str
    sealed: Sealed | None = None
    path: str = ""
    cache: Json | None = None


CallKind = Literal["function", "custom", "search"]
"""`function` takes JSON, `custom` text; `search` is the client's own search for more tools."""


@dataclass(slots=True)
class Call:
    """The assistant called a tool of the client's."""

    id: str
    name: str
    arguments: str
    """The JSON text of an object for a function ("" is none), plain text for a custom tool."""
    kind: CallKind = "function"
    namespace: str | None = None
    """The group of tools that `name` belongs to, in Responses."""
    extra: Json = field(default_factory=dict)
    """What else the call carries and its issuer wants back, in Chat Completions' spelling."""
    path: str = ""
    cache: Json | None = None
    given: Json | None = None
    """A function's arguments decoded, where whoever decoded the request has done so."""


@dataclass(slots=True)
class Result:
    """What a tool gave back."""

    call_id: str
    content: list["Block"]
    """Text, images and files."""
    is_error: bool = False
    path: str = ""
    cache: Json | None = None


@dataclass(slots=True)
class Opaque:
    """A block that only one protocol knows."""

    protocol: str
    value: Json
    """As that protocol spells it."""
    text: str = ""
    """What another protocol may be told in its place; "" for nothing."""
    path: str = ""
    cache: Json | None = None


Block: TypeAlias = Text | Refusal | Image | File | Audio | Thinking | Call | Result | Opaque


@dataclass(slots=True)
class Turn:
    """One turn, as the client cut it. Results stand in turns of the user.

    Neighbours may have the same role; who encodes them joins what its protocol wants joined.
    """

    role: Role
    blocks: list[Block]
    path: str = ""
    extra: Json = field(default_factory=dict)
    """Members of the message that this form has no word for, such as `name`."""


@dataclass(slots=True)
class Tool:
    """A tool that the model may call."""

    kind: Literal["function", "custom", "search", "hosted"]
    """`hosted` is run by the provider, or defined by its protocol."""
    name: str
    """Empty for a hosted tool without one."""
    description: str | None = None
    schema: Json | None = None
    """A function's JSON schema, as the client gave it; None for none."""
    strict: bool | None = None
    """None leaves it open."""
    format: Json | None = None
    """A custom tool's grammar: `{"syntax": "lark", "definition": …}`; None for any text."""
    format_binds: bool = False
    """Whether to refuse the tool where the grammar cannot be kept to, instead of describing it."""
    namespace: str | None = None
    deferred: bool = False
    """Whether the model should see it only once a search has found it."""
    hosted: Json | None = None
    """A hosted tool as `hosted_by` spells it."""
    hosted_by: str = ""
    """The protocol that knows it."""
    path: str = ""
    cache: Json | None = None
    schema_path: str = ""
    """The place of `schema`."""


class ToolChoice(NamedTuple):
    """Which tools the model may, must or must not call."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    name: str = ""
    """The tool that must be called, for `named`."""
    namespace: str | None = None
    allowed: tuple[tuple[str | None, str], ...] | None = None
    """Namespace and name of the only tools to choose from; None for all."""
    path: str = "tool_choice"


class OutputFormat(NamedTuple):
    """The form in which the answer's text has to come."""

    kind: Literal["json_object", "json_schema"]
    name: str = ""
    schema: Json | None = None
    strict: bool | None = None
    description: str | None = None
    path: str = "response_format"


class WebSearch(NamedTuple):
    """A search of the web by the provider."""

    context_size: str | None = None
    """`low`, `medium` or `high`."""
    location: Json | None = None
    """An approximate location: `city`, `country`, `region`, `timezone`."""
    domains: tuple[str, ...] = ()
    """The only domains to search; none for all."""
    max_uses: int | None = None
    path: str = "web_search_options"
    hints: tuple[str, ...] = ()
    """The client's names of what asks for it, where it only lets the model search if the provider
    cares to; none where it asks for a search."""


@dataclass(slots=True)
class Settings:
    """How to answer. None means that the client left it open."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    effort: str | None = None
    """none, minimal, low, medium, high, xhigh or max."""
    thinking: Json | None = None
    """Messages' `thinking` object, where the client speaks of that itself."""
    format: OutputFormat | None = None
    verbosity: str | None = None
    user: str | None = None
    """A stable word for the end user."""
    session: str | None = None
    """A stable word for the conversation, for prompt caches."""
    service_tier: str | None = None
    """In OpenAI's words."""
    parallel_calls: bool | None = None
    """Whether several tools may be called at once."""
    web_search: WebSearch | None = None


@dataclass(slots=True)
class Prompt:
    """All that a client asks."""

    turns: list[Turn]
    """System turns among them, where they stood."""
    tools: list[Tool] = field(default_factory=list)
    choice: ToolChoice | None = None
    settings: Settings = field(default_factory=Settings)
    stream: bool = False
    extras: Json = field(default_factory=dict)
    """The request's other fields, by the client's names, null ones left out. A protocol takes what
    it knows; what it does not take is ignored by name."""
    ignored: tuple[str, ...] = ()
    """What the client's protocol has already left out because no other protocol has a word for it,
    by the client's names. It is told to the client with what the target's protocol ignores."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The client's name of a setting where it is not ours, such as `max_completion_tokens`."""
    cache: Json | None = None
    """A cache mark on the whole request, as Messages has it."""
    implicit_cache: bool = False
    """Whether the client's protocol caches without being asked: Responses does."""

    def at(self, *, searches: bool) -> "Prompt":
        """The same for a provider that `searches` the web where a client only offers it.

        Elsewhere the offer is ignored by name.
        """
        search = self.settings.web_search
        if searches or search is None or not search.hints:
            return self
        settings = replace(self.settings, web_search=None)
        ignored = tuple(sorted({*self.ignored, *search.hints}))
        return replace(self, settings=settings, ignored=ignored)

    def blocks(self) -> Iterator[Block]:
        """All blocks, those inside of results too."""
        for turn in self.turns:
            for block in turn.blocks:
                yield block
                if isinstance(block, Result):
                    yield from block.content

    @property
    def is_cache_marked(self) -> bool:
        """Whether the client marks anything for a prompt cache."""
        marked = any(tool.cache for tool in self.tools) or any(it.cache for it in self.blocks())
        return bool(self.cache) or marked

    @property
    def wants_citations(self) -> bool:
        """Whether passages of a document of the client's are to be cited."""
        return any(isinstance(block, File) and block.citations for block in self.blocks())

    def foreign_thinking(self, here: Origin) -> set[str]:
        """The client's name of sealed reasoning, where some of it was not issued `here`.

        Its issuer alone can read it, and whoever else is asked does without.
        """
        sealed = (
            block.sealed
            for turn in self.turns
            for block in turn.blocks
            if isinstance(block, Thinking) and block.sealed
        )
        unsigned = None if here.protocol == _UNSIGNED else here
        is_foreign = any(each.origin not in {unsigned, here} for each in sealed)
        return {self.param("messages.thinking")} if is_foreign else set()

    def param(self, setting: str) -> str:
        """The client's name of `setting`, for errors and for what is ignored."""
        return self.names.get(setting, setting)
