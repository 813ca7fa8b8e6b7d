"""The targets for this Worker, and whether it reaches them: ratios within one run.

Source: the project's own targets, each against what ran beside it.
"""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

from bench.cases import DIALECTS, EVENTS, MANY_EVENTS

Results = dict[str, Any]


class Target(NamedTuple):
    """One target and what was measured. `measured` is None when the run left it out."""

    what: str
    against: str
    at_most: float
    measured: float | None
    unit: str = ""
    """Of both numbers; empty for a ratio."""

    @property
    def met(self) -> bool | None:
        """Whether it was reached; None when nothing was measured."""
        return None if self.measured is None else self.measured <= self.at_most


def targets(results: Results) -> list[Target]:
    """Every target with what `results` say of it, the worse dialect counting."""
    text, whole, packs = "a stream, CPU", "a whole answer, CPU", "a stream in packs of 8, CPU"
    responses, messages = "a stream to Responses, CPU", "a stream to Messages, CPU"
    fifty, isolate = "first byte at 50 streams", "an isolate that takes 30 MB"
    first, cold = "first byte of one stream, added", "cold start, added"
    many, tools = f"CPU per event of {MANY_EVENTS}", "CPU per event of tool calls"
    plain = "the same with a plain key"
    return [
        Target(text, "the JavaScript re-framer", 0.95, _worst(results, "text", "reframe")),
        Target(text, "Portkey", 1.0, _worst(results, "text", "portkey")),
        Target(text, "LiteLLM", 0.15, _worst(results, "text", "litellm")),
        Target(packs, "the JavaScript re-framer", 1.0, _worst(results, "burst", "reframe")),
        Target(
            responses, "a stream to Chat Completions", 1.1, _beside(results, "responses", "text")
        ),
        Target(messages, "a stream to Chat Completions", 1.1, _beside(results, "messages", "text")),
        Target(whole, "the Python pass-through", 1.25, _worst(results, "whole", "floor")),
        Target(whole, "LiteLLM", 0.15, _worst(results, "whole", "litellm")),
        Target(
            "a stream on a named key, CPU",
            plain,
            1.05,
            _beside(results, "named-stream", "plain-stream"),
        ),
        Target(
            "a whole answer on a named key, CPU",
            plain,
            1.05,
            _beside(results, "named-whole", "plain-whole"),
        ),
        Target("100 messages of history, CPU", "one", 1.5, _beside(results, "hundred", "one")),
        Target("200 messages of history, CPU", "one", 2.0, _beside(results, "agent", "one")),
        Target("a picture of 4 MB as a data URL, CPU", "", 15, _picture(results), "ms"),
        Target(isolate, "", 128, _isolate(results), "MB"),
        Target(first, "the JavaScript pass-through", 3, _first(results), "ms"),
        Target(fifty, "the JavaScript re-framer", 1.6, _fifty(results)),
        Target(many, f"per event of {EVENTS}", 1.05, _long(results)),
        Target(tools, "per event of text", 1.5, _beside(results, "tools", "text")),
        Target(cold, "a hello-world Python Worker", 60, _cold(results), "ms"),
        Target("upload, gzipped", "", 2, _upload(results), "MiB"),
    ]


def ratio(results: Results, case: str, name: str, base: str, base_case: str = "") -> float | None:
    """The median of the ratios of each round; None when one of the two was not measured."""
    samples = results["cpu_ms"]
    ours = samples.get(case, {}).get(name)
    theirs = samples.get(base_case or case, {}).get(base)
    if not ours or not theirs:
        return None
    return float(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)))


def _worst(results: Results, case: str, rival: str) -> float | None:
    return _largest(ratio(results, f"{case}-{dialect}", "xtrix", rival) for dialect in DIALECTS)


def _beside(results: Results, case: str, base_case: str) -> float | None:
    """Of ourselves in another case."""
    return _largest(
        ratio(results, f"{case}-{dialect}", "xtrix", "xtrix", f"{base_case}-{dialect}")
        for dialect in DIALECTS
    )


def _picture(results: Results) -> float | None:
    samples = [results["cpu_ms"].get(f"picture-{dialect}", {}) for dialect in DIALECTS]
    return _largest(statistics.median(each["xtrix"]) for each in samples if "xtrix" in each)


def _isolate(results: Results) -> float | None:
    return _largest(results.get("isolate_mb", {}).values())


def _fifty(results: Results) -> float | None:
    seen = results.get("latency", {}).get("fifty")
    if not seen or "reframe" not in seen:
        return None
    own: float = seen["xtrix"]["first_ms"]["median"]
    return own / float(seen["reframe"]["first_ms"]["median"])


def _long(results: Results) -> float | None:
    found = _largest(
        ratio(results, f"long-{dialect}", "xtrix", "xtrix", f"short-{dialect}")
        for dialect in DIALECTS
    )
    return None if found is None else found * EVENTS / MANY_EVENTS


def _first(results: Results) -> float | None:
    seen = results.get("latency", {}).get("one")
    if not seen:
        return None
    own: float = seen["xtrix"]["first_ms"]["median"]
    return own - float(seen["pass_through"]["first_ms"]["median"])


def _cold(results: Results) -> float | None:
    seen = results.get("cold_ms")
    return float(seen["xtrix"]["median"] - seen["hello"]["median"]) if seen else None


def _upload(results: Results) -> float | None:
    seen = results.get("upload")
    return float(seen["gzip_kib"]) / 1024 if seen else None


def _largest(ratios: Any) -> float | None:
    found = [one for one in ratios if one is not None]
    return max(found) if found else None
