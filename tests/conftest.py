"""Fixtures and functions that several folders of tests use."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import drawn
from tests.clients.sdk import KEY
from tests.worker.upstream import Upstream
from tools import bundle, model, paths, runtime, setup

COPIED = (
    *("Makefile", "package.json", "package-lock.json"),
    *(f"requirements{part}" for part in (".txt", "-older.txt", "-uv.txt")),
    *(f"requirements-{part}" for part in ("run.txt", "run.lock", "dev.txt", "dev.lock")),
    *("src", "public", "tools", "wrangler.toml"),
)
MADE = (".venv", "node_modules", "python_modules")


drawn.register_profiles()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what `make sweep` says."""
    parser.addoption("--thorough", action="store_true", help="all cases of what is marked `swept`")


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Whether this is `make sweep`."""
    return bool(pytestconfig.getoption("--thorough"))


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Worker's memory after its import: what a deployed one starts from."""
    return runtime.save_snapshot(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture(scope="session")
def server() -> Iterator[Upstream]:
    """The server that a Worker's providers point at."""
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def upstream(server: Upstream) -> Iterator[Upstream]:
    """The upstream, without a script. After each test: no call may contain the client's key."""
    server.forget()  # whoever listed models has called it
    yield server
    calls = list(server.calls)
    server.forget()
    assert not any(KEY in f"{call.path} {call.headers} {call.body!r}" for call in calls)


@pytest.fixture(scope="session")
def local_model() -> Iterator[model.Model]:
    """The small real model, on both of its APIs."""
    with model.serve() as served:
        yield served


def bare(folder: Path) -> Path:
    """Makes `folder` a fresh clone in which tools can be run, and broken."""
    for name in COPIED:
        source = paths.ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def set_up(tree: Path) -> Path:
    """Gives a clone what is installed here.

    A command in the clone would install what is out of date, through the links into this project.
    """
    made = bundle.build().parent
    stale = [step.name for step in setup.STEPS["all"] if not step.is_current()]
    assert not stale, f"{', '.join(stale)}: out of date; run `make setup`"
    for name in MADE:
        (tree / name).symlink_to(paths.ROOT / name)
    shutil.copytree(made, tree / made.relative_to(paths.ROOT))
    return tree


@pytest.fixture
def bare_tree(tmp_path: Path) -> Path:
    """A fresh clone in which tools can be run, and broken: nothing has been set up."""
    return bare(tmp_path)


@pytest.fixture
def tree(bare_tree: Path) -> Path:
    """A clone that has been set up, with what was made here. It has no .dev.vars."""
    return set_up(bare_tree)


def pytest_collection_finish() -> None:
    """Takes what has been collected for good: there is no garbage in twenty thousand tests.

    Python would look for it again and again, which took a twentieth of the time of the quick ones.
    """
    gc.collect()
    gc.freeze()
