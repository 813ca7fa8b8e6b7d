"""Reads the examples of docs/clients.md and the README."""

import re
from pathlib import Path

from tools import paths

PAGE = paths.ROOT / "docs" / "clients.md"
README = paths.ROOT / "README.md"
ADDRESS = "https://xtrix.example.workers.dev"


def blocks(heading: str, address: str, page: Path = PAGE) -> list[str]:
    """The blocks under a heading of the page, with this address in place of the page's."""
    _, _, rest = page.read_text().partition(f"# {heading}\n")
    section = re.split(r"\n##+ ", rest, maxsplit=1)[0]
    found = re.findall(r"^```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert found, f"{page.name} has nothing to paste under {heading!r}"
    assert all(ADDRESS in block for block in found)
    return [block.replace(ADDRESS, address) for block in found]


def headings() -> list[str]:
    """The sections of docs/clients.md."""
    return re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)


def of_the_readme() -> list[str]:
    """The clients that the README gives lines for."""
    return re.findall(r"^### (.+)$", README.read_text(), re.MULTILINE)
