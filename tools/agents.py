"""Downloads the agent programs that tests/agents runs.

They are clients of this gateway and have 800 MB, so `make setup` leaves them out. The tests of each
program download it when they begin. If one cannot be downloaded, its tests say so, and the tests of
the others still run. The package.json in a program's folder names the exact version, and the lock
file beside it the hash. What the programs do is not known here.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tools import paths

WANTED = paths.ROOT / "tests" / "agents" / "packages"
FETCHED = paths.CACHE / "agents"
FILES = ("package.json", "package-lock.json")
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


class Program(NamedTuple):
    """A program from npm. `file` is its path, with places for the words of `_TARGETS`."""

    name: str
    folder: str
    file: str


CODEX = Program("Codex", "codex", "@openai/codex-{0}/vendor/{1}/bin/codex")
CLAUDE = Program("Claude Code", "claude-code", "@anthropic-ai/claude-code-{0}/claude")


def fetch(program: Program) -> Path:
    """Returns the path of the program, and downloads it if it is not there yet.

    Raises:
        FetchError: There is none for this machine, the download failed, or it brought none.
    """
    wanted, folder = WANTED / program.folder, FETCHED / program.folder
    machine = (platform.system(), platform.machine())
    if machine not in _TARGETS:
        raise FetchError(f"there is no {program.name} for {' '.join(machine)}")
    file = folder / "node_modules" / program.file.format(*_TARGETS[machine])
    if _has_stamp(folder, wanted) and file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".stamp").unlink(missing_ok=True)
    for name in FILES:
        shutil.copy(wanted / name, folder / name)
    _install(program, folder)
    if not file.exists():
        # npm silently leaves out an optional package that it cannot download.
        raise FetchError(f"npm brought no {program.name}: it could not get the optional package")
    (folder / ".stamp").write_text(_stamp(wanted))
    return file


def _install(program: Program, folder: Path) -> None:
    # No install script is needed, because the programs are packages of the lock file.
    options = ("--ignore-scripts", "--no-audit", "--no-fund")
    try:
        done = subprocess.run(
            [paths.NODE, paths.NPM, "ci", *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        raise FetchError(f"npm had not fetched {program.name} after {SECONDS:.0f} s") from slow
    if done.returncode:
        raise FetchError(f"npm could not fetch {program.name}: {_why(done.stderr)}")


def _has_stamp(folder: Path, wanted: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return (folder / ".stamp").read_text() == _stamp(wanted)
    return False


def _stamp(wanted: Path) -> str:
    return hashlib.sha256(b"\0".join((wanted / name).read_bytes() for name in FILES)).hexdigest()


def _why(output: str) -> str:
    errors = [line.strip() for line in output.splitlines() if line.startswith("npm error")]
    said = [line.removeprefix("npm error").strip() for line in errors] or [output.strip()]
    return " ".join(line for line in said if line)[:300] or "it said nothing"
