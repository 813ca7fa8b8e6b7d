"""Runs whole programs that use a client library, as a user would, with nothing but this machine."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.clients.sdk import KEY
from tools import paths

SECONDS = 60.0
NOWHERE = "http://127.0.0.1:9"
"""A proxy that nobody runs: whatever is not meant for this machine comes to nothing."""
ENVIRONMENT = {
    "XTRIX_KEY": KEY,
    "HTTP_PROXY": NOWHERE,
    "HTTPS_PROXY": NOWHERE,
    "NO_PROXY": "127.0.0.1",
    "PATH": os.environ["PATH"],
}


def run_python(program: str) -> str:
    """What the program prints. Raises AssertionError with its errors when it fails."""
    return _run([sys.executable, "-c", program])


def run_node(program: str) -> str:
    """The same for an ES module, which finds its packages in node_modules."""
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as folder:
        file = Path(folder) / "program.mjs"
        file.write_text(program)
        return _run([str(paths.NODE), str(file)])


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
