"""The steps that an exchange asks the shell to do, and their outcomes. Values only."""

from enum import Enum
from typing import NamedTuple, TypeAlias

from xtrix.http import Reply, UpstreamHead, UpstreamRequest
from xtrix.passage import Passage, Upload
from xtrix.relay import Relay

UNREAD_BYTES = 32_000_000
UNREAD_SECONDS = 3.0
"""How long the rest of a request is read and dropped after an early answer. A client whose
connection ends while it is sending would not see the answer."""


class Failure(Enum):
    """Why a step failed."""

    CONNECTION = "connection"
    TIME = "time"
    SIZE = "size"
    CODING = "coding"
    """The body is not compressed as its header says."""
    MEMORY = "memory"
    """Other requests hold so much memory that there is none for the body, and did not give it back
    in time (`room.js`)."""


class ReadBody(NamedTuple):
    """Read the client's body. Outcome: bytes, or a Failure.

    `limit` is in bytes, and `seconds` is the longest time between two pieces.
    """

    limit: int
    seconds: float
    within: float
    """Seconds until the whole body has come."""
    coding: str | None = None
    """How the body is compressed, as in `body.CODINGS`. The limit counts unpacked bytes."""
    most: int | None = None
    """If given, long content is left out (see `content`), and the rest may have so many bytes; it
    is then the outcome. None takes the body as it is."""


class ReadPiece(NamedTuple):
    """Read the next piece of the client's body. Outcome: bytes, empty at its end, or a Failure."""

    seconds: float
    coding: str | None = None
    """As in `ReadBody`. It must be the same for every piece."""


class Collect(NamedTuple):
    """Read the upstream's body to its end. Outcome and limits are those of `ReadBody`."""

    limit: int
    seconds: float
    within: float
    """As in `ReadBody`."""


class Call(NamedTuple):
    """Call the upstream. Outcome: its UpstreamHead, or a Failure after `seconds` without one."""

    request: UpstreamRequest
    seconds: float
    collect: Collect | None = None
    """Read the body too. The outcome is then an UpstreamAnswer, so Python waits for one promise
    instead of two."""
    is_last: bool = False
    """Whether the client's body is not needed again after this call."""
    upload: Upload | None = None
    """The rest of the client's body, which is sent after the request's body."""


class CallAll(NamedTuple):
    """Make several calls without bodies at the same time, and read their answers.

    `seconds` is for all of them together.

    Outcome: an UpstreamAnswer or a Failure for each call, in order. An answer of more than `limit`
    bytes, or one that is not whole in time, is a Failure.
    """

    requests: tuple[UpstreamRequest, ...]
    limit: int
    seconds: float


class Begin(NamedTuple):
    """Pass the upstream's body through `relay` until that has begun or ended. Outcome: None."""

    relay: Relay | Passage


class Renew(NamedTuple):
    """Report to the ledger of keys what was spent, and wait for its answer.

    Outcome: None, or a Failure after `seconds` without an answer.
    """

    seconds: float


class AskLedger(NamedTuple):
    """Ask the ledger of keys. Outcome: its answer in bytes, or a Failure."""

    text: str
    seconds: float


class AskArchive(NamedTuple):
    """Send `text` to the archive object `name`. Outcome: its answer, or a Failure."""

    name: str
    text: str
    seconds: float


class Wait(NamedTuple):
    """Wait `seconds`. Outcome: None."""

    seconds: float


class UpstreamAnswer(NamedTuple):
    """A response, and its body or why that could not be read."""

    head: UpstreamHead
    body: bytes | Failure


Step: TypeAlias = (
    ReadBody | ReadPiece | Call | CallAll | Collect | Begin | Wait | AskArchive | Renew | AskLedger
)
Outcome: TypeAlias = (
    bytes | UpstreamHead | UpstreamAnswer | Failure | list[UpstreamAnswer | Failure] | None
)
Answer: TypeAlias = Reply | Relay | Passage
