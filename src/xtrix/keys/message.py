"""What isolates and the ledger tell each other, as JSON text.

An isolate says what it holds, not what has changed: what gets lost, comes late or is told twice is
put right by whatever is told next. Only what was spent is told as a difference; that goes in
numbered batches, each of which is booked once. One message of an isolate is under way at a time.

    isolate   {"do": "sync", "isolate", "seq", "now", "batch": {"number", "rows"} or null, "keys"}
    ledger    {"seq", "batch", "minute", "minute_left", "keys"}
"""

from operator import add
from typing import NamedTuple

VERSION = 1

KINDS = ("requests", "tokens", "calls", "money")
"""What is given out, in this order wherever four numbers stand together. Money is micro-dollars,
calls are those that run at once; requests and tokens are those of one minute."""
REQUESTS, TOKENS, CALLS, MONEY = range(len(KINDS))

LEASE_SECONDS = 15.0
"""For which an isolate may give out what it was given, and believes what it knows of a key."""
IDLE_SECONDS = 20.0
"""After which what an isolate has not given out is held to be free: its lease is over by then."""
RUNNING_SECONDS = 60.0
"""After which calls of an isolate that nothing is heard of are held to be over."""
LOST_SECONDS = 600.0
"""After which all that such an isolate held of a strict key is booked as spent."""


class Row(NamedTuple):
    """What was used of one model by one key, in numbers that add up."""

    key: str
    provider: str
    """Empty, with `model`, for what reached no provider."""
    model: str
    requests: int = 0
    errors: int = 0
    estimated: int = 0
    """Requests whose tokens were not told by who answered."""
    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0
    micros: int = 0
    unpriced: int = 0
    """Requests that cost nobody knows what."""

    def of_request(self, *, is_error: bool) -> "Row":
        """The same, that counts a client's request."""
        return Row(*self[:3], 1, int(is_error), *self[5:])


COUNTS = Row._fields[3:]
"""The columns that add up."""


def added(row: Row, other: Row) -> Row:
    """Both as one; they are of the same key, provider and model."""
    return Row(*row[:3], *map(add, row[3:], other[3:]))
