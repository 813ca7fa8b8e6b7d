"""The results as Markdown, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bench.cases import DIALECTS, EVENTS
from bench.measure import spread
from bench.rivals import KINDS
from bench.targets import targets

Results = dict[str, Any]

_CPU = (
    ("text", f"event of a stream of {EVENTS}", "µs", 1000 / EVENTS),
    ("tools", "event of a stream of tool calls", "µs", 1000 / EVENTS),
    ("responses", "event of a stream to Responses", "µs", 1000 / EVENTS),
    ("messages", "event of a stream to Messages", "µs", 1000 / EVENTS),
    ("burst", "event, 8 in a piece", "µs", 1000 / EVENTS),
    ("whole", "whole answer of 1 KB", "ms", 1),
    ("large", "whole answer of 100 KB", "ms", 1),
    ("megabyte", "request of 1 MB", "ms", 1),
    ("hundred", "request with 100 messages of history", "ms", 1),
    ("agent", "request with 200 messages of history", "ms", 1),
    ("picture", "request with a picture of 4 MB", "ms", 1),
)


def markdown(results: Results) -> str:
    """All tables, with where and when they were measured."""
    parts = [
        f"Measured {results['date']} on {results['machine']}, {results['runtime']}.",
        "**Targets**\n\n" + _targets(results),
        "**CPU time of the serving process** (median; Anthropic / OpenAI upstream)\n\n"
        + _cpu(results),
    ]
    if "latency" in results:
        parts.append("**Time, rate and memory**\n\n" + _rest(results))
    return "\n\n".join(parts) + "\n"


def _targets(results: Results) -> str:
    rows = []
    for target in targets(results):
        if target.measured is None:
            continue
        unit = f" {target.unit}" if target.unit else ""
        measured = f"{target.measured:.1f}" if target.unit == "ms" else f"{target.measured:.2f}"
        verdict = "yes" if target.met else "**no**"
        row = (target.what, target.against, f"{target.at_most:g}{unit}", f"{measured}{unit}")
        rows.append((*row, verdict))
    return _table(("what", "against", "at most", "measured", "met"), rows)


def _cpu(results: Results) -> str:
    names = [name for name in KINDS if any(name in case for case in results["cpu_ms"].values())]
    rows = []
    for case, what, unit, factor in _CPU:
        cells = [_pair(results, case, name, factor) for name in names]
        if any(cells):
            rows.append((f"{what}, {unit}", *cells))
    return _table(("", *(KINDS[name].title for name in names)), rows)


def _pair(results: Results, case: str, name: str, factor: float) -> str:
    cells = []
    for dialect in DIALECTS:
        samples = results["cpu_ms"].get(f"{case}-{dialect}", {}).get(name)
        if samples:
            cells.append(_number(factor * spread(samples)["median"]))
    return " / ".join(cells)


def _rest(results: Results) -> str:
    latency, rate, memory = results["latency"], results["rate"], results["memory"]
    rows: list[tuple[str, ...]] = []
    for name in rate:
        cells = [
            _number(latency[case][name][what]["median"])
            for case in ("one", "fifty")
            for what in ("first_ms", "event_ms")
        ]
        python = memory[name]["python_mb"]
        own = f"{memory[name]['resident_mb']:.0f}" + (f" ({python:.0f})" if python else "")
        rows.append((KINDS[name].title, *cells, f"{rate[name]['median']:.0f}", own))
    head = (
        "",
        "first byte, ms",
        "each event, ms",
        "first byte at 50 streams",
        "each event at 50 streams",
        "whole answers a second",
        "memory, MB (Python's)",
    )
    return _table(head, rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
