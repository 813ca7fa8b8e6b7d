"""Reads the examples of docs/clients.md and the README."""

import re
from pathlib import Path

from tools import paths

PAGE = paths.ROOT / "docs" / "clients.md"
README = paths.ROOT / "README.md"
ADDRESS = "https://xtrix.example.workers.dev"


def blocks(heading: str, address: str, page: Path = PAGE) -> list[str]:
    """The blocks under a heading of the page that name its address, with this one in its place."""
    found = [block for block in _blocks(heading, page) if ADDRESS in block]
    assert found, f"{page.name} names no address under {heading!r}"
    return [block.replace(ADDRESS, address) for block in found]


def other_blocks(heading: str) -> list[str]:
    """The blocks under a heading of docs/clients.md that go with any address."""
    return [block for block in _blocks(heading, PAGE) if ADDRESS not in block]


def _blocks(heading: str, page: Path) -> list[str]:
    _, _, rest = page.read_text().partition(f"# {heading}\n")
    section = re.split(r"\n##+ ", rest, maxsplit=1)[0]
    return re.findall(r"^```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def headings() -> list[str]:
    """The sections of docs/clients.md."""
    return re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)


def of_the_readme() -> list[str]:
    """The clients for which the README has an example."""
    return re.findall(r"^### (.+)$", README.read_text(), re.MULTILINE)
