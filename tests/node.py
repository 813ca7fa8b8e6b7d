"""Runs a JavaScript module of the Worker in a Node process, to which tests talk line by line."""

import atexit
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tools import paths


class Node:
    """A program that reads values as lines of JSON and answers with such lines."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [str(paths.NODE), str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        atexit.register(self._end)

    def write(self, value: object) -> None:
        """Sends it a value."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def read(self) -> Any:
        """Returns the next value that it sends."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the program failed; what it said is above"
        return json.loads(line)

    def ask(self, value: object) -> Any:
        """Sends it a value and returns the one that it answers with."""
        self.write(value)
        return self.read()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()


@cache
def running(program: Path) -> Node:
    """The program, which runs until the tests have ended."""
    return Node(program)
