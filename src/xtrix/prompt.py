"""A client's request in no protocol's form: turns of blocks in order, tools and settings.

The form can hold what the richest protocol can say. So nothing is lost between two protocols that
both have it. Every block, tool and choice knows its place in the client's request, in the client's
own spelling, so that an error can name this place.

A Prompt has been checked when it was decoded: types are right, every call has a result before the
assistant's next turn, and every result belongs to a call of the turn before. The JSON of protocols,
and what a model can do, are not known here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

Json = dict[str, Any]

_UNSIGNED = "messages"
"""The protocol whose reasoning does not say who issued it."""

Role = Literal["system", "developer", "user", "assistant"]


class Origin(NamedTuple):
    """Who issued something that only the issuer can read."""

    provider: str
    """The name of the provider's row."""
    model: str
    """The upstream's id of the model."""
    protocol: str


class Sealed(NamedTuple):
    """Something that a provider needs back unchanged, such as signed or encrypted reasoning."""

    value: Json
    """The object in the issuer's protocol: a `thinking` or `redacted_thinking` block of Messages, a
    `reasoning` item of Responses, `{"reasoning_content": …}` or similar of Chat Completions."""
    origin: Origin | None = None
    """None for a block of Messages that does not say who issued it."""


@dataclass(slots=True)
class Text:
    """Plain text."""

    text: str
    path: str = ""
    cache: Json | None = None
    """A cache mark as in Messages: `{"type": "ephemeral"}`, with or without `ttl`."""


@dataclass(slots=True)
class Refusal:
    """The assistant's words when it refused to answer."""

    text: str
    path: str = ""
    cache: Json | None = None


class Source(NamedTuple):
    """The content of an image or a file, or where it is."""

    kind: Literal["base64", "url", "text", "id"]
    """`text` is the plain text itself; `id` is that of an upload at one provider."""
    data: str
    media_type: str | None = None
    """The media type in lower case: by the first bytes if they tell it, else as the client declared
    it. None if it is not known."""
    charset: str | None = None
    """The charset of text in `base64`; None if the client did not say."""


@dataclass(slots=True)
class Image:
    """A picture."""

    source: Source
    path: str = ""
    """The place of the data in the request, such as `messages[0].content[1].image_url.url`."""
    cache: Json | None = None
    detail: str | None = None
    """OpenAI's `detail`, which says how closely to look; None if it is open."""


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
    """The `citations` object of a document in Messages."""


@dataclass(slots=True)
class Audio:
    """Recorded speech, base64."""

    data: str
    format: str
    path: str = ""
    cache: Json | None = None


@dataclass(slots=True)
class Thinking:
    """Reasoning of an earlier answer. Without `sealed` no provider accepts it."""

    text: str
    sealed: Sealed | None = None
    path: str = ""
    cache: Json | None = None


CallKind = Literal["function", "custom", "search"]
"""A `function` takes JSON, a `custom` tool text. `search` is the client's own search for more
tools."""


@dataclass(slots=True)
class Call:
    """A call of one of the client's tools."""

    id: str
    name: str
    arguments: str
    """For a function, an object as JSON text (empty for none); for a custom tool, plain text."""
    kind: CallKind = "function"
    namespace: str | None = None
    """The group of tools that `name` belongs to; only Responses has these."""
    extra: Json = field(default_factory=dict)
    """Further members that must come back with the call, spelled as in Chat Completions."""
    path: str = ""
    cache: Json | None = None
    given: Json | None = None
    """A function's arguments, decoded, if the decoder has done that."""


@dataclass(slots=True)
class Result:
    """The result of a tool call."""

    call_id: str
    content: list["Block"]
    """Text, images and files."""
    is_error: bool = False
    path: str = ""
    cache: Json | None = None


@dataclass(slots=True)
class Opaque:
    """A block that only one protocol has."""

    protocol: str
    value: Json
    """The block, as in that protocol."""
    text: str = ""
    """A text for other protocols in its place; empty for nothing."""
    path: str = ""
    cache: Json | None = None


Block: TypeAlias = Text | Refusal | Image | File | Audio | Thinking | Call | Result | Opaque


@dataclass(slots=True)
class Turn:
    """One turn of the conversation, as the client sent it. Results are in turns of the user.

    Neighbouring turns may have the same role. Encoders join them if their protocol needs that.
    """

    role: Role
    blocks: list[Block]
    path: str = ""
    extra: Json = field(default_factory=dict)
    """Members of the message for which this form has no field, such as `name`."""


