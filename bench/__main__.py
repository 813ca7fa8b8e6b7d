"""`make bench`: measures this Worker and its rivals in one run, and stores the results.

    make bench                about 20 minutes, all rivals
    make bench ARGS=--quick   about 4 minutes, fewer cases and rounds, without LiteLLM

Writes results/latest.json, and from it results/latest.md and docs/bench.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import cases, measure, node, picture, report, rivals
from bench.targets import Results
from tools import paths

_RESULTS = Path(__file__).parent / "results"
_QUICK_RIVALS = tuple(name for name in rivals.KINDS if name != "litellm")


class Effort(NamedTuple):
    """Rounds for each group of cases; 0 leaves it out."""

    streams: int
    bursts: int
    whole: int
    bodies: int
    keys: int
    long: int
    latency: int
    rate: int
    cold: int


_FULL = Effort(
    streams=25, bursts=15, whole=25, bodies=9, keys=15, long=2, latency=7, rate=3, cold=9
)
_QUICK = Effort(streams=5, bursts=3, whole=5, bodies=3, keys=3, long=0, latency=1, rate=1, cold=3)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four minutes; stores nothing")
    parser.add_argument("--draw", action="store_true", help="draw the stored results again")
    parser.add_argument("--rivals", nargs="+", choices=rivals.KINDS, help="only these")
    said = parser.parse_args()
    if said.draw:
        _draw(json.loads((_RESULTS / "latest.json").read_text()))
        return 0
    names = said.rivals or (_QUICK_RIVALS if said.quick else tuple(rivals.KINDS))
    try:
        results = _measure(tuple(names), _QUICK if said.quick else _FULL)
    except (measure.WrongAnswerError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(report.markdown(results))
    if not said.quick and not said.rivals:
        _RESULTS.mkdir(exist_ok=True)
        (_RESULTS / "latest.json").write_text(json.dumps(results, indent=1) + "\n")
        _draw(results)
    return 0


def _measure(names: tuple[str, ...], effort: Effort) -> Results:
    results: Results = {**_circumstances(), "cpu_ms": {}}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(node.upstream())
        clients = stack.enter_context(node.clients())
        running = {
            name: stack.enter_context(rivals.KINDS[name].serve(name, upstream)) for name in names
        }
        with _told("warming up"):
            measure.warm_up(running, clients, cases.WARM_UP)
        for group, rounds in _groups(effort):
            with _told(group[0].name):
                results["cpu_ms"] |= measure.cpu(running, clients, group, rounds)
        with _told("time added"):
            for case, rounds in ((cases.ONE, effort.latency), (cases.FIFTY, effort.latency)):
                seen = measure.latency(running, clients, case, rounds)
                results.setdefault("latency", {})[case.name] = seen
        with _told("requests a second"):
            results["rate"] = measure.rate(running, clients, effort.rate)
        results["memory"] = measure.memory(running)
        with _told("cold starts"):
            results["cold_ms"] = measure.cold_start(upstream, clients, effort.cold)
        with _told("a body of 30 MB"):
            results["isolate_mb"] = measure.isolate()
        results["upload"] = measure.upload()
    return results


def _groups(effort: Effort) -> list[tuple[tuple[cases.Case, ...], int]]:
    groups = (
        (cases.STREAMS, effort.streams),
        (cases.BURSTS, effort.bursts),
        (cases.WHOLE, effort.whole),
        (cases.BODIES, effort.bodies),
        (cases.KEYS, effort.keys),
        (cases.LONG, effort.long),
    )
    return [(group, rounds) for group, rounds in groups if rounds]


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    print(f"{what} ...", end=" ", flush=True, file=sys.stderr)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


def _circumstances() -> Results:
    """When, on what and with what; nothing that tells whose machine it is."""
    versions = {
        name: json.loads((paths.NODE_MODULES / name / "package.json").read_bytes())["version"]
        for name in ("workerd", "pyodide")
    }
    models = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores",
        "runtime": f"workerd {versions['workerd']}, Pyodide {versions['pyodide']}",
    }


def _draw(results: Results) -> None:
    (_RESULTS / "latest.md").write_text(report.markdown(results))
    picture.PATH.parent.mkdir(exist_ok=True)
    picture.PATH.write_text(picture.svg(results))


if __name__ == "__main__":
    sys.exit(main())
