"""Downloading the agent programs, when it fails. tests/agents shows that it works."""

import os
from pathlib import Path

import pytest

from tools import agents


@pytest.fixture
def nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """npm and pip with an empty folder, no cache, and a registry that does not exist."""
    monkeypatch.setattr(agents, "FETCHED", tmp_path / "fetched")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name, value in (("FIND_LINKS", ""), ("NO_CACHE_DIR", "1"), ("RETRIES", "0")):
        monkeypatch.setenv(f"PIP_{name}", value)
    return tmp_path / "fetched"


@pytest.mark.parametrize("program", [agents.CODEX, agents.CLAUDE], ids=lambda it: it.folder)
def test_a_failed_download_says_what_and_why(
    nothing_fetched: Path, program: agents.Program
) -> None:
    for _ in range(2):  # and it is not taken for fetched the next time
        with pytest.raises(agents.FetchError) as caught:
            agents.fetch(program)
        assert str(caught.value).startswith(f"npm could not fetch {program.name}: ")
        assert "ECONNREFUSED" in str(caught.value)


@pytest.mark.parametrize("program", [agents.LM_EVAL, agents.ROTEL], ids=lambda it: it.folder)
def test_so_does_one_of_pips(nothing_fetched: Path, program: agents.PythonProgram) -> None:
    for _ in range(2):
        with pytest.raises(agents.FetchError) as caught:
            agents.fetch(program)
        said = str(caught.value)
        assert said.startswith(f"pip could not fetch {program.name}: ")
        assert "No matching distribution found" in said


def test_a_machine_for_which_there_is_none(
    nothing_fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    monkeypatch.setattr("platform.system", lambda: "Linux")

    with pytest.raises(agents.FetchError, match="there is no Claude Code for Linux s390x"):
        agents.fetch(agents.CLAUDE)
    assert not nothing_fetched.exists()
