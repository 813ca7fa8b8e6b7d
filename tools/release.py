"""Prints the notes of a release: the changelog's part about one version. For the release workflow.

python3 -m tools.release v0.2.0     prints it, or exits 1 where the tag is not this version
"""

from __future__ import annotations

import re
import sys

from tools.paths import ROOT

INIT = ROOT / "src" / "xtrix" / "__init__.py"


def version() -> str:
    """Returns the version in the source, without importing it."""
    found = re.search(r'^__version__ = "(.+)"$', INIT.read_text(), re.MULTILINE)
    assert found
    return found[1]


def notes(changelog: str, wanted: str) -> str:
    """Returns the text under the heading of version `wanted`; empty if there is none."""
    parts = re.split(r"^## (\S+)$", changelog, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(wanted, "").strip()


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    (tag,) = arguments
    text = notes((ROOT / "CHANGELOG.md").read_text(), version())
    if tag != f"v{version()}" or not text:
        print(f"the tag {tag} is not v{version()}, or CHANGELOG.md is silent", file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
