"""Programs that are not agents. They are downloaded when their tests begin."""

from pathlib import Path

import pytest

from tests.agents.conftest import fetched
from tools import agents


@pytest.fixture(scope="session")
def lm_eval_program(pytestconfig: pytest.Config) -> Path:
    return fetched(agents.LM_EVAL, pytestconfig)


@pytest.fixture(scope="session")
def rotel_program(pytestconfig: pytest.Config) -> Path:
    return fetched(agents.ROTEL, pytestconfig)
