"""What one isolate may give out to its clients without asking, and what it must report.

A call is accepted if enough is left of its key's lease. What it may need is reserved; at its end
the difference to what it used goes back. What was used is noted, and reported to the ledger in one
message a second for all keys. The ledger's answer renews the leases. A call waits for the ledger
only if the lease does not have enough.

What a call costs is known to `metering`; how a message gets to the ledger is not known here.
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
"""For how many seconds keys that are not strict are accepted without a lease after the ledger did
not answer."""
SETTLE_SECONDS = 1.0
"""Seconds until something that was noted is reported to the ledger, for keys with limits; for
others longer."""
UNLIMITED_SETTLE_SECONDS = 5.0
BEAT_SECONDS = 10.0
"""Seconds between two messages while calls are running and nothing else happens."""
_LONGEST_PAUSE = 10.0
UNSETTLED_SECONDS = 30.0
"""Seconds after which something that could not be reported is written to the log."""
_REMEMBERED = 1.0
"""Seconds for which a refusal holds without asking again."""
_NEVER = -1
_ENDLESS = 1 << 60
"""What is left of a kind without a limit. It is more than ever is given out."""
_MOST_ROWS = 1_000
"""The most rows that wait to be reported, for models of calls that cost nothing."""
_SMOOTHING = 8
"""An average is made of about so many calls."""


class Client(NamedTuple):
    """A client, as far as the key itself tells who it is."""

    id: str
    name: str
    """The key's name; empty until the ledger has told it."""
    strict: bool = False
    """Whether calls are refused while nothing is known about the key."""
    generation: int = 0
    record: KeyRecord | None = None
    """For a key of the configuration, everything that is known about it; else None."""


class Shortage(NamedTuple):
    """Why a call is refused, in numbers."""

    kind: int
    """The kind, of `KINDS`, of which there is too little."""
    need: int
    rest: int
    """How much of it the key still has, in all isolates."""
    retry_after: float | None
    """Seconds to wait; None if waiting does not help."""


class Standing(NamedTuple):
    """What is left of the limits for a minute."""

    rates: list[tuple[int, int, int]]
    """For each kind that has a limit: the kind, the limit, and what is left of it."""
    seconds: float
    """Seconds until all of it is whole again."""


@dataclass(slots=True)
class Admission:
    """One call, from the question whether it is accepted to its end."""

    client: Client
    measure: Callable[[KeyRecord | None, float], tuple[int, int]]
    """Returns the tokens and micro-dollars to reserve, for the record and the average tokens of the
    key's answers. Raises ClientError if the key may not make the call at all."""
    aside: Sequence[int] = (0, 0, 0, 0)
    """What is reserved for it; nothing if it was accepted without a lease."""
    minute: int = _NEVER
    asked: int = 0
    """The number of the message that reports its need; 0 before it has asked."""
    running: bool = False
    strict: bool = False


@dataclass(slots=True)
class _Lease:
    """What is known about one key, and what this isolate holds of it."""

    record: KeyRecord | None = None
    is_gone: bool = False
    """Whether the ledger does not know the key."""
    fresh_until: float = 0
    open_until: float = 0
    limited: list[bool] = field(default_factory=lambda: [False] * len(KINDS))
    rates: list[tuple[int, int]] = field(default_factory=list)
    """The limits for a minute, by their kind."""
    minute: int = _NEVER
    minute_end: float = 0
    left: list[int] = field(default_factory=lambda: [_ENDLESS] * len(KINDS))
    used: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Requests and tokens used in this minute, running calls, and the money that is reserved for
    these. They are counted without a limit too, because there may be one before the calls end.
    Calls that were accepted without a lease are in none of them."""
    owed: int = 0
    """Micro-dollars that were spent and are not in a batch yet."""
    pace: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Given out since the last message."""
    recent: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """The same, as it was last reported."""
    want: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    running: int = 0
    rest: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """What the ledger had left after its last grant."""
    unspent: int = 0
    refused: dict[int, tuple[float, Shortage]] = field(default_factory=dict)
    answered: int = 0
    """The number of the last message whose answer was about this key."""
    average: float = 0
    """The average tokens of an answer."""
    opened: int = 0
    """Calls that were accepted without a lease since the last answer."""
    has_news: bool = False

    @property
    def is_strict(self) -> bool:
        return self.record is not None and self.record.limits.strict

    def end_minute(self) -> None:
        """Forgets what is left of a minute that has passed.

        What was used in it is reported until the ledger has another minute too. The ledger's minute
        ends some milliseconds later, because the way of an answer is counted against this isolate.
        """
        self.return_idle(REQUESTS, TOKENS)

    def limit(self, limited: list[bool]) -> None:
        """Notes which kinds have a limit. Of a kind that gets one, nothing is left."""
        for kind, is_limited in enumerate(limited):
            if not is_limited:
                self.left[kind] = _ENDLESS
            elif not self.limited[kind]:
                self.left[kind] = 0
        self.limited = limited

    def return_idle(self, *kinds: int) -> None:
        """Gives back everything of these kinds that no call needs."""
        for kind in kinds:
            if self.limited[kind]:
                self.left[kind] = 0

    @property
    def idle_money(self) -> int:
        """Micro-dollars of a budget that no call needs."""
        return self.left[MONEY] if self.limited[MONEY] else 0


