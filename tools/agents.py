"""Fetches the programs that `make agents` runs: agents, and others too large for `make setup`.

They are clients of this gateway, or servers that it tells of itself, and weigh 1.5 GB. The tests of
each fetch it when they begin: where one cannot be had its tests say so, and the others' still run.
What is fetched is named by exact version and by hash in the folder of the program. It knows nothing
of what the programs do.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools import paths, vendor

WANTED = paths.ROOT / "tests" / "agents" / "packages"
WANTED_OF_OTHERS = paths.ROOT / "tests" / "fetched" / "packages"
FETCHED = paths.CACHE / "agents"
SECONDS = 500.0
"""How long a download may take, which takes half a minute: less than a test may."""

_TARGETS = {
    ("Linux", "x86_64"): ("linux-x64", "x86_64-unknown-linux-musl"),
    ("Linux", "aarch64"): ("linux-arm64", "aarch64-unknown-linux-musl"),
    ("Darwin", "x86_64"): ("darwin-x64", "x86_64-apple-darwin"),
    ("Darwin", "arm64"): ("darwin-arm64", "aarch64-apple-darwin"),
}
"""By machine: the end of the package's name that npm chooses for it, and the folder in Codex'."""


class FetchError(Exception):
    """Says in one line why a program could not be fetched."""


class Tool(NamedTuple):
    """What fetches programs. Lines of its errors begin with `error_mark`."""

    name: str
    error_mark: str


_NPM = Tool("npm", "npm error")
_PIP = Tool("pip", "ERROR:")


class Program(NamedTuple):
    """A program of npm's. `file` is where it is, with its machine's words for `_TARGETS`."""

    name: str
    folder: str
    file: str

    @property
    def tool(self) -> Tool:
        """What fetches it."""
        return _NPM

    @property
    def wanted(self) -> Path:
        """Where it says what is fetched."""
        return WANTED / self.folder

    @property
    def files(self) -> tuple[Path, ...]:
        """What says so."""
        return self.wanted / "package.json", self.wanted / "package-lock.json"

    def place(self, folder: Path) -> Path:
        """Where the program is once it is fetched into `folder`. Raises FetchError."""
        machine = (platform.system(), platform.machine())
        if machine not in _TARGETS:
            raise FetchError(f"there is no {self.name} for {' '.join(machine)}")
        return folder / "node_modules" / self.file.format(*_TARGETS[machine])

    def commands(self, folder: Path) -> Iterator[list[str | Path]]:
        """What fetches it into `folder`, in which its files are."""
        del folder
        # No install script is needed: the programs are packages of the lock file.
        options = ("--ignore-scripts", "--no-audit", "--no-fund")
        yield [paths.NODE, paths.NPM, "ci", *options]


class PythonProgram(NamedTuple):
    """A program of PyPI's, in a virtual environment of its own. `file` is where it is in that."""

    name: str
    folder: str
    file: str

    @property
    def tool(self) -> Tool:
        """As `Program` has it, and so are the others."""
        return _PIP

    @property
    def wanted(self) -> Path:
        """In a folder for those that are no agents."""
        return WANTED_OF_OTHERS / self.folder

    @property
    def files(self) -> tuple[Path, ...]:
        """`build.txt`, where there is one, is what the others are built with."""
        return tuple(sorted(self.wanted.glob("*.txt")))

    def place(self, folder: Path) -> Path:
        """In the environment."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return folder / "venv" / self.file.format(version)

    def commands(self, folder: Path) -> Iterator[list[str | Path]]:
        """Makes the environment, and installs what each of its files names."""
        python = folder / "venv" / "bin" / "python"
        yield [sys.executable, "-m", "venv", "--clear", folder / "venv"]
        for file in self.files:
            options = ("--no-deps", "--no-build-isolation", "--require-hashes")
            yield [python, "-m", "pip", "install", "--quiet", *options, "-r", file.name]


CODEX = Program("Codex", "codex", "@openai/codex-{0}/vendor/{1}/bin/codex")
CLAUDE = Program("Claude Code", "claude-code", "@anthropic-ai/claude-code-{0}/claude")
LM_EVAL = PythonProgram("lm-eval", "lm-eval", "bin/lm_eval")
ROTEL = PythonProgram("rotel", "rotel", "lib/python{}/site-packages/rotel/rotel-agent")


def fetch(program: Program | PythonProgram) -> Path:
    """Returns where the program is, and fetches it if it is not there yet.

    Raises:
        FetchError: There is none for this machine, the download failed, or it brought none.
    """
    folder = FETCHED / program.folder
    file = program.place(folder)
    if _has_stamp(folder, program) and file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".stamp").unlink(missing_ok=True)
    for wanted in program.files:
        shutil.copy(wanted, folder / wanted.name)
    for command in program.commands(folder):
        _run(program, command, folder)
    if not file.exists():
        # npm passes over an optional package that it cannot get, without a word.
        raise FetchError(
            f"{program.tool.name} brought no {program.name}: it could not get the optional package"
        )
    (folder / ".stamp").write_text(_stamp(program))
    return file


def _run(program: Program | PythonProgram, command: list[str | Path], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **vendor.PIP_SETTINGS},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        late = f"{program.tool.name} had not fetched {program.name} after {SECONDS:.0f} s"
        raise FetchError(late) from slow
    if done.returncode:
        why = _why(done.stderr, program.tool.error_mark)
        raise FetchError(f"{program.tool.name} could not fetch {program.name}: {why}")


def _has_stamp(folder: Path, program: Program | PythonProgram) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return (folder / ".stamp").read_text() == _stamp(program)
    return False


def _stamp(program: Program | PythonProgram) -> str:
    texts = [wanted.read_bytes() for wanted in program.files]
    if isinstance(program, PythonProgram):
        texts.append(sys.version.encode())
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _why(output: str, error_mark: str) -> str:
    lines = [line.strip() for line in output.splitlines()]
    said = [line.removeprefix(error_mark).strip() for line in lines if line.startswith(error_mark)]
    return " ".join(line for line in said or [output.strip()] if line)[:300] or "it said nothing"
