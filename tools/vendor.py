"""Installs the packages of requirements.txt into python_modules, for Cloudflare's Python.

wrangler.toml names this file as its `[build] command`. So it also runs with a plain `npx wrangler
dev` and `npx wrangler deploy`, with any python3 that the user has, and may need only the standard
library and pip. wrangler runs it again whenever a file is saved, so an up-to-date folder costs one
comparison.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements.txt"
TARGET = ROOT / "python_modules"
CACHE = ROOT / ".cache"
STAMP = TARGET / ".stamp"

# CPython 3.14 on Emscripten, which compatibility dates from 2026-09-08 on mean. The platform is
# that of PEP 783. It must be named, because pip by itself knows only the tags of the machine.
WHEELS = (
    *("--implementation", "cp", "--python-version", "3.14"),
    *("--abi", "cp314", "--abi", "none"),
    *("--platform", "pyemscripten_2026_0_wasm32", "--platform", "any"),
    "--only-binary=:all:",
)

# pip's messages for a file with another hash, and for a requirement without one.
HASH_MARKS = ("DO NOT MATCH THE HASHES", "Hashes are required in --require-hashes mode")

# Overrides the user's pip settings that would contradict `--target`.
PIP_SETTINGS = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_USER": "0",
}


class VendorError(Exception):
    """Says what the user must do."""


def is_current() -> bool:
    """Whether python_modules has what requirements.txt and this file ask for."""
    try:
        return STAMP.read_text() == _inputs()
    except FileNotFoundError:
        return False


def vendor() -> None:
    """Makes python_modules anew if it is out of date, in one step.

    Raises:
        VendorError: There is no pip, or pip failed.
    """
    if is_current():
        return
    with _one_at_a_time():
        if not is_current():
            _replace()


def _inputs() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes() + Path(__file__).read_bytes()).hexdigest()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "vendor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace() -> None:
    fresh, old = CACHE / "python_modules.new", CACHE / "python_modules.old"
    for left_over in (fresh, old):
        shutil.rmtree(left_over, ignore_errors=True)
    _install(fresh)
    (fresh / STAMP.name).write_text(_inputs())
    if TARGET.exists():
        TARGET.rename(old)
    fresh.rename(TARGET)
    shutil.rmtree(old, ignore_errors=True)


def _install(folder: Path) -> None:
    command = [_python_with_pip(), "-m", "pip", "install", "--no-compile", "--target", str(folder)]
    command += [*WHEELS, "--require-hashes", "-r", str(REQUIREMENTS)]
    log = CACHE / "vendor.log"
    with log.open("w") as output:
        status = subprocess.call(
            command,
            env={**os.environ, **PIP_SETTINGS},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if status != 0:
        raise VendorError(_explain(log.read_text(), status))


def _explain(output: str, status: int) -> str:
    details = f"(details: {(CACHE / 'vendor.log').relative_to(ROOT)})"
    if any(mark in output for mark in HASH_MARKS):
        return (
            "what pip would install is not what requirements.txt names by its hash, and is left"
            f" out; after a change of versions: python -m tools.pin {details}"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    reason = errors[-1] if errors else f"it ended with {status}"
    return (
        f"pip could not fetch what requirements.txt names ({reason});"
        f" check the network and run it again {details}"
    )


def _python_with_pip() -> str:
    if importlib.util.find_spec("pip"):
        return sys.executable
    own = ROOT / ".venv" / "bin" / "python"
    if own.exists():
        return str(own)
    raise VendorError(
        f"{sys.executable} has no pip. Install it (Debian, Ubuntu: apt install python3-pip),"
        " or run `make setup` once"
    )


def main() -> int:
    """Returns the exit status; wrangler stops after a failure."""
    try:
        vendor()
    except VendorError as error:
        print(f"python_modules: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
