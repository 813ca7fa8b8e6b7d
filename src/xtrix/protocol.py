"""What every protocol offers: the same names for each, in both directions.

A protocol is a codec. *Encode* is ours to theirs, *decode* theirs to ours. As the client's protocol
it decodes a request into a Prompt and writes an answer; as an upstream's it encodes a Prompt and
reads an answer. Where client and upstream speak the same protocol it relays, and no Prompt is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from xtrix.answer import (
    NOTHING_SAID,
    Expected,
    Reader,
    Served,
    StreamWriter,
    Usage,
    WholeWriter,
    Writer,
)
from xtrix.errors import ApiError, UpstreamError
from xtrix.http import Reply, UpstreamHead, UpstreamRequest
from xtrix.prompt import Json, Origin, Prompt
from xtrix.providers import Provider, Target
from xtrix.reasoning import Carrier
from xtrix.sse import Event


@dataclass(slots=True)
class Request:
    """A client's request in its own protocol's form, its shape checked."""

    fields: Json
    """The body, decoded. `model` is there, filled in where the client named none."""
    body: bytes
    """The body as it came."""
    model: str
    stream: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of `http.CLIENT_HEADERS` that came."""
    session: str | None = None
    """What stands for the conversation, so that it meets the same target and prompt cache again."""
    compacts: bool = False
    """Whether the answer has to be what stands for the conversation from now on."""
    is_kept: bool = False
    """Whether it is kept, with its answer, for its client to go on from."""
    held: str = ""
    """The place that names what one provider keeps, so that after it no other can answer."""


@dataclass(slots=True)
class Clock:
    """The time as the shell has told it last."""

    now: float
    """Unix seconds."""


class Stamp(NamedTuple):
    """What an answer says of itself."""

    token: str
    """32 hex digits that ids are made of: `chatcmpl-…`, `resp_…`, `msg_…`."""
    created: int
    """Unix seconds."""
    model: str
    """The id that the client is told."""
    system_fingerprint: str
    request_id: str = ""


class Encoded(NamedTuple):
    """A request in an upstream's terms."""

    request: UpstreamRequest
    ignored: tuple[str, ...] = ()
    """The client's parameters that were left out or changed, sorted."""
    expected: Expected = Expected()
    default_max_tokens: int | None = None
    """The limit that was chosen here because the client named none; for the log."""
    passes: tuple[str, ...] = ()
    """Patterns of the content types that the answer may have to go to the client as it is; none
    where it is read and written anew."""


class Answering(NamedTuple):
    """All that reading and writing one answer needs to know of what was asked."""

    request: Request
    stamp: Stamp
    origin: Origin
    """The target that answers."""
    carrier: Carrier
    expected: Expected = Expected()
    clock: Clock | None = None
    """Tells when the answer ended; None where nobody asks."""


class Stream(Protocol):
    """One stream on its way: an upstream's events in, the client's frames out."""

    keep_alive: str
    """The frame that breaks a long silence."""

    @property
    def finished(self) -> bool:
        """Whether the upstream said that its answer is whole."""

    @property
    def usage(self) -> Usage:
        """What is known of it so far."""

    @property
    def served(self) -> Served:
        """What is known of it so far."""

    @property
    def unknown_stop_reason(self) -> str | None:
        """As `Reader.unknown_stop_reason`, once the end has come."""

    @property
    def carried(self) -> str | None:
        """The text that the last event carried, as JSON, or None.

        The same event with another text would give the same frame with that other text, and with
        the next sequence number.
        """

    @property
    def advances(self) -> bool:
        """As `Reader.advances`."""

    @property
    def sequence(self) -> int | None:
        """As `Writer.sequence`."""

    @property
    def waits(self) -> bool:
        """Whether there are frames that were too many to be given at once; `more` gives them."""

    def more(self) -> str:
        """The next of them."""

    def feed(self, event: Event) -> str:
        """The frames that `event` gives rise to. Raises UpstreamError."""

    def close(self) -> str:
        """The last frames, at the upstream's end. Raises UpstreamError when it came too early."""

    def fail(self, error: ApiError) -> str:
        """The last frames of a stream that has begun and cannot go on."""

    def moved(self, count: int, text: str) -> None:
        """Events were turned into frames without us, as `Writer.moved` has it."""


class Whole(NamedTuple):
    """A whole answer in the client's protocol."""

    body: bytes
    usage: Usage
    unknown_stop_reason: str | None = None
    served: Served = NOTHING_SAID


class Counter(NamedTuple):
    """How a protocol counts the tokens of a request without answering it."""

    path: str
    """After that of the protocol's calls, such as `/count_tokens`."""
    encode: Callable[[int, Request], Json]
    """The answer's JSON, of a number and the request."""
    relay_request: Callable[[Request, Target], Encoded] | None = None
    """The request for an upstream of the same protocol; None where those do not count."""


class References(NamedTuple):
    """What a request names and does not send."""

    previous: str | None
    """The answer that it goes on from."""
    items: tuple[str, ...]


