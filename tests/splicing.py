"""Sends a stream through `splice.js`, run by Node, and the core's Reframer, as the shell does.

The real module runs in a process that all tests share. Pieces that come before the core has learnt
a template go directly to the core, as `splice.js` would pass them on. Most pieces are of this kind.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests import node
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
        """The frames for `pieces`. Tells the core how many texts were moved, as the shell does."""
        frames = ""
        for at, piece in enumerate(pieces):
            if self._reframer.template is not None:
                return frames + self._splice(pieces[at:])
            frames += self._give(piece)
        return frames

    def close(self) -> str:
        """The last frames."""
        return self._all(self._reframer.close())

    def _splice(self, pieces: Sequence[str]) -> str:
        program = node.running(_PROGRAM)
        program.write([pieces, self._secrets, self._reframer.template, self._between])
        while True:
            match program.read():
                case ["feed", texts]:
                    frames = "".join([self._give(text) for text in texts])
                case ["moved", count, text]:
                    self._reframer.moved(count, text)
                    frames = ""
                case ["done", frames]:
                    return str(frames)
            program.write([frames, self._reframer.template])

    def _give(self, text: str) -> str:
        if text:
            self._between = text.endswith(("\n\n", "\n\r\n"))
        return self._all(self._reframer.feed(text))

    def _all(self, frames: str) -> str:
        while self._reframer.waits:
            frames += self._reframer.more()
        return frames


def feed(reframer: Reframer, pieces: Iterable[str]) -> str:
    """All frames of a stream that comes in `pieces` and then ends."""
    spliced = Spliced(reframer)
    return spliced.feed(*pieces) + spliced.close()


def splice(template: Template, text: str, secrets: Sequence[str] = ()) -> tuple[str, str, int]:
    """The frames of the events that `text` begins with, the rest of it, and how many they were."""
    program = node.running(_PROGRAM)
    program.write([[text], [*secrets], template, True])
    rest, moved = "", 0
    while True:
        match program.read():
            case ["feed", texts]:
                rest += "".join(texts)
            case ["moved", count, _]:
                moved += count
            case ["done", frames]:
                return frames, rest, moved
        program.write(["", template])
