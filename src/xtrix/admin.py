"""The operator's calls under `/admin`, and a client's call for its own usage, as JSON and CSV.

The paths and the forms of requests and answers are known here. What a call does is known to the
ledger, which stores everything. A key's secret is part of the answer that makes or rotates it, and
of no other.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from xtrix import auth, json
from xtrix.calendar import date_of, day_number
from xtrix.config import Config
from xtrix.errors import ApiError, ClientError
from xtrix.exchange import Exchange
from xtrix.http import Reply, RequestHead, reply
from xtrix.json import Json
from xtrix.keys import proof
from xtrix.keys import record as records
from xtrix.keys.leases import Client
from xtrix.steps import Answer, AskLedger, Failure, ReadBody, Step

PATH = "/admin"
USAGE_PATH = "/usage"
"""The path for a client's own usage, with or without `/v1` before it."""

MAX_BODY_BYTES = 16_384
BODY_SECONDS = 30.0
ASKING_SECONDS = 10.0
_MOST_DAYS = 400
_RETRY_AFTER = 2

COLUMNS = (
    *("day", "key", "name", "provider", "model", "requests", "errors", "estimated"),
    *("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens"),
    *("reasoning_tokens", "cost_micros", "unpriced"),
)
"""The columns of a row of usage, in the order of the CSV."""

Steps = Generator[Step, Any, Answer]
_LedgerSteps = Generator[Step, Any, Json]


class _Call(NamedTuple):
    """One call of the operator."""

    config: Config
    head: RequestHead
    exchange: Exchange
    key: str
    """The id of the key in the path."""


def is_admins(path: str) -> bool:
    """Whether `path` is under `/admin`."""
    return path == PATH or path.startswith(f"{PATH}/")


def answer(config: Config, head: RequestHead, exchange: Exchange) -> Steps | None:
    """The steps of a call of the operator; None if the path does not exist.

    Raises ClientError for a caller without the operator's key.
    """
    if not config.admin_key:
        return None
    parts = [unquote(part) for part in head.path.rstrip("/").split("/")[2:]]
    methods = _ROUTES.get(_shape(parts))
    if methods is None:
        return None
    auth.authenticate(head.headers, config.admin_key)
    if head.method not in methods:
        allowed = ", ".join((*methods, "OPTIONS"))
        message = f"This path takes {allowed}, not {head.method}."
        raise ClientError(405, "method_not_allowed", message, headers=(("allow", allowed),))
    act = methods[head.method]
    return act(_Call(config, head, exchange, parts[1] if len(parts) > 1 else ""))


def own_usage(client: Client, head: RequestHead, exchange: Exchange) -> Steps:
    """The steps of a client's call for its own usage."""
    asked = _Span.of(head.query, exchange.now)
    found = yield from _ask({"do": "usage", **asked.days, "key": client.id})
    return _usage_reply(found, asked, exchange.now)


# Keys


def _list(call: _Call) -> Steps:
    configured = {client.id: client for client in call.config.clients.values()}
    encoded = [records.encode(it.record) for it in configured.values() if it.record]
    found = yield from _ask({"do": "list", "configured": encoded})
    kept = [key for key in found["data"] if key["source"] != "config" or key["id"] in configured]
    answer = {"object": "list", "data": kept, "now": call.exchange.now, "prefix": proof.PREFIX}
    return reply(answer)


def _make(call: _Call) -> Steps:
    fields = records.parse_new((yield from _read(call)))
    # The key's id is the second half of the request's id, which is random, and not secret.
    record = records.changed(records.KeyRecord(call.exchange.record.id[-16:], ""), fields)
    view = yield from _ask({"do": "make", "record": records.encode(record)})
    return _with_secret(call.config, view, record.generation, status=201)


def _get(call: _Call) -> Steps:
    return reply((yield from _ask({"do": "get", "id": call.key})))


def _change(call: _Call) -> Steps:
    changes = records.parse_changes((yield from _read(call)))
    return reply((yield from _ask({"do": "change", "id": call.key, "changes": changes})))


def _rotate(call: _Call) -> Steps:
    grace = records.parse_grace((yield from _read(call)))
    view = yield from _ask({"do": "rotate", "id": call.key, "grace_seconds": grace})
    return _with_secret(call.config, view, view.pop("generation"))


def _delete(call: _Call) -> Steps:
    yield from _ask({"do": "change", "id": call.key, "changes": {"deleted": True}})
    return reply({"id": call.key, "deleted": True})


def _with_secret(config: Config, view: Json, generation: int, status: int = 200) -> Reply:
    """A key with its secret, which is shown only in this answer."""
    proven = proof.Proven(view["id"], generation, view["limits"]["strict"])
    return reply({**view, "secret": proof.make(config.key_secret, proven)}, status)


# Usage


