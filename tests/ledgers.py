"""The ledger with a real SQLite, and the messages of an isolate to it, without a Worker.

`Wire.fate` decides what goes wrong with a message.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from xtrix import json
from xtrix.keys.leases import Leases
from xtrix.keys.ledger import Ledger

Fate = str
"""`answered`; `lost` on its way there; `unheard`, whose answer is lost."""


class Database:
    """SQLite in memory, as a Durable Object has it: each message is one transaction."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self.statements: list[str] = []

    def execute(self, statement: str, *given: Any) -> list[list[Any]]:
        """Runs a statement, and gives its rows."""
        self.statements.append(statement)
        return [list(row) for row in self._connection.execute(statement, given)]

    def transaction(self, act: Callable[[], str]) -> str:
        """Runs `act`; where it raises, nothing of what it wrote stays."""
        self._connection.execute("BEGIN")
        try:
            answer = act()
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return answer

    def __del__(self) -> None:
        self._connection.close()


class Wire:
    """A ledger that can be reached, restarted, and out of reach."""

    def __init__(self) -> None:
        self.database = Database()
        self.fate: Fate = "answered"
        self.heard: list[dict[str, Any]] = []
        """The messages that the ledger has got."""
        self._ledger: Ledger | None = None

    def restart(self) -> None:
        """Restarts the object: only its tables remain."""
        self._ledger = None

    def call(self, text: str, now: float) -> str | None:
        """The answer to a message; None where none comes."""
        if self.fate == "lost":
            return None
        self.heard.append(json.decode(text))
        known, self._ledger = self._ledger, None
        known = known or Ledger(self.database.execute)
        answer = self.database.transaction(lambda: known.call(text, now))
        self._ledger = known
        return None if self.fate == "unheard" else answer

    def ask(self, now: float, **message: Any) -> Any:
        """What the ledger answers to the operator."""
        answer = self.call(json.encode(message), now)
        assert answer is not None
        return json.decode(answer)

    def tell(self, leases: Leases, now: float) -> bool:
        """Sends an isolate's message if one is due. Returns False if no answer came."""
        text = leases.compose(now)
        if text is None:
            return True
        answer = self.call(text, now)
        if answer is None:
            leases.lost(now)
            return False
        leases.learn(answer, now)
        return True
