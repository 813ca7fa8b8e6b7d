"""A copy of the project in which the tools can be run, and broken."""

import shutil
from pathlib import Path

import pytest

from tools import paths

COPIED = (
    *("Makefile", "package.json", "package-lock.json", "requirements.txt", "requirements-dev.txt"),
    *("src", "tools", "wrangler.toml"),
)
MADE = (".venv", "node_modules", "python_modules")


@pytest.fixture
def bare_tree(tmp_path: Path) -> Path:
    """A fresh clone: nothing has been set up."""
    for name in COPIED:
        source = paths.ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


@pytest.fixture
def tree(bare_tree: Path) -> Path:
    """A clone that has been set up; what was made is this project's own."""
    for name in MADE:
        (bare_tree / name).symlink_to(paths.ROOT / name)
    shutil.copytree(paths.CACHE / "pyodide", bare_tree / ".cache" / "pyodide")
    return bare_tree
