"""What every dialect offers: four names, the same for each.

*Encode* is ours to theirs, *decode* theirs to ours.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from xtrix.chunks import ChunkWriter
from xtrix.completions import Completion, Request, Usage
from xtrix.errors import UpstreamError
from xtrix.http import UpstreamHead, UpstreamRequest
from xtrix.providers import Target
from xtrix.sse import Event


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request said that its answer has to be read by."""

    tool_names: dict[str, str] = field(default_factory=dict)
    """The upstream's name of a tool to the client's, where the two differ."""
    custom_tools: frozenset[str] = frozenset()
    """The client's names of its tools that take text instead of JSON."""
    answer_tool: str | None = None
    """The tool whose input is the answer itself; None where the model answers in text."""
    cited: bool = False
    """Whether passages may carry citations: their places in the text have to be counted."""
    functions: bool = False
    """Whether the client speaks of `functions` alone, as before tools."""


class Encoded(NamedTuple):
    """A request in an upstream's terms."""

    request: UpstreamRequest
    ignored: tuple[str, ...] = ()
    """The client's parameters that were left out or changed, sorted."""
    asked: Asked = Asked()
    default_max_tokens: int | None = None
    """The limit that was chosen here because the client named none; for the log."""


class StreamDecoder(Protocol):
    """Turns one upstream stream's events into the client's frames."""

    finished: bool
    """Whether the upstream said that its answer is whole."""
    usage: Usage
    """What is known of it so far."""
    carried: str | None
    """The text that the last event carried, as JSON, when the same event with another text would
    give the same frame with that other text; else None."""

    unknown_stop_reason: str | None
    """As a whole completion's, once the end has come."""

    def feed(self, event: Event) -> str:
        """The frames that `event` gives rise to. Raises UpstreamError."""

    def close(self) -> str:
        """The last frames, at the upstream's end. Raises UpstreamError when it came too early."""


class Dialect(NamedTuple):
    """One wire protocol."""

    encode_request: Callable[[Request, Target], Encoded]
    decode_response: Callable[[bytes, Asked], Completion]
    decode_error: Callable[[UpstreamHead, bytes], UpstreamError]
    stream_decoder: Callable[[ChunkWriter, Asked], StreamDecoder]
