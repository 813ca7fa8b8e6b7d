"""What an exchange asks of the shell, and what it is told of the outcome. Values only."""

from enum import Enum
from typing import NamedTuple, TypeAlias

from xtrix.http import Reply, UpstreamHead, UpstreamRequest
from xtrix.passage import Passage, Upload
from xtrix.relay import Relay

UNREAD_BYTES = 32_000_000
UNREAD_SECONDS = 3.0
"""What an answer that came early leaves of a request is read and dropped, up to here: a client
whose connection ends while it sends finds no answer on it."""


class Failure(Enum):
    """Why a step came to nothing."""

    CONNECTION = "connection"
    TIME = "time"
    SIZE = "size"
    CODING = "coding"
    """It is not compressed as it claims."""


class ReadBody(NamedTuple):
    """Read the client's body. Outcome: bytes, or a Failure.

    `limit` is in bytes, `seconds` may pass between two pieces.
    """

    limit: int
    seconds: float
    coding: str | None = None
    """How it is compressed, in a word of `body.CODINGS`. The limit is for what comes out of it."""
    most: int | None = None
    """Leave out long content, as `content` has it, and take so many bytes of the rest at most,
    which then is the outcome. None: take the body as it is."""


class ReadPiece(NamedTuple):
    """Read what comes next of the client's body. Outcome: bytes, none at its end, or a Failure."""

    seconds: float
    coding: str | None = None
    """As in `ReadBody`; the same for every piece."""


class Collect(NamedTuple):
    """Read the upstream's body to its end. Outcome and limits as in `ReadBody`."""

    limit: int
    seconds: float
    within: float
    """Seconds until all of it has come."""


class Call(NamedTuple):
    """Call the upstream. Outcome: its UpstreamHead, or a Failure after `seconds` without one."""

    request: UpstreamRequest
    seconds: float
    collect: Collect | None = None
    """Read the body too, whatever the head says, and make the outcome an UpstreamAnswer: one
    promise for Python to wait for instead of two."""
    is_last: bool = False
    """Whether nothing of the client's body is sent again after this call."""
    upload: Upload | None = None
    """What goes after the request's body: the rest of the client's."""


class CallAll(NamedTuple):
    """Make calls without bodies side by side and read what comes, within `seconds` for all of it.

    Outcome: for each, in order, an UpstreamAnswer or a Failure. What is longer than `limit` bytes
    or not whole in time is a Failure.
    """

    requests: tuple[UpstreamRequest, ...]
    limit: int
    seconds: float


class Begin(NamedTuple):
    """Put the upstream's body through `relay` until that has begun or is over. Outcome: None."""

    relay: Relay | Passage


class Renew(NamedTuple):
    """Let the ledger of keys be told what there is to tell, and wait for its answer.

    Outcome: None, or a Failure where none has come after `seconds`.
    """

    seconds: float


class AskLedger(NamedTuple):
    """Ask the ledger of keys. Outcome: its answer in bytes, or a Failure."""

    text: str
    seconds: float


class AskArchive(NamedTuple):
    """Send `text` to the archive's object of this name. Outcome: its answer, or a Failure."""

    name: str
    text: str
    seconds: float


class Wait(NamedTuple):
    """Let `seconds` pass. Outcome: None."""

    seconds: float


class UpstreamAnswer(NamedTuple):
    """A response with what came of reading its body."""

    head: UpstreamHead
    body: bytes | Failure


Step: TypeAlias = (
    ReadBody | ReadPiece | Call | CallAll | Collect | Begin | Wait | AskArchive | Renew | AskLedger
)
Outcome: TypeAlias = (
    bytes | UpstreamHead | UpstreamAnswer | Failure | list[UpstreamAnswer | Failure] | None
)
Answer: TypeAlias = Reply | Relay | Passage
