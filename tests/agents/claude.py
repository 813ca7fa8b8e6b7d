"""The real Claude Code, run without a terminal in a home of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tools import agents

SECONDS = 90.0
NOWHERE = "http://127.0.0.1:9"
"""A proxy that nobody runs: whatever is not meant for this machine comes to nothing."""


class Run(NamedTuple):
    """What a run of Claude Code came to."""

    status: int
    result: dict[str, Any]
    """What it printed: `result` is the text, or what went wrong where `is_error` says so."""


class Claude:
    """One installation: a home with nothing in it, and a folder to work in."""

    def __init__(self, folder: Path, base_url: str, key: str) -> None:
        """`folder` is empty."""
        home, self.work = folder / "home", folder / "work"
        home.mkdir()
        self.work.mkdir()
        self._env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_AUTH_TOKEN": key,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, model: str, prompt: str) -> Run:
        """Takes one turn, in which it may run commands that begin with `echo`."""
        options = ("--output-format", "json", "--allowedTools", "Bash(echo:*)")
        done = subprocess.run(
            [str(agents.claude()), "-p", prompt, "--model", model, *options],
            cwd=self.work,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.stdout, done.stderr
        return Run(done.returncode, json.loads(done.stdout))
