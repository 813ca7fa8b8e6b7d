"""What one isolate may give out to its clients without asking, and what it owes to the ledger.

A call is let in out of what is left of its key's lease, and what it may need is set aside; at its
end the difference to what it used goes back. What was used is noted, and told to the ledger in one
message a second for all keys, whose answer renews the leases. Only a call that a lease has not
enough for waits for the ledger.

Refuses to know what a call costs (`metering` does) and how a message gets to the ledger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import add, lt, mul, sub
from typing import NamedTuple

from xtrix import json
from xtrix.json import Json
from xtrix.keys import record as records
from xtrix.keys.message import (
    CALLS,
    KINDS,
    LEASE_SECONDS,
    LOST_SECONDS,
    MONEY,
    REQUESTS,
    TOKENS,
    VERSION,
    Row,
    added,
)
from xtrix.keys.record import KeyRecord

OPEN_SECONDS = 10.0
"""For which keys that are not strict are let in without a lease once the ledger did not answer."""
SETTLE_SECONDS = 1.0
"""After something is noted, until the ledger is told, for keys with limits; else longer."""
UNLIMITED_SETTLE_SECONDS = 5.0
BEAT_SECONDS = 10.0
"""Between two messages while calls run and nothing else happens."""
_LONGEST_PAUSE = 10.0
UNSETTLED_SECONDS = 30.0
"""After which what could not be told is in the log."""
_REMEMBERED = 1.0
"""Seconds for which a refusal holds without asking again."""
_NEVER = -1
_MOST_ROWS = 1_000
"""That wait to be told, for models of calls that cost nothing."""
_SMOOTHING = 8
"""Calls that an average is made of, about."""


class Client(NamedTuple):
    """Who calls, as the key alone tells."""

    id: str
    name: str
    """Empty until the ledger has told it."""
    strict: bool = False
    """Whether nothing goes while nothing is known of the key."""
    generation: int = 0
    record: KeyRecord | None = None
    """Where the key stands in the configuration, all that is to know of it."""


class Shortage(NamedTuple):
    """Why a call is not let in, in numbers."""

    kind: int
    """Which of `KINDS` there is too little of."""
    need: int
    rest: int
    """What the key still has of it, whoever holds that."""
    retry_after: float | None
    """Seconds; None where waiting does not help."""


class Standing(NamedTuple):
    """What is left of the limits for a minute."""

    rates: list[tuple[int, int, int]]
    """Of each kind that has a limit: the kind, the limit, and what is left of it."""
    seconds: float
    """Until all is whole again."""


@dataclass(slots=True)
class Admission:
    """One call, from the question whether it may go to its end."""

    client: Client
    measure: Callable[[KeyRecord | None, float], tuple[int, int]]
    """Tokens and micro-dollars to set aside, of the record and of the average of tokens that the
    key's answers have. Raises ClientError where the key may not make the call at all."""
    aside: Sequence[int] = (0, 0, 0, 0)
    """What is set aside for it; nothing where it was let in without a lease."""
    minute: int = _NEVER
    asked: int = 0
    """The number of the message that tells of its need; 0 before it has asked."""
    running: bool = False
    strict: bool = False


@dataclass(slots=True)
class _Lease:
    """What is known and held of one key."""

    record: KeyRecord | None = None
    is_gone: bool = False
    """Whether the ledger knows no such key."""
    fresh_until: float = 0
    open_until: float = 0
    limited: list[bool] = field(default_factory=lambda: [False] * len(KINDS))
    rates: list[tuple[int, int]] = field(default_factory=list)
    """The limits for a minute that there are, by their kind."""
    minute: int = _NEVER
    minute_end: float = 0
    left: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    used: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Of requests and tokens in this minute; of calls, those that run; of money what is set
    aside for them. Calls that were let in without a lease are in none of these."""
    owed: int = 0
    """Micro-dollars that were spent and are in no batch yet."""
    pace: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Given out since the last message."""
    recent: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """The same as it was told last."""
    want: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    running: int = 0
    rest: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """What the ledger had left after its last grant."""
    unspent: int = 0
    refused: dict[int, tuple[float, Shortage]] = field(default_factory=dict)
    answered: int = 0
    """The number of the last message whose answer told of this key."""
    average: float = 0
    """Tokens of an answer."""
    opened: int = 0
    """Calls that were let in without a lease since the last answer."""
    has_news: bool = False

    @property
    def is_strict(self) -> bool:
        return self.record is not None and self.record.limits.strict

    def turn(self, now: float) -> None:
        """Let go of what is left of a minute that is over.

        What was used of it is told until the ledger has another minute too: its clock ends that
        some milliseconds later, for an answer's way is counted against us.
        """
        if now >= self.minute_end:
            self.left[REQUESTS] = self.left[TOKENS] = 0

    def return_idle(self) -> None:
        """Give back all that no call has need of."""
        for kind in range(len(KINDS)):
            self.left[kind] = 0


