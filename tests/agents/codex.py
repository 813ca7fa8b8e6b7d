"""The real Codex program, run without a terminal in a home of its own."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from tools import agents

SECONDS = 60.0
NOWHERE = "http://127.0.0.1:9"
"""A proxy that nobody runs: whatever is not meant for this machine comes to nothing."""


class Turn(NamedTuple):
    """What a run of Codex came to."""

    status: int
    events: list[dict[str, Any]]
    """What it printed, an event a line."""
    errors: str
    """What it printed to standard error."""
    seconds: float

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The finished items of that kind."""
        done = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item for item in done if item["type"] == kind]

    @property
    def text(self) -> str:
        """The last thing that the model said."""
        return str(self.items("agent_message")[-1]["text"])


class Codex:
    """One installation: a home with a configuration, and a folder to work in."""

    def __init__(self, folder: Path, config: str, key: str) -> None:
        """`folder` is empty. Codex refuses homes under /tmp, where it keeps helper programs."""
        self.home, self.work = folder / "home", folder / "work"
        (self.home / ".codex").mkdir(parents=True)
        self.work.mkdir()
        self.configure(config)
        self._env = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "XTRIX_KEY": key,
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1",
        }

    def configure(self, config: str) -> None:
        """Writes its config.toml."""
        (self.home / ".codex" / "config.toml").write_text(config)

    def log_in(self, key: str) -> None:
        """Gives the built-in provider its key, as a user would."""
        command = [str(agents.codex()), "login", "--with-api-key"]
        subprocess.run(command, env=self._env, input=key.encode(), check=True, capture_output=True)

    def run(self, *words: str) -> Turn:
        """Takes one turn. Commands of the model run as they are: the folder is the test's own."""
        started = time.monotonic()
        options = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
        done = subprocess.run(
            [str(agents.codex()), "exec", *options, *words],
            cwd=self.work,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return Turn(done.returncode, events, done.stderr, time.monotonic() - started)
