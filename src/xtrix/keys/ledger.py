"""The ledger: the one place that knows every key, what it has spent, and which isolate holds what.

It gives out what is left in leases, so that their sum is never more than a limit. Its knowledge is
in its tables, and is read from there each time, except for sums of what was spent. So nothing is
lost, and nothing must be undone, if the object is restarted or a statement fails. HTTP, prices and
models are not known here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from xtrix import json
from xtrix.calendar import DAY_SECONDS, date_of, month_of
from xtrix.json import Json
from xtrix.keys import record as records
from xtrix.keys.message import (
    CALLS,
    COUNTS,
    IDLE_SECONDS,
    KINDS,
    LOST_SECONDS,
    MONEY,
    REQUESTS,
    RUNNING_SECONDS,
    TOKENS,
    Row,
)
from xtrix.keys.record import KeyRecord

Execute = Callable[..., list[list[Any]]]
"""Runs a statement of SQL with its arguments, and returns its rows."""

NAME = "keys"
"""The name of the object that is the ledger."""

_MINUTE = 60
_MOST_ROWS = 200
"""The most rows of one key and day, for models whose calls all failed."""
_FORGOTTEN_DAYS = 2
"""Days after which a silent isolate is forgotten. It will not send a batch again."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS keys (id TEXT PRIMARY KEY, record TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS usage (key TEXT, day TEXT, provider TEXT, model TEXT, "
    + ", ".join(f"{name} INTEGER" for name in COUNTS)
    + ", last REAL, PRIMARY KEY (key, day, provider, model)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS isolates (id TEXT PRIMARY KEY, seq INTEGER, batch INTEGER,"
    " heard REAL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS leases (key TEXT, isolate TEXT, heard REAL, minute INTEGER,"
    " requests INTEGER, tokens INTEGER, calls INTEGER, running INTEGER, idle INTEGER,"
    " aside INTEGER, PRIMARY KEY (key, isolate)) WITHOUT ROWID",
)
_BOOK = (
    f"INSERT INTO usage VALUES (?, ?, ?, ?, {', '.join('?' * len(COUNTS))}, ?)"
    " ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
    + ", last = max(last, excluded.last)"
)
_SUMS = (
    "SELECT coalesce(sum(CASE WHEN day = ? THEN micros ELSE 0 END), 0),"
    " coalesce(sum(CASE WHEN substr(day, 1, 7) = ? THEN micros ELSE 0 END), 0),"
    " coalesce(sum(micros), 0) FROM usage WHERE key = ?"
)


