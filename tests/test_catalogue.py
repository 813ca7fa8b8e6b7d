"""Where a model's name leads."""

from collections import Counter
from typing import Any

import pytest

from tests.answers import asked_for
from xtrix.catalogue import names, plan_of
from xtrix.config import Config, load
from xtrix.errors import ClientError, ConfigurationError

ROWS: list[dict[str, Any]] = [
    {
        "name": "anthropic",
        "dialect": "anthropic",
        "base_url": "https://a.test/v1",
        "models": ["claude-*"],
        "aliases": {"claude-3-5-sonnet-20241022": "claude-haiku-4-5", "fast": "claude-haiku-4-5"},
    },
    {
        "name": "openai",
        "dialect": "openai",
        "base_url": "https://o.test/v1",
        "models": ["gpt-*", "o[1-9]*", "gpt-4o", "davinci-?"],
        "aliases": {"fast": "gpt-4o-mini", "gpt-best": "gpt-5.2"},
    },
    {
        "name": "rest",
        "dialect": "openai",
        "base_url": "https://r.test/v1",
        "models": ["llama", "*/*"],
    },
]
MODELS = [
    {"id": "any", "targets": ["openai/gpt-4o", "anthropic/claude-haiku-4-5"], "deadline": 60},
    {
        "id": "shared",
        "targets": [
            {"target": "openai/gpt-4o", "weight": 3},
            {"target": "anthropic/claude-haiku-4-5", "weight": 1},
            "rest/llama",
        ],
    },
    {"id": "gpt-5", "targets": ["rest/llama"]},
]


def config(rows: list[dict[str, Any]] = ROWS, models: object = MODELS) -> Config:
    return load({"PROVIDERS": rows, "MODELS": models}.get)


def targets(name: str, chance: float = 0.0, **said: str) -> list[str]:
    """The targets of a request for the model `name`, as `provider/model`."""
    plan = plan_of(config(), asked_for(name, **said), chance)
    return [f"{target.provider.name}/{target.model}" for target in plan.targets]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("gpt-4.1", "openai/gpt-4.1"),
        ("o3-mini", "openai/o3-mini"),
        ("davinci-2", "openai/davinci-2"),
        ("llama", "rest/llama"),
        ("meta/llama-4", "rest/meta/llama-4"),
        ("claude-3-5-sonnet-20241022", "anthropic/claude-haiku-4-5"),
        ("gpt-best", "openai/gpt-5.2"),
        ("fast", "anthropic/claude-haiku-4-5"),
        ("openai/claude-9", "openai/claude-9"),
        ("openai/fast", "openai/gpt-4o-mini"),
        ("openai/a/b", "openai/a/b"),
        ("rest/fast", "rest/fast"),
        ("openai/", "rest/openai/"),
        ("gpt-5", "rest/llama"),
    ],
)
def test_a_name_leads_to(name: str, target: str) -> None:
    assert targets(name) == [target]


def test_patterns_tell_capitals_apart() -> None:
    with pytest.raises(ClientError):
        targets("GPT-4")


def test_several_targets_in_their_order() -> None:
    assert targets("any") == ["openai/gpt-4o", "anthropic/claude-haiku-4-5"]
    assert plan_of(config(), asked_for("any"), 0.0).deadline == 60
    assert plan_of(config(), asked_for("gpt-4"), 0.0).deadline is None


# Unknown names


@pytest.mark.parametrize(
    ("name", "near"),
    [("fats", "'fast'"), ("lama", "'llama'"), ("claude-3-5-sonet", "'claude-3-5-sonnet-20241022'")],
)
def test_an_unknown_name_hears_the_nearest(name: str, near: str) -> None:
    rows = [{**row, "models": ["llama"]} for row in ROWS]
    with pytest.raises(ClientError) as caught:
        plan_of(config(rows), asked_for(name), 0.0)
    error = caught.value
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert f"Did you mean {near}" in error.message


def test_a_name_far_from_all_hears_none_and_a_long_one_is_cut() -> None:
    with pytest.raises(ClientError) as caught:
        targets("z" * 256)
    assert "Did you mean" not in caught.value.message
    assert len(caught.value.message) < 200


# What there is


