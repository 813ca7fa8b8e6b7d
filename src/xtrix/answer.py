"""A model's answer as calls on a Writer: the one interface between two protocols.

A Reader reads an upstream's answer, whole or event by event, and makes the calls. A Writer turns
the calls into events for the client, or into one object. Whole and streamed answers make the same
calls, so a stream always adds up to the whole answer. The calls come in this order:

    begin  (thinking* thinking_end | text* text_end | call arguments* call_end | refusal | search)*
    end

One block comes at a time. If an upstream mixes its blocks, the Reader holds back all but one. No
call comes before `begin` or after `end`. A Reader never calls `end` unless the upstream reached the
end of its answer.
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
    """The tokens of one answer. `prompt` includes `cached` and `cache_written`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    prompt_audio: int = 0
    completion_audio: int = 0
    accepted: int = 0
    """The tokens of a `prediction` that the answer used."""
    rejected: int = 0
    cache_written_hour: int = 0
    """The part of `cache_written` that is kept for an hour, which costs more."""


Served = Mapping[str, str]
"""What the upstream says of how it has served, by the names that requests have for that:
`service_tier` in OpenAI's words, and Anthropic's `speed` and `inference_geo`. What it does not tell
is not there."""
SERVED_UNKNOWN: Served = MappingProxyType({})


def served_by(service_tier: object) -> Served:
    """What an OpenAI-compatible upstream's `service_tier` says; `auto` repeats what was asked."""
    is_named = isinstance(service_tier, str) and service_tier not in {"", "auto"}
    return {"service_tier": str(service_tier)} if is_named else SERVED_UNKNOWN


class FinishReason(Enum):
    """Why an answer ended.

    There is no reason for tool calls, because the calls themselves show it.
    """

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"
    """The model refused to answer, with or without saying why."""
    FILTERED = "filtered"
    """A filter of the provider cut the answer off."""


class Finish(NamedTuple):
    """The end of an answer."""

    reason: FinishReason
    usage: Usage
    service_tier: str | None = None
    """OpenAI's name of the tier; None if the upstream does not say."""
    stop_sequence: str | None = None
    """The client's stop sequence that ended the answer, if the upstream names it."""


class Citation(NamedTuple):
    """A source that the answer cites."""

    url: str
    title: str
    start: int | None = None
    """Where the cited passage begins, in characters from the beginning of the block; None means the
    whole block."""
    end: int | None = None


class ToolName(NamedTuple):
    """A tool, by the name that its client gave it."""

    name: str
    kind: CallKind = "function"
    namespace: str | None = None


class CallStart(NamedTuple):
    """The beginning of a tool call.

    Its arguments follow in pieces: JSON text, or a custom tool's text.
    """

    id: str
    tool: ToolName
    extra: Mapping[str, Any] = MappingProxyType({})
    """Members that must come back with the call in the next request, spelled as in Chat
    Completions."""


class Writer(Protocol):
    """Writes one answer in the client's protocol.

    The module's docstring says in which order it is called.
    """

    @property
    def continues(self) -> bool:
        """Whether the last call wrote exactly one event with its text and changed nothing else.

        If so, the same call with another text would write the same event with that text in it.
        """

    @property
    def sequence(self) -> int | None:
        """The number of the last event, if the protocol counts its events."""

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """What was written of why the answer ended; nothing before the end."""

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """The answer begins; `usage` is what is known so far."""

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """A piece of the answer's text, never empty; `logprobs` in the form of Chat Completions."""

    def text_end(self, citations: list[Citation]) -> None:
        """The text block ends. Another may follow, which continues the same text."""

    def thinking(self, text: str) -> None:
        """A piece of readable reasoning, never empty."""

    def thinking_end(self, sealed: Sealed | None) -> None:
        """The block of reasoning ends; it may have been empty.

        `sealed` must come back; None if nothing must.
        """

    def call(self, call: CallStart) -> None:
        """A call of one of the client's tools begins."""

    def arguments(self, text: str) -> None:
        """A piece of the call's arguments, never empty.

        A custom tool's arguments come in one piece.
        """

    def call_end(self) -> None:
        """The call ends. It is whole, unless the finish reason says that the answer was cut off."""

    def refusal(self, text: str) -> None:
        """A piece of the model's explanation why it refuses."""

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """The provider searched the web. `sources` have `url` and `title`."""

    def end(self, finish: Finish) -> None:
        """The answer ends."""

    def moved(self, count: int, text: str) -> None:
        """Some events were written by the fast path, in the same form as the last call's event.

        There were `count` of them. `text` is all the text in them, as the inside of JSON strings.
        """


class StreamWriter(Writer, Protocol):
    """A Writer of a stream's events."""

    @property
    def keep_alive(self) -> str:
        """The text that keeps a silent connection alive."""

    def take(self) -> str:
        """The events that were written since the last call; of very many only the first ones."""

    @property
    def waits(self) -> bool:
        """Whether `take` has more to give."""

    def fail(self, error: ApiError) -> None:
        """Ends the stream with `error`, in the client's protocol."""


class WholeWriter(Writer, Protocol):
    """A Writer of a whole answer."""

    def body(self) -> Json:
        """The answer as JSON, once it has ended."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a Reader needs to know about the request that was sent."""

    tools: dict[str, ToolName] = field(default_factory=dict)
    """The client's tools, by the names that the upstream was given. Tools with the same name in
    both are left out."""
    answer_tool: str | None = None
    """The upstream's name of the tool whose input is the answer itself; None if the model answers
    in text."""
    cited: bool = False
    """Whether the answer may contain citations."""
    stop: tuple[str, ...] = ()
    """The client's stop sequences. The upstream may say at the end which of them it reached."""
    reasoning_back: bool = False
    """Whether the upstream needs its readable reasoning back with the history."""

    limit: int | None = None
    """The most tokens of the answer, for an upstream that does not say whether this limit cut it
    off."""

    def tool(self, name: str) -> ToolName:
        """The client's tool that the upstream knows as `name`."""
        return self.tools.get(name) or ToolName(name)

    def by_bare_names(self, offered: Iterable[Tool]) -> "Expected":
        """The same, which also finds a tool by its name without the namespace.

        Models often leave out the namespace. A name that several tools of `offered` have finds
        none.
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
    """Reads one upstream answer, and makes calls on the Writer that it was made with."""

    finished: bool
    """Whether the upstream has said that its answer is whole."""
    usage: Usage
    """The usage that is known so far."""
    lone_text: str | None
    """The text of the last event, as JSON, if the event led to one call of `text`, `thinking` or
    `arguments` and to nothing else, and another text in its place would do the same; otherwise
    None."""
    advances: bool
    """Whether the last event contained a part of the answer. An event that only announces an answer
    does not, nor does a ping, an unknown event, or an empty piece."""
    unknown_stop_reason: str | None
    """The upstream's word for why it stopped, if it is not known here; for the log."""

    @property
    def served(self) -> Served:
        """What is known of it so far."""

    def feed(self, event: Event) -> None:
        """Reads one event. Raises UpstreamError."""

    def close(self) -> None:
        """The upstream's stream has ended. Raises UpstreamError if the answer was not whole."""

    def whole(self, body: bytes) -> None:
        """Reads a whole answer. Raises UpstreamError."""

    def moved(self, count: int, text: str) -> None:
        """Some events were written by the fast path; see `Writer.moved`."""
