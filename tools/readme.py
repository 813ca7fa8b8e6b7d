"""Writes the tables of the documentation from data of the tests and the benchmarks.

A table that is written by hand gets out of date. Each table is between two marks on its page, `<!--
name -->` and `<!-- /name -->`, and this program writes it anew.

    python -m tools.readme            writes the pages
    python -m tools.readme --check    exits 1 when a table is stale
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.fixtures import table
from tests.worker import overspend, report
from tools import configuration, paths

DOCS = paths.ROOT / "docs"
SPEED = paths.ROOT / "bench" / "results" / "latest.md"

Tables = Mapping[str, Callable[[], str]]


def pages() -> Iterator[tuple[Path, str]]:
    """Yields each page with tables, and its text with new tables."""
    for name, tables in _TABLES.items():
        yield DOCS / name, _filled(DOCS / name, tables)


def _filled(page: Path, tables: Tables) -> str:
    text = page.read_text()
    for name, make in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, mark, after = rest.partition(end)
        if not mark:
            raise SystemExit(f"{page.name} must have the marks of '{name}'")
        text = f"{before}{begin}{make()}\n{end}{after}"
    return text


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content.strip()}\n\n</details>"


def _conformance() -> str:
    return _folded(
        "Every scenario, by dialect, and where it came from",
        table.conformance("../tests/fixtures/"),
    )


_TABLES: dict[str, Tables] = {
    "configuration.md": {
        "variables": configuration.variables,
        "provider": configuration.provider,
        "model": configuration.model,
    },
    "keys.md": {"overspend": overspend.table},
    "reliability.md": {
        "failing over": report.failing,
        "policy": report.policy,
        "faults": report.table,
    },
    "conformance.md": {"conformance": _conformance},
    "performance.md": {"speed": lambda: SPEED.read_text().strip()},
}
"""The tables of each page, by name."""


def main(arguments: list[str]) -> int:
    """Writes or checks the pages."""
    stale = [(page, text) for page, text in pages() if page.read_text() != text]
    if arguments == ["--check"]:
        for page, _ in stale:
            print(f"docs/{page.name} is stale: run `make format`", file=sys.stderr)
        return 1 if stale else 0
    for page, text in stale:
        page.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
