"""What more than one folder of tests needs of tools/."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import model, runtime


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Worker's memory after its import: what a deployed one starts from."""
    return runtime.save_snapshot(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture(scope="session")
def local_model() -> Iterator[model.Model]:
    """The small real model, on both of its APIs."""
    with model.serve() as served:
        yield served
