"""The conformance table is right: each row names something that exists and is run."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.scenarios import refused, scenarios

ROOT = Path(__file__).parents[1]
TABLE: dict[str, dict[str, list[str]]] = tomllib.loads(
    (ROOT / "tests/conformance.toml").read_text()
)
ROWS = [
    pytest.param(pointers, id=f"{section}: {row}")
    for section, rows in TABLE.items()
    for row, pointers in rows.items()
]
FOLDERS = {str(scenario) for scenario in [*scenarios(), *refused()]}
TESTS = sorted(
    {each for rows in TABLE.values() for row in rows.values() for each in row if "::" in each}
)


def test_every_part_of_the_mapping_has_its_rows() -> None:
    numbers = [section.split()[0] for section in TABLE]
    assert numbers == [*(f"1.{n}" for n in range(1, 7)), *(f"2.{n}" for n in range(1, 5)), "5"]
    assert all(TABLE.values())


def test_every_trap_has_its_row() -> None:
    numbers = [int(row.split()[0]) for row in TABLE["5 Traps"]]
    assert numbers == list(range(1, 26))


@pytest.mark.parametrize("pointers", ROWS)
def test_a_row_points_at_tests_or_folders(pointers: list[str]) -> None:
    assert pointers, "nothing shows that this row holds"
    assert [each for each in pointers if "::" not in each and each not in FOLDERS] == []
    assert len(set(pointers)) == len(pointers)


def test_every_test_in_the_table_is_collected() -> None:
    names = [f"tests/{test}" for test in TESTS]
    without = ("-p", "no:cacheprovider", "-p", "no:schemathesis")
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", *without]
    done = subprocess.run(
        [*collect, *names], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}
    assert collected == set(names)