class Leases:
    """All keys of one isolate."""

    def __init__(self, isolate: str) -> None:
        """`isolate` is a name that no other isolate has."""
        self._isolate = isolate
        self._leases: dict[str, _Lease] = {}
        self._seq = 0
        self._under_way: tuple[int, float, tuple[str, ...]] | None = None
        """The number of the message that is not answered, its time, and its keys."""
        self._rows: dict[tuple[str, str, str], tuple[Row, float]] = {}
        self._batch: Json | None = None
        self._batches = 0
        self._failures = 0
        self._failing_since: float | None = None
        self._has_told = False

    # Calls

    def record_of(self, client: Client, now: float) -> KeyRecord | None:
        """What is known of a key at `now`; None where the ledger has to be asked."""
        if client.record:
            return client.record
        lease = self._leases.get(client.id)
        return lease.record if lease and now < lease.fresh_until else None

    def is_gone(self, client: Client) -> bool:
        """Whether the ledger has said that it knows no such key."""
        lease = self._leases.get(client.id)
        return lease is not None and lease.is_gone

    def knows(self, key: str) -> bool:
        """Whether anything is held or known of a key."""
        return key in self._leases

    def is_open(self, client: Client, now: float) -> bool:
        """Whether the key is let in without a lease, because the ledger has not answered."""
        lease = self._leases.get(client.id)
        return lease is not None and now < lease.open_until

    def admit(self, call: Admission, now: float) -> Shortage | bool:
        """Let `call` in: True. False: ask the ledger, then again. Raises what `measure` raises.

        For one that runs already, as much again is set aside: it is tried once more, after it may
        have been charged for.
        """
        lease = self._lease(call.client)
        lease.turn(now)
        record = lease.record
        is_open = now < lease.open_until
        call.strict = record.limits.strict if record else call.client.strict
        tokens, money = call.measure(record, lease.average)
        need = (0, tokens, 0, money) if call.running else (1, tokens, 1, money)
        if not self._is_fresh(lease, call.client, now):
            return self._open(call, lease, now) if is_open else self._ask(call, lease, need)
        limited = (*map(mul, need, lease.limited),)
        if any(map(lt, lease.left, limited)):
            if is_open:
                return self._open(call, lease, now)
            kind = next(it for it in range(len(KINDS)) if lease.left[it] < limited[it])
            refusal = self._refusal(call, lease, kind, need[kind], now)
            if refusal is None:
                return self._ask(call, lease, need)
            self._take_back(call, lease, need)
            return refusal
        self._take(call, lease, limited)
        self._take_back(call, lease, need)
        return True

    def inquire(self, client: Client, now: float) -> bool:
        """Whether the ledger has to be asked what the key may do; if so, have it asked."""
        lease = self._lease(client)
        if client.record or now < lease.fresh_until or now < lease.open_until:
            return False
        lease.has_news = True
        return True

    def unreachable(self, client: Client, now: float) -> None:
        """Note that the ledger did not answer in time for a key that is not strict."""
        self._lease(client).open_until = now + OPEN_SECONDS

    def standing(self, client: Client, now: float) -> Standing | None:
        """What is left of the limits for a minute; None where there is none, or nobody knows."""
        lease = self._leases.get(client.id)
        if lease is None or now >= lease.fresh_until or not lease.rates:
            return None
        rest, left = lease.rest, lease.left
        rates = [(kind, limit, rest[kind] + left[kind]) for kind, limit in lease.rates]
        return Standing(rates, lease.minute_end - now)

    def finish(self, call: Admission, rows: Sequence[Row], now: float) -> None:
        """Note how `call` ended: what it has used, at each of those that were asked.

        The `micros` of a row are what it cost; what costs nobody knows what is 0 there.
        """
        lease = self._lease(call.client)
        lease.turn(now)
        micros = tokens = 0
        for row in rows:
            micros += row.micros
            tokens += row.input + row.output
            average = lease.average
            if row.output:
                lease.average += (row.output - average) / _SMOOTHING if average else row.output
            self._note(row, now)
        if call.running:
            self._give_back(call, lease, micros, tokens)
        lease.owed += micros
        lease.has_news = True

    def refuse(self, client: Client, now: float) -> None:
        """Note that a request of `client` was answered with an error before it was let in."""
        self._note(Row(client.id, "", "", requests=1, errors=1), now)
        self._lease(client).has_news = True

    def _note(self, row: Row, now: float) -> None:
        name = row[:3]
        known = self._rows.get(name)
        if known is None and len(self._rows) >= _MOST_ROWS and not row.micros:
            # While nobody can be told, there are names without end of models that nobody has.
            name = (row.key, "", "")
            row, known = row._replace(provider="", model=""), self._rows.get(name)
        self._rows[name] = (added(known[0], row) if known else row, now)

    def _lease(self, client: Client) -> _Lease:
        lease = self._leases.get(client.id)
        if lease is None:
            lease = self._leases[client.id] = _Lease(record=client.record)
            if client.record:
                lease.limited = _limited(client.record)
        return lease

    def _is_fresh(self, lease: _Lease, client: Client, now: float) -> bool:
        """Whether what is known of a key may still be believed."""
        if client.record and not any(lease.limited):
            return True
        return now < lease.fresh_until

    def _ask(self, call: Admission, lease: _Lease, need: tuple[int, ...]) -> bool:
        """Have the next message tell of a call's need, once."""
        if call.asked <= self._seq:
            for kind, amount in enumerate(need):
                lease.want[kind] += amount
            call.asked = self._seq + 1
        return False

    def _take_back(self, call: Admission, lease: _Lease, need: tuple[int, ...]) -> None:
        """Have the next message not tell of it after all."""
        if call.asked > self._seq:
            for kind, amount in enumerate(need):
                lease.want[kind] -= amount
            call.asked = 0

    def _open(self, call: Admission, lease: _Lease, now: float) -> bool:
        """Let a call in without a lease."""
        call.minute = _NEVER
        if not call.running:
            call.running = True
            lease.running += 1
            lease.opened += 1
        return True

    def _take(self, call: Admission, lease: _Lease, need: tuple[int, ...]) -> None:
        """Set `need` aside, of what is limited."""
        if call.running and call.minute != lease.minute:
            requests, _, calls, money = call.aside
            call.aside = requests, 0, calls, money  # those tokens were of a minute that is over
        lease.left = [*map(sub, lease.left, need)]
        lease.used = [*map(add, lease.used, need)]
        lease.pace = [*map(add, lease.pace, need)]
        call.aside = [*map(add, call.aside, need)]
        lease.running += not call.running
        call.running, call.minute = True, lease.minute

    def _refusal(
        self, call: Admission, lease: _Lease, kind: int, amount: int, now: float
    ) -> Shortage | None:
        """Why there is too little; None where the ledger may have more."""
        until, known = lease.refused.get(kind, (0.0, None))
        if known and now < until and amount >= known.need:
            return known._replace(need=amount)
        if not call.asked or lease.answered < call.asked or lease.rest[kind] >= amount:
            return None
        rest = lease.rest[kind] + lease.left[kind]
        shortage = Shortage(kind, amount, rest, self._retry_after(lease, kind, amount, now))
        lease.refused[kind] = (min(now + _REMEMBERED, self._end_of(lease, kind, now)), shortage)
        return shortage

    def _end_of(self, lease: _Lease, kind: int, now: float) -> float:
        return lease.minute_end if kind in (REQUESTS, TOKENS) else now + _REMEMBERED

    def _retry_after(self, lease: _Lease, kind: int, amount: int, now: float) -> float | None:
        record = lease.record
        assert record is not None
        if kind == MONEY:
            return None if amount > lease.unspent else 1.0
        if kind == CALLS:
            return 1.0
        if kind == TOKENS and amount > (record.limits.tokens_per_minute or 0):
            return None
        return max(0.001, lease.minute_end - now)

    def _give_back(self, call: Admission, lease: _Lease, micros: int, tokens: int) -> None:
        """Put what was set aside for `call` right by what it has used."""
        call.running = False
        lease.running -= 1
        limited, used = lease.limited, lease.used
        _, tokens_aside, calls_aside, money_aside = call.aside
        if calls_aside and limited[CALLS]:
            used[CALLS] -= calls_aside
            lease.left[CALLS] += calls_aside
        if limited[TOKENS]:
            more = tokens - tokens_aside
            if more > 0 or call.minute == lease.minute != _NEVER:
                used[TOKENS] += more
                _put_right(lease, TOKENS, more)
        if money_aside and limited[MONEY]:
            used[MONEY] -= money_aside
            _put_right(lease, MONEY, micros - money_aside)

    # The ledger

    def pause(self, now: float) -> float | None:
        """Seconds until the ledger is to be told something; None where there is nothing."""
        if self._failures and (self._rows or self._batch):
            return min(_LONGEST_PAUSE, SETTLE_SECONDS * 2.0 ** min(self._failures, 8))
        leases = self._leases.values()
        if self._rows or self._batch or any(it.has_news for it in leases):
            is_limited = any(any(it.limited) for it in leases if it.has_news)
            return SETTLE_SECONDS if is_limited else UNLIMITED_SETTLE_SECONDS
        if any(it.is_strict and it.left[MONEY] for it in leases):
            return SETTLE_SECONDS
        return BEAT_SECONDS if any(it.running for it in leases) else None

    def compose(self, now: float) -> str | None:
        """The next message; None where there is nothing to tell.

        One that was not answered is given up with that: its answer counts for nothing.
        """
        self._forget(now)
        told = {key: lease for key, lease in self._leases.items() if self._has_to_tell(lease)}
        if not (told or self._rows or self._batch):
            return None
        self._seq += 1
        self._make_batch()
        self._under_way = (self._seq, now, tuple(told))
        return json.encode(
            {
                "v": VERSION,
                "do": "sync",
                "isolate": self._isolate,
                "seq": self._seq,
                "now": now,
                "batch": self._batch,
                "keys": {key: self._state(lease, now) for key, lease in told.items()},
            }
        )

    def learn(self, text: str, now: float) -> None:
        """Take the ledger's answer. One to a message that was given up is left alone."""
        answer = json.decode_object(text)
        if self._under_way is None or answer.get("seq") != self._under_way[0]:
            return
        if answer.get("stale") or "error" in answer:
            self.lost(now)
            return
        seq, sent, keys = self._under_way
        self._under_way = None
        self._failures, self._failing_since, self._has_told = 0, None, False
        if self._batch and answer["batch"] >= self._batch["number"]:
            self._batch = None
        for key in keys:
            lease = self._leases[key]
            lease.answered = seq
            self._take_in(lease, answer, answer["keys"][key], sent)

    def lost(self, now: float) -> None:
        """Note that the message that is under way was not answered."""
        self._under_way = None
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now

    def unsettled(self, now: float) -> str | None:
        """What could not be told for too long, for the log, once."""
        since = self._failing_since
        if since is None or self._has_told or now - since < UNSETTLED_SECONDS:
            return None
        self._has_told = True
        rows = [row._asdict() for row, _ in self._rows.values()]
        rows += [Row(*row)._asdict() for row, _ in (self._batch or {"rows": []})["rows"]]
        return json.encode({"unsettled": rows})

    def _forget(self, now: float) -> None:
        """Forget keys that were not used for long: the ledger knows what they have done."""
        over = [
            key
            for key, lease in self._leases.items()
            if now >= max(lease.fresh_until, lease.open_until) + LOST_SECONDS
            and not self._has_to_tell(lease)
        ]
        for key in over:
            del self._leases[key]

    def _has_to_tell(self, lease: _Lease) -> bool:
        is_idle = lease.is_strict and lease.left[MONEY]
        return bool(any(lease.want) or lease.has_news or lease.running or is_idle)

    def _make_batch(self) -> None:
        """Put what was spent into a batch, unless the one before is not booked yet."""
        if self._batch is None and self._rows:
            self._batches += 1
            self._batch = {
                "number": self._batches,
                "rows": [[list(row), at] for row, at in self._rows.values()],
            }
            self._rows = {}
            for lease in self._leases.values():
                lease.owed = 0

    def _state(self, lease: _Lease, now: float) -> Json:
        """What is held of a key, for the ledger."""
        lease.turn(now)
        is_quiet = not any(lease.want) and not any(lease.pace)
        # What is not renewed in time is free for others by then.
        if (is_quiet and lease.is_strict) or now >= lease.fresh_until:
            lease.return_idle()
        # Messages may follow each other fast: what the one before has told still counts.
        earlier = [0 if is_quiet else pace // 2 for pace in lease.recent]
        lease.recent = [max(each) for each in zip(lease.pace, earlier, strict=True)]
        held = [used + left for used, left in zip(lease.used, lease.left, strict=True)]
        held[MONEY] += lease.owed
        said: Json = {
            "minute": lease.minute,
            "held": held,
            "left": [*lease.left],
            "running": lease.running,
            "want": lease.want,
            "pace": lease.recent,
        }
        if lease.record and lease.record.source == "config":
            said["record"] = records.encode(lease.record)
        lease.want, lease.pace = [0] * len(KINDS), [0] * len(KINDS)
        lease.has_news = False
        return said

    def _take_in(self, lease: _Lease, answer: Json, said: Json, sent: float) -> None:
        """Take what the ledger says of one key, in answer to what was `sent` at that time."""
        lease.fresh_until, lease.open_until = sent + LEASE_SECONDS, 0
        lease.refused = {}
        if said["record"] is None:
            lease.record, lease.is_gone, lease.rates = None, True, []
            return
        lease.is_gone = False
        lease.record = records.decode(said["record"])
        if lease.minute != answer["minute"]:
            lease.minute = answer["minute"]
            for kind in (REQUESTS, TOKENS):
                lease.left[kind] = lease.used[kind] = 0
        lease.minute_end = sent + answer["minute_left"]
        lease.limited = said["limited"]
        lease.rates = _rates(lease.record)
        for kind, is_limited in enumerate(said["limited"]):
            if is_limited:
                lease.left[kind] += said["grant"][kind]
            else:
                lease.left[kind] = lease.used[kind] = 0
        if lease.limited[REQUESTS]:  # they count in the minute that is known of first
            lease.used[REQUESTS] += lease.opened
            lease.left[REQUESTS] = max(0, lease.left[REQUESTS] - lease.opened)
        lease.opened = 0
        lease.rest = said["rest"]
        lease.unspent = said["unspent"] or 0


def _put_right(lease: _Lease, kind: int, more: int) -> None:
    """Note that a call has used `more` than was set aside, or less."""
    left = lease.left[kind] - more
    lease.left[kind] = left if left > 0 else 0
    if more > 0:
        lease.pace[kind] += more


def _rates(record: KeyRecord) -> list[tuple[int, int]]:
    limits = record.limits
    rates = (REQUESTS, limits.requests_per_minute), (TOKENS, limits.tokens_per_minute)
    return [(kind, limit) for kind, limit in rates if limit is not None]


def _limited(record: KeyRecord) -> list[bool]:
    limits = record.limits
    return [
        limits.requests_per_minute is not None,
        limits.tokens_per_minute is not None,
        limits.parallel is not None,
        limits.has_budget,
    ]
