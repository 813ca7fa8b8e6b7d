"""The programs, fetched when their tests begin, and Codex before the Worker."""

import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.codex import KNOWN, UNKNOWN, Codex
from tests.clients.pasted import blocks, other_blocks
from tests.clients.sdk import KEY
from tests.clients.upstreams import PATHS
from tests.worker.upstream import Upstream
from tools import agents, paths, runtime


@pytest.fixture(scope="session")
def codex_program(pytestconfig: pytest.Config) -> Path:
    return fetched(agents.CODEX, pytestconfig)


@pytest.fixture(scope="session")
def claude_program(pytestconfig: pytest.Config) -> Path:
    return fetched(agents.CLAUDE, pytestconfig)


@pytest.fixture(scope="session", params=list(PATHS.values()))
def dialect(request: pytest.FixtureRequest) -> str:
    """The dialect of Codex' upstream."""
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session")
def codex_worker(server: Upstream, dialect: str, snapshot: Path) -> Iterator[runtime.Served]:
    """A Worker whose only upstream is of this dialect."""
    served_as = UNKNOWN if dialect == "anthropic" else "served"
    aliases = tomllib.loads(other_blocks("Codex")[0])["aliases"]
    assert aliases == {KNOWN: UNKNOWN}
    row = {
        "name": "scripted",
        "dialect": dialect,
        "base_url": server.base_url,
        "api_key": "UPSTREAM_KEY",
        "aliases": dict.fromkeys([UNKNOWN, KNOWN], served_as),
    }
    bindings = {"API_KEYS": KEY, "UPSTREAM_KEY": "sk-upstream-0b6d", "PROVIDERS": [row]}
    with runtime.serve(bindings, snapshot=snapshot) as served:
        yield served


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder outside of /tmp."""
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as folder:
        yield Path(folder)


@pytest.fixture
def codex(folder: Path, codex_program: Path, codex_worker: runtime.Served) -> Codex:
    """Codex, set up as the page says."""
    return Codex(folder, codex_program, KEY, blocks("Codex", codex_worker.url)[0])


def fetched(program: agents.Program | agents.PythonProgram, config: pytest.Config) -> Path:
    """Where the program is. Says on the terminal why that may take a while."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"[{program.name}]", end=" ", flush=True)
        return agents.fetch(program)
