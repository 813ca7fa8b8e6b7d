"""Runs whole programs that use a client library, as a user would, with nothing but this machine."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.clients.sdk import KEY
from tools import paths

SECONDS = 60.0
NOWHERE = "http://127.0.0.1:9"
"""A proxy that does not exist: calls to any other machine fail."""
ENVIRONMENT = {
    "HTTP_PROXY": NOWHERE,
    "HTTPS_PROXY": NOWHERE,
    "NO_PROXY": "127.0.0.1",
    "PATH": os.environ["PATH"],
}
"""Everything that a program knows about this machine."""


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str] = ENVIRONMENT,
    folder: Path | None = None,
    *,
    seconds: float = SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end in `folder`, with nothing on its standard input.

    Raises TimeoutExpired if it needs more than so many seconds.
    """
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=dict(environment),
        input="",
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def run_python(program: str) -> str:
    """Returns what the program prints. Raises AssertionError with its errors if it fails."""
    return _printed([sys.executable, "-c", program])


def run_node(program: str) -> str:
    """The same for an ES module, which finds its packages in node_modules."""
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as folder:
        file = Path(folder) / "program.mjs"
        file.write_text(program)
        return _printed([paths.NODE, file])


def _printed(command: Sequence[str | Path]) -> str:
    done = run(command, {**ENVIRONMENT, "XTRIX_KEY": KEY})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