@dataclass(slots=True)
class Tool:
    """A tool that the model may call."""

    kind: Literal["function", "custom", "search", "hosted"]
    """A `hosted` tool is run by the provider, or defined by its protocol."""
    name: str
    """The name; empty for a hosted tool without one."""
    description: str | None = None
    schema: Json | None = None
    """A function's JSON schema, as the client sent it; None for none."""
    strict: bool | None = None
    """Whether arguments must match the schema exactly; None if the client does not say."""
    format: Json | None = None
    """A custom tool's grammar, `{"syntax": "lark", "definition": …}`; None for any text."""
    format_binds: bool = False
    """Whether to refuse the tool if the model cannot be held to the grammar. Otherwise the grammar
    is described to the model."""
    namespace: str | None = None
    deferred: bool = False
    """Whether the model sees the tool only after a search has found it."""
    hosted: Json | None = None
    """A hosted tool, as in the protocol `hosted_by`."""
    hosted_by: str = ""
    """The protocol that has this hosted tool."""
    path: str = ""
    cache: Json | None = None
    schema_path: str = ""
    """The place of `schema` in the request."""


class ToolChoice(NamedTuple):
    """Which tools the model may, must or must not call."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    name: str = ""
    """The tool that must be called, if the mode is `named`."""
    namespace: str | None = None
    allowed: tuple[tuple[str | None, str], ...] | None = None
    """Namespaces and names of the only tools that may be called; None for all."""
    path: str = "tool_choice"


class OutputFormat(NamedTuple):
    """The form that the answer's text must have."""

    kind: Literal["json_object", "json_schema"]
    name: str = ""
    schema: Json | None = None
    strict: bool | None = None
    description: str | None = None
    path: str = "response_format"


class WebSearch(NamedTuple):
    """The provider's web search."""

    context_size: str | None = None
    """`low`, `medium` or `high`."""
    location: Json | None = None
    """An approximate location: `city`, `country`, `region`, `timezone`."""
    domains: tuple[str, ...] = ()
    """The only domains to search; empty for all."""
    max_uses: int | None = None
    path: str = "web_search_options"
    hints: tuple[str, ...] = ()
    """If the client only allows a search, the names of the parameters that allow it; empty if it
    asks for one."""


@dataclass(slots=True)
class Settings:
    """How to answer. None means that the client does not say."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    effort: str | None = None
    """none, minimal, low, medium, high, xhigh or max."""
    thinking: Json | None = None
    """The `thinking` object of Messages, if the client sent one."""
    format: OutputFormat | None = None
    verbosity: str | None = None
    user: str | None = None
    """A text that identifies the end user."""
    session: str | None = None
    """A text that identifies the conversation, for prompt caches."""
    service_tier: str | None = None
    """The service tier, by OpenAI's name."""
    parallel_calls: bool | None = None
    """Whether several tools may be called at the same time."""
    web_search: WebSearch | None = None


@dataclass(slots=True)
class Prompt:
    """A client's whole request."""

    turns: list[Turn]
    """All turns, with system turns where the client put them."""
    tools: list[Tool] = field(default_factory=list)
    choice: ToolChoice | None = None
    settings: Settings = field(default_factory=Settings)
    stream: bool = False
    extras: Json = field(default_factory=dict)
    """The request's other fields, by the client's names, without null ones. An encoder uses those
    that its protocol has, and reports the others as ignored."""
    ignored: tuple[str, ...] = ()
    """Parameters, by the client's names, that the decoder left out because no other protocol has
    them. They are reported to the client as ignored, with those of the encoder."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The client's names of settings that have another name here, such as
    `max_completion_tokens`."""
    cache: Json | None = None
    """A cache mark on the whole request, as in Messages."""
    implicit_cache: bool = False
    """Whether the client's protocol caches without being asked, as Responses does."""

    def at(self, *, searches: bool) -> "Prompt":
        """The prompt for a provider that `searches` the web if a client only allows it.

        For other providers, the permission is reported as ignored.
        """
        search = self.settings.web_search
        if searches or search is None or not search.hints:
            return self
        settings = replace(self.settings, web_search=None)
        ignored = tuple(sorted({*self.ignored, *search.hints}))
        return replace(self, settings=settings, ignored=ignored)

    def blocks(self) -> Iterator[Block]:
        """All blocks, also those inside of results."""
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
        """Whether the answer shall cite passages of the client's documents."""
        return any(isinstance(block, File) and block.citations for block in self.blocks())

    def foreign_thinking(self, here: Origin) -> set[str]:
        """The client's name of sealed reasoning, if some of it was not issued `here`.

        Only its issuer can read it, so it is left out for any other model.
        """
        own = {None if here.protocol == _UNSIGNED else here, here}
        for turn in self.turns:
            for block in turn.blocks:
                if isinstance(block, Thinking) and block.sealed and block.sealed.origin not in own:
                    return {self.param("messages.thinking")}
        return set()

    def param(self, setting: str) -> str:
        """The client's name of `setting`, for errors and for ignored parameters."""
        return self.names.get(setting, setting)