class Leases:
    """All keys of one isolate."""

    def __init__(self, isolate: str) -> None:
        """`isolate` is a name that no other isolate has."""
        self._isolate = isolate
        self._leases: dict[str, _Lease] = {}
        self._seq = 0
        self._under_way: tuple[int, float, tuple[str, ...]] | None = None
        """The number of the message without an answer yet, its time, and its keys."""
        self._rows: dict[tuple[str, str, str], tuple[Row, float]] = {}
        self._batch: Json | None = None
        self._batches = 0
        self._failures = 0
        self._failing_since: float | None = None
        self._has_logged = False

    # Calls

    def record_of(self, client: Client, now: float) -> KeyRecord | None:
        """What is known about a key at `now`; None if the ledger must be asked."""
        if client.record:
            return client.record
        lease = self._leases.get(client.id)
        return lease.record if lease and now < lease.fresh_until else None

    def is_gone(self, client: Client) -> bool:
        """Whether the ledger has said that it does not know the key."""
        lease = self._leases.get(client.id)
        return lease is not None and lease.is_gone

    def knows(self, key: str) -> bool:
        """Whether anything is held of a key, or known about it."""
        return key in self._leases

    def is_open(self, client: Client, now: float) -> bool:
        """Whether the key is accepted without a lease, because the ledger has not answered."""
        lease = self._leases.get(client.id)
        return lease is not None and now < lease.open_until

    def admit(self, call: Admission, now: float) -> Shortage | bool:
        """True: `call` is accepted.

        False: ask the ledger, then call again. Raises what `measure` raises.

        For a call that is running already, as much is reserved again: it is tried once more, after
        it may have been charged for.
        """
        lease = self._lease(call.client)
        if now >= lease.minute_end:
            lease.end_minute()
        record = lease.record
        is_open = now < lease.open_until
        call.strict = record.limits.strict if record else call.client.strict
        tokens, money = call.measure(record, lease.average)
        need = (0, tokens, 0, money) if call.running else (1, tokens, 1, money)
        if not self._is_fresh(lease, call.client, now):
            return self._open(call, lease, now) if is_open else self._ask(call, lease, need)
        if any(map(lt, lease.left, need)):
            if is_open:
                return self._open(call, lease, now)
            kind = next(it for it in range(len(KINDS)) if lease.left[it] < need[it])
            refusal = self._refusal(call, lease, kind, need[kind], now)
            if refusal is None:
                return self._ask(call, lease, need)
            self._take_back(call, lease, need)
            return refusal
        self._take(call, lease, need)
        if call.asked:
            self._take_back(call, lease, need)
        return True

    def inquire(self, client: Client, now: float) -> bool:
        """Whether the ledger must be asked what the key may do; if so, has it asked."""
        lease = self._lease(client)
        if client.record or now < lease.fresh_until or now < lease.open_until:
            return False
        lease.has_news = True
        return True

    def unreachable(self, client: Client, now: float) -> None:
        """Notes that the ledger did not answer in time for a key that is not strict."""
        self._lease(client).open_until = now + OPEN_SECONDS

    def standing(self, client: Client, now: float) -> Standing | None:
        """What is left of the limits for a minute; None if there are none, or it is not known."""
        lease = self._leases.get(client.id)
        if lease is None or now >= lease.fresh_until or not lease.rates:
            return None
        rest, left = lease.rest, lease.left
        rates = [(kind, limit, rest[kind] + left[kind]) for kind, limit in lease.rates]
        return Standing(rates, lease.minute_end - now)

    def finish(self, call: Admission, rows: Sequence[Row], now: float) -> int:
        """Notes how `call` ended: what it has used at each upstream. Returns its micro-dollars.

        The `micros` of a row are its cost; 0 if the cost is not known.
        """
        lease = self._lease(call.client)
        if now >= lease.minute_end:
            lease.end_minute()
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
        return micros

    def refuse(self, client: Client, now: float) -> None:
        """Notes that a request of `client` was answered with an error before it was accepted."""
        self._note(Row(client.id, "", "", requests=1, errors=1), now)
        self._lease(client).has_news = True

    def _note(self, row: Row, now: float) -> None:
        name = row[:3]
        known = self._rows.get(name)
        if known is None and len(self._rows) >= _MOST_ROWS and not row.micros:
            # While nothing can be reported, clients could ask for endless names of models that do
            # not exist.
            name = (row.key, "", "")
            row, known = row._replace(provider="", model=""), self._rows.get(name)
        self._rows[name] = (added(known[0], row) if known else row, now)

    def _lease(self, client: Client) -> _Lease:
        lease = self._leases.get(client.id)
        if lease is None:
            lease = self._leases[client.id] = _Lease(record=client.record)
            if client.record:
                lease.limit(_limited(client.record))
        return lease

    def _is_fresh(self, lease: _Lease, client: Client, now: float) -> bool:
        """Whether what is known about a key is recent enough."""
        if now < lease.fresh_until:
            return True
        return client.record is not None and not any(lease.limited)

    def _ask(self, call: Admission, lease: _Lease, need: tuple[int, ...]) -> bool:
        """Has the next message report a call's need, once."""
        if call.asked <= self._seq:
            for kind, amount in enumerate(need):
                lease.want[kind] += amount
            call.asked = self._seq + 1
        return False

    def _take_back(self, call: Admission, lease: _Lease, need: tuple[int, ...]) -> None:
        """Has the next message not report it after all."""
        if call.asked > self._seq:
            for kind, amount in enumerate(need):
                lease.want[kind] -= amount
            call.asked = 0

    def _open(self, call: Admission, lease: _Lease, now: float) -> bool:
        """Accepts a call without a lease."""
        call.minute = _NEVER
        if not call.running:
            call.running = True
            lease.running += 1
            lease.opened += 1
        return True

    def _take(self, call: Admission, lease: _Lease, need: tuple[int, ...]) -> None:
        """Reserves `need`."""
        if call.running and call.minute != lease.minute:
            requests, _, calls, money = call.aside
            call.aside = requests, 0, calls, money  # the tokens are from a minute that has passed
        lease.left = [*map(sub, lease.left, need)]
        lease.used = [*map(add, lease.used, need)]
        lease.pace = [*map(add, lease.pace, need)]
        call.aside = [*map(add, call.aside, need)] if call.running else need
        lease.running += not call.running
        call.running, call.minute = True, lease.minute

    def _refusal(
        self, call: Admission, lease: _Lease, kind: int, amount: int, now: float
    ) -> Shortage | None:
        """Why there is too little; None if the ledger may have more."""
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
        """Replaces what was reserved for `call` by what it has used."""
        call.running = False
        lease.running -= 1
        used = lease.used
        _, tokens_aside, calls_aside, money_aside = call.aside
        used[CALLS] -= calls_aside
        lease.left[CALLS] += calls_aside
        more = tokens - tokens_aside
        if more > 0 or call.minute == lease.minute != _NEVER:
            used[TOKENS] += more
            _put_right(lease, TOKENS, more)
        if money_aside:
            used[MONEY] -= money_aside
            _put_right(lease, MONEY, micros - money_aside)

    # The ledger

    def pause(self, now: float) -> float | None:
        """Seconds until the next message to the ledger is due; None without anything to report."""
        if self._failures and (self._rows or self._batch):
            return min(_LONGEST_PAUSE, SETTLE_SECONDS * 2.0 ** min(self._failures, 8))
        leases = self._leases.values()
        if self._rows or self._batch or any(it.has_news for it in leases):
            is_limited = any(any(it.limited) for it in leases if it.has_news)
            return SETTLE_SECONDS if is_limited else UNLIMITED_SETTLE_SECONDS
        if any(it.is_strict and it.idle_money for it in leases):
            return SETTLE_SECONDS
        return BEAT_SECONDS if any(it.running for it in leases) else None

    def compose(self, now: float) -> str | None:
        """The next message; None if there is nothing to report.

        A message without an answer is given up then, and a later answer to it is ignored.
        """
        self._forget(now)
        reported = {key: lease for key, lease in self._leases.items() if self._must_report(lease)}
        if not (reported or self._rows or self._batch):
            return None
        self._seq += 1
        self._make_batch()
        self._under_way = (self._seq, now, tuple(reported))
        return json.encode(
            {
                "v": VERSION,
                "do": "sync",
                "isolate": self._isolate,
                "seq": self._seq,
                "now": now,
                "batch": self._batch,
                "keys": {key: self._state(lease, now) for key, lease in reported.items()},
            }
        )

    def learn(self, text: str, now: float) -> None:
        """Reads the ledger's answer. An answer to a message that was given up is ignored."""
        answer = json.decode_object(text)
        if self._under_way is None or answer.get("seq") != self._under_way[0]:
            return
        if answer.get("stale") or "error" in answer:
            self.lost(now)
            return
        seq, sent, keys = self._under_way
        self._under_way = None
        self._failures, self._failing_since, self._has_logged = 0, None, False
        if self._batch and answer["batch"] >= self._batch["number"]:
            self._batch = None
        for key in keys:
            lease = self._leases[key]
            lease.answered = seq
            self._take_in(lease, answer, answer["keys"][key], sent)

    def lost(self, now: float) -> None:
        """Notes that the last message was not answered."""
        self._under_way = None
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now

    def unsettled(self, now: float) -> str | None:
        """What could not be reported for too long: for the log, once."""
        since = self._failing_since
        if since is None or self._has_logged or now - since < UNSETTLED_SECONDS:
            return None
        self._has_logged = True
        rows = [row._asdict() for row, _ in self._rows.values()]
        rows += [Row(*row)._asdict() for row, _ in (self._batch or {"rows": []})["rows"]]
        return json.encode({"unsettled": rows})

    def _forget(self, now: float) -> None:
        """Forgets keys that were not used for long. The ledger knows what they have done."""
        over = [
            key
            for key, lease in self._leases.items()
            if now >= max(lease.fresh_until, lease.open_until) + LOST_SECONDS
            and not self._must_report(lease)
        ]
        for key in over:
            del self._leases[key]

    def _must_report(self, lease: _Lease) -> bool:
        is_idle = lease.is_strict and lease.idle_money
        return bool(any(lease.want) or lease.has_news or lease.running or is_idle)

    def _make_batch(self) -> None:
        """Puts what was spent into a batch, unless the last batch is not booked yet."""
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
        """What this isolate holds of a key, for the ledger."""
        if now >= lease.minute_end:
            lease.end_minute()
        is_quiet = not any(lease.want) and not any(lease.pace)
        if is_quiet or not lease.running:  # calls are few, and others may wait for them
            lease.return_idle(CALLS)
        # A lease that is not renewed in time is free for others by then.
        if (is_quiet and lease.is_strict) or now >= lease.fresh_until:
            lease.return_idle(*range(len(KINDS)))
        # Messages may follow each other fast, so what the last one reported still counts.
        earlier = [0 if is_quiet else pace // 2 for pace in lease.recent]
        lease.recent = [max(each) for each in zip(lease.pace, earlier, strict=True)]
        left = [*map(mul, lease.left, lease.limited)]
        held = [*map(add, lease.used, left)]
        for kind in (REQUESTS, TOKENS):  # a row for each minute would be written for nothing
            held[kind] *= lease.limited[kind]
        held[MONEY] += lease.owed
        state: Json = {
            "minute": lease.minute,
            "held": held,
            "left": left,
            "running": lease.running,
            "want": lease.want,
            "pace": lease.recent,
        }
        if lease.record and lease.record.source == "config":
            state["record"] = records.encode(lease.record)
        lease.want, lease.pace = [0] * len(KINDS), [0] * len(KINDS)
        lease.has_news = False
        return state

    def _take_in(self, lease: _Lease, answer: Json, lease_json: Json, sent: float) -> None:
        """Reads what the ledger says about one key, in answer to what was `sent` at that time."""
        lease.fresh_until, lease.open_until = sent + LEASE_SECONDS, 0
        lease.refused = {}
        if lease_json["record"] is None:
            lease.record, lease.is_gone, lease.rates = None, True, []
            return
        lease.is_gone = False
        lease.record = records.decode(lease_json["record"])
        if lease.minute != answer["minute"]:
            lease.minute = answer["minute"]
            lease.return_idle(REQUESTS, TOKENS)
            lease.used[REQUESTS] = lease.used[TOKENS] = 0
        lease.minute_end = sent + answer["minute_left"]
        lease.limit(lease_json["limited"])
        lease.rates = _rates(lease.record)
        lease.left = [*map(add, lease.left, lease_json["grant"])]
        if lease.limited[REQUESTS]:  # they count in the minute that becomes known first
            lease.used[REQUESTS] += lease.opened
            lease.left[REQUESTS] = max(0, lease.left[REQUESTS] - lease.opened)
        lease.opened = 0
        lease.rest = lease_json["rest"]
        lease.unspent = lease_json["unspent"] or 0


def _put_right(lease: _Lease, kind: int, more: int) -> None:
    """Notes that a call has used `more` than was reserved, or less."""
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
