"""Fetches the agent programs that tests/agents runs, and runs those tests.

They are clients of this gateway and weigh 800 MB, so `make setup` leaves them out: they are a
command of their own. What is fetched is named in tests/agents/package.json by exact version, and
by hash in the lock file beside it. It knows nothing of what the programs do.

    python -m tools.agents            # fetch what is missing, and run the tests
    python -m tools.agents -k resume  # pytest's own options
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tools import paths

WANTED = paths.ROOT / "tests" / "agents"
FOLDER = paths.CACHE / "agents"
FILES = ("package.json", "package-lock.json")
SECONDS = 600.0
"""How long the download may take. It takes half a minute."""

_TARGETS = {
    ("Linux", "x86_64"): ("linux-x64", "x86_64-unknown-linux-musl"),
    ("Linux", "aarch64"): ("linux-arm64", "aarch64-unknown-linux-musl"),
    ("Darwin", "x86_64"): ("darwin-x64", "x86_64-apple-darwin"),
    ("Darwin", "arm64"): ("darwin-arm64", "aarch64-apple-darwin"),
}
"""By machine: the end of the package's name that npm chooses for it, and the folder in that."""


class FetchError(Exception):
    """Says in one line why the programs could not be fetched."""


def codex() -> Path:
    """Where the Codex program is, once it is fetched.

    Raises:
        FetchError: There is none for this machine.
    """
    machine = (platform.system(), platform.machine())
    if machine not in _TARGETS:
        raise FetchError(f"there is no Codex for {' '.join(machine)}")
    package, target = _TARGETS[machine]
    vendor = FOLDER / "node_modules" / "@openai" / f"codex-{package}" / "vendor"
    return vendor / target / "bin" / "codex"


def claude() -> Path:
    """Where Claude Code is, once it is fetched.

    Raises:
        FetchError: There is none for this machine.
    """
    machine = (platform.system(), platform.machine())
    if machine not in _TARGETS:
        raise FetchError(f"there is no Claude Code for {' '.join(machine)}")
    package, _ = _TARGETS[machine]
    return FOLDER / "node_modules" / "@anthropic-ai" / f"claude-code-{package}" / "claude"


def fetch() -> None:
    """Fetches what is missing; returns at once when nothing is.

    Raises:
        FetchError: The download failed, or brought no program.
    """
    programs = (codex(), claude())
    if _is_current() and all(program.exists() for program in programs):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / ".stamp").unlink(missing_ok=True)
    for name in FILES:
        shutil.copy(WANTED / name, FOLDER / name)
    print("fetching Codex and Claude Code from npm ...", flush=True)
    try:
        done = subprocess.run(
            # No install script is needed: the programs are packages of the lock file.
            [paths.NODE, paths.NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        raise FetchError(f"npm had not finished after {SECONDS:.0f} s") from slow
    if done.returncode:
        raise FetchError(f"npm could not fetch it: {_why(done.stderr)}")
    for program in programs:
        if program.exists():
            continue
        # npm passes over an optional package that it cannot get, without a word.
        raise FetchError(f"npm brought no {program.relative_to(FOLDER)}; fetch it again")
    (FOLDER / ".stamp").write_text(_stamp())


def _is_current() -> bool:
    with contextlib.suppress(FileNotFoundError):
        return (FOLDER / ".stamp").read_text() == _stamp()
    return False


def _stamp() -> str:
    return hashlib.sha256(b"\0".join((WANTED / name).read_bytes() for name in FILES)).hexdigest()


def _why(output: str) -> str:
    errors = [line.strip() for line in output.splitlines() if line.startswith("npm error")]
    said = [line.removeprefix("npm error").strip() for line in errors] or [output.strip()]
    return " ".join(line for line in said if line)[:300] or "it said nothing"


def main() -> int:
    """Returns the exit status of the tests, or 1 where they could not be run."""
    try:
        fetch()
    except FetchError as error:
        print(f"agents: {error}", file=sys.stderr)
        return 1
    tests = [sys.executable, "-m", "pytest", str(WANTED), *sys.argv[1:]]
    return subprocess.call(tests, cwd=paths.ROOT)


if __name__ == "__main__":
    sys.exit(main())
