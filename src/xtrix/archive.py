"""Keeps one client's responses in SQLite, and answers requests for them.

A message is lines of JSON: first an object that says what to do, then texts that are stored or
returned unchanged. Each client key has a Durable Object with this code, so that no client can reach
another's responses. Where the statements run, what time it is, and what an item means apart from
its id, is not known here.
"""

from collections.abc import Callable, Iterator
from typing import Any

from xtrix import json
from xtrix.json import Json

Execute = Callable[..., list[list[Any]]]
"""Runs a statement with its values, and returns its rows. No value may be NULL, because Python's
None and JavaScript's null differ."""

PIECE = 400_000
"""The most characters in a row. SQLite in a Durable Object has rows of at most 2 MB, and a
character may take four bytes (developers.cloudflare.com/durable-objects/platform/limits, read
2026-11)."""

_SHORTEST_ALARM = 60.0
"""The least seconds between two alarms. What has expired cannot be read any more, even before an
alarm deletes it."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS responses"
    " (id TEXT PRIMARY KEY, previous TEXT, expires REAL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS texts (id TEXT, kind TEXT, piece INTEGER, text TEXT,"
    " PRIMARY KEY (id, kind, piece)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS items"
    " (id TEXT PRIMARY KEY, response TEXT, kind TEXT, place INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS items_of ON items (response)",
    "CREATE TABLE IF NOT EXISTS alarm (due REAL)",
)
_OF_A_RESPONSE = (
    "DELETE FROM texts WHERE id = ?",
    "DELETE FROM items WHERE response = ?",
    "DELETE FROM responses WHERE id = ?",
)


class _Full(Exception):
    """More characters were asked for than the limit allows."""


class Archive:
    """The responses of one client."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self.alarm: float | None = None
        """When `ring` must be called next, in Unix seconds; None if that has not changed."""

    def call(self, text: str, now: float) -> str:
        """Answers a message: with lines, the first of which is an object."""
        head, _, rest = text.partition("\n")
        message = json.decode_object(head)
        if message["do"] == "keep":
            return self._keep(message, rest, now)
        if not self._execute("SELECT 1 FROM sqlite_master WHERE name = 'alarm'"):
            return _NOTHING  # without kept responses there are no tables either
        return _CALLS[message["do"]](self, message, now)

    def ring(self, now: float) -> None:
        """Deletes what has expired, and sets the next alarm."""
        over = self._execute("SELECT id FROM responses WHERE expires <= ?", now)
        for (response,) in over:
            self._delete(response)
        ((first,),) = self._execute("SELECT coalesce(min(expires), 0) FROM responses")
        self._execute("DELETE FROM alarm")
        if first:
            self._wake(max(first, now + _SHORTEST_ALARM))

    def _wake(self, due: float) -> None:
        self.alarm = due
        self._execute("DELETE FROM alarm")
        self._execute("INSERT INTO alarm VALUES (?)", due)

    # Messages

    def _keep(self, message: Json, rest: str, now: float) -> str:
        """Keeps a response. `rest` is its object, and a line with the list of its input."""
        del now
        for statement in _TABLES:
            self._execute(statement)
        body, _, given = rest.partition("\n")
        response = json.decode_object(body)
        output = response.pop("output")
        name, expires = response["id"], message["expires"]
        self._execute(
            "INSERT OR REPLACE INTO responses VALUES (?, ?, ?)",
            *(name, message["previous"] or "", expires),
        )
        for kind, text in (
            ("response", json.encode_line(response)),
            ("output", json.encode_line(output)),
            ("input", given),
        ):
            self._write(name, kind, text)
        for kind, items in (("input", json.decode(given)), ("output", output)):
            for place, item in enumerate(items):
                if isinstance(item, dict) and not _reference(item) and _id(item):
                    self._execute(
                        "INSERT OR IGNORE INTO items VALUES (?, ?, ?, ?)",
                        *(_id(item), name, kind, place),
                    )
        due = self._execute("SELECT due FROM alarm")
        if not due or expires < due[0][0]:
            self._wake(expires)
        return _FOUND

    def _read(self, message: Json, now: float) -> str:
        """Returns a `response`, or its `input` with the items that this refers to."""
        name = message["id"]
        if not self._is_there(name, now):
            return _NOTHING
        if message["kind"] == "input":
            return self._input(name, _Shelf(self, now, message["limit"]))
        head, output = self._text(name, "response"), self._text(name, "output")
        return f'{_FOUND}\n{head[:-1]},"output":{output}}}'

    def _input(self, name: str, shelf: "_Shelf") -> str:
        """The input of a response. References to deleted items stay references."""
        items = []
        try:
            for item in shelf.items(name, "input"):
                try:
                    items.append(shelf.item(item))
                except KeyError:
                    items.append(item)
        except _Full:
            return _LARGE
        return f"{_FOUND}\n{json.encode_line(items)}"

    def _delete_one(self, message: Json, now: float) -> str:
        if not self._is_there(message["id"], now):
            return _NOTHING
        self._delete(message["id"])
        return _FOUND

    def _recall(self, message: Json, now: float) -> str:
        """Returns all items of the conversation up to `previous`, and each of `items` by its id.

        The first line says which id is `missing`, or that the result is `large`: more than `limit`
        characters.
        """
        shelf = _Shelf(self, now, message["limit"])
        try:
            chain = self._chain(message["previous"], now)
            items = [
                shelf.item(item)
                for name in chain
                for kind in ("input", "output")
                for item in shelf.items(name, kind)
            ]
            named = {name: shelf.item({"id": name}) for name in message["items"]}
        except KeyError as missing:
            return json.encode({"missing": missing.args[0]})
        except _Full:
            return _LARGE
        return f"{_FOUND}\n{json.encode_line(items)}\n{json.encode_line(named)}"

    # Rows

    def _chain(self, last: str | None, now: float) -> list[str]:
        """The responses of the conversation up to `last`, the oldest first. Raises KeyError."""
        chain: list[str] = []
        while last:
            found = self._execute(
                "SELECT previous FROM responses WHERE id = ? AND expires > ?", last, now
            )
            if not found:
                raise KeyError(last)
            chain.append(last)
            last = found[0][0]
        return chain[::-1]

    def _is_there(self, name: str, now: float) -> bool:
        where = "SELECT 1 FROM responses WHERE id = ? AND expires > ?"
        return bool(self._execute(where, name, now))

    def _delete(self, name: str) -> None:
        for statement in _OF_A_RESPONSE:
            self._execute(statement, name)

    def _write(self, name: str, kind: str, text: str) -> None:
        self._execute("DELETE FROM texts WHERE id = ? AND kind = ?", name, kind)
        for number, start in enumerate(range(0, len(text), PIECE)):
            piece = text[start : start + PIECE]
            self._execute("INSERT INTO texts VALUES (?, ?, ?, ?)", name, kind, number, piece)

    def _text(self, name: str, kind: str) -> str:
        pieces = self._execute(
            "SELECT text FROM texts WHERE id = ? AND kind = ? ORDER BY piece", name, kind
        )
        return "".join(piece for (piece,) in pieces)

    def where(self, item: str, now: float) -> tuple[str, str, int]:
        """The response, kind and place of an item. Raises KeyError."""
        found = self._execute("SELECT response, kind, place FROM items WHERE id = ?", item)
        if not found or not self._is_there(found[0][0], now):
            raise KeyError(item)
        response, kind, place = found[0]
        return response, kind, int(place)

    def list_of(self, name: str, kind: str) -> tuple[list[Any], int]:
        """The items of a response, and how many characters they have."""
        text = self._text(name, kind)
        return json.decode(text), len(text)


