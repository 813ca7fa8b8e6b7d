"""A stream as the shell has it come: through `splice.js`, run by Node, and the core's Reframer.

The real module, in a process of its own that all tests share. Pieces that come while the core has
learnt no template go to it at once, as `splice.js` would have them go: that is most of them.
"""

import atexit
import json
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tools import paths
from xtrix.reframe import Reframer
from xtrix.template import Template

_PROGRAM = Path(__file__).with_suffix(".mjs")


class Spliced:
    """Feeds a Reframer as `edge.js` does."""

    def __init__(self, reframer: Reframer, secrets: Sequence[str] = ()) -> None:
        self._reframer = reframer
        self._secrets = [*secrets]
        self._between = False

    def feed(self, *pieces: str) -> str:
        """The frames that `pieces` make, one after the other, and what was moved told."""
        frames = ""
        for at, piece in enumerate(pieces):
            if self._reframer.template is not None:
                return frames + self._splice(pieces[at:])
            frames += self._give(piece)
        return frames

    def close(self) -> str:
        """The last frames."""
        return self._reframer.close()

    def _splice(self, pieces: Sequence[str]) -> str:
        node = _node()
        node.write([pieces, self._secrets, self._reframer.template, self._between])
        while True:
            match node.read():
                case ["feed", texts]:
                    frames = "".join([self._give(text) for text in texts])
                case ["moved", count, text]:
                    self._reframer.moved(count, text)
                    frames = ""
                case ["done", frames]:
                    return str(frames)
            node.write([frames, self._reframer.template])

    def _give(self, text: str) -> str:
        if text:
            self._between = text.endswith(("\n\n", "\n\r\n"))
        return self._reframer.feed(text)


def feed(reframer: Reframer, pieces: Iterable[str]) -> str:
    """All frames of a stream that comes in `pieces` and then ends."""
    spliced = Spliced(reframer)
    return spliced.feed(*pieces) + spliced.close()


def splice(template: Template, text: str, secrets: Sequence[str] = ()) -> tuple[str, str, int]:
    """The frames of the events that `text` begins with, the rest of it, and how many they were."""
    node = _node()
    node.write([[text], [*secrets], template, True])
    rest, moved = "", 0
    while True:
        match node.read():
            case ["feed", texts]:
                rest += "".join(texts)
            case ["moved", count, _]:
                moved += count
            case ["done", frames]:
                return frames, rest, moved
        node.write(["", template])


class _Node:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [str(paths.NODE), str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        atexit.register(self._end)

    def write(self, value: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "splice.js failed; what it said is above"
        return json.loads(line)

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()


@cache
def _node() -> _Node:
    return _Node()
