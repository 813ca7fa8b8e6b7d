"""Draws the stored results as a picture for the documentation (SVG).

Bars are CPU time, so shorter is better. A rival can be so slow that its bar would hide the
differences between the others. Such a bar is cut off, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from bench.cases import DIALECTS, EVENTS
from bench.measure import spread
from bench.rivals import KINDS
from tools.paths import ROOT

PATH = ROOT / "docs" / "bench.svg"

_WIDTH = 840
_LEFT, _RIGHT = 212, 740
_BAR, _GAP, _GROUP_GAP = 11, 2, 12
_CUT = 1.25
"""How much longer than the second longest a bar may be before it is cut."""

_STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; }
.note { fill: #59636e; font-size: 12px; }
.own { font-weight: 600; }
.axis { stroke: #d1d9e0; }
.anthropic { fill: #8c959f; } .openai { fill: #c4cbd2; }
.own-anthropic { fill: #d4580c; } .own-openai { fill: #f2a66f; }
.gap { stroke: #ffffff; stroke-width: 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .note { fill: #9198a1; } .axis { stroke: #3d444d; }
  .anthropic { fill: #848d97; } .openai { fill: #4c535b; } .gap { stroke: #0d1117; }
  .own-anthropic { fill: #f0883e; } .own-openai { fill: #9a5a26; }
}"""


class _Panel(NamedTuple):
    """One chart: bars for each rival, one for each dialect."""

    title: str
    case: str
    factor: float
    unit: str


_PANELS = (
    _Panel("CPU time for each event of a stream", "text", 1000 / EVENTS, "µs"),
    _Panel("CPU time for a whole answer", "whole", 1, "ms"),
)


def svg(results: dict[str, Any]) -> str:
    """The picture."""
    parts: list[str] = []
    top = 30
    for panel in _PANELS:
        parts += [_text(20, top, panel.title, "title"), *_legend(top)]
        rows, height = _chart(results, panel, top + 18)
        parts += rows
        top += height + 52
    note = f"{results['date']}, {results['machine']}, {results['runtime']}. Shorter is better."
    parts.append(_text(20, top - 10, note, "note"))
    size = f'width="{_WIDTH}" height="{top + 8}" viewBox="0 0 {_WIDTH} {top + 8}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f"<title>{escape(_summary(results))}</title>\n<style>\n{_STYLE}\n</style>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _chart(results: dict[str, Any], panel: _Panel, top: int) -> tuple[list[str], int]:
    """The bars of one panel, and how high they are."""
    bars = {name: list(_values(results, panel, name)) for name in KINDS}
    bars = {name: values for name, values in bars.items() if values}
    longest = sorted(max(value for _, value in values) for values in bars.values())
    end = min(longest[-1], longest[-2] * _CUT) if len(longest) > 1 else longest[-1]
    parts: list[str] = []
    y = top
    for name, values in sorted(bars.items(), key=lambda bar: bar[1][0][1]):
        is_own = name == "xtrix"
        middle = y + (len(values) * (_BAR + _GAP)) // 2 + 3
        parts.append(_text(_LEFT - 10, middle, KINDS[name].title, "own" if is_own else "", "end"))
        for dialect, value in values:
            parts += _bar(y, value, end, f"own-{dialect}" if is_own else dialect)
            label = f"{value:.0f} {panel.unit}" if value >= 20 else f"{value:.1f} {panel.unit}"
            parts.append(_text(_LEFT + _length(value, end) + 8, y + 10, label, "note"))
            y += _BAR + _GAP
        y += _GROUP_GAP
    axis = (
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{top - 4}" y2="{y - _GROUP_GAP + 4}"/>'
    )
    return [*parts, axis], y - top


def _values(results: dict[str, Any], panel: _Panel, name: str) -> Iterator[tuple[str, float]]:
    for dialect in DIALECTS:
        samples = results["cpu_ms"].get(f"{panel.case}-{dialect}", {}).get(name)
        if samples:
            yield dialect, panel.factor * spread(samples)["median"]


def _bar(y: int, value: float, end: float, style: str) -> Iterator[str]:
    length = _length(value, end)
    yield f'<rect class="{style}" x="{_LEFT}" y="{y}" width="{length}" height="{_BAR}" rx="2"/>'
    if value > end:
        x = _LEFT + length - 28
        yield f'<path class="gap" d="M{x} {y + _BAR + 1} l6 -{_BAR + 2}"/>'


def _length(value: float, end: float) -> int:
    return max(2, round((_RIGHT - _LEFT) * min(value, end) / end))


def _legend(y: int) -> Iterator[str]:
    for place, dialect in enumerate(DIALECTS):
        x = _RIGHT - 190 + 110 * place
        yield f'<rect class="{dialect}" x="{x}" y="{y - 10}" width="11" height="11" rx="2"/>'
        title = {"anthropic": "Anthropic", "openai": "OpenAI"}[dialect]
        yield _text(x + 17, y, title, "note")


def _summary(results: dict[str, Any]) -> str:
    said = []
    for panel in _PANELS:
        values = [
            f"{KINDS[name].title} {value:.1f} {panel.unit}"
            for name in KINDS
            for dialect, value in _values(results, panel, name)
            if dialect == DIALECTS[0]
        ]
        said.append(f"{panel.title}: {', '.join(values)}.")
    return " ".join(said)


def _text(x: int, y: int, text: str, style: str, anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{kind}{place} x="{x}" y="{y}">{escape(text)}</text>'
