"""Puts every kind of junk into every place of a JSON value.

It knows nothing of requests and answers, only where the places of a value are, and what does not
belong there.
"""

import ast
import contextlib
import pathlib
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import pytest
from typing_extensions import override

from xtrix import json

_SOURCE = pathlib.Path(__file__).parents[1] / "src/xtrix"
Path = tuple[int | str, ...]
"""The way from a value's root to one of its places."""


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


JUNK: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "1": 1,
    "-1": -1,
    "0.5": 0.5,
    "1e308": 1e308,
    "10**30": 10**30,
    '""': "",
    '" "': " ",
    '"x"': "x",
    '"type"': "type",
    '"xx…"': "x" * 3_000,
    "[]": [],
    "[0]": [0],
    "[null]": [None],
    "[[]]": [[]],
    "[{}]": [{}],
    "{}": {},
    '{"x":{}}': {"x": {}},
    '{"type":{}}': {"type": {}},
    '{"type":[]}': {"type": []},
    '{"type":"x"}': {"type": "x"},
    "[[[…]]]": _nested(40),
}
"""By the name under which a report shows it. Long enough, and deep enough, to be cut or refused;
what is too long or too deep to be handled at all has tests of its own."""


_READ_ELSEWHERE = {
    *("keys", "admin.py", "metering.py", "archive.py", "store.py"),
    *("config.py", "rows.py", "endpoints.py", "telemetry.py"),
}
"""What reads the ledger's messages, what is kept, the operator's calls or the configuration."""


def _names_read() -> set[str]:
    """Every field name that the code reads from a request or an answer."""
    names = set()
    for path in _SOURCE.rglob("*.py"):
        if _READ_ELSEWHERE & set(path.relative_to(_SOURCE).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(ast.Attribute(attr="get" | "pop"), [ast.Constant(str(name)), *_]):
                    names.add(name)
                case ast.Subscript(slice=ast.Constant(str(name))):
                    names.add(name)
    return {name for name in names if re.fullmatch(r"[a-z_]+", name)}


FIELDS_READ = sorted(_names_read())
"""Also those that no golden folder has."""


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in `value`, its root first."""
    yield path
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(below, (*path, key))


def at(value: Any, path: Path) -> Any:
    """The value at `path`."""
    for key in path:
        value = value[key]
    return value


def put(value: Any, path: Path, new: Any) -> Any:
    """A copy of `value` with `new` at `path`, which may not exist yet."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    copy: Any = value.copy()
    copy[key] = put(value[key], rest, new) if rest else new
    return copy


def spelled(path: Path) -> str:
    """`path` as one would write it in JavaScript."""
    steps = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return "".join(steps).removeprefix(".") or "the whole"


def kind_of(value: Any, path: Path) -> tuple[str, ...]:
    """The kind of a place, wherever it is: the names on the way to it, and their types."""
    kind = []
    for key in path:
        of = value.get("type") if isinstance(value, dict) else None
        kind.append(f"{of if isinstance(of, str) else ''}.{key if isinstance(key, str) else '#'}")
        value = value[key]
    return tuple(kind)


K = TypeVar("K")


def swept(values: Iterable[tuple[K, Any]], *, everywhere: bool) -> dict[K, list[Path]]:
    """By key, the places in its value in which junk is to be tried; a key without any is left out.

    These are all places, `everywhere`, or one of each kind: the first. Two places are of one kind
    if the names on the way to them are the same, whatever the numbers between, with the same `type`
    beside each name; and if what stands there is of the same JSON type, or an object of the same
    `type`.
    """
    seen: set[tuple[str, ...]] = set()
    found: dict[K, list[Path]] = {}
    for key, value in values:
        for path in places(value):
            kind = (*kind_of(value, path), _type_of(at(value, path)))
            if everywhere or kind not in seen:
                seen.add(kind)
                found.setdefault(key, []).append(path)
    return found


def _type_of(value: Any) -> str:
    return str(value.get("type")) if isinstance(value, dict) else type(value).__name__


def foreign_fields(
    value: dict[str, Any], junk: Sequence[Any], number: int, *, thorough: bool
) -> Iterator[tuple[str, Any]]:
    """The fields that are read somewhere and are not in `value`, with junk in them.

    All junk is tried in each, where it is `thorough`, or one kind: another in the next field, and
    another in the object of the next `number`. So every field is tried in every object, and every
    kind of junk in every field and in every object, but not each in each of the others.
    """
    for place, name in enumerate(FIELDS_READ):
        if name not in value:
            for each in junk if thorough else [junk[(place + number) % len(junk)]]:
                yield name, each


class Case(NamedTuple):
    """One thing that was tried."""

    name: str
    """Of what was mutated."""
    path: Path
    junk: Any
    how: str = "whole and streamed"

    @override
    def __str__(self) -> str:
        junk = json.encode(self.junk)
        shown = junk if len(junk) < 40 else f"{junk[:30]}…"
        return f"{self.name}, {self.how}: {spelled(self.path)} = {shown}"


class Complaints:
    """Collects what goes wrong in a sweep, because one fault shows in a hundred cases."""

    def __init__(self) -> None:
        self._cases: dict[str, list[Case]] = {}

    @contextlib.contextmanager
    def about(self, case: Case) -> Iterator[None]:
        """Records an exception of the block as a complaint about `case`."""
        try:
            yield
        except Exception as error:
            self._cases.setdefault(_summary(error), []).append(case)

    def raise_if_any(self) -> None:
        """Fails with each different complaint and a few of its cases."""
        told = [
            f"{len(cases)} x {what}\n" + "".join(f"    {case}\n" for case in cases[:_SHOWN])
            for what, cases in self._cases.items()
        ]
        if told:
            pytest.fail("\n".join(told), pytrace=False)


_SHOWN = 3


def _summary(error: Exception) -> str:
    if isinstance(error, AssertionError):
        return str(error).splitlines()[0]
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (in {pathlib.Path(last.filename).name}:{last.lineno})"
