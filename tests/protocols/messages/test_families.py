"""What a model can do, by its id."""

import pytest

from xtrix.protocols.messages.families import FAMILIES, family_of
from xtrix.providers import Family

CAN = [
    ("claude-3-haiku-20240307", "both", "none", True, False, True, False, 4_096),
    ("claude-3-opus-latest", "both", "none", True, False, True, False, 4_096),
    ("claude-3-5-sonnet-20241022", "both", "none", True, False, True, False, 8_192),
    ("claude-3-7-sonnet-20250219", "both", "budget", True, False, True, False, 64_000),
    ("claude-sonnet-4-20250514", "both", "budget", True, False, True, False, 64_000),
    ("claude-opus-4-20250514", "both", "budget", True, False, True, False, 32_000),
    ("claude-opus-4-1-20250805", "one", "budget", True, True, True, False, 32_000),
    ("claude-haiku-4-5", "one", "budget", True, True, True, False, 64_000),
    ("claude-sonnet-4-5-20250929", "one", "budget", True, True, True, False, 64_000),
    ("claude-opus-4-5", "one", "budget", True, True, True, False, 64_000),
    ("claude-sonnet-4-6", "one", "adaptive", False, True, True, False, 128_000),
    ("claude-opus-4-6", "one", "adaptive", False, True, True, False, 128_000),
    ("claude-opus-4-7", "none", "adaptive", False, True, True, False, 128_000),
    ("claude-opus-4-8", "none", "adaptive", False, True, True, True, 128_000),
    ("claude-sonnet-5", "none", "adaptive", False, True, True, True, 128_000),
    ("claude-fable-5", "none", "adaptive", False, True, True, True, 128_000),
    ("claude-mythos-5-20260701", "none", "adaptive", False, True, True, True, 128_000),
    ("claude-opus-5", "none", "adaptive", False, True, True, True, 128_000),
    ("claude-sonnet-5-5", "none", "adaptive", False, True, False, True, 128_000),
    ("claude-opus-5-5-20261001", "none", "adaptive", False, True, False, True, 128_000),
    ("claude-fable-5-1", "none", "adaptive", False, True, False, True, 128_000),
    ("claude-mythos-5-1-20261001", "none", "adaptive", False, True, False, True, 128_000),
    ("claude-of-tomorrow-9", "none", "adaptive", False, True, False, False, 128_000),
    ("mistral-large", "any", "budget", True, False, True, False, 10**9),
    ("deepseek-chat", "any", "budget", True, False, True, False, 10**9),
    ("us.anthropic.claude-haiku-4-5-v1:0", "one", "budget", True, True, True, False, 64_000),
    ("anthropic/claude-sonnet-4-6", "one", "adaptive", False, True, True, False, 128_000),
]
"""Model, sampling, thinking, prefill, structured output, forced tools, system inside, tokens."""


@pytest.mark.parametrize("row", CAN, ids=lambda row: row[0])
def test_families(row: tuple[str, str, str, bool, bool, bool, bool, int]) -> None:
    family = family_of(row[0])
    assert row[1:] == (
        *(family.sampling, family.thinking, family.prefill, family.structured),
        *(family.forced_tools, family.system_inside, family.max_output),
    )


def test_opus_5_alone_thinks_unasked() -> None:
    assert family_of("claude-opus-5").thinks_unasked
    assert not family_of("claude-opus-5-5").thinks_unasked
    assert not family_of("claude-sonnet-5").thinks_unasked


def test_a_providers_own_rows_come_first() -> None:
    mine = Family("claude-haiku-*", max_output=1)
    assert family_of("claude-haiku-4-5", (mine,)) is mine
    assert family_of("claude-sonnet-4-5", (mine,)).max_output == 64_000


def test_every_row_is_some_models() -> None:
    """A row behind a more general one would never be used."""
    for row in FAMILIES:
        example = row.pattern.strip("*").replace("*", "x").replace("[12]", "1")
        assert family_of(example) is row, example


def test_the_last_row_takes_every_model() -> None:
    assert FAMILIES[-1].pattern == "*"
    assert FAMILIES[-2] == Family("*claude*")
