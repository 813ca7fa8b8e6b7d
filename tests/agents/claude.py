"""Runs the real Claude Code."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.agents.installation import Installation

QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": "1"}
"""It sends only requests for answers, and repeats each at most once."""


class Run(NamedTuple):
    """The result of a run of Claude Code."""

    status: int
    result: dict[str, Any]
    """Its output: `result` is the text, or what went wrong if `is_error` is true."""


class Claude(Installation):
    """An installation that is started by lines for a shell."""

    def __init__(self, folder: Path, program: Path, key: str, lines: str) -> None:
        """`folder` is empty. The last of the lines starts `claude`."""
        super().__init__(folder, program, key)
        self.lines = lines

    def run(self, prompt: str, *options: str, **variables: str) -> Run:
        """Takes one turn."""
        words = ("-p", prompt, "--output-format", "json", *options)
        done = self.paste(self.lines, *words, **QUIET, **variables)
        assert done.stdout, done.stderr
        return Run(done.returncode, json.loads(done.stdout))
