"""What every protocol must offer: a `Codec`, which reads and writes it in both directions.

*Encode* turns our form into the protocol's, *decode* the protocol's into ours. For a client, a
codec decodes a request into a Prompt, and writes an answer. For an upstream, it encodes a Prompt as
a request, and reads an answer. If client and upstream speak the same protocol, the request is
passed on (*relayed*) and no Prompt is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from xtrix.answer import (
    SERVED_UNKNOWN,
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


class Request(NamedTuple):
    """A client's request, still in its own protocol. Its shape has been checked."""

    fields: Json
    """The decoded body. It always has a `model`: if the client named none, the default model."""
    body: bytes
    """The body's bytes as the client sent them."""
    model: str
    stream: bool
    headers: Mapping[str, str] = {}
    """The headers of the request, as far as `http.CLIENT_HEADERS` lists them."""
    session: str | None = None
    """A word that stays the same within a conversation, so that it always goes to the same target
    and finds its prompt cache."""
    compacts: bool = False
    """Whether the answer must be a summary that replaces the conversation so far."""
    is_kept: bool = False
    """Whether the request and its answer are kept, so that the client can refer to them."""
    held: str = ""
    """The place in the request that names something which only one provider stores, such as a file;
    empty for none. Then no other provider may answer it."""


@dataclass(slots=True)
class Clock:
    """The time that the shell told last."""

    now: float
    """Unix seconds."""


class Stamp(NamedTuple):
    """What an answer says about itself."""

    token: str
    """32 hex digits from which ids are made: `chatcmpl-…`, `resp_…`, `msg_…`."""
    created: int
    """Unix seconds."""
    model: str
    """The model's id in the answer."""
    system_fingerprint: str
    request_id: str = ""


class Encoded(NamedTuple):
    """A request, encoded for an upstream."""

    request: UpstreamRequest
    ignored: tuple[str, ...] = ()
    """The client's parameters that were left out or changed, sorted."""
    expected: Expected = Expected()
    default_max_tokens: int | None = None
    """The token limit that was chosen here because the client named none; for the log."""
    passes: tuple[str, ...] = ()
    """If the answer is passed on as it is: patterns of the content types that it may have. Empty if
    it is read and written anew."""


class Answering(NamedTuple):
    """What is needed to read and write one answer."""

    request: Request
    stamp: Stamp
    origin: Origin
    """The provider and model that answer."""
    carrier: Carrier
    expected: Expected = Expected()
    clock: Clock | None = None
    """Tells the time at which the answer ended; None if it is not needed."""


class Stream(Protocol):
    """One stream: an upstream's events go in, the client's events come out."""

    keep_alive: str
    """The text that keeps a silent connection alive."""

    @property
    def finished(self) -> bool:
        """Whether the upstream has said that its answer is whole."""

    @property
    def usage(self) -> Usage:
        """The usage that is known so far."""

    @property
    def served(self) -> Served:
        """What is known of it so far."""

    @property
    def unknown_stop_reason(self) -> str | None:
        """See `Reader.unknown_stop_reason`; known at the end."""

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why the answer, or each of its choices, ended, in the client's protocol; empty before."""

    @property
    def lone_text(self) -> str | None:
        """The text of the last event, as JSON, or None.

        If it is not None, the same event with another text would give the client the same event
        with that text and the next sequence number.
        """

    @property
    def advances(self) -> bool:
        """See `Reader.advances`."""

    @property
    def sequence(self) -> int | None:
        """See `Writer.sequence`."""

    @property
    def waits(self) -> bool:
        """Whether there are further events, which `more` gives."""

    def more(self) -> str:
        """The next of these events."""

    def feed(self, event: Event) -> str:
        """The client's events for `event`. Raises UpstreamError."""

    def close(self) -> str:
        """The last events, once the upstream's stream has ended.

        Raises UpstreamError if it ended too early.
        """

    def fail(self, error: ApiError) -> str:
        """The last events of a stream that cannot go on."""

    def moved(self, count: int, text: str) -> None:
        """Some events were written by the fast path; see `Writer.moved`."""


class Whole(NamedTuple):
    """A whole answer in the client's protocol."""

    body: bytes
    usage: Usage
    unknown_stop_reason: str | None = None
    finish_reasons: tuple[str, ...] = ()
    """As `Stream.finish_reasons`."""
    served: Served = SERVED_UNKNOWN


class Counter(NamedTuple):
    """How a protocol counts the tokens of a request without answering it."""

    path: str
    """The path to count tokens, below the protocol's own, such as `/count_tokens`."""
    encode: Callable[[int, Request], Json]
    """Makes the answer's JSON from the number and the request."""
    relay_request: Callable[[Request, Target], Encoded] | None = None
    """Makes the request for an upstream of the same protocol; None if such upstreams cannot
    count."""


class References(NamedTuple):
    """What a request refers to instead of sending it."""

    previous: str | None
    """The id of the answer that it continues."""
    items: tuple[str, ...]


class Memory(NamedTuple):
    """How requests of a protocol refer to answers that are kept."""

    decode_request: Callable[[bytes, Mapping[str, str], str], Request]
    """Like the codec's, for requests that may contain references. Raises ClientError."""
    references: Callable[[Request], References]
    resolve: Callable[[Request, list[Any], Mapping[str, Any]], Request]
    """The request with everything that it refers to: the conversation before it, and items by their
    ids. Raises ClientError."""
    missing: Callable[[Request, str], ApiError]
    """The error for an id under which nothing is kept."""
    kept_input: Callable[[Request, str], str | None]
    """What to keep of the request itself, as JSON, with ids made from a token; None if the client
    does not want it kept."""


