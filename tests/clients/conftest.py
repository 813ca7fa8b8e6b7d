"""Fixtures: the official SDKs, the real Worker on workerd, and an upstream that replays folders."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.sdk import KEY, Sdk
from tests.clients.versions import OPENAI
from tests.scenarios import scenarios
from tests.worker.upstream import Upstream
from tools import model, runtime

UPSTREAM_KEY = "sk-upstream-0b6d"
NEVER_LOGGED = re.compile(f"{KEY}|{UPSTREAM_KEY}|Paris|18 degrees|c2lnbmVk")
"""Matches keys, texts of clients and models, and a signature."""


@pytest.fixture(scope="session")
def worker(server: Upstream, local_model: model.Model, snapshot: Path) -> Iterator[runtime.Served]:
    """The Worker. The folders' models are replayed, in the dialect of their folder."""
    others = {
        each.json("request.json")["model"] for each in scenarios() if each.dialect == "openai"
    }
    replayed = [
        ("anthropic", ["claude-*"], {"claude-3-5-sonnet-20241022": "claude-sonnet-4-6"}),
        ("openai", [*sorted(others), "gpt-*"], {}),
        ("openai-responses", ["native-*"], {}),
    ]
    rows = [
        *(
            {
                "name": f"replayed-{dialect}",
                "dialect": dialect,
                "base_url": server.base_url,
                "api_key": "UPSTREAM_KEY",
                "models": models,
                "aliases": aliases,
                "prices": [{"pattern": "*", "input": 3, "output": 15}],
            }
            for dialect, models, aliases in replayed
        ),
        *(
            local_model.row(dialect, models=[f"local-{dialect}"])
            for dialect in ("anthropic", "openai", "openai-responses")
        ),
    ]
    bindings = {"API_KEYS": KEY, "UPSTREAM_KEY": UPSTREAM_KEY, "PROVIDERS": rows}
    with runtime.serve(bindings, snapshot=snapshot) as served:
        yield served
        assert not NEVER_LOGGED.search(served.log())


@pytest.fixture(scope="session", params=OPENAI)
def sdk(request: pytest.FixtureRequest, worker: runtime.Served) -> Iterator[Sdk]:
    """Each of the SDKs in turn."""
    with OPENAI[request.param](f"{worker.url}/v1") as sdk:
        yield sdk


@pytest.fixture(params=["anthropic", "openai"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each of the dialects in turn."""
    chosen: str = request.param
    return chosen
