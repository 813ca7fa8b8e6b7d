"""The Durable Object that keeps responses: one for each client key.

It decides nothing: it passes each message to `xtrix.archive`, with the time and a function that
runs a statement.
"""

from collections.abc import Callable
from typing import Any

from objects import DatabaseObject
from xtrix import archive


class Archive(DatabaseObject):
    """The archive as Cloudflare runs it. It keeps nothing in memory, only in its database."""

    def call(self, text: str) -> str:
        """Answers a message."""
        answer: str = self._act(lambda kept: kept.call(text, self.now()))
        return answer

    def alarm(self, info: Any = None) -> None:
        """Deletes what has expired."""
        del info
        self._act(lambda kept: kept.ring(self.now()))

    def _act(self, act: Callable[[archive.Archive], Any]) -> Any:
        """Runs `act` in one transaction, and sets the alarm that it asks for."""
        kept = archive.Archive(self.execute)
        answer = self.in_transaction(lambda: act(kept))
        if kept.alarm is not None:
            self.set_alarm(kept.alarm)
        return answer
