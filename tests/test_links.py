"""Checks the README and docs/: every link leads somewhere, and every placeholder is explained."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)|<(?:img|a|source)\b[^>]*?(?:src|href|srcset)=\"([^\"]+)\"")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z]+:")
PLACEHOLDER = re.compile(r"\bYOUR[-_][A-Z]+\b|\bxtrix\.example\b")
"""Something that a reader must replace, such as an address that nobody knows yet."""
SERVED = (
    "wrangler.toml",
    "package.json",
    ".dev.vars.example",
    "public/*",
    "src/**/*.js",
    ".github/**/*",
)
"""Files that run or are served as they are: nobody would replace a placeholder in them."""


def links(page: Path) -> Iterator[str]:
    for found in LINK.finditer(CODE.sub("", page.read_text())):
        yield found[1] or found[2]


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    names: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", CODE.sub(_kept, page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        base = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        same = (base, *(f"{base}-{n}" for n in range(1, 100)))
        names.add(next(name for name in same if name not in names))
    return names


def _kept(found: re.Match[str]) -> str:
    """Keeps code inside a heading, and removes blocks of code."""
    return "" if found[0].startswith("```") else found[0].strip("`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_there = target.exists() and target.is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_links_are_found() -> None:
    assert "docs/configuration.md" in list(links(ROOT / "README.md"))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 12 * 1024


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_placeholder_is_explained_on_its_page(page: Path) -> None:
    """The page's text has it between backticks, and says what to put in its place."""
    text = page.read_text()
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    explained = set(PLACEHOLDER.findall(" ".join(re.findall(r"`[^`\n]+`", prose))))
    assert set(PLACEHOLDER.findall(text)) == explained


def test_no_placeholder_is_left_in_what_runs() -> None:
    found = {pattern: [it for it in ROOT.glob(pattern) if it.is_file()] for pattern in SERVED}
    assert all(found.values())
    files = [file for each in found.values() for file in each]
    assert [file for file in files if PLACEHOLDER.search(file.read_text())] == []


def test_placeholders_are_found() -> None:
    found = {word for page in PAGES for word in PLACEHOLDER.findall(page.read_text())}
    assert {"xtrix.example", "YOUR_NAME", "YOUR-KEY", "YOUR-GATEWAY"} <= found