class Memory(NamedTuple):
    """How a protocol's requests go on from answers that are kept."""

    decode_request: Callable[[bytes, Mapping[str, str], str], Request]
    """As the codec's, of a request that may do so. Raises ClientError."""
    references: Callable[[Request], References]
    resolve: Callable[[Request, list[Any], Mapping[str, Any]], Request]
    """The request with all that came before it, and with items by their ids, in it. Raises
    ClientError."""
    missing: Callable[[Request, str], ApiError]
    """The error for an id that nothing is kept under."""
    kept_input: Callable[[Request, str], str | None]
    """What is kept of the request itself, as JSON, its ids made of a token; None where it asks not
    to be."""


class Codec(NamedTuple):
    """One protocol."""

    name: str
    # As the client's.
    decode_request: Callable[[bytes, Mapping[str, str], str], Request]
    """Of a body, the client's headers, and the model of a request that names none. Raises
    ClientError."""
    decode_prompt: Callable[[Request, Carrier], Prompt]
    """Raises ClientError."""
    without_reasoning: Callable[[Request], Request]
    """The request without what earlier answers have reasoned."""
    stream_writer: Callable[[Answering], StreamWriter]
    whole_writer: Callable[[Answering], WholeWriter]
    encode_error: Callable[[ApiError, str], Reply]
    """Of an error and the request's id."""
    # As an upstream's.
    encode_prompt: Callable[[Prompt, Target], Encoded]
    """Raises ClientError for what this protocol, or the target's model, cannot be asked."""
    reader: Callable[[Writer, Answering], Reader]
    decode_error: Callable[[UpstreamHead, bytes], UpstreamError]
    encode_models: Callable[[Provider, str | None], UpstreamRequest]
    """Asks for a provider's models: the first page, or the one after the model that is named."""
    encode_model: Callable[[Provider, str], UpstreamRequest]
    """Asks what is known of one model."""
    # As both.
    relay_request: Callable[[Request, Target, Carrier], Encoded]
    """Raises ClientError."""
    relay_stream: Callable[[Answering], Stream]
    relay_whole: Callable[[bytes, Answering], Whole]
    """Of the upstream's body. Raises UpstreamError."""
    counter: Counter | None = None
    """None where the protocol counts no tokens."""
    memory: Memory | None = None
    """None where all of a conversation is always sent."""
    compactor: "Compactor | None" = None
    """None where the protocol sums no conversations up."""
    is_optional: bool = False
    """Whether an upstream that speaks the protocol may have nothing at the path that is called. It
    is then asked as one that speaks another protocol would be."""
    request_id_header: str | None = None
    """The header in which its clients look for the request's id, besides `x-request-id`."""


class Compactor(NamedTuple):
    """How a protocol sums a conversation up, for its client to go on with a shorter one."""

    path: str
    """After that of the protocol's calls, such as `/compact`."""
    codec: Codec
    """The protocol in such a call. A request of it is relayed to an upstream that sums up itself;
    as a Prompt it asks any model for a summary. Its whole answer is that summary."""


_ZERO_BY_DEFAULT = {"frequency_penalty", "presence_penalty", "top_logprobs"}


def says_something(name: str, value: object) -> bool:
    """Whether the parameter `name` asks for anything but what its absence means."""
    if type(value) in {int, float}:
        return value != 0 or name not in _ZERO_BY_DEFAULT
    return bool(value)


class Translation:
    """A `Stream` between two protocols: an upstream's Reader that writes with a client's Writer."""

    def __init__(self, reader: Reader, writer: StreamWriter) -> None:
        """`reader` was made with `writer`."""
        self.keep_alive = writer.keep_alive
        self._reader = reader
        self._writer = writer

    @property
    def finished(self) -> bool:
        """As `Stream` has it."""
        return self._reader.finished

    @property
    def usage(self) -> Usage:
        """As `Stream` has it."""
        return self._reader.usage

    @property
    def served(self) -> Served:
        """As `Stream` has it."""
        return self._reader.served

    @property
    def unknown_stop_reason(self) -> str | None:
        """As `Stream` has it."""
        return self._reader.unknown_stop_reason

    @property
    def carried(self) -> str | None:
        """As `Stream` has it."""
        return self._reader.carried if self._writer.continues else None

    @property
    def advances(self) -> bool:
        """As `Stream` has it."""
        return self._reader.advances

    @property
    def sequence(self) -> int | None:
        """As `Stream` has it."""
        return self._writer.sequence

    @property
    def waits(self) -> bool:
        """As `Stream` has it."""
        return self._writer.waits

    def more(self) -> str:
        """As `Stream` has it."""
        return self._writer.take()

    def feed(self, event: Event) -> str:
        """As `Stream` has it."""
        self._reader.feed(event)
        return self._writer.take()

    def close(self) -> str:
        """As `Stream` has it."""
        self._reader.close()
        return self._writer.take()

    def fail(self, error: ApiError) -> str:
        """As `Stream` has it."""
        error.param = None  # an upstream names places in the request that it was sent
        self._writer.fail(error)
        return self._writer.take()

    def moved(self, count: int, text: str) -> None:
        """As `Stream` has it."""
        self._reader.moved(count, text)
        self._writer.moved(count, text)
