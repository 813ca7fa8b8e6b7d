"""`make hostile`: measures what hostile bodies cost the isolate, by their shape.

    make hostile                        every shape, in three sizes (20 minutes)
    make hostile ARGS="--size 300000"   in one size
    make hostile ARGS="--only 'byte'"   those whose name has it (a regular expression)

Each shape meets a fresh Worker that has taken what every Worker takes once. Printed are the shape's
bytes on the wire, the memory it took and what it may take (tests/worker/cost.py), the longest wait
of another request, and how many times that is the wait beside an ordinary conversation, or an
ordinary stream, of the same length.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.worker.client import CLIENT_KEYS
from tests.worker.cost import MEGABYTE, V8_FLAGS, Cost, cost_of, take_once
from tests.worker.shapes import ANSWERS, CONVERSATION, REQUESTS, Shape
from tests.worker.speech import DIALECTS
from tests.worker.upstream import Upstream
from tools import runtime
from xtrix.body import MAX_READ_BYTES

_SIZES = (100_000, 1_000_000, MAX_READ_BYTES)
_MOST_PIECES_BYTES = 600_000
"""The largest body in pieces of a byte or two. A larger one takes minutes and shows nothing
else."""
_ROW = "| {:<52} | {:>7} | {:>6} | {:>7} | {:>7} | {:>7} | {:>8} | {:>5} | {}"
_HEAD = ("shape", "MB", "status", "took MB", "may MB", "isolate", "wait ms", "ratio", "")


def _dialect_of(shape: Shape) -> str:
    return shape.name.rpartition(", ")[2]


_USUAL = {
    (_dialect_of(shape), shape.streamed): shape
    for shape in (
        *CONVERSATION.values(),
        *(ANSWERS[f"streams, {name}"][0] for name in CONVERSATION),
    )
}
"""What other shapes' waits are compared with, by dialect and by whether it is a stream."""


def main() -> int:
    """Returns the exit status: 1 where a shape took more than it may."""
    parser = argparse.ArgumentParser(prog="make hostile", description=__doc__)
    parser.add_argument("--size", type=int, nargs="+", default=_SIZES, help="bytes")
    parser.add_argument("--only", default="", help="a part of the shapes' names")
    said = parser.parse_args()
    shapes = [each for group in (REQUESTS | ANSWERS).values() for each in group]
    chosen = [each for each in shapes if re.search(said.only, each.name)]
    print(_ROW.format(*_HEAD))
    costs = list(_measured(chosen, said.size))
    over = [cost for cost in costs if cost.grown > cost.allowed]
    print(f"{len(over)} of {len(costs)} took more than they may")
    return 1 if over else 0


def _measured(shapes: list[Shape], sizes: list[int]) -> Iterator[Cost]:
    upstream = Upstream()
    bindings: dict[str, object] = {
        "API_KEYS": CLIENT_KEYS[0],
        "PROVIDERS": [
            {
                "name": dialect.name,
                "dialect": dialect.name,
                "base_url": upstream.base_url,
                "models": [dialect.model],
            }
            for dialect in DIALECTS
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        snapshot = runtime.save_snapshot(Path(folder))

        def measured(shape: Shape, size: int) -> Cost:
            with runtime.serve(bindings, snapshot=snapshot, v8_flags=V8_FLAGS) as worker:
                take_once(worker, upstream, in_crumbs=shape.pieces > 0)
                return cost_of(worker, upstream, shape, size)

        for size in sizes:
            usual = {key: measured(shape, size) for key, shape in _USUAL.items()}
            for cost in usual.values():
                _show(cost, cost)
            for shape in shapes:
                most = _MOST_PIECES_BYTES if shape.pieces else size
                cost = measured(shape, min(size, most))
                _show(cost, usual[_dialect_of(shape), shape.streamed])
                yield cost
    upstream.stop()


def _show(cost: Cost, ordinary: Cost) -> None:
    megabytes = [f"{size / MEGABYTE:.1f}" for size in (cost.grown, cost.allowed, cost.isolate)]
    ratio = f"{cost.wait / ordinary.wait:.1f}"
    wait = f"{1000 * cost.wait:.0f}"
    size = f"{cost.size / MEGABYTE:.2f}"
    verdict = "" if cost.grown <= cost.allowed else "**too much**"
    print(_ROW.format(cost.shape, size, cost.status, *megabytes, wait, ratio, verdict), flush=True)


if __name__ == "__main__":
    sys.exit(main())
