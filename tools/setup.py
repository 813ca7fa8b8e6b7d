"""Installs what the other commands need, as far as it is missing or out of date.

The system's python3 runs it (`python3 -m tools.setup`), so it needs only the standard library. Each
result has a stamp: the hash of what it was made from. If all stamps are right, nothing is started.
The output of the steps goes to a log. A failure is one line that says what to do.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (for those who run it with an older one)
    sys.exit(
        "setup: xtrix needs Python 3.11 or later and this is {}.{};"
        " with a newer one: make setup PYTHON=python3.13".format(*sys.version_info)
    )

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from tools import bundle, vendor
from tools.paths import CACHE, NODE, NODE_MODULES, NPM, OLDER, PYTHON, ROOT, VENV

LOG = CACHE / "setup.log"
REQUIREMENTS = ROOT / "requirements-dev.txt"
LOCK = ROOT / "requirements-dev.lock"
"""The same with the hashes of all their files; see tools/pin.py."""
OLDER_REQUIREMENTS = ROOT / "requirements-older.txt"
PACKAGES = (ROOT / "package.json", ROOT / "package-lock.json")
NAME_WIDTH = 16
ERROR_MARKS = ("ERROR:", "npm error", "Error:", "error:")
NETWORK_MARKS = (
    *("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH"),
    *("NewConnectionError", "NameResolutionError", "name resolution", "Network is unreachable"),
    *("ConnectTimeoutError", "ReadTimeoutError", "Read timed out", "ProxyError", "SSLError"),
    "(from versions: none)",  # pip's last message if it reached no index
)

Command = tuple[str | Path, ...]


class SetupError(Exception):
    """Says what failed and what to do, in one line."""


class Step(NamedTuple):
    """One thing to install. `mark` writes its stamp, if it does not do that itself."""

    name: str
    what: str
    is_current: Callable[[], bool]
    commands: Callable[[], Iterator[Command]]
    mark: Callable[[], object] = lambda: None


def set_up() -> None:
    """Installs what is missing; returns at once if nothing is.

    Raises:
        SetupError: The machine lacks something, or a step failed.
    """
    if all(step.is_current() for step in STEPS):
        return
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"{sys.executable} cannot make virtual environments (it has no {module});"
                " on Debian and Ubuntu: sudo apt install python3-venv"
            )
    CACHE.mkdir(exist_ok=True)
    with _one_at_a_time(), LOG.open("w") as log:
        for step in STEPS:
            if not step.is_current():
                _make(step, log)


def _make(step: Step, log: IO[str]) -> None:
    started = time.monotonic()
    _show(f"{step.name:<{NAME_WIDTH}} {step.what} ...")
    for command in step.commands():
        log.write(f"$ {' '.join(map(str, command))}\n")
        log.flush()
        begin = log.tell()
        if _run(command, log, step) != 0:
            print()
            raise SetupError(_explain(step, LOG.read_bytes()[begin:].decode(errors="replace")))
    step.mark()
    seconds = time.monotonic() - started
    clear = "\r\033[K" if sys.stdout.isatty() else ""
    line = f"{step.name:<{NAME_WIDTH}} {step.what} ..." if clear else ""
    print(f"{clear}{line} {seconds:.0f} s", flush=True)


def _run(command: Command, log: IO[str], step: Step) -> int:
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **vendor.PIP_SETTINGS},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=1)
            if sys.stdout.isatty():
                _show(f"\r\033[K{step.name:<{NAME_WIDTH}} {_last_line()}")
    finally:
        process.terminate()
        process.wait()


def _show(text: str) -> None:
    room = shutil.get_terminal_size().columns
    print(text[:room] if text.startswith("\r") else text, end="", flush=True)


def _last_line() -> str:
    lines = LOG.read_bytes()[-2000:].decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _explain(step: Step, output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line for line in lines if line.startswith(ERROR_MARKS)] or lines
    if any(mark in output for mark in vendor.HASH_MARKS):
        return f"{step.name}: a downloaded package does not have its pinned hash; nothing was kept"
    if "No space left" in output or "ENOSPC" in output:
        advice = "the disk is full; free some space"
    elif any(mark in output for mark in NETWORK_MARKS):
        advice = "a download failed; check the network or the proxy"
    else:
        advice = f"it said: {errors[-1][:200]}"
    return f"{step.name}: {advice}, and run it again (details: {LOG.relative_to(ROOT)})"


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (CACHE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up is running; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _venv_inputs() -> str:
    return _digest(LOCK.read_text(), sys.version[:4])


def _venv_commands() -> Iterator[Command]:
    works = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    fresh = VENV.exists() and subprocess.call((PYTHON, "-c", works), stderr=subprocess.DEVNULL)
    yield (sys.executable, "-m", "venv", *(["--clear"] if fresh else []), VENV)
    yield (PYTHON, "-m", "pip", "install", "--no-deps", "--require-hashes", "-r", LOCK)


def _older_commands() -> Iterator[Command]:
    install = (PYTHON, "-m", "pip", "install", "--upgrade", "--target", OLDER)
    yield (*install, "--no-deps", "--require-hashes", "-r", OLDER_REQUIREMENTS)


def _older_inputs() -> str:
    return _digest(OLDER_REQUIREMENTS.read_text())


def _node_inputs() -> str:
    """Leaves out the texts for the button «Deploy to Cloudflare», which install nothing."""
    package, lock = (path.read_text() for path in PACKAGES)
    wanted = {name: value for name, value in json.loads(package).items() if name != "cloudflare"}
    return _digest(json.dumps(wanted, indent=2) + "\n", lock)


def _node_commands() -> Iterator[Command]:
    # No install script is needed: what they would download is in the lock file already.
    yield (NODE, NPM, "ci", "--include=dev", "--ignore-scripts")


def _bundle_is_current() -> bool:
    return (bundle.PYODIDE / "package.json").exists() and bundle.path().exists()


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _has_stamp(folder: Path, inputs: str) -> bool:
    stamp = folder / ".stamp"
    return stamp.exists() and stamp.read_text() == inputs


STEPS = (
    Step(
        ".venv",
        "Python tools, Node 24, a small language model",
        lambda: PYTHON.exists() and _has_stamp(VENV, _venv_inputs()),
        _venv_commands,
        lambda: (VENV / ".stamp").write_text(_venv_inputs()),
    ),
    Step(
        "older clients",
        "Python SDKs of an earlier major version, for tests",
        lambda: _has_stamp(OLDER, _older_inputs()),
        _older_commands,
        lambda: (OLDER / ".stamp").write_text(_older_inputs()),
    ),
    Step(
        "node_modules",
        "wrangler with workerd, Pyodide, JavaScript SDKs for tests",
        lambda: _has_stamp(NODE_MODULES, _node_inputs()),
        _node_commands,
        lambda: (NODE_MODULES / ".stamp").write_text(_node_inputs()),
    ),
    Step(
        "python_modules",
        "the Worker's packages, as WebAssembly",
        vendor.is_current,
        lambda: iter([(PYTHON, "-m", "tools.vendor")]),
    ),
    Step(
        "pyodide bundle",
        "Cloudflare's Python for the local workerd",
        _bundle_is_current,
        lambda: iter([(PYTHON, "-m", "tools.bundle")]),
    ),
)


def main() -> int:
    """Returns the exit status."""
    try:
        set_up()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
