"""The list of models, in the form that each client expects."""

import datetime
import json
from typing import Any

import pytest

from tests.play import gateway, head, play
from xtrix.cards import ModelCard
from xtrix.errors import ClientError
from xtrix.listing import encode_list, encode_model
from xtrix.providers import Long, Price

ANTHROPIC = {"anthropic-version": "2023-06-01"}
CARDS = [ModelCard(f"m{number}", "up") for number in range(50)]
FULL = ModelCard("big", "up", 1_700_000_000, "Big", 200_000, 64_000)


def page(query: str) -> dict[str, Any]:
    return encode_list(CARDS, ANTHROPIC, query)


def ids(query: str) -> list[str]:
    return [each["id"] for each in page(query)["data"]]


def test_openais_form_has_all() -> None:
    listed = encode_list(CARDS, {}, "limit=3")
    assert listed["object"] == "list"
    assert len(listed["data"]) == 50
    assert listed["data"][0] == {"id": "m0", "object": "model", "created": 0, "owned_by": "up"}


def test_anthropics_form_comes_in_pages() -> None:
    first = page("")
    assert len(first["data"]) == 20
    assert (first["first_id"], first["last_id"], first["has_more"]) == ("m0", "m19", True)
    assert ids("limit=5&after_id=m19") == ["m20", "m21", "m22", "m23", "m24"]
    assert ids("limit=5&before_id=m3") == ["m0", "m1", "m2"]
    assert not page("limit=5&before_id=m3")["has_more"]
    assert not page("limit=1000&beta=true")["has_more"]
    assert page("after_id=m49") == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "limit=-1", "after_id=none"])
def test_a_page_that_there_is_not(query: str) -> None:
    with pytest.raises(ClientError) as caught:
        page(query)
    assert caught.value.status == 400


def test_what_is_known_of_a_model() -> None:
    openais, anthropics = encode_model(FULL, {}), encode_model(FULL, ANTHROPIC)
    assert openais["context_length"] == anthropics["max_input_tokens"] == 200_000
    assert openais["max_output_tokens"] == anthropics["max_tokens"] == 64_000
    assert anthropics["created_at"] == "2023-11-14T22:13:20Z"
    assert encode_model(CARDS[0], ANTHROPIC) == {
        "type": "model",
        "id": "m0",
        "display_name": "m0",
        "created_at": "1970-01-01T00:00:00Z",
    }


PRICES = {"prices": [{"pattern": "a*", "input": 2.5, "output": 10, "cached": 0.3}]}


def listed(*rows: dict[str, Any], **variables: str) -> dict[str, Any]:
    """The price of each model, by its id."""
    played = play(gateway(*rows, **variables), b"", (), head("/v1/models", "GET"))
    return {model["id"]: model.get("pricing") for model in played.json()["data"]}


def test_the_price_of_a_model_where_it_is_known() -> None:
    row = {"name": "up", "dialect": "openai", "base_url": "http://upstream.test/v1"}
    first = {**row, **PRICES, "models": ["a", "b"], "aliases": {"mine": "a"}}
    second = {**row, **PRICES, "name": "two", "models": ["a2"]}
    third = {**row, "name": "free", "models": ["a3"]}
    models = {"both": ["up/a", "two/a2"], "one": ["up/a"], "mixed": ["up/a", "free/a3"]}
    rows = [{"id": name, "targets": targets} for name, targets in models.items()]
    prices = listed(first, second, third, MODELS=json.dumps(rows))
    known = {"prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.0000003"}
    expected = dict.fromkeys(("a", "a2", "mine", "both", "one"), known)
    assert prices == {**expected, "b": None, "a3": None, "mixed": None}


def test_the_length_and_the_classes_of_a_price() -> None:
    price = Price("big", 0.1, 0.5, 0.01, 0.1 * 5 / 4, 0, long=Long(100_000, 5, 5))
    card = FULL._replace(price=price)
    assert encode_model(card, {})["pricing"] == {
        "prompt": "0.0000001",
        "completion": "0.0000005",
        "input_cache_read": "0.00000001",
        "input_cache_write": "0.000000125",
        "input_cache_write_1h": "0",
        "max_prompt_tokens": 100_000,
    }
    assert encode_model(card, ANTHROPIC) == encode_model(FULL, ANTHROPIC)


@pytest.mark.parametrize("seconds", [0, 951_782_399, 951_782_400, 1_709_164_800, 4_102_444_799])
def test_dates_are_those_of_the_calendar(seconds: int) -> None:
    card = FULL._replace(created=seconds)
    date = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    assert encode_model(card, ANTHROPIC)["created_at"] == f"{date:%Y-%m-%dT%H:%M:%SZ}"


def test_an_unknown_model_is_told_in_the_readers_form() -> None:
    row = {"name": "up", "dialect": "openai", "base_url": "http://upstream.test/v1"}
    asked = head("/v1/models/none", "GET", anthropic_version="2023-06-01")
    played = play(gateway(row), b"", (), asked)
    assert played.status == 404
    assert played.json()["type"] == "error"
    assert played.json()["error"]["type"] == "not_found_error"
