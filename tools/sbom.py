"""`make sbom`: writes the software bill of materials, which lists every package of a build.

    .cache/sbom/worker.cdx.json   the packages in the Worker
    .cache/sbom/python.cdx.json   the packages from PyPI that run, check and test it on a machine
    .cache/sbom/node.cdx.json     the packages from npm that do the same

The format is CycloneDX. cyclonedx-py reads our requirements files with their hashes, and npm reads
its lock file. So the bills have exactly the versions that a build installs. cyclonedx-py gets a
virtual environment of its own, because nothing else needs it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import release, setup, vendor
from tools.paths import CACHE, NODE, NPM, PYTHON, ROOT

FOLDER = CACHE / "sbom"
TOOL = FOLDER / "venv" / "bin" / "python"
REQUIREMENTS = ROOT / "requirements-release.txt"
PINNED = {
    "worker": (vendor.REQUIREMENTS,),
    "python": (
        *(setup.RUN_LOCK, setup.DEV_LOCK),
        *(setup.UV_REQUIREMENTS, setup.OLDER_REQUIREMENTS, REQUIREMENTS),
    ),
}
"""The files that one bill lists."""


def bills() -> Iterator[Path]:
    """Writes each bill, and yields its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _run(PYTHON, "-m", "venv", TOOL.parent.parent)
    _run(TOOL, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", REQUIREMENTS)
    for name, files in PINNED.items():
        pinned = FOLDER / f"{name}.txt"
        pinned.write_text("".join(file.read_text() for file in files))
        bill = _run(TOOL, "-m", "cyclonedx_py", "requirements", pinned, "--of", "JSON")
        yield _write(name, bill)
    npm = ("sbom", "--package-lock-only", "--sbom-format", "cyclonedx")
    yield _write("node", _run(NODE, NPM, *npm, at=_node_folder()))


def _node_folder() -> Path:
    """Returns a folder with the lock file and a package.json that has a version.

    npm writes no bill for a package without a version. Ours stands in the Worker's source alone.
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


def _write(name: str, bill: str) -> Path:
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
