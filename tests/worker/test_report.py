"""The tables of docs/ are what the tests and the benchmarks say, and name tests that exist."""

import ast
from pathlib import Path

import pytest

from tests.worker.report import PROMISES
from tools import readme

TESTS = [test for promises in PROMISES.values() for _, test in promises.values()]


@pytest.mark.parametrize("test", TESTS)
def test_the_table_names_tests_that_exist(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((Path(__file__).parent / file).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in names


def test_the_pages_are_what_would_be_written() -> None:
    stale = [page.name for page, text in readme.pages() if page.read_text() != text]
    assert not stale