class _Span(NamedTuple):
    """The days and the form that a call asks for."""

    first: str
    last: str
    is_csv: bool
    key: str | None

    @property
    def days(self) -> Json:
        """The days as the ledger takes them."""
        return {"from": self.first, "to": self.last}

    @classmethod
    def of(cls, query: str, now: float) -> "_Span":
        """Decodes a URL's query. Raises ClientError."""
        given = {name: values[-1] for name, values in parse_qs(query[:1000]).items()}
        today = date_of(now)
        first, last = given.get("from", given.get("to", today)), given.get("to", today)
        days = [day_number(it) for it in (first, last)]
        for name, day in zip(("from", "to"), days, strict=True):
            if day is None:
                raise _invalid(name, "it must be a day, such as 2026-11-26.")
        span = (days[1] or 0) - (days[0] or 0)
        if not 0 <= span < _MOST_DAYS:
            raise _invalid("from", f"it must be at most {_MOST_DAYS} days before 'to'.")
        form = given.get("format", "json")
        if form not in {"json", "csv"}:
            raise _invalid("format", "it must be 'json' or 'csv'.")
        return cls(first, last, form == "csv", given.get("key"))


def _usage(call: _Call) -> Steps:
    asked = _Span.of(call.head.query, call.exchange.now)
    of_key = {"key": asked.key} if asked.key else {}
    found = yield from _ask({"do": "usage", **asked.days, **of_key})
    found.pop("key", None)
    running = [
        {"key": key, "name": found["names"].get(key, key), "calls": calls}
        for key, calls in found["running"].items()
    ]
    return _usage_reply(found, asked, call.exchange.now, running=running)


def _usage_reply(found: Json, asked: _Span, now: float, **more: object) -> Reply:
    """Usage in the form that the call asks for."""
    rows = [
        dict(zip(COLUMNS, (day, key, found["names"].get(key, key), *rest), strict=True))
        for day, key, *rest in found["rows"]
    ]
    rows.sort(key=lambda row: (row["day"], row["name"], row["provider"], row["model"]))
    if asked.is_csv:
        name = f"usage-{asked.first}-{asked.last}.csv"
        headers = (
            ("content-type", "text/csv; charset=utf-8"),
            ("content-disposition", f'attachment; filename="{name}"'),
        )
        return Reply(200, headers, _csv(rows).encode())
    answer = {"object": "usage", "from": asked.first, "to": asked.last, "now": now, "data": rows}
    return reply({**answer, **({"key": found["key"]} if "key" in found else {}), **more})


def _csv(rows: list[Json]) -> str:
    """The rows as CSV (RFC 4180)."""
    lines = [",".join(COLUMNS)]
    lines += [",".join(_cell(row[name]) for name in COLUMNS) for row in rows]
    return "\r\n".join([*lines, ""])


def _cell(value: object) -> str:
    """A value for a CSV cell, in quotes if it needs them.

    A text that a spreadsheet would read as a formula gets a `'` before it.
    """
    text = str(value)
    if isinstance(value, str) and text[:1] in {"=", "+", "-", "@"}:
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if set(text) & set('",\r\n') else text


# Helpers


def _read(call: _Call) -> Generator[Step, Any, object]:
    """The call's body as JSON; without a body an empty object. Raises ClientError."""
    body: bytes | Failure = yield ReadBody(MAX_BODY_BYTES, BODY_SECONDS, BODY_SECONDS)
    if body is Failure.SIZE:
        message = f"The body is larger than {MAX_BODY_BYTES} bytes."
        raise ClientError(413, "request_too_large", message)
    if isinstance(body, Failure):
        raise ClientError(408, "request_timeout", "The request's body did not come whole.")
    try:
        return json.decode(body) if body else {}
    except ValueError:
        raise ClientError(400, "invalid_json", "The body must be a JSON object.") from None


def _ask(message: Json) -> _LedgerSteps:
    """The ledger's answer to `message`. Raises ApiError."""
    outcome: bytes | Failure = yield AskLedger(json.encode({"v": 1, **message}), ASKING_SECONDS)
    if isinstance(outcome, Failure):
        message_ = "The ledger of keys did not answer; try again."
        headers = (("retry-after", str(_RETRY_AFTER)),)
        raise ApiError(503, "ledger_unavailable", message_, headers=headers)
    found = json.decode_object(outcome)
    if error := found.get("error"):
        raise ClientError(error["status"], error["code"], error["message"], param=error["param"])
    return found


def _invalid(name: str, why: str) -> ClientError:
    return ClientError(400, "invalid_value", f"Invalid '{name}': {why}", param=name)


_Act = Callable[[_Call], Steps]
_ROUTES: dict[tuple[str, ...], dict[str, _Act]] = {
    ("keys",): {"GET": _list, "POST": _make},
    ("keys", "*"): {"GET": _get, "PATCH": _change, "DELETE": _delete},
    ("keys", "*", "rotate"): {"POST": _rotate},
    ("usage",): {"GET": _usage},
}
"""The calls, by the parts of the path after `/admin`; `*` stands for a key's id."""


def _shape(parts: list[str]) -> tuple[str, ...]:
    return tuple("*" if at == 1 else part for at, part in enumerate(parts))
