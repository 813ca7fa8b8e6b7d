"""The Durable Object that counts what keys use: one ledger for all isolates.

It decides nothing: it passes each message to `xtrix.keys.ledger`, with the time and a function that
runs a statement.
"""

from objects import DatabaseObject
from xtrix.keys import ledger


class Ledger(DatabaseObject):
    """The ledger as Cloudflare runs it: one for all isolates.

    Cloudflare restarts it whenever it was idle.
    """

    _ledger: ledger.Ledger | None = None
    """The ledger of earlier messages, with what it has in memory; None after a start or an
    error."""

    def call(self, text: str) -> str:
        """Answers a message.

        A message is one transaction. If it fails, the ledger in memory is thrown away with it.
        """
        known, self._ledger = self._ledger, None

        def act() -> str:
            nonlocal known
            known = known or ledger.Ledger(self.execute)
            return known.call(text, self.now())

        answer: str = self.in_transaction(act)
        self._ledger = known
        return answer
