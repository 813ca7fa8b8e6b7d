"""What providers say about their models, valid and not."""

from typing import Any

import pytest

from xtrix import json
from xtrix.cards import ModelCard, cards_in, decode_page
from xtrix.providers import Provider

KEY = "a-key-of-the-provider"
PROVIDER = Provider("one", "openai", "https://one.test/v1", KEY, secrets=(KEY,), models=("*",))


def card(**entry: object) -> ModelCard:
    (found,) = cards_in([{"id": "m", **entry}], PROVIDER)
    return found


def page(value: object) -> tuple[list[Any], str | None]:
    return decode_page(json.encode_body(value))


# Entries


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, ModelCard("m", "one")),
        (
            {"object": "model", "created": 1686935002, "owned_by": "openai"},
            ModelCard("m", "one", 1686935002),
        ),
        (
            {
                "type": "model",
                "display_name": "Claude Sonnet 4.6",
                "created_at": "2026-02-17T00:00:00Z",
                "max_input_tokens": 1_000_000,
                "max_tokens": 128_000,
            },
            ModelCard("m", "one", 1771286400, "Claude Sonnet 4.6", 1_000_000, 128_000),
        ),
        ({"max_model_len": 4096}, ModelCard("m", "one", context_window=4096)),
        (
            {"name": "Some: Model", "context_length": 8192, "max_completion_tokens": 100},
            ModelCard("m", "one", None, "Some: Model", 8192, 100),
        ),
        ({"context_window": 131072}, ModelCard("m", "one", context_window=131072)),
    ],
)
def test_what_an_entry_says(entry: dict[str, Any], expected: ModelCard) -> None:
    assert card(**entry) == expected


JUNK: list[object] = [
    *(None, True, False, -1, 0, 1.5, 10**30, 1e300, "", " ", "5", "x\ny", [], {}, [1], {"a": 1}),
    *("9999-99-99T99:99:99Z", "2026-13-01T00:00:00Z", "0000-00-00T00:00:00Z", "2026-02-30T00:00"),
]
FIELDS = (
    *("created", "created_at", "display_name", "name", "max_input_tokens", "context_length"),
    *("max_tokens", "max_completion_tokens", "owned_by", "object", "anything"),
)


@pytest.mark.parametrize("field", FIELDS)
def test_junk_in_a_field_takes_nothing_but_that_field(field: str) -> None:
    for junk in JUNK:
        found = card(**{field: junk})
        assert found.id == "m"
        assert found.created is None or 0 <= found.created < 2**33
        assert found.display_name is None or isinstance(found.display_name, str)
        assert found.context_window is None
        assert found.max_output is None


@pytest.mark.parametrize("name", [*JUNK[:8], "", " ", "a b", "a\r\nb", "é", "x" * 257, "..", "."])
def test_what_no_client_could_ask_for_is_no_model(name: object) -> None:
    assert list(cards_in([{"id": name}, {"id": "m"}], PROVIDER)) == [ModelCard("m", "one")]


@pytest.mark.parametrize("entry", JUNK)
def test_what_is_no_entry_is_passed_over(entry: object) -> None:
    assert list(cards_in([entry, {"id": "m"}], PROVIDER)) == [ModelCard("m", "one")]


def test_the_name_of_a_resource_is_a_model_without_its_folder() -> None:
    (found,) = cards_in([{"id": "models/gemini-9"}], PROVIDER)
    assert found.id == "gemini-9"


def test_only_what_the_row_is_for_is_taken() -> None:
    provider = Provider("one", "openai", "x", models=("gpt-*",), aliases={"small": "davinci"})
    entries = [{"id": name} for name in ("gpt-4", "whisper-1", "davinci", "gpt")]
    assert [found.id for found in cards_in(entries, provider)] == ["gpt-4", "davinci"]


def test_a_key_in_a_name_does_not_come_through() -> None:
    assert not list(cards_in([{"id": f"m-{KEY}"}], PROVIDER))
    assert KEY not in str(card(display_name=f"{KEY} speaks"))
    cut = "x" * 190 + KEY
    assert KEY[:8] not in str(card(display_name=cut))


def test_a_long_name_is_cut() -> None:
    assert len(card(display_name="x" * 100_000).display_name or "") == 200


# Pages


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"data": [1], "object": "list"}, ([1], None)),
        ({"data": []}, ([], None)),
        ({"data": None}, ([], None)),
        ([1, 2], ([1, 2], None)),
        ({"data": [1], "has_more": True, "last_id": "b"}, ([1], "b")),
        ({"data": [1], "has_more": False, "last_id": "b"}, ([1], None)),
        ({"data": [1], "has_more": "yes", "last_id": "b"}, ([1], None)),
        ({"data": [1], "has_more": True, "last_id": "a\nb"}, ([1], None)),
        ({"data": [1], "has_more": True, "last_id": None}, ([1], None)),
    ],
)
def test_a_page(value: object, expected: object) -> None:
    assert page(value) == expected


@pytest.mark.parametrize(
    "value", [None, 7, "data", {}, {"data": {}}, {"data": "x"}, {"models": []}]
)
def test_what_is_no_page(value: object) -> None:
    with pytest.raises(ValueError, match="no list"):
        page(value)
