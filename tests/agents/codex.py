"""Runs the real Codex program."""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.agents.installation import Installation

UNKNOWN = "claude-sonnet-4-6"
"""A model that Codex has not heard of; the one that the page names."""
KNOWN = "gpt-5.5"
"""One that it knows, and gives its own tools: `apply_patch` and `tool_search`."""


class Turn(NamedTuple):
    """The result of a run of Codex."""

    status: int
    events: list[dict[str, Any]]
    """Its output: one event in each line."""
    seconds: float

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The finished items of that kind."""
        done = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item for item in done if item["type"] == kind]

    @property
    def text(self) -> str:
        """The last thing that the model said."""
        return str(self.items("agent_message")[-1]["text"])


class Codex(Installation):
    """An installation with a configuration."""

    def __init__(self, folder: Path, program: Path, key: str, config: str) -> None:
        """`folder` is empty. Codex refuses homes under /tmp, where it keeps helper programs."""
        super().__init__(folder, program, key)
        (self.home / ".codex").mkdir()
        self.configure(config)

    def configure(self, config: str) -> None:
        """Writes its config.toml."""
        (self.home / ".codex" / "config.toml").write_text(config)

    def log_in(self, lines: str) -> None:
        """Gives the built-in provider its key by lines for a shell."""
        self.paste(lines).check_returncode()

    def run(self, *words: str) -> Turn:
        """Takes one turn. Commands of the model run as they are: the folder is the test's own."""
        started = time.monotonic()
        options = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
        done = self.start("exec", *options, *words)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return Turn(done.returncode, events, time.monotonic() - started)
