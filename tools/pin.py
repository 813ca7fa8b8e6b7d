"""Writes the hashes with which pip checks downloads. Run it after a version has changed.

    python -m tools.pin

requirements.txt gets, for each package, the hash of the wheel that runs in the Worker, and
requirements-older.txt that of the only wheel. requirements-uv.txt and the locks get the hashes of
all files of a version, so that they are valid on every machine. The locks have the versions of
requirements-run.txt and requirements-dev.txt. Downloads come from the index that pip and uv are
configured for; no file names it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools import setup, vendor
from tools.paths import PYTHON, ROOT

LOCK_HEAD = """\
# What {name} names, with the hash of every file of each version.
# Written by `python -m tools.pin`; setup installs it.
"""

_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==.+$", re.MULTILINE)
_HASH = re.compile(r" \\\n +--hash=.*")


def with_hashes(requirements: str, hashes: Mapping[str, str]) -> str:
    """Returns the text of a requirements file with these hashes, one for each package.

    Raises:
        KeyError: A package that it names has none.
    """
    return _PINNED.sub(
        lambda line: f"{line[0]} \\\n    --hash=sha256:{hashes[canonical(line[1])]}",
        without_hashes(requirements),
    )


def without_hashes(requirements: str) -> str:
    """Returns the text with versions alone."""
    return _HASH.sub("", requirements)


def canonical(name: str) -> str:
    """Returns the one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _pin_wheels(requirements: Path, *options: str) -> None:
    """Writes to each package the hash of the wheel that pip chooses with these options."""
    text = requirements.read_text()
    requirements.write_text(with_hashes(text, _hashes_of_wheels(without_hashes(text), options)))


def _hashes_of_wheels(requirements: str, options: Sequence[str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        # The old hashes are left out, because pip would choose by them.
        bare, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        bare.write_text(requirements)
        asked = ["--dry-run", "--quiet", "--ignore-installed", "--report", str(report)]
        command = [str(PYTHON), "-m", "pip", "install", "--target", folder, "-r", str(bare)]
        subprocess.run([*command, *asked, *options], check=True)
        wheels = json.loads(report.read_text())["install"]
    return {
        canonical(wheel["metadata"]["name"]): wheel["download_info"]["archive_info"]["hashes"][
            "sha256"
        ]
        for wheel in wheels
    }


def _with_all_hashes(requirements: str) -> str:
    """Returns what a requirements file names with the hashes of all files, without comments."""
    options = ["--universal", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate"]
    done = subprocess.run(
        [PYTHON, "-m", "uv", "pip", "compile", "--quiet", *options, "-"],
        cwd=ROOT,
        check=True,
        input=without_hashes(requirements),
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def main() -> int:
    """Returns the exit status."""
    _pin_wheels(vendor.REQUIREMENTS, *vendor.WHEELS)
    _pin_wheels(setup.OLDER_REQUIREMENTS, "--no-deps", "--only-binary=:all:")
    for file in (setup.RUN_REQUIREMENTS, setup.DEV_REQUIREMENTS):
        lock = LOCK_HEAD.format(name=file.name) + _with_all_hashes(file.read_text())
        file.with_suffix(".lock").write_text(lock)
    uv = setup.UV_REQUIREMENTS.read_text()
    comments = [line for line in uv.splitlines(keepends=True) if line.startswith("#")]
    setup.UV_REQUIREMENTS.write_text("".join(comments) + _with_all_hashes(uv))
    return 0


if __name__ == "__main__":
    sys.exit(main())
