"""The programs, fetched when their tests begin."""

from pathlib import Path

import pytest

from tools import agents


@pytest.fixture(scope="session")
def codex_program(pytestconfig: pytest.Config) -> Path:
    return fetched(agents.CODEX, pytestconfig)


@pytest.fixture(scope="session")
def claude_program(pytestconfig: pytest.Config) -> Path:
    return fetched(agents.CLAUDE, pytestconfig)


def fetched(program: agents.Program | agents.PythonProgram, config: pytest.Config) -> Path:
    """Where the program is. Says on the terminal why that may take a while."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"[{program.name}]", end=" ", flush=True)
        return agents.fetch(program)
