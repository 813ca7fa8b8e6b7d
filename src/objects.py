"""What the Durable Objects have in common: a database in SQLite, transactions, a clock, an alarm.

The runtime's own SQL is used instead of the SDK's wrapper, which converts every value: 7 µs a
statement instead of 212 (measured).
"""

import time
from collections.abc import Callable
from typing import Any

from pyodide.ffi import create_once_callable
from workers import DurableObject


class DatabaseObject(DurableObject):
    """A Durable Object with SQLite."""

    _storage: Any
    """The runtime's own object."""

    def __new__(cls, ctx: Any, env: Any) -> Any:
        """A new object.

        The SDK wraps the `ctx` and `env` that it gives to `__init__`, but not these.
        """
        del env
        self = super().__new__(cls)
        self._storage = ctx.storage
        return self

    def execute(self, statement: str, *given: Any) -> list[list[Any]]:
        """Runs a statement with its values, and returns its rows."""
        rows: list[list[Any]] = self._storage.sql.exec(statement, *given).raw().toArray().to_py()
        return rows

    def in_transaction(self, act: Callable[[], Any]) -> Any:
        """Runs `act` in one transaction, and returns what it returns."""
        return self._storage.transactionSync(create_once_callable(act))

    def now(self) -> float:
        """Returns the time in Unix seconds."""
        return time.time()

    def set_alarm(self, at: float) -> None:
        """Has Cloudflare call `alarm` at this time, in Unix seconds."""
        self._storage.setAlarm(at * 1000)
