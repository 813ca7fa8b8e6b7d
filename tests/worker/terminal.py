"""Runs a program in a terminal of its own, and reads its output until an awaited text comes.

It knows terminals and processes, and nothing of what is run in them.
"""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 60.0
"""Seconds that processes may take to end. They take a fraction of one; test machines are busy."""

# Makes the terminal the controlling one, so that Ctrl-C and closing it reach what runs in it.
START = (
    f"import fcntl, os, sys; fcntl.ioctl(0, {termios.TIOCSCTTY}, 0);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)

OF_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}


def _own_environment() -> dict[str, str]:
    """Returns the environment of a new shell, without the settings of a `make` that runs the
    tests.
    """
    return {name: value for name, value in os.environ.items() if name not in OF_MAKE}


class Terminal:
    """A program in a terminal. At the end of the block its processes are killed."""

    def __init__(self, *command: str, cwd: Path, **settings: str) -> None:
        self._screen, inside = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *command],
            cwd=cwd,
            env={**_own_environment(), **settings},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        self._known = {self.process.pid}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._screen)

    def read_until(self, words: str) -> str:
        """Returns what is printed up to `words`, or up to the end."""
        text = b""
        while not re.search(re.escape(words).encode(), text):
            data = self._read()
            if not data:
                break
            text += data
        return text.decode().replace("\r\n", "\n")

    def read(self) -> str:
        """Returns what is printed until every program has left the terminal."""
        text = b""
        while data := self._read():
            text += data
        return text.decode().replace("\r\n", "\n")

    def press_ctrl_c(self) -> None:
        """Does what the key does: the terminal sends SIGINT to what runs in the foreground."""
        os.write(self._screen, b"\x03")

    def close(self) -> None:
        """Does what closing the window does: the terminal sends SIGHUP."""
        os.close(self._screen)

    def family(self) -> dict[int, str]:
        """Returns the processes that were started, however deep, and are running: id and command.

        A process whose parent has ended is known only if this was called before.
        """
        running = _running()
        known = 0
        while known != len(self._known):
            known = len(self._known)
            self._known |= {pid for pid, (parent, _) in running.items() if parent in self._known}
        return {pid: running[pid][1] for pid in self._known if pid in running}

    def survivors(self) -> dict[int, str]:
        """Returns the processes that still run when they have had their time to end."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not self.family():
                return {}
        return self.family()

    def _read(self) -> bytes:
        try:
            return os.read(self._screen, 4096)
        except OSError:  # nobody has the terminal any more
            return b""


def _running() -> dict[int, tuple[int, str]]:
    """Returns parent and command of every process, except of those that have ended and wait for
    their parent.
    """
    table = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,command="],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split(maxsplit=3) for line in table.stdout.splitlines())
    return {
        int(pid): (int(parent), command)
        for pid, parent, state, command in (row for row in rows if len(row) == 4)
        if not state.startswith("Z")
    }
