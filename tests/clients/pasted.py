"""The lines that docs/clients.md gives to paste."""

import re

from tools import paths

PAGE = paths.ROOT / "docs" / "clients.md"
ADDRESS = "https://xtrix.example.workers.dev"


def blocks(heading: str, address: str) -> list[str]:
    """The blocks under a heading of the page, with this address in place of the page's."""
    _, _, rest = PAGE.read_text().partition(f"\n## {heading}\n")
    section = rest.split("\n## ", 1)[0]
    found = re.findall(r"^```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert found, f"{PAGE.name} has nothing to paste under {heading!r}"
    assert all(ADDRESS in block for block in found)
    return [block.replace(ADDRESS, address) for block in found]


def headings() -> list[str]:
    """The sections of the page."""
    return re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)
