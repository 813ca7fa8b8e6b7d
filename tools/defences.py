"""Shows that the tests notice if a defence of the Worker is missing.

`tests/defences.toml` names each defence, its text in src/, and the tests that prove it. This
program takes each defence out of a copy of the project, and then its tests must fail. First all
tests must pass in a copy without changes.

    python -m tools.defences             every defence
    python -m tools.defences redirect    those with "redirect" in their name

Exits 1 when a test still passes without its defence, or when a text is not in its file once.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tools import paths

FILE = paths.ROOT / "tests" / "defences.toml"
AT_ONCE = 2
NICE = 10
"""The priority of the runs, which is lower than that of other work."""
TEST_SECONDS = 300
"""The most seconds for a test. It is long because other work goes first."""

COPIED = ("src", "tests", "tools", "pyproject.toml", "wrangler.toml")
MADE = (".venv", ".cache", "node_modules", "python_modules")
_NEVER_COPIED = shutil.ignore_patterns("__pycache__", ".mypy_cache")
_LONGEST_REASON = 90


class TextError(Exception):
    """A cut does not fit its file. The message says which and why."""


class Cut(NamedTuple):
    """A change of one file."""

    file: str
    """Below src/."""
    old: str
    new: str

    def made_in(self, source: str) -> str:
        """Returns the file's text with the change.

        Raises:
            TextError: `old` does not stand in it exactly once.
        """
        count = source.count(self.old)
        if count != 1:
            raise TextError(f"src/{self.file} has this {count} times, not once: {self.old!r}")
        return source.replace(self.old, self.new)


class Defence(NamedTuple):
    """Something that protects the client or the operator, and the tests that prove it."""

    name: str
    cuts: tuple[Cut, ...]
    """The changes that take it out. There are several if one part alone would still protect."""
    tests: tuple[str, ...]
    """The ids of tests, each of which must fail without it."""


class Run(NamedTuple):
    """The result of some tests."""

    failed: dict[str, str]
    """The names of the tests that failed, and how, in a few words."""
    trouble: str
    """Why the tests could not be run; empty if they were."""


def load() -> list[Defence]:
    """Reads `FILE`."""
    return [
        Defence(
            entry["name"],
            tuple(
                Cut(cut["file"], cut["old"], cut["new"]) for cut in (entry, *entry.get("also", ()))
            ),
            tuple(entry["tests"]),
        )
        for entry in tomllib.loads(FILE.read_text())["defence"]
    ]


def undefended() -> dict[str, str]:
    """Reads from `FILE` the tests of promises that no line of ours keeps, and what does."""
    listed: dict[str, str] = tomllib.loads(FILE.read_text())["undefended"]
    return listed


def copy_project(folder: Path, cuts: Sequence[Cut] = ()) -> None:
    """Copies what the tests need into `folder`, with these cuts.

    Raises:
        TextError: A cut does not fit.
    """
    for name in COPIED:
        source = paths.ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_NEVER_COPIED)
        else:
            shutil.copy(source, folder / name)
    for name in MADE:
        (folder / name).symlink_to(paths.ROOT / name)
    for cut in cuts:
        path = folder / "src" / cut.file
        path.write_text(cut.made_in(path.read_text()))


def run(tests: Sequence[str], cuts: Sequence[Cut] = ()) -> Run:
    """Runs these tests in a copy of the project with these cuts.

    Raises:
        TextError: A cut does not fit.
    """
    with tempfile.TemporaryDirectory(prefix="defence-") as name:
        folder = Path(name).resolve()
        copy_project(folder, cuts)
        report = folder / "report.xml"
        command = ["nice", "-n", str(NICE), str(paths.PYTHON), "-m", "pytest", "-q"]
        command += ["-o", f"timeout={TEST_SECONDS}", f"--junitxml={report}", *tests]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if not report.exists():
            return Run({}, _short(done.stdout + done.stderr))
        return _outcome(ElementTree.parse(report).iter("testcase"))


def _outcome(cases: Iterator[ElementTree.Element]) -> Run:
    """The result of each test. A test whose set-up failed has proved nothing."""
    failed: dict[str, str] = {}
    trouble = ""
    for case in cases:
        for fault in case:
            message = fault.get("message", "")
            if fault.tag == "failure" or "failed on teardown" in message:
                failed.setdefault(case.get("name", ""), _short(message))
            elif fault.tag in {"error", "skipped"}:
                trouble = _short(message)
    return Run(failed, trouble)


def verdict(defence: Defence) -> tuple[bool, str]:
    """Takes the defence out. Returns whether its tests fail then, and how, or what is wrong.

    A test's name is the last part of its id. The file's name adds nothing to it.
    """
    try:
        seen = run(defence.tests, defence.cuts)
    except TextError as error:
        return False, str(error)
    unmoved = [test for test in defence.tests if test.partition("::")[2] not in seen.failed]
    if seen.trouble and unmoved:
        return False, f"cannot be run: {seen.trouble}"
    if unmoved:
        return False, "passes all the same: " + "; ".join(unmoved)
    return True, next(iter(seen.failed.values()))


def _check_untouched(tests: Sequence[str]) -> tuple[bool, str]:
    seen = run(list(dict.fromkeys(tests)))
    faults = [seen.trouble] if seen.trouble else []
    faults += [f"{test} ({how})" for test, how in seen.failed.items()]
    return not faults, "; ".join(faults) or "they pass"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST_REASON else words[:_LONGEST_REASON] + " …"


def main(words: list[str]) -> int:
    """Takes out all defences, two at a time, and prints each result."""
    chosen = [it for it in load() if not words or any(word in it.name for word in words)]
    if not chosen:
        print(f"defences: none is named like {' or '.join(words)}", file=sys.stderr)
        return 1
    began = time.monotonic()
    results = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tests = [test for defence in chosen for test in defence.tests]
        runs = {pool.submit(_check_untouched, tests): "(nothing taken out)"}
        runs |= {pool.submit(verdict, defence): defence.name for defence in chosen}
        for done in as_completed(runs):
            good, how = done.result()
            results.append(good)
            print(f"{'ok' if good else 'NOT SEEN':8} {runs[done]}: {how}", flush=True)
    minutes = (time.monotonic() - began) / 60
    print(f"{results.count(True)} of {len(results)} as they must be, in {minutes:.0f} min")
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
