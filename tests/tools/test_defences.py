"""The list of defences fits the code and the tests, and covers the table of docs/reliability.md.

`make defences` shows that the tests fail without them, which takes many minutes.
"""

import subprocess
from collections.abc import Iterator

import pytest

from tests.worker.faults import FAULTS, Fault
from tests.worker.report import PROMISES
from tools import defences, paths

LISTED = defences.load()
NAMED = {test for defence in LISTED for test in defence.tests}
PROMISED = {test for promises in PROMISES.values() for _, test in promises.values()}


def names_of(listed: list[defences.Defence]) -> list[str]:
    return [defence.name for defence in listed]


@pytest.mark.parametrize("defence", LISTED, ids=names_of(LISTED))
def test_a_defence_stands_in_the_code_once(defence: defences.Defence) -> None:
    for cut in defence.cuts:
        source = paths.ROOT / "src" / cut.file
        assert cut.made_in(source.read_text()) != source.read_text()


def test_every_defence_has_a_name_of_its_own_and_a_test() -> None:
    assert len(set(names_of(LISTED))) == len(LISTED)
    assert all(defence.tests for defence in LISTED)


def test_the_tests_named_exist() -> None:
    assert NAMED - set(collected({test.partition("::")[0] for test in NAMED})) == set()


def collected(files: set[str]) -> Iterator[str]:
    """Every test that pytest finds in these files."""
    command = [str(paths.PYTHON), "-m", "pytest", "--collect-only", "-q", "-o", "addopts="]
    done = subprocess.run(
        [*command, "--import-mode=importlib", *sorted(files)],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return (line for line in done.stdout.splitlines() if "::" in line)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_of_an_upstream_falls_to_a_defence(fault: Fault) -> None:
    prefix = "tests/worker/test_faults.py::test_fault["
    assert any(
        test.startswith(prefix) and test.partition("-")[2].startswith(f"{fault.name}, ")
        for test in NAMED
    )


@pytest.mark.parametrize("test", sorted(PROMISED))
def test_every_promise_falls_to_a_defence(test: str) -> None:
    """Except for promises that the platform keeps: the list names them."""
    proven = {name.partition("[")[0] for name in NAMED}
    kept_by_others = set(defences.undefended())
    assert f"tests/worker/{test}" in proven ^ kept_by_others