def test_the_names_there_are_and_whose() -> None:
    assert names(config()) == {
        "any": "xtrix",
        "shared": "xtrix",
        "gpt-5": "xtrix",
        "claude-3-5-sonnet-20241022": "anthropic",
        "fast": "anthropic",
        "gpt-best": "openai",
        "gpt-4o": "openai",
        "llama": "rest",
    }


# What may be asked for by a provider's name


@pytest.mark.parametrize("name", ["openai/gpt-9", "openai/fast", "openai/davinci-2"])
def test_only_what_is_listed_is_reached_by_the_providers_name(name: str) -> None:
    rows = [{**ROWS[1], "only_listed": True}]
    (target,) = plan_of(config(rows, []), asked_for(name), 0.0).targets
    assert target.model == name.partition("/")[2].replace("fast", "gpt-4o-mini")


@pytest.mark.parametrize("name", ["openai/claude-9", "openai/ft:secret", "openai/o"])
def test_what_is_not_listed_is_reached_only_where_the_row_lets_it(name: str) -> None:
    assert plan_of(config(ROWS[1:2], []), asked_for(name), 0.0).targets
    with pytest.raises(ClientError):
        plan_of(config([{**ROWS[1], "only_listed": True}], []), asked_for(name), 0.0)


def test_the_operators_own_targets_are_not_limited() -> None:
    models = [{"id": "any", "targets": ["openai/ft:secret"]}]
    plan = plan_of(config([{**ROWS[1], "only_listed": True}], models), asked_for("any"), 0.0)
    assert plan.targets[0].model == "ft:secret"


# Missing secrets


def locked(*names: str) -> Config:
    """The configuration without the keys of the providers `names`."""
    rows = [{**row, "api_key": "MISSING"} if row["name"] in names else row for row in ROWS]
    return config(rows)


@pytest.mark.parametrize("name", ["gpt-4", "gpt-best", "openai/x", "gpt-4o"])
def test_a_model_whose_key_is_missing_says_so(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan_of(locked("openai"), asked_for(name), 0.0)
    assert "provider 'openai' needs the secret MISSING" in caught.value.message
    assert plan_of(locked("openai"), asked_for("claude-x"), 0.0).targets


def test_targets_without_a_key_are_left_out() -> None:
    plan = plan_of(locked("openai"), asked_for("any"), 0.0)
    assert [target.provider.name for target in plan.targets] == ["anthropic"]
    shared = plan_of(locked("anthropic"), asked_for("shared"), 0.9)
    assert [target.provider.name for target in shared.targets] == ["openai", "rest"]


def test_a_model_none_of_whose_targets_has_a_key_says_so() -> None:
    with pytest.raises(ConfigurationError):
        plan_of(locked("openai", "anthropic"), asked_for("any"), 0.0)


def test_models_of_a_provider_without_a_key_are_not_listed() -> None:
    listed = names(locked("openai"))
    assert "gpt-best" not in listed
    assert listed["fast"] == "anthropic"


# Weights


def test_weights_share_out_the_chances_and_a_spare_is_never_first() -> None:
    first = Counter(targets("shared", number / 1000)[0] for number in range(1000))
    assert first == {"openai/gpt-4o": 750, "anthropic/claude-haiku-4-5": 250}


def test_the_others_follow_in_their_order() -> None:
    assert targets("shared", 0.0) == [
        "openai/gpt-4o",
        "anthropic/claude-haiku-4-5",
        "rest/llama",
    ]
    assert targets("shared", 0.99) == [
        "anthropic/claude-haiku-4-5",
        "openai/gpt-4o",
        "rest/llama",
    ]


@pytest.mark.parametrize("field", ["user", "prompt_cache_key"])
def test_one_conversation_keeps_its_target(field: str) -> None:
    for number in range(20):
        said = {field: f"someone-{number}"}
        chosen = {targets("shared", chance / 10, **said)[0] for chance in range(10)}
        assert len(chosen) == 1


def test_conversations_are_shared_out_by_weight() -> None:
    first = Counter(targets("shared", user=str(number))[0] for number in range(1000))
    assert 700 < first["openai/gpt-4o"] < 800


def test_the_cache_key_counts_before_the_user() -> None:
    for number in range(20):
        key = str(number)
        alone = targets("shared", prompt_cache_key=key)
        assert targets("shared", prompt_cache_key=key, user=f"other-{key}") == alone
