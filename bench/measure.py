"""The measurements. Each returns plain values that can be stored.

Rivals take turns within a round, in a random order, and a figure is the median of many rounds. So
other work of the machine affects all of them alike. A ratio is taken within each round.
"""

from __future__ import annotations

import random
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench import cases, node, processes, rivals
from bench.cases import Case
from tests.worker.client import CLIENT_KEYS
from tests.worker.cost import V8_FLAGS, cost_of
from tests.worker.shapes import CONVERSATION, PICTURES
from tests.worker.upstream import Upstream
from tools import paths, runtime

Samples = dict[str, dict[str, list[float]]]
"""By case and rival, one value for each round."""
_T = TypeVar("_T")
Running = Mapping[str, rivals.Rival]

_RATE_SECONDS = 2.0
_LARGE = 30_000_000
"""Bytes."""


class WrongAnswerError(Exception):
    """A rival answered wrongly, so what it costs means nothing."""


def spread(samples: Iterable[float]) -> dict[str, float]:
    """The median and the middle half of `samples`."""
    values = sorted(samples)
    quarter = len(values) // 4
    return {
        "median": round(statistics.median(values), 4),
        "low": round(values[quarter], 4),
        "high": round(values[-1 - quarter], 4),
    }


def cpu(running: Running, clients: node.Clients, asked: Sequence[Case], rounds: int) -> Samples:
    """CPU milliseconds of the serving process for each request."""
    turns = [(case, running[name]) for case in asked for name in case.rivals if name in running]
    samples: Samples = {case.name: {name: [] for name in case.rivals} for case in asked}
    for _ in range(rounds):
        for case, rival in _shuffled(turns):
            if case.rest:
                _send(clients, rival, case, requests=1)
            before = processes.cpu_seconds(rival.pid)
            seen = _send(clients, rival, case)
            time.sleep(case.rest)
            spent = processes.cpu_seconds(rival.pid) - before
            samples[case.name][rival.name].append(1000 * spent / seen.requests)
    return samples


def warm_up(running: Running, clients: node.Clients, asked: Sequence[Case]) -> None:
    """Have every rival compile what it is going to run."""
    for case in asked:
        for name in case.rivals:
            if name in running:
                _send(clients, running[name], case)


def latency(running: Running, clients: node.Clients, case: Case, rounds: int) -> dict[str, Any]:
    """Milliseconds to the first byte, and from an event's writing to its arrival; by rival."""
    first: dict[str, list[float]] = {name: [] for name in running}
    delay: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for rival in _shuffled(list(running.values())):
            seen = _send(clients, rival, case)
            first[rival.name].append(statistics.median(seen.first))
            delay[rival.name].append(statistics.median(seen.delays))
    return {
        name: {"first_ms": spread(first[name]), "event_ms": spread(delay[name])} for name in running
    }


def rate(running: Running, clients: node.Clients, rounds: int) -> dict[str, dict[str, float]]:
    """Whole answers a second with sixteen clients that never wait; by rival."""
    rates: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for rival in _shuffled(list(running.values())):
            seen = _send(clients, rival, cases.RATE, seconds=_RATE_SECONDS)
            rates[rival.name].append(seen.requests / seen.seconds)
    return {name: spread(values) for name, values in rates.items()}


def memory(running: Running) -> dict[str, dict[str, float]]:
    """Megabytes after everything else; by rival."""
    return {
        name: {
            "resident_mb": round(processes.resident_bytes(rival.pid) / 1e6, 1),
            "python_mb": round(processes.wasm_bytes(rival.pid) / 1e6, 1),
        }
        for name, rival in running.items()
    }


def cold_start(upstream: str, clients: node.Clients, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds from a process's start, from a snapshot, to its first whole answer."""
    workers = {"xtrix": rivals.ours(), "hello": rivals.hello()}
    bindings: dict[str, dict[str, object]] = {"xtrix": rivals.our_bindings(upstream), "hello": {}}
    times: dict[str, list[float]] = {name: [] for name in workers}
    with tempfile.TemporaryDirectory() as folder:
        snapshots: dict[str, Path] = {}
        for name, worker in workers.items():
            own = Path(folder) / name
            own.mkdir()
            snapshots[name] = runtime.save_snapshot(own, worker=worker)
        for _ in range(rounds):
            for name in _shuffled(list(workers)):
                began = time.monotonic()
                served = runtime.serve(
                    bindings[name], worker=workers[name], snapshot=snapshots[name]
                )
                with served as process:
                    rival = rivals.Rival("xtrix", process.pid, process.url)
                    _send(clients, rival, cases.COLD, anything=name == "hello")
                    times[name].append(1000 * (time.monotonic() - began))
    return {name: spread(values) for name, values in times.items()}


def isolate() -> dict[str, float]:
    """Megabytes of an isolate, at the most, that takes bodies of 30 MB; by upstream dialect.

    Each is a fresh one whose V8 has to collect its garbage early, as one near its limit.
    """
    found: dict[str, float] = {}
    upstream = Upstream()
    with tempfile.TemporaryDirectory() as folder:
        snapshot = runtime.save_snapshot(Path(folder))
        for name, shape in PICTURES.items():
            row = {"name": name, "dialect": name, "models": ["*"], "base_url": upstream.base_url}
            bindings: dict[str, object] = {"API_KEYS": CLIENT_KEYS[0], "PROVIDERS": [row]}
            with runtime.serve(bindings, snapshot=snapshot, v8_flags=V8_FLAGS) as worker:
                cost_of(worker, upstream, CONVERSATION[name], 10_000)
                costs = [cost_of(worker, upstream, shape, _LARGE) for _ in range(3)]
            if any(cost.status != 200 for cost in costs):
                raise WrongAnswerError(f"a body of 30 MB: {costs[0]}")
            found[name] = round(max(cost.isolate for cost in costs) / 1e6, 1)
    upstream.stop()
    return found


def upload() -> dict[str, float]:
    """Kilobytes that a deployment sends, as wrangler counts them."""
    command = [str(paths.PYTHON), "-m", "tools.wrangler", "deploy", "--dry-run"]
    said = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    match = re.search(r"Total Upload: ([\d.]+) KiB / gzip: ([\d.]+) KiB", said.stdout)
    if match is None:
        raise RuntimeError(f"wrangler named no size: {said.stdout[-500:]}{said.stderr[-500:]}")
    return {"kib": float(match[1]), "gzip_kib": float(match[2])}


def _send(clients: node.Clients, rival: rivals.Rival, case: Case, **changes: object) -> node.Seen:
    seen = clients.send(case.load(rival, **changes))
    if seen.failed:
        raise WrongAnswerError(
            f"{rivals.KINDS[rival.name].title}, {case.name}: {seen.failed} of {seen.requests}"
            f" answers are wrong, such as: {seen.answer}"
        )
    return seen


def _shuffled(items: Sequence[_T]) -> list[_T]:
    return random.sample(items, len(items))
