"""Fills the tables of README.md from what the tests and the benchmarks keep.

A table that is written by hand goes stale. Each stands between two marks, `<!-- name -->` and
`<!-- /name -->`, and is made anew here.

    python -m tools.readme            writes README.md
    python -m tools.readme --check    exits 1 when a table is stale
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.fixtures import table
from tests.worker import report
from tools import paths

FILE = paths.ROOT / "README.md"
SPEED = paths.ROOT / "bench" / "results" / "latest.md"


def text() -> str:
    """Returns README.md with its tables made anew."""
    readme = FILE.read_text()
    for name, make in _TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = readme.partition(begin)
        _, mark, after = rest.partition(end)
        if not mark:
            raise SystemExit(f"README.md must have the marks of '{name}'")
        readme = f"{before}{begin}{make()}\n{end}{after}"
    return readme


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content.strip()}\n\n</details>"


def _conformance() -> str:
    return _folded(
        "Every scenario, by dialect, and where it came from",
        table.conformance("tests/fixtures/"),
    )


def _faults() -> str:
    return _folded("Every fault, what the client sees, and the test that proves it", report.table())


_TABLES: dict[str, Callable[[], str]] = {
    "faults": _faults,
    "conformance": _conformance,
    "speed": lambda: SPEED.read_text().strip(),
}


def main(arguments: list[str]) -> int:
    """Writes or checks the file."""
    made = text()
    if arguments == ["--check"]:
        fresh = FILE.read_text() == made
        if not fresh:
            print("README.md is stale: run `make format`", file=sys.stderr)
        return 0 if fresh else 1
    FILE.write_text(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
