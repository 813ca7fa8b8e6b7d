"""docs/configuration.md has everything that a configuration may contain."""

import re
import tomllib
from typing import Any

import pytest

from tools import configuration, paths
from xtrix import config, rows

TOML = tomllib.loads((paths.ROOT / "wrangler.toml").read_text())
SECRETS = {row["api_key"] for row in TOML["vars"]["PROVIDERS"]}


def test_every_variable_that_is_read_is_on_the_page() -> None:
    read: set[str] = set()

    def lookup(name: str) -> object:
        read.add(name)
        return TOML["vars"].get(name)

    config.load(lookup)
    assert read - SECRETS == configuration.VARIABLES.keys()


@pytest.mark.parametrize(
    ("table", "kind"),
    [(configuration.provider, rows.ProviderRow), (configuration.model, rows.ModelRow)],
)
def test_every_field_of_a_row_is_on_the_page(table: Any, kind: Any) -> None:
    shown = set(re.findall(r"^\| `(\w+)` \|", table(), re.MULTILINE))
    assert set(kind._fields) <= shown


@pytest.mark.parametrize(
    ("field", "readers"),
    [
        ("query", "Only in rows of `openai` and `openai-responses`."),
        ("quirks", "Only in rows of `openai` and `openai-responses`."),
        ("null_content", "Only in rows of `openai`."),
        ("rename", "Only in rows of `openai` and `openai-responses`."),
        ("families", ""),
        ("aliases", ""),
    ],
)
def test_a_field_says_which_dialects_read_it(field: str, readers: str) -> None:
    (line,) = re.findall(rf"^\| `{field}` \|(.*)$", configuration.provider(), re.MULTILINE)
    assert readers in line
    assert ("Only in rows" in line) == bool(readers)


def test_a_field_says_what_it_may_be_and_what_it_is_otherwise() -> None:
    lines = configuration.provider().splitlines()
    assert next(line for line in lines if line.startswith("| `attempts`")).endswith(
        "| whole number, 1 or more, at most 10 | none |"
    )
    assert next(line for line in lines if line.startswith("| `only_listed`")).endswith(
        "| `true` or `false` | `false` |"
    )