class Refusal(Exception):
    """Why a message is refused: a status and a code of the admin API, and a text."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param


class _Spent(NamedTuple):
    """Micro-dollars that one key has spent: on this day, in its month, and in all."""

    date: str
    day: int
    month: int
    total: int

    def plus(self, date: str, micros: int) -> "_Spent":
        """The same after `micros` more on that date."""
        return self._replace(
            day=self.day + micros * (date == self.date),
            month=self.month + micros * (month_of(date) == month_of(self.date)),
            total=self.total + micros,
        )


class _Lease(NamedTuple):
    """What one isolate holds of one key."""

    isolate: str
    heard: float
    minute: int
    """The minute in which `requests` and `tokens` are counted."""
    requests: int
    """Given out in that minute, used or not. The same holds for tokens."""
    tokens: int
    calls: int
    running: int
    """How many of the `calls` that may run are running."""
    idle: int
    """Micro-dollars that it may give out."""
    aside: int
    """Micro-dollars that are reserved for running calls, or spent and not yet booked."""

    def held(self, minute: int, now: float, *, strict: bool) -> list[int]:
        """How much of each kind counts as given out in that minute."""
        silent = now - self.heard
        idle, running = silent < IDLE_SECONDS, silent < RUNNING_SECONDS
        held = [0] * len(KINDS)
        if self.minute == minute:
            held[REQUESTS], held[TOKENS] = self.requests, self.tokens
        held[CALLS] = self.calls if idle else self.running * running
        held[MONEY] = self.idle * (idle or strict) + self.aside * (running or strict)
        return held


class Ledger:
    """All keys, and everything that was spent with them."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._spent_by: dict[str, _Spent] = {}
        for statement in _TABLES:
            execute(statement)

    def call(self, text: str, now: float) -> str:
        """Answers a message. `now` is in Unix seconds.

        Everything that it writes belongs together. If it raises, nothing of it may stay, and this
        ledger must be replaced by a new one.
        """
        message = json.decode_object(text)
        try:
            return json.encode(_DOES[message["do"]](self, message, now))
        except Refusal as refusal:
            error = {"status": refusal.status, "code": refusal.code, "message": refusal.message}
            return json.encode({"error": {**error, "param": refusal.param}})

    # Isolates

    def _sync(self, message: Json, now: float) -> Json:
        """Reads what an isolate has spent and holds, and gives it what it may have."""
        isolate, seq = message["isolate"], message["seq"]
        seen = self._execute("SELECT seq, batch FROM isolates WHERE id = ?", isolate)
        last, booked = seen[0] if seen else (0, 0)
        if seq <= last:  # it was given up, and reported again since
            return {"seq": seq, "stale": True}
        if not seen:
            self._forget(now)
        batch = message["batch"]
        if batch and batch["number"] > booked:
            booked = batch["number"]
            for row, at in batch["rows"]:
                # The day is that of our own clock, the latest possible: a lease of the day before
                # was also counted against this day's budget, but not the other way round.
                self._book(Row(*row), now - max(0.0, message["now"] - at))
        self._execute(
            "INSERT INTO isolates VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " seq = excluded.seq, batch = excluded.batch, heard = excluded.heard",
            *(isolate, seq, booked, now),
        )
        keys = {
            key: self._renew(key, isolate, holding, now) for key, holding in message["keys"].items()
        }
        minute = int(now // _MINUTE)
        left = (minute + 1) * _MINUTE - now
        return {"seq": seq, "batch": booked, "minute": minute, "minute_left": left, "keys": keys}

    def _renew(self, key: str, isolate: str, holding: Json, now: float) -> Json:
        """What `isolate` may know and have of `key`. It holds what it `holding`."""
        if "record" in holding:
            self._configured(key, holding["record"])
        record = self._record(key)
        if record is None:
            return {"record": None}
        minute, limits = int(now // _MINUTE), record.limits
        own = _lease_of(isolate, holding, now)
        others = self._others(key, isolate, now, record)
        theirs = [it.held(minute, now, strict=limits.strict) for it in others]
        taken = [sum(held[kind] for held in theirs) for kind in range(len(KINDS))]
        spent = self._spent(key, date_of(now))
        unspent = _unspent(record, spent)
        most = [limits.requests_per_minute, limits.tokens_per_minute, limits.parallel, unspent]
        holders = 1 + sum(map(any, theirs))
        held = own.held(minute, now, strict=True)
        grants, rest = [0] * len(KINDS), [0] * len(KINDS)
        usable = record.state(now) == "active"
        for kind, limit in enumerate(most):
            if limit is None:
                continue
            free = limit - taken[kind] - held[kind]
            left = holding["left"][kind] if kind > TOKENS or own.minute == minute else 0
            if usable:
                asked = holding["want"][kind], holding["pace"][kind]
                grants[kind] = _grant(free, left, asked, holders * _PARTS[kind])
            rest[kind] = free - grants[kind]
        self._keep(key, own, grants, minute)
        return {
            "record": records.encode(record),
            "grant": grants,
            "rest": rest,
            "unspent": unspent,
            "limited": [limit is not None for limit in most],
        }

    def _others(self, key: str, isolate: str, now: float, record: KeyRecord) -> list[_Lease]:
        """What other isolates hold of a key. Leases of silent isolates are settled here."""
        rows = self._execute(
            "SELECT isolate, heard, minute, requests, tokens, calls, running, idle, aside"
            " FROM leases WHERE key = ? AND isolate != ?",
            *(key, isolate),
        )
        leases = [_Lease(*row) for row in rows]
        limit = LOST_SECONDS if record.limits.strict else RUNNING_SECONDS
        for lease in leases:
            if now - lease.heard >= limit:
                lost = lease.idle + lease.aside
                if record.limits.strict and lost:
                    self._book(Row(key, "", "", estimated=1, micros=lost), now)
                self._drop(key, lease.isolate)
        return [lease for lease in leases if now - lease.heard < limit]

    def _keep(self, key: str, own: _Lease, grants: list[int], minute: int) -> None:
        """Notes what an isolate holds after it was given `grants`."""
        if own.minute != minute:
            own = own._replace(minute=minute, requests=0, tokens=0)
        own = own._replace(
            requests=own.requests + grants[REQUESTS],
            tokens=own.tokens + grants[TOKENS],
            calls=own.calls + grants[CALLS],
            idle=own.idle + grants[MONEY],
        )
        if not any(own[3:]):
            self._drop(key, own.isolate)
            return
        self._execute(
            "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", key, *own
        )

    def _drop(self, key: str, isolate: str) -> None:
        self._execute("DELETE FROM leases WHERE key = ? AND isolate = ?", key, isolate)

    def _forget(self, now: float) -> None:
        """Forgets isolates of days ago, and settles what others held of unused keys."""
        before = now - _FORGOTTEN_DAYS * DAY_SECONDS
        self._execute("DELETE FROM isolates WHERE heard < ?", before)
        silent = "SELECT DISTINCT key FROM leases WHERE heard < ?"
        for (key,) in self._execute(silent, now - LOST_SECONDS):
            if record := self._record(key):
                self._others(key, "", now, record)

    # What was spent

    def _book(self, row: Row, at: float) -> None:
        date = date_of(at)
        if row.errors == row.requests and not row.micros and self._has_many(row, date):
            row = row._replace(model="")
        self._execute(_BOOK, row.key, date, *row[1:], at)
        if row.key in self._spent_by:
            self._spent_by[row.key] = self._spent_by[row.key].plus(date, row.micros)

    def _has_many(self, row: Row, date: str) -> bool:
        """Whether a key has so many rows for a day that none for another model may be added.

        Asking for a model that does not exist costs nothing, and there are endless names.
        """
        ((many, known),) = self._execute(
            "SELECT count(*), coalesce(sum(provider = ? AND model = ?), 0) FROM usage"
            " WHERE key = ? AND day = ?",
            *(row.provider, row.model, row.key, date),
        )
        return bool(many >= _MOST_ROWS and not known)

    def _spent(self, key: str, date: str) -> _Spent:
        """What a key has spent up to that day."""
        known = self._spent_by.get(key)
        if known is None or known.date != date:
            (sums,) = self._execute(_SUMS, date, month_of(date), key)
            known = self._spent_by[key] = _Spent(date, *sums)
        return known

    def _usage(self, message: Json, now: float) -> Json:
        """What was used from one day to another, by all keys or by one."""
        statement = (
            f"SELECT day, key, provider, model, {', '.join(COUNTS)} FROM usage"
            " WHERE day >= ? AND day <= ?"
        )
        given = [message["from"], message["to"]]
        if "key" in message:
            statement += " AND key = ?"
            given.append(message["key"])
        rows = self._execute(statement, *given)
        names = {key.id: key.name for key in self._records()}
        running = self._running(now)
        answer: Json = {
            "rows": rows,
            "names": names,
            "running": running if "key" not in message else {},
        }
        if "key" in message:
            record = self._record(message["key"])
            answer["key"] = self._view(record, running, now) if record else None
        return answer

    def _running(self, now: float) -> dict[str, int]:
        """The number of running calls, by key."""
        rows = self._execute(
            "SELECT key, sum(running) FROM leases WHERE heard > ? AND running > 0 GROUP BY key",
            now - RUNNING_SECONDS,
        )
        return {key: count for key, count in rows}  # noqa: C416 - dict() cannot be typed

    # Keys

    def _record(self, key: str) -> KeyRecord | None:
        rows = self._execute("SELECT record FROM keys WHERE id = ?", key)
        return records.decode(json.decode(rows[0][0])) if rows else None

    def _records(self) -> list[KeyRecord]:
        rows = self._execute("SELECT record FROM keys")
        return [records.decode(json.decode(text)) for (text,) in rows]

    def _put(self, record: KeyRecord) -> None:
        text = json.encode(records.encode(record))
        self._execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", record.id, text)

    def _configured(self, key: str, fields: Json) -> None:
        """Stores a key as it is in the configuration."""
        record = records.decode(fields)
        if self._record(key) != record:
            self._put(record)

    def _list(self, message: Json, now: float) -> Json:
        """All keys."""
        for fields in message.get("configured", ()):
            self._configured(fields["id"], fields)
        running = self._running(now)
        kept = [record for record in self._records() if not record.deleted]
        views = [self._view(record, running, now) for record in kept]
        return {"data": sorted(views, key=lambda view: (view["name"], view["id"]))}

    def _get(self, message: Json, now: float) -> Json:
        return self._view(self._known(message["id"]), self._running(now), now)

    def _make(self, message: Json, now: float) -> Json:
        record = records.decode({**message["record"], "created": int(now)})
        self._check_name(record)
        self._put(record)
        return self._view(record, {}, now)

    def _change(self, message: Json, now: float) -> Json:
        """Changes the given fields. Keys are also switched off, rotated and deleted in this way."""
        record = records.changed(self._owned(message["id"]), message["changes"])
        if not record.deleted:
            self._check_name(record)
        self._put(record)
        return self._view(record, self._running(now), now)

    def _rotate(self, message: Json, now: float) -> Json:
        record = self._owned(message["id"])
        record = record._replace(
            generation=record.generation + 1,
            rotated=int(now),
            grace_until=int(now) + message["grace_seconds"],
        )
        self._put(record)
        view = self._view(record, self._running(now), now)
        return {**view, "generation": record.generation}

    def _known(self, key: str) -> KeyRecord:
        record = self._record(key)
        if record is None or record.deleted:
            raise Refusal(404, "key_not_found", "There is no such key.")
        return record

    def _owned(self, key: str) -> KeyRecord:
        """A key that may be changed here."""
        record = self._known(key)
        if record.source != "admin":
            message = "This key stands in the configuration (API_KEYS, LIMITS); change it there."
            raise Refusal(409, "key_read_only", message)
        return record

    def _check_name(self, record: KeyRecord) -> None:
        for other in self._records():
            if other.name == record.name and other.id != record.id and not other.deleted:
                raise Refusal(409, "name_taken", "Another key has this name.", "name")

    def _view(self, record: KeyRecord, running: dict[str, int], now: float) -> Json:
        """A key in the form of the admin API."""
        date = date_of(now)
        spent = self._spent(record.id, date)
        ((requests, errors),) = self._execute(
            "SELECT coalesce(sum(requests), 0), coalesce(sum(errors), 0) FROM usage"
            " WHERE key = ? AND day = ?",
            *(record.id, date),
        )
        ((last,),) = self._execute(
            "SELECT coalesce(max(last), 0) FROM usage WHERE key = ?", record.id
        )
        budgets = record.limits.budgets
        of_span = {"day": spent.day, "month": spent.month, "total": spent.total}
        return {
            "id": record.id,
            "name": record.name,
            "source": record.source,
            "created": record.created or None,
            "rotated": record.rotated,
            "active": record.active,
            "state": record.state(now),
            "expires": record.expires,
            "limits": record.limits._asdict(),
            "left": {
                f"{span}_micros": max(0, budgets[span] - of_span[span]) if span in budgets else None
                for span in of_span
            },
            "spent": {f"{span}_micros": micros for span, micros in of_span.items()},
            "today": {"requests": requests, "errors": errors},
            "running": running.get(record.id, 0),
            "last_used": int(last) or None,
        }


_DOES: dict[str, Callable[[Ledger, Json, float], Json]] = {
    "sync": Ledger._sync,
    "usage": Ledger._usage,
    "list": Ledger._list,
    "get": Ledger._get,
    "make": Ledger._make,
    "change": Ledger._change,
    "rotate": Ledger._rotate,
}


def _lease_of(isolate: str, holding: Json, now: float) -> _Lease:
    """What an isolate says that it holds."""
    held = holding["held"]
    return _Lease(
        isolate,
        now,
        holding["minute"],
        requests=held[REQUESTS],
        tokens=held[TOKENS],
        calls=held[CALLS],
        running=holding["running"],
        idle=holding["left"][MONEY],
        aside=held[MONEY] - holding["left"][MONEY],
    )


def _unspent(record: KeyRecord, spent: _Spent) -> int | None:
    """Micro-dollars that are left of the tightest budget; None without a budget."""
    left = [budget - getattr(spent, span) for span, budget in record.limits.budgets.items()]
    return min(left) if left else None


_PARTS = {REQUESTS: 2, TOKENS: 2, CALLS: 16, MONEY: 2}
"""All isolates together get this part of what is left without having asked for it: a half, and of
the calls at the same time, which are few, a sixteenth."""


def _grant(free: int, left: int, asked: tuple[int, int], parts: int) -> int:
    """How much an isolate gets, if `free` is not given out and it still has `left`.

    `asked` is what its calls wait for, and what it has given out lately. It gets what is waited
    for, and as much as will last for some reports, if that is no more than one of `parts` of the
    rest. The smaller the rest, the less of it lies unused with isolates that may not need it.
    """
    want, pace = asked
    share = max(0, free + left) // parts
    target = min(share, 3 * pace)
    return max(0, min(free, max(want - left, target - left)))
