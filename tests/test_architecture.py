"""What docs/architecture.md shows of the code is there: modules, and the steps of its two walks."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
LAYOUT, *WALKS = PAGE.split("```")[1::2]
FOLDERS = ("src", "src/xtrix", "src/xtrix/protocols")
STEPS = re.findall(r"^ *(\S+\.(?:py|js)) +([\w.]+)(?:\(text\))?  ", "".join(WALKS), re.MULTILINE)
"""The file and the function of each step of a walk that names one."""


def source(file: str) -> str:
    """The text of a file as the page names it."""
    (path,) = [path for folder in FOLDERS if (path := ROOT / folder / file).is_file()]
    return path.read_text()


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_a_step_is_in_its_file(file: str, name: str) -> None:
    owner, _, function = name.rpartition(".")
    assert re.search(rf"\b{function}\(", source(file))
    assert not owner or f"class {owner}" in source(file)


def test_both_walks_have_steps() -> None:
    files = {file for file, _ in STEPS}
    assert files >= {"edge.js", "relay.py", "messages/reader.py", "splice.js", "messages/writer.py"}


def test_each_module_that_is_listed_exists() -> None:
    named = re.findall(r"\b(\w+)\.py\b", LAYOUT)
    known = {path.stem for path in (ROOT / "src").rglob("*.py")}
    assert set(named) - known == set()
