"""Each SDK has the version that its name says."""

import pytest

from tests.clients.versions import ANTHROPIC, OPENAI

MAJORS = {
    "openai-python": "3",
    "openai-python-2": "2",
    "openai-node": "7",
    "openai-node-6": "6",
    "anthropic-python": "2",
    "anthropic-python-0": "0",
    "anthropic-node": "1",
    "anthropic-node-0": "0",
}


@pytest.mark.parametrize("name", [*OPENAI, *ANTHROPIC])
def test_the_major_version(name: str) -> None:
    with {**OPENAI, **ANTHROPIC}[name]("http://127.0.0.1:9") as sdk:
        version = sdk.do("version")

    assert version.split(".")[0] == MAJORS[name]
