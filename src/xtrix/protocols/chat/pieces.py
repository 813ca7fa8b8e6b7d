"""Collects text, JSON and lists that come in pieces."""

import re
from typing import Any

from xtrix import json
from xtrix.prompt import Json

_MARK = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
PIECEWISE = {"reasoning.text": "text", "reasoning.summary": "summary", "thinking": "thinking"}
"""For each type of item that the upstream needs back: the member that comes in pieces. OpenRouter
streams one block as many, with its signature last (github.com/agno-agi/agno/issues/8794, read
2026-11). LiteLLM does so with `thinking_blocks`."""


class Pieces:
    """A text in pieces, some of which are the inside of JSON strings."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def add(self, text: str) -> None:
        """Adds a piece."""
        self._pieces.append(text)

    def add_json(self, inside: str) -> None:
        """Adds a piece, given as the inside of a JSON string."""
        self._pieces.append(json.decode(f'"{inside}"'))

    def take(self) -> str:
        """Returns what was added since the last call."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return text


class Progress:
    """Tells whether a JSON object is whole.

    Each piece is looked at once, when this is first asked.
    """

    def __init__(self) -> None:
        self._new = Pieces()
        self._depth = 0
        self._in_string = False
        self._escape = ""
        self._is_whole = False

    def add(self, text: str) -> None:
        """Adds a piece."""
        self._new.add(text)

    def moved(self, text: str) -> None:
        """Adds a piece, given as the inside of a JSON string."""
        self._new.add_json(text)

    def is_whole(self) -> bool:
        """Whether the last brace has come. What comes after it does not matter."""
        text = self._escape + self._new.take()
        end = 0
        for match in _MARK.finditer(text):
            mark, end = match[0], match.end()
            if mark == '"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._nest(mark)
        # A single backslash at the end belongs to the next piece.
        self._escape = "\\" if text.endswith("\\") and end < len(text) else ""
        return self._is_whole

    def _nest(self, mark: str) -> None:
        if mark in "{[":
            self._depth += 1
        elif mark in "}]":
            self._depth -= 1
            self._is_whole = self._is_whole or self._depth == 0


class Returns:
    """Collects what must go back to the upstream, since the last block of reasoning."""

    def __init__(self, *, keeps_text: bool) -> None:
        """`keeps_text` says that readable reasoning must go back too."""
        self.name = ""
        """The upstream's name of readable reasoning."""
        self._keeps_text = keeps_text
        self._text = Pieces()
        self._lists: dict[str, list[_Item]] = {}

    def reason(self, text: str) -> None:
        """Adds readable reasoning."""
        if self._keeps_text:
            self._text.add(text)

    def moved(self, text: str) -> None:
        """Adds readable reasoning, given as the inside of a JSON string."""
        if self._keeps_text:
            self._text.add_json(text)

    def add(self, name: str, items: list[Json]) -> None:
        """Adds to the list `name`."""
        known = self._lists.setdefault(name, [])
        count = len(known)
        for item in items:
            before = next((each for each in reversed(known[:count]) if each.goes_on(item)), None)
            if before:
                before.add(item)
            else:
                known.append(_Item(item))

    def take(self) -> Json:
        """Returns all of it, as members of the message that it came with."""
        value: Json = {name: [it.value() for it in items] for name, items in self._lists.items()}
        self._lists.clear()
        text = self._text.take()
        return {self.name: text, **value} if text else value


class _Item:
    """An item of a list. Some items come in pieces."""

    def __init__(self, fields: Json) -> None:
        self._member = PIECEWISE.get(str(fields.get("type")), "")
        self._fields = {**fields}
        self._pieces = Pieces()
        self._add_piece(fields)

    def goes_on(self, item: Json) -> bool:
        """Whether `item` is a further piece of this one."""
        is_same = all(item.get(key) == self._fields.get(key) for key in ("type", "index"))
        begins = bool(item.get(self._member)) and bool(self._fields.get("signature"))
        return bool(self._member) and is_same and not begins

    def add(self, item: Json) -> None:
        """Adds a further piece."""
        self._add_piece(item)
        self._fields |= {key: value for key, value in item.items() if value is not None}

    def value(self) -> Json:
        """The item, as in a whole answer."""
        return {**self._fields, self._member: self._pieces.take()} if self._member else self._fields

    def _add_piece(self, item: Json) -> None:
        piece: Any = item.get(self._member)
        if isinstance(piece, str):
            self._pieces.add(piece)
