"""Installs what the other commands need, as far as it is missing or out of date.

    python3 -m tools.setup         for every command
    python3 -m tools.setup run     only for `make dev` and `make deploy`

The system's python3 runs it, so it needs only the standard library. Each result has a stamp: the
hash of what it was made from. If all stamps are right, nothing is started. A stamp is removed
before its step begins and written after it has ended, so what was interrupted is made again. The
output of the steps goes to a log. A failure is one line that says what to do.

pip installs uv, and uv installs the other Python packages, because it needs a fraction of the time.
Where uv cannot be installed or fails, pip does its work. Both refuse a file without its pinned
hash.
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from tools import bundle, pip_settings, vendor
from tools.paths import CACHE, NODE, NODE_MODULES, NPM, OLDER, PYTHON, ROOT, VENV

LOG = CACHE / "setup.log"
RUN_REQUIREMENTS = ROOT / "requirements-run.txt"
DEV_REQUIREMENTS = ROOT / "requirements-dev.txt"
RUN_LOCK, DEV_LOCK = ROOT / "requirements-run.lock", ROOT / "requirements-dev.lock"
"""The same with the hashes of all their files; see tools/pin.py."""
UV_REQUIREMENTS = ROOT / "requirements-uv.txt"
OLDER_REQUIREMENTS = ROOT / "requirements-older.txt"
UV = VENV / "bin" / "uv"
RUN_STAMP, DEV_STAMP, OLDER_STAMP = VENV / ".run", VENV / ".dev", OLDER / ".installed"
NODE_STAMP = NODE_MODULES / ".installed"
PINNED = ("--no-deps", "--only-binary", ":all:", "--require-hashes")
"""What a source package is built with has no pinned hash, so only wheels are installed."""
NPM_OPTIONS = ("--ignore-scripts", "--loglevel=http")
"""No install script is needed: what they would download is in the lock file already. The log names
each download, so that the terminal shows that something happens."""
PACKAGES = (ROOT / "package.json", ROOT / "package-lock.json")
NAME_WIDTH = 16
ERROR_MARKS = ("ERROR:", "npm error", "Error:", "error:")
NETWORK_MARKS = (
    *("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH"),
    *("NewConnectionError", "NameResolutionError", "name resolution", "Network is unreachable"),
    *("ConnectTimeoutError", "ReadTimeoutError", "Read timed out", "ProxyError", "SSLError"),
    "(from versions: none)",  # pip's last message if it reached no index
)
HASH_MARKS = (*vendor.HASH_MARKS, "Hash mismatch for")
"""pip's messages and uv's."""


class SetupError(Exception):
    """Says what failed and what to do, in one line."""


class Step(NamedTuple):
    """One thing to install."""

    name: str
    what: str
    is_current: Callable[[], bool]
    make: Callable[[Shell], None]
    """Raises SetupError."""


class Shell:
    """Runs the commands of one step. Their output goes to the log, its last line to a terminal."""

    def __init__(self, step: Step, log: IO[str]) -> None:
        self._step, self._log = step, log
        self._started, self._output = time.monotonic(), ""

    def run(self, *command: str | Path) -> None:
        """Runs a command that the step cannot do without."""
        if not self.succeeds(*command):
            raise SetupError(_explain(self._step, self._output))

    def succeeds(self, *command: str | Path, **settings: str) -> bool:
        """Runs a command that something else can replace, with `settings` in its environment.

        Raises:
            SetupError: A downloaded package is not the pinned one. Nothing replaces that.
        """
        self._log.write(f"$ {' '.join(map(str, command))}\n")
        self._log.flush()
        begin = self._log.tell()
        status = self._wait(command, settings)
        self._output = LOG.read_bytes()[begin:].decode(errors="replace")
        if status != 0 and _is_replaced(self._output):
            raise SetupError(_explain(self._step, self._output))
        return status == 0

    def tell(self, text: str) -> None:
        """Says what the user should know although the step goes on."""
        if sys.stdout.isatty():
            print(f"\r\033[K{self._step.name:<{NAME_WIDTH}} {text}", flush=True)
        else:
            _show(f" {text} ...")

    def _wait(self, command: tuple[str | Path, ...], settings: dict[str, str]) -> int:
        try:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                env={**os.environ, **vendor.PIP_SETTINGS, **settings},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            self._log.write(f"{error}\n")
            self._log.flush()
            return 1
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(timeout=1)
                if sys.stdout.isatty():
                    seconds = f"{time.monotonic() - self._started:.0f} s"
                    _show(f"\r\033[K{self._step.name:<{NAME_WIDTH}} {seconds:>5}  {_last_line()}")
        finally:
            process.terminate()
            process.wait()


def set_up(steps: Sequence[Step]) -> None:
    """Installs what is missing; returns at once if nothing is.

    Raises:
        SetupError: The machine lacks something, or a step failed.
    """
    if all(step.is_current() for step in steps):
        return
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"{sys.executable} cannot make virtual environments (it has no {module});"
                " on Debian and Ubuntu: sudo apt install python3-venv"
            )
    CACHE.mkdir(exist_ok=True)
    with _one_at_a_time(), LOG.open("w") as log:
        for step in steps:
            if not step.is_current():
                _make(step, log)


def _make(step: Step, log: IO[str]) -> None:
    started = time.monotonic()
    _show(f"{step.name:<{NAME_WIDTH}} {step.what} ...")
    try:
        step.make(Shell(step, log))
    except SetupError:
        print()
        raise
    seconds = time.monotonic() - started
    clear = "\r\033[K" if sys.stdout.isatty() else ""
    line = f"{step.name:<{NAME_WIDTH}} {step.what} ..." if clear else ""
    print(f"{clear}{line} {seconds:.0f} s", flush=True)


def _show(text: str) -> None:
    room = shutil.get_terminal_size().columns
    print(text[:room] if text.startswith("\r") else text, end="", flush=True)


def _last_line() -> str:
    lines = LOG.read_bytes()[-2000:].decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _explain(step: Step, output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line for line in lines if line.startswith(ERROR_MARKS)] or lines
    if _is_replaced(output):
        return f"{step.name}: a downloaded package does not have its pinned hash; nothing was kept"
    if "No space left" in output or "ENOSPC" in output:
        advice = "the disk is full; free some space"
    elif any(mark in output for mark in NETWORK_MARKS):
        advice = "a download failed; check the network or the proxy"
    else:
        advice = f"it said: {errors[-1][:200]}"
    return f"{step.name}: {advice}, and run it again (details: {LOG.relative_to(ROOT)})"


def _is_replaced(output: str) -> bool:
    return any(mark in output for mark in HASH_MARKS)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (CACHE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up is running; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _marking(stamp: Path, inputs: str) -> Iterator[None]:
    """Writes `stamp` when the block has ended. Until then there is none."""
    stamp.unlink(missing_ok=True)
    yield
    stamp.write_text(inputs)


def _has_stamp(stamp: Path, inputs: str) -> bool:
    return stamp.exists() and stamp.read_text() == inputs


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _python_inputs(pinned: Path) -> str:
    """Leaves out the comments, which install nothing."""
    lines = [line for line in pinned.read_text().splitlines() if not line.startswith("#")]
    return _digest(*lines, sys.version[:4])


def _make_venv(shell: Shell) -> None:
    works = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    with _marking(RUN_STAMP, _python_inputs(RUN_LOCK)):
        if not (PYTHON.exists() and shell.succeeds(PYTHON, "-c", works)):
            shell.run(sys.executable, "-m", "venv", "--clear", VENV)
        install = (PYTHON, "-m", "pip", "install", "--force-reinstall", *PINNED)
        if not shell.succeeds(*install, "-r", UV_REQUIREMENTS):
            UV.unlink(missing_ok=True)
            shell.tell("uv cannot be installed, and pip is slower")
        _install(shell, RUN_LOCK)


def _install_dev_packages(shell: Shell) -> None:
    with _marking(DEV_STAMP, _python_inputs(DEV_LOCK)):
        _install(shell, DEV_LOCK)


def _install(shell: Shell, pinned: Path, *into: str | Path) -> None:
    """Installs every package that `pinned` names, again if an interrupted run left a part of it."""
    wanted = (*into, *PINNED, "-r", pinned)
    settings = pip_settings.as_uv(_pip_configuration())
    if UV.exists() and settings is not None:
        command = (UV, "pip", "install", "--python", PYTHON, "--reinstall", *wanted)
        # What the user has set for uv itself counts more.
        if shell.succeeds(*command, **{**settings, **_uv_variables()}):
            return
        shell.tell(f"uv has failed, and pip is slower (details: {LOG.relative_to(ROOT)})")
    shell.run(PYTHON, "-m", "pip", "install", "--force-reinstall", "--upgrade", *wanted)


def _pip_configuration() -> str:
    """Returns what `pip config list` prints: nothing if it fails, as pip install will too."""
    done = subprocess.run(
        (PYTHON, "-m", "pip", "config", "list"),
        env={**os.environ, **vendor.PIP_SETTINGS},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout


def _uv_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("UV_")}


def _install_older(shell: Shell) -> None:
    with _marking(OLDER_STAMP, _python_inputs(OLDER_REQUIREMENTS)):
        _install(shell, OLDER_REQUIREMENTS, "--target", OLDER)


def _node_inputs(which: str) -> str:
    """`which` is run or all. The texts for the button «Deploy to Cloudflare» install nothing."""
    package, lock = (path.read_text() for path in PACKAGES)
    wanted = {name: value for name, value in json.loads(package).items() if name != "cloudflare"}
    return _digest(json.dumps(wanted, indent=2) + "\n", lock, which)


def _has_node_packages(*which: str) -> bool:
    return any(_has_stamp(NODE_STAMP, _node_inputs(each)) for each in which)


def _install_node_packages(shell: Shell) -> None:
    with _marking(NODE_STAMP, _node_inputs("run")):
        shell.run(NODE, NPM, "ci", "--omit=dev", *NPM_OPTIONS)


def _install_all_node_packages(shell: Shell) -> None:
    # `ci` begins with an empty folder. What is there already may be in use by `make dev`.
    command = ("install", "--no-save") if _has_node_packages("run") else ("ci",)
    with _marking(NODE_STAMP, _node_inputs("all")):
        shell.run(NODE, NPM, *command, "--include=dev", *NPM_OPTIONS)


def _bundle_is_current() -> bool:
    return (bundle.PYODIDE / "package.json").exists() and bundle.path().exists()


VENV_STEP = Step(
    ".venv",
    "Node 24, llama.cpp, a small language model",
    lambda: PYTHON.exists() and _has_stamp(RUN_STAMP, _python_inputs(RUN_LOCK)),
    _make_venv,
)
WORKER_STEPS = (
    Step(
        "python_modules",
        "the Worker's packages, as WebAssembly",
        vendor.is_current,
        lambda shell: shell.run(PYTHON, "-m", "tools.vendor"),
    ),
    Step(
        "pyodide bundle",
        "Cloudflare's Python for the local workerd",
        _bundle_is_current,
        lambda shell: shell.run(PYTHON, "-m", "tools.bundle"),
    ),
)
RUN_STEPS = (
    VENV_STEP,
    Step(
        "node_modules",
        "wrangler with workerd, Pyodide",
        lambda: _has_node_packages("run", "all"),
        _install_node_packages,
    ),
    *WORKER_STEPS,
)
ALL_STEPS = (
    VENV_STEP,
    Step(
        "checks",
        "pytest, mypy, ruff, a browser's driver, Python SDKs for tests",
        lambda: _has_stamp(DEV_STAMP, _python_inputs(DEV_LOCK)),
        _install_dev_packages,
    ),
    Step(
        "older clients",
        "Python SDKs of an earlier major version, for tests",
        lambda: _has_stamp(OLDER_STAMP, _python_inputs(OLDER_REQUIREMENTS)),
        _install_older,
    ),
    Step(
        "node_modules",
        "wrangler with workerd, Pyodide, a browser, JavaScript SDKs for tests",
        lambda: _has_node_packages("all"),
        _install_all_node_packages,
    ),
    *WORKER_STEPS,
)
STEPS = {"run": RUN_STEPS, "all": ALL_STEPS}


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    (which,) = arguments or ["all"]
    try:
        set_up(STEPS[which])
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