class Codec(NamedTuple):
    """One protocol."""

    name: str
    # For a client that speaks it.
    decode_request: Callable[[bytes, Mapping[str, str], str], Request]
    """Decodes a body, with the client's headers and the model for a request that names none. Raises
    ClientError."""
    decode_prompt: Callable[[Request, Carrier], Prompt]
    """Raises ClientError."""
    without_reasoning: Callable[[Request], Request]
    """The request without the reasoning of earlier answers."""
    stream_writer: Callable[[Answering], StreamWriter]
    whole_writer: Callable[[Answering], WholeWriter]
    encode_error: Callable[[ApiError, str], Reply]
    """Makes the answer for an error, with the request's id."""
    # For an upstream that speaks it.
    encode_prompt: Callable[[Prompt, Target], Encoded]
    """Raises ClientError for a parameter that this protocol, or the target's model, does not
    have."""
    reader: Callable[[Writer, Answering], Reader]
    decode_error: Callable[[UpstreamHead, bytes], UpstreamError]
    encode_models: Callable[[Provider, str | None], UpstreamRequest]
    """Asks for a provider's models: the first page, or the one after the model that is named."""
    encode_model: Callable[[Provider, str], UpstreamRequest]
    """Asks what is known of one model."""
    # For a client and an upstream that both speak it.
    relay_request: Callable[[Request, Target, Carrier], Encoded]
    """Raises ClientError."""
    relay_stream: Callable[[Answering], Stream]
    relay_whole: Callable[[bytes, Answering], Whole]
    """Makes the client's answer from the upstream's body. Raises UpstreamError."""
    counter: Counter | None = None
    """None if the protocol cannot count tokens."""
    memory: Memory | None = None
    """None if a client always sends its whole conversation."""
    compactor: "Compactor | None" = None
    """None if the protocol has no summaries of conversations."""
    is_optional: bool = False
    """Whether an upstream that speaks the protocol may lack the called path. The request is then
    translated, as for an upstream of another protocol."""
    relays_bodies: bool = False
    """Whether a body that is passed on stays as it came, instead of being written from its
    fields."""
    request_id_header: str | None = None
    """The header in which its clients look for the request's id, besides `x-request-id`."""
    claims: Callable[[Json], bool] | None = None
    """Whether fields that the path's own protocol cannot read are a request of this protocol, by
    their shape. None if it never claims such fields, and takes everything that comes to its own
    path for its own."""
    disowns: Callable[[Json], bool] | None = None
    """Whether fields that `decode_request` accepted have something that no request of this protocol
    has. None if `decode_request` checks the whole shape."""
    unmix: Callable[[Json], Json | None] | None = None
    """The fields, with parts in another protocol's form rewritten in this one's; None if there are
    none."""


class Compactor(NamedTuple):
    """How a protocol makes a summary of a conversation, from which the client can continue."""

    path: str
    """The path of such calls, below the protocol's own, such as `/compact`."""
    codec: Codec
    """The codec for such calls. An upstream that can make summaries gets the request as it is. Any
    other model is asked for a summary in words."""


_ZERO_BY_DEFAULT = {"frequency_penalty", "presence_penalty", "top_logprobs"}


def says_something(name: str, value: object) -> bool:
    """Whether the parameter `name` has another value than the one that its absence means."""
    if type(value) in {int, float}:
        return value != 0 or name not in _ZERO_BY_DEFAULT
    return bool(value)


class Translation:
    """A `Stream` between two protocols: the upstream's Reader with the client's Writer."""

    def __init__(self, reader: Reader, writer: StreamWriter) -> None:
        """`reader` was made with `writer`."""
        self.keep_alive = writer.keep_alive
        self._reader = reader
        self._writer = writer

    @property
    def finished(self) -> bool:
        """See `Stream`."""
        return self._reader.finished

    @property
    def usage(self) -> Usage:
        """See `Stream`."""
        return self._reader.usage

    @property
    def served(self) -> Served:
        """As `Stream` has it."""
        return self._reader.served

    @property
    def unknown_stop_reason(self) -> str | None:
        """See `Stream`."""
        return self._reader.unknown_stop_reason

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """As `Stream` has it."""
        return self._writer.finish_reasons

    @property
    def lone_text(self) -> str | None:
        """See `Stream`."""
        return self._reader.lone_text if self._writer.continues else None

    @property
    def advances(self) -> bool:
        """See `Stream`."""
        return self._reader.advances

    @property
    def sequence(self) -> int | None:
        """See `Stream`."""
        return self._writer.sequence

    @property
    def waits(self) -> bool:
        """See `Stream`."""
        return self._writer.waits

    def more(self) -> str:
        """See `Stream`."""
        return self._writer.take()

    def feed(self, event: Event) -> str:
        """See `Stream`."""
        self._reader.feed(event)
        return self._writer.take()

    def close(self) -> str:
        """See `Stream`."""
        self._reader.close()
        return self._writer.take()

    def fail(self, error: ApiError) -> str:
        """See `Stream`."""
        error.param = None  # an upstream names places in the request that was sent to it
        self._writer.fail(error)
        return self._writer.take()

    def moved(self, count: int, text: str) -> None:
        """See `Stream`."""
        self._reader.moved(count, text)
        self._writer.moved(count, text)
