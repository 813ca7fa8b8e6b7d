"""What models accept, and the nearest effort that they have."""

import pytest

from xtrix.openai.families import (
    FAMILIES,
    OTHER_RESPONSES,
    encode_effort,
    family_of,
    nearest_effort,
)
from xtrix.prompt import Settings
from xtrix.providers import Family


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        *(("gpt-5.5", True), ("gpt-5.5-pro", True), ("gpt-5", True), ("o3", True)),
        *(("openai/o4-mini", True), ("gpt-6-mini", True), ("gpt-4.1", False)),
        *(("gpt-4o-mini", False), ("gpt-5-chat-latest", False), ("chatgpt-4o-latest", False)),
        *(("gpt-oss-120b", True), ("my-deployment", False)),
    ],
)
def test_who_reasons(model: str, reasons: bool) -> None:
    assert (family_of(model).thinking != "none") == reasons


def test_own_rows_go_first_and_what_is_unknown_last() -> None:
    own = Family("gpt-4.1", thinking="adaptive")
    assert family_of("gpt-4.1", (own,)) is own
    assert family_of("my-deployment", (own,), OTHER_RESPONSES) is OTHER_RESPONSES
    assert all(family.pattern != "*" for family in FAMILIES)


@pytest.mark.parametrize(
    ("thinking", "effort", "model", "word", "is_lost"),
    [
        (None, None, "gpt-5.5", None, False),
        (None, "high", "gpt-5.5", "high", False),
        (None, "max", "gpt-5.5", "xhigh", True),
        (None, "minimal", "gpt-5.5", "low", True),
        ("disabled", None, "gpt-5.5", "none", False),
        ("disabled", None, "gpt-5", "minimal", True),
        ("adaptive", None, "gpt-5.5", None, False),
        ("adaptive", None, "gpt-4.1", None, True),
        ("disabled", None, "gpt-4.1", None, False),
        (None, "high", "gpt-4.1", None, True),
        (None, "unheard-of", "gpt-5.5", None, True),
    ],
)
def test_effort(
    thinking: str | None, effort: str | None, model: str, word: str | None, is_lost: bool
) -> None:
    settings = Settings(effort=effort, thinking={"type": thinking} if thinking else None)
    assert encode_effort(settings, family_of(model)) == (word, is_lost)


def test_the_words_of_a_family() -> None:
    assert nearest_effort("low", Family("x", efforts=("medium", "high"))) == "medium"
    assert nearest_effort("max", Family("x", efforts=("medium", "high"))) == "high"