class _Shelf:
    """The texts that one message reads: each is read once, and all of them up to a limit."""

    def __init__(self, archive: Archive, now: float, limit: int) -> None:
        self._archive = archive
        self._now = now
        self._left = limit
        self._read: dict[tuple[str, str], list[Any]] = {}

    def items(self, name: str, kind: str) -> list[Any]:
        """The items of a response. Raises _Full."""
        found = self._read.get((name, kind))
        if found is None:
            found, size = self._archive.list_of(name, kind)
            self._left -= size
            if self._left < 0:
                raise _Full
            self._read[name, kind] = found
        return found

    def item(self, item: Any) -> Any:
        """`item`, or the item that it refers to. Raises KeyError and _Full."""
        name = _reference(item)
        if name is None:
            return item
        response, kind, place = self._archive.where(name, self._now)
        return self.items(response, kind)[place]


_CALLS: dict[str, Callable[[Archive, Json, float], str]] = {
    "read": Archive._read,
    "delete": Archive._delete_one,
    "recall": Archive._recall,
}
_FOUND = '{"found":true}'
_NOTHING = '{"found":false}'
_LARGE = '{"found":false,"large":true}'


def _id(item: Json) -> str | None:
    item_id = item.get("id")
    return item_id if isinstance(item_id, str) and item_id else None


def _reference(item: Any) -> str | None:
    """The id that `item` refers to; None if it is an item itself."""
    if not isinstance(item, dict) or item.get("type") not in {"item_reference", None}:
        return None
    return _id(item) if item.keys() <= {"type", "id"} else None


# Messages and answers as values


def keep(body: str, given: str, previous: str | None, expires: float) -> str:
    """The message that keeps the response `body` with the list `given` of its input, both JSON."""
    head = {"do": "keep", "previous": previous, "expires": expires}
    return "\n".join((json.encode(head), body, given))


def recall(previous: str | None, items: Iterator[str], limit: int) -> str:
    """The message that asks for the conversation so far, and for items."""
    head = {"do": "recall", "previous": previous, "items": [*items], "limit": limit}
    return json.encode(head)


def read(name: str, kind: str, limit: int) -> str:
    """The message that asks for a `response` or its `input`."""
    return json.encode({"do": "read", "id": name, "kind": kind, "limit": limit})


def delete(name: str) -> str:
    """The message that deletes a response."""
    return json.encode({"do": "delete", "id": name})


def decode(answer: bytes) -> tuple[Json, list[str]]:
    """Decodes an answer: its first line, and the texts after it."""
    head, *texts = answer.decode().split("\n")
    return json.decode_object(head), texts
