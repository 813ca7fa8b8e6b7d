"""`make sbom`: the software bill of materials, as CycloneDX, by public tools.

    .cache/sbom/worker.cdx.json   what runs in the Worker
    .cache/sbom/python.cdx.json   what it is made and tested with, from PyPI
    .cache/sbom/node.cdx.json     the same from npm

cyclonedx-py reads the files that pin by hash, npm its own lock file; nothing is resolved anew, so
that the bills say what a build installs. The tool has an environment of its own, because nothing
else needs what it brings.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import release
from tools.paths import CACHE, NODE, NPM, PYTHON, ROOT

FOLDER = CACHE / "sbom"
TOOL = FOLDER / "venv" / "bin" / "python"
REQUIREMENTS = ROOT / "requirements-release.txt"
PINNED = {"worker": ROOT / "requirements.txt", "python": ROOT / "requirements-dev.lock"}


def bills() -> Iterator[Path]:
    """Makes each bill, and yields its file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _run(PYTHON, "-m", "venv", TOOL.parent.parent)
    _run(TOOL, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", REQUIREMENTS)
    for name, pins in PINNED.items():
        yield _kept(name, _run(TOOL, "-m", "cyclonedx_py", "requirements", pins, "--of", "JSON"))
    npm = ("sbom", "--package-lock-only", "--sbom-format", "cyclonedx")
    yield _kept("node", _run(NODE, NPM, *npm, at=_versioned()))


def _versioned() -> Path:
    """Returns a folder with the lock file and a package.json that has the version.

    npm makes no bill for a package without one, and ours is written once, in the Worker's source.
    """
    folder = FOLDER / "node"
    folder.mkdir(exist_ok=True)
    package = json.loads((ROOT / "package.json").read_text())
    (folder / "package.json").write_text(json.dumps({**package, "version": release.version()}))
    shutil.copy(ROOT / "package-lock.json", folder)
    return folder


def _run(*command: str | Path, at: Path = ROOT) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=at,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def _kept(name: str, bill: str) -> Path:
    file = FOLDER / f"{name}.cdx.json"
    file.write_text(bill)
    return file


def main() -> int:
    """Returns the exit status; what failed has said why."""
    try:
        for file in bills():
            print(file.relative_to(ROOT))
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
