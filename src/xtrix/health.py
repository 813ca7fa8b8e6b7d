"""Which targets are left out for a while because they kept failing.

Kept per isolate and in plain values: nothing here can be waited for. The clock is handed in.
"""

from xtrix.providers import Target

FAILURES = 3
"""In a row, after which a target rests. One more after its rest sends it back at once."""


class Health:
    """What this isolate has seen of each target."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}
        self._rests_until: dict[tuple[str, str], float] = {}

    def failed(self, target: Target, now: float) -> None:
        """Note that a call to `target` came to nothing at `now` (seconds)."""
        key = _key(target)
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._failures[key] >= FAILURES:
            self._rests_until[key] = now + target.provider.retries.rest

    def answered(self, target: Target) -> None:
        """Note that `target` answered."""
        if self._failures:
            self._failures.pop(_key(target), None)
            self._rests_until.pop(_key(target), None)

    def order(self, targets: tuple[Target, ...], now: float) -> list[Target]:
        """`targets` without those that rest; all of them where all do."""
        awake = [target for target in targets if self._rests_until.get(_key(target), 0) <= now]
        return awake or list(targets)


def _key(target: Target) -> tuple[str, str]:
    return target.provider.name, target.model
