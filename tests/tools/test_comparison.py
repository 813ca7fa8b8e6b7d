"""The measured rows of docs/comparison.md are those of the stored run of `make bench`."""

import json
import re

import pytest

from bench.cases import DIALECTS, EVENTS
from bench.measure import spread
from tools.paths import ROOT

COLUMNS = {"xtrix": 2, "portkey": 4, "litellm": 5}
ROWS = {
    "CPU for an event of a stream": ("text", EVENTS),
    "CPU for a whole answer of 1 KB": ("whole", 1),
}


@pytest.mark.parametrize("words", ROWS)
def test_the_comparison_has_the_times_of_the_stored_run(words: str) -> None:
    case, times = ROWS[words]
    measured = json.loads((ROOT / "bench" / "results" / "latest.json").read_text())["cpu_ms"]
    page = (ROOT / "docs" / "comparison.md").read_text()
    cells = next(line for line in page.splitlines() if words in line).split("|")
    for gateway, column in COLUMNS.items():
        medians = sorted(
            spread(measured[f"{case}-{dialect}"][gateway])["median"] / times for dialect in DIALECTS
        )
        written = re.findall(r"[\d.]+", cells[column])
        assert [float(number) for number in written] == pytest.approx(medians, rel=0.06), gateway
