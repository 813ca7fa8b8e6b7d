"""Runs the two programs beside a rival: the upstream that it calls, and the clients that call it.

Both run in Node, in processes of their own, so that their work is not counted and does not disturb.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tools import paths

_HERE = Path(__file__).parent


class Seen(NamedTuple):
    """What the clients saw of one load."""

    seconds: float
    """How long it took."""
    requests: int
    failed: int
    """Answers that were not what they should be."""
    pieces: int
    """Pieces in which the bodies came."""
    first: list[float]
    """Milliseconds until the first piece of each answer."""
    delays: list[float]
    """Milliseconds from the writing of each stamped event until a client had it."""
    answer: str
    """One of the failed answers."""


class Clients:
    """The clients: one load at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, load: dict[str, Any]) -> Seen:
        """Runs `load`, whose fields load.mjs explains, to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(load) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the clients ended; what they said is above")
        return Seen(**json.loads(line))


@contextlib.contextmanager
def upstream() -> Iterator[str]:
    """Runs the upstream until the block ends; gives its URL."""
    with _program("upstream.mjs") as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


@contextlib.contextmanager
def clients() -> Iterator[Clients]:
    """Runs the clients until the block ends."""
    with _program("load.mjs") as process:
        yield Clients(process)


@contextlib.contextmanager
def _program(name: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [str(paths.NODE), str(_HERE / name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us, who end them
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
