"""What a model answers, as calls on a Writer: the one interface between two protocols.

A Reader makes the calls from an upstream's answer, whole or event by event; a Writer turns them
into the client's frames or into one object. Because both kinds of answer are told by the same
calls, a stream adds up to the whole answer by construction.

    begin  (thinking* thinking_end | text* text_end | call arguments* call_end | refusal | search)*
    end

One block is told at a time: what an upstream interleaves, its Reader holds back. Nothing is told
before `begin` or after `end`. A Reader never tells an `end` that the upstream did not reach.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from xtrix.errors import ApiError
from xtrix.prompt import CallKind, Sealed, Tool
from xtrix.sse import Event

Json = dict[str, Any]


class Usage(NamedTuple):
    """Tokens of one answer. `prompt` includes `cached` and `cache_written`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    prompt_audio: int = 0
    completion_audio: int = 0
    accepted: int = 0
    """Tokens of a `prediction` that the answer used."""
    rejected: int = 0
    cache_written_hour: int = 0
    """Of `cache_written`, what is kept for an hour, which costs more."""


Served = Mapping[str, str]
"""What the upstream says of how it has served, by the names that requests have for that:
`service_tier` in OpenAI's words, and Anthropic's `speed`. What it does not tell is not there."""
NOTHING_SAID: Served = MappingProxyType({})


def served_by(service_tier: object) -> Served:
    """What an OpenAI-compatible upstream's `service_tier` says; `auto` repeats what was asked."""
    is_told = isinstance(service_tier, str) and service_tier not in {"", "auto"}
    return {"service_tier": str(service_tier)} if is_told else NOTHING_SAID


class FinishReason(Enum):
    """Why an answer ended. That it calls tools is no reason of its own: the calls say so."""

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"
    """The model refused, with or without a word on why."""
    FILTERED = "filtered"
    """A filter of the provider's cut it off."""


class Finish(NamedTuple):
    """The end of an answer."""

    reason: FinishReason
    usage: Usage
    service_tier: str | None = None
    """In OpenAI's words; None where the upstream does not say."""
    stop_sequence: str | None = None
    """The client's sequence that ended it, where the upstream names it."""


class Citation(NamedTuple):
    """A source of a passage."""

    url: str
    title: str
    start: int | None = None
    """Characters from the beginning of the block that is cited; None for all of it."""
    end: int | None = None


class ToolName(NamedTuple):
    """A tool as its client knows it."""

    name: str
    kind: CallKind = "function"
    namespace: str | None = None


class CallStart(NamedTuple):
    """A call that begins. Its arguments follow in pieces: JSON text, or a custom tool's text."""

    id: str
    tool: ToolName
    extra: Mapping[str, Any] = MappingProxyType({})
    """What the upstream wants back with the call, in Chat Completions' spelling."""


class Writer(Protocol):
    """Writes one answer in the client's protocol. The order of calls is this module's grammar."""

    @property
    def continues(self) -> bool:
        """Whether the last call wrote one frame around its text and changed nothing else.

        The same call with another text would then write the same frame around that.
        """

    @property
    def sequence(self) -> int | None:
        """The number in the last frame that counts the frames, where the protocol has one."""

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """The upstream has begun; `usage` is what is known so far."""

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """A piece of the answer's text, never empty. `logprobs` as Chat Completions has them."""

    def text_end(self, citations: list[Citation]) -> None:
        """The upstream's text block is over. Another may follow and goes on with the same text."""

    def thinking(self, text: str) -> None:
        """A piece of readable reasoning, never empty."""

    def thinking_end(self, sealed: Sealed | None) -> None:
        """The block of reasoning is over. It may have had no text; None: nothing to give back."""

    def call(self, call: CallStart) -> None:
        """A call to one of the client's tools begins."""

    def arguments(self, text: str) -> None:
        """A piece of the open call's arguments, never empty. A custom tool's come in one piece."""

    def call_end(self) -> None:
        """The open call is whole, unless the finish says that it was cut off."""

    def refusal(self, text: str) -> None:
        """A piece of why the model refuses."""

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """The provider has searched the web. `sources` have `url` and `title`."""

    def end(self, finish: Finish) -> None:
        """The answer is whole."""

    def moved(self, count: int, text: str) -> None:
        """Take note of frames that were made without us, each as the last call made its own.

        There were `count` of them, and `text` is what stood in them, all together: the inside of
        JSON strings.
        """


class StreamWriter(Writer, Protocol):
    """A Writer of frames."""

    @property
    def keep_alive(self) -> str:
        """The frame that breaks a long silence."""

    def take(self) -> str:
        """The frames that were written and not taken, or as many of them as make a large piece."""

    @property
    def waits(self) -> bool:
        """Whether there are more to take."""

    def fail(self, error: ApiError) -> None:
        """End a stream that has begun with `error`, told as this protocol tells it."""


class WholeWriter(Writer, Protocol):
    """A Writer of one object."""

    def body(self) -> Json:
        """The answer's JSON, once it has ended."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the encoded request says of how its answer is to be read."""

    tools: dict[str, ToolName] = field(default_factory=dict)
    """The upstream's name of a tool to the client's tool. A name that is not here is its own."""
    answer_tool: str | None = None
    """The upstream's name of the tool whose input is the answer itself; None where the model
    answers in text."""
    cited: bool = False
    """Whether passages may carry citations."""
    stop: tuple[str, ...] = ()
    """The client's stop sequences, one of which the upstream may name at the end."""
    reasoning_back: bool = False
    """Whether the upstream wants its readable reasoning back with the history."""

    limit: int | None = None
    """The tokens that the answer may have, for an upstream that does not say when it is cut off."""

    def tool(self, name: str) -> ToolName:
        """The client's tool that the upstream calls `name`."""
        return self.tools.get(name) or ToolName(name)

    def by_bare_names(self, offered: Iterable[Tool]) -> "Expected":
        """The same, that knows a tool by its name without its namespace too.

        Models leave the namespace out. Where more than one tool `offered` has the name it tells
        nothing.
        """
        groups: dict[str, list[Tool]] = {}
        for tool in offered:
            groups.setdefault(tool.name, []).append(tool)
        bare = {
            name: ToolName(name, tool.kind, tool.namespace)
            for name, (tool, *others) in groups.items()
            if tool.namespace and not others and tool.kind != "hosted"
        }
        return replace(self, tools={**bare, **self.tools}) if bare else self


class Reader(Protocol):
    """Reads one upstream answer as calls on the Writer that it was made with."""

    finished: bool
    """Whether the upstream said that its answer is whole."""
    usage: Usage
    """What is known of it so far."""
    carried: str | None
    """The text that the last event carried, as JSON, when all it did was one call of `text`,
    `thinking` or `arguments` with it, and the same event with another text would do the same."""
    advances: bool
    """Whether the last event took the answer further. One that announces an answer does not, nor
    does a ping, an event that is not known here, or a piece with nothing in it."""
    unknown_stop_reason: str | None
    """Why the upstream stopped, in a word of its own that is not known here; for the log."""

    @property
    def served(self) -> Served:
        """What is known of it so far."""

    def feed(self, event: Event) -> None:
        """Tell what `event` says. Raises UpstreamError."""

    def close(self) -> None:
        """The upstream's end. Raises UpstreamError when it came too early."""

    def whole(self, body: bytes) -> None:
        """Tell a whole answer, from `begin` to `end`. Raises UpstreamError."""

    def moved(self, count: int, text: str) -> None:
        """Events were passed on without us, as `Writer.moved` has it."""
