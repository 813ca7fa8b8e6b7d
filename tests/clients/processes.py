"""Runs SDKs in a process of their own: those for Node, and the older ones for Python.

Such a process reads one job from each line of its input, and writes each result as a line.
"""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from tests.clients.sdk import USUAL, Json, Options, Raised, Sdk, Serve
from tools import paths

FOLDER = Path(__file__).parent


class ProcessSdk(Sdk):
    """An SDK in another process."""

    def __init__(self, process: subprocess.Popen[str], forgets: frozenset[str]) -> None:
        self.forgets = forgets
        self._process = process
        self._ids = itertools.count()

    @override
    def do(self, job: str, request: Json = None, options: Options = USUAL) -> Json:
        assert self._process.stdin
        assert self._process.stdout
        number = next(self._ids)
        line = {"id": number, "job": job, "request": request, **options._asdict()}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answers = map(json.loads, self._process.stdout)
        # A test that reached its time limit has left an answer that was not read.
        answer = next(answer for answer in answers if answer["id"] == number)
        if "raised" in answer:
            raise Raised(answer["raised"])
        return answer.get("result")


def node(program: str, package: str) -> Serve:
    """The SDK of that package, as the program beside this file uses it."""
    # It does not add up texts that it does not know.
    forgets = frozenset({"reasoning_content"})
    return lambda url: _started([paths.NODE, FOLDER / program, url, package], {}, forgets)


def older_python(module: str) -> Serve:
    """The SDK of that module, in an earlier version than the one in this process."""
    path = {"PYTHONPATH": f"{paths.OLDER}:{paths.ROOT}"}
    command = [sys.executable, "-m", "tests.clients.python_jobs", module]
    return lambda url: _started([*command, url], path, frozenset())


@contextmanager
def _started(
    command: Sequence[str | Path], environment: Mapping[str, str], forgets: frozenset[str]
) -> Iterator[Sdk]:
    with subprocess.Popen(
        command,
        cwd=paths.ROOT,
        env=dict(environment),  # without the key, organisation or log level of this process
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        yield ProcessSdk(process, forgets)
