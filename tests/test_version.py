"""The version is written once, and the changelog describes it."""

import re
from pathlib import Path

from xtrix import __version__

ROOT = Path(__file__).parents[1]


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == __version__
    assert len(headings) == len(set(headings))


def test_the_version_is_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
