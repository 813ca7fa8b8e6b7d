"""Checks that work takes time in proportion to its size.

It compares processor time, with a wide margin.
"""

import gc
import time
from collections.abc import Callable

GROWTH = 8
LIMIT = 24
"""Eight times the work may take up to 24 times as long; what is quadratic takes 64."""


def assert_linear(prepare: Callable[[int], Callable[[], object]], size: int) -> None:
    """`prepare` makes the work of a size; only the work is timed."""
    small, large = prepare(size), prepare(size * GROWTH)
    assert _seconds(large) / _seconds(small) < LIMIT


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of `work`, the best of three."""
    times = []
    gc.disable()  # it looks at all there is, whatever the work
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    gc.enable()
    return min(times)
