"""How far a key that is not strict may exceed its budget, case by case.

A test checks each row, and the table of docs/keys.md is made from them.
"""

from typing import NamedTuple

AT_ONCE = 32
"""Calls that run side by side, over all isolates."""


class Case(NamedTuple):
    """The behaviour of clients and upstreams, and the cost of one call in micro-dollars."""

    name: str
    kinds: tuple[str, ...]
    """What calls do, one after the other."""
    charged: int
    """What the upstream reports."""
    aside: int
    """The least that is reserved."""

    @property
    def bound(self) -> int:
        """The most micro-dollars that are booked beyond the budget."""
        return AT_ONCE * (self.charged - self.aside)


CASES = (
    Case("whole answers", ("whole",), 2_000, 1_000),
    Case("streams", ("streams",), 2_000, 1_000),
    Case(
        "half of the clients leave or have an upstream that breaks",
        ("whole", "streams", "leaves", "breaks"),
        *(2_000, 0),
    ),
)


def table() -> str:
    """The rows as Markdown."""
    head = f"| {AT_ONCE} calls at once | a call costs | reserved at least | overspent at most |"
    rows = [
        f"| {it.name} | {_usd(it.charged)} | {_usd(it.aside)} | {_usd(it.bound)} |" for it in CASES
    ]
    return "\n".join([head, "|---|---|---|---|", *rows])


def _usd(micros: int) -> str:
    return f"${micros / 1_000_000:.3f}"
