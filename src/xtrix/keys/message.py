"""The messages between isolates and the ledger, as JSON text.

An isolate says what it holds, not what has changed. So a message that is lost, late or repeated is
corrected by the next one. Only what was spent is a difference. It is sent in numbered batches, each
of which is booked once. An isolate sends one message at a time.

    isolate   {"do": "sync", "isolate", "seq", "now", "batch": {"number", "rows"} or null, "keys"}
    ledger    {"seq", "batch", "minute", "minute_left", "keys"}
"""

from operator import add
from typing import NamedTuple

VERSION = 1

KINDS = ("requests", "tokens", "calls", "money")
"""What is given out, in this order wherever four numbers come together. Money is in micro-dollars.
Calls are those that run at the same time. Requests and tokens are those of one minute."""
REQUESTS, TOKENS, CALLS, MONEY = range(len(KINDS))

LEASE_SECONDS = 15.0
"""Seconds for which an isolate may give out what it was given, and relies on what it knows about a
key."""
IDLE_SECONDS = 20.0
"""Seconds after which what an isolate has not given out counts as free: its lease has ended by
then."""
RUNNING_SECONDS = 60.0
"""Seconds after which the calls of a silent isolate count as ended."""
LOST_SECONDS = 600.0
"""Seconds after which everything that such an isolate held of a strict key is booked as spent."""


class Row(NamedTuple):
    """What one key has used of one model, in numbers that can be added."""

    key: str
    provider: str
    """The provider; empty, as `model` is, for a request that reached no provider."""
    model: str
    requests: int = 0
    errors: int = 0
    estimated: int = 0
    """Requests whose tokens the upstream did not report."""
    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0
    micros: int = 0
    unpriced: int = 0
    """Requests whose cost is not known."""


COUNTS = Row._fields[3:]
"""The columns that are added."""


def added(row: Row, other: Row) -> Row:
    """The sum of both, which have the same key, provider and model."""
    return Row(*row[:3], *map(add, row[3:], other[3:]))
