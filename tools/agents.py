"""Downloads the programs that `make agents` runs: agents, lm-eval, and a collector of spans.

They have 1.5 GB, so `make setup` leaves them out. The tests of each program download it when they
begin. If one cannot be downloaded, its tests say so, and the tests of the others still run. The
files in a program's folder name the exact versions and the hashes. What the programs do is not
known here.
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
"""For each kind of machine: the end of the name of npm's package, and the folder inside of
Codex'."""


class FetchError(Exception):
    """Says in one line why a program could not be downloaded."""


class Tool(NamedTuple):
    """A tool that downloads programs. The lines of its errors begin with `error_mark`."""

    name: str
    error_mark: str


_NPM = Tool("npm", "npm error")
_PIP = Tool("pip", "ERROR:")


class Program(NamedTuple):
    """A program from npm. `file` is its path, with places for the words of `_TARGETS`."""

    name: str
    folder: str
    file: str

    @property
    def tool(self) -> Tool:
        """What downloads it."""
        return _NPM

    @property
    def wanted(self) -> Path:
        """The folder with the files that name versions and hashes."""
        return WANTED / self.folder

    @property
    def files(self) -> tuple[Path, ...]:
        """Those files."""
        return self.wanted / "package.json", self.wanted / "package-lock.json"

    def place(self, folder: Path) -> Path:
        """The path of the program when it is downloaded into `folder`. Raises FetchError."""
        machine = (platform.system(), platform.machine())
        if machine not in _TARGETS:
            raise FetchError(f"there is no {self.name} for {' '.join(machine)}")
        return folder / "node_modules" / self.file.format(*_TARGETS[machine])

    def commands(self, folder: Path) -> Iterator[list[str | Path]]:
        """The commands that download it. They run in `folder`, which has a copy of the files."""
        del folder
        # No install script is needed, because the programs are packages of the lock file.
        options = ("--ignore-scripts", "--no-audit", "--no-fund")
        yield [paths.NODE, paths.NPM, "ci", *options]


class PythonProgram(NamedTuple):
    """A program from PyPI, in a virtual environment of its own. `file` is its path in there."""

    name: str
    folder: str
    file: str

    @property
    def tool(self) -> Tool:
        """As `Program` has it."""
        return _PIP

    @property
    def wanted(self) -> Path:
        """As `Program` has it, and so do the other members."""
        return WANTED_OF_OTHERS / self.folder

    @property
    def files(self) -> tuple[Path, ...]:
        """`build.txt`, if there is one, names what packages without a wheel are built with."""
        return tuple(sorted(self.wanted.glob("*.txt")))

    def place(self, folder: Path) -> Path:
        """The path in the environment."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return folder / "venv" / self.file.format(version)

    def commands(self, folder: Path) -> Iterator[list[str | Path]]:
        """They make the environment, and install the packages of each file in turn."""
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
    """Returns the path of the program, and downloads it if it is not there yet.

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
        # npm silently leaves out an optional package that it cannot download.
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
