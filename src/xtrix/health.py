"""Remembers which targets keep failing, and leaves them out for a while.

Each isolate remembers this for itself, in plain values, so nothing here has to be awaited. The time
is passed in.
"""

from xtrix.providers import Target

FAILURES = 3
"""So many failures in a row make a target rest. One more failure after its rest makes it rest
again."""


class Health:
    """The failures of each target, as this isolate has seen them."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}
        self._rests_until: dict[tuple[str, str], float] = {}

    def failed(self, target: Target, now: float) -> None:
        """Notes that a call of `target` failed at `now` (seconds)."""
        key = _key(target)
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._failures[key] >= FAILURES:
            self._rests_until[key] = now + target.provider.retries.rest

    def answered(self, target: Target) -> None:
        """Notes that `target` answered."""
        if self._failures:
            self._failures.pop(_key(target), None)
            self._rests_until.pop(_key(target), None)

    def order(self, targets: tuple[Target, ...], now: float) -> list[Target]:
        """`targets` without those that rest; or all, if all of them rest."""
        if not self._rests_until:
            return list(targets)
        awake = [target for target in targets if self._rests_until.get(_key(target), 0) <= now]
        return awake or list(targets)


def _key(target: Target) -> tuple[str, str]:
    return target.provider.name, target.model
