"""Every field of every row, with every kind of junk in its place: one fault that names it, or the
typed value. All cases, no draw.
"""

import types
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from xtrix.config import Config, load
from xtrix.errors import ConfigurationError
from xtrix.providers import Family, Long, Price, Provider, Quirks, ResponsesRule, Retries, Timeouts
from xtrix.rows import OWN_FIELDS, ModelRow, ProviderRow

Path = tuple[str | int, ...]

OPENAI: dict[str, Any] = {
    "name": "one",
    "dialect": "openai",
    "base_url": "https://one.test/v1",
    "api_key": "ONE_KEY",
    "key_header": "x-key",
    "models": ["gpt-*"],
    "aliases": {"small": "gpt-mini"},
    "only_listed": True,
    "headers": {"x-a": "b"},
    "secret_headers": {"x-token": "Bearer {A_TOKEN}"},
    "query": "a=b",
    "timeouts": {"connect": 1, "first_byte": 2, "idle": 3, "progress": 4},
    "retries": {"attempts": 2, "backoff": 1, "longest": 2, "rest": 3},
    "quirks": {
        "rename": {"a": "b"},
        "drop": ["seed"],
        "roles": {"developer": "system"},
        "null_content": True,
        "stream_usage": True,
        "obfuscation": True,
        "client_metadata": True,
        "takes": ["verbosity"],
        "reasoning_back": True,
        "most_stops": 16,
    },
    "binding": "SERVICE",
    "count_tokens": "off",
    "web_search": True,
    "responses": ["gpt-6*", {"pattern": "gpt-5*", "when": "tools"}],
    "endpoints": ["audio", {"name": "completions", "models": ["davinci-*"]}],
    "prices": [
        {
            "pattern": "gpt-*",
            "input": 1,
            "output": 4.5,
            "cached": 0.1,
            "cache_write": 1.25,
            "cache_write_hour": 2,
            "audio_input": 10,
            "audio_output": 20,
            "long": {"over": 200_000, "input": 2, "output": 1.5},
            "tiers": {"flex": 0.5},
        }
    ],
}
ANTHROPIC: dict[str, Any] = {
    **{
        name: deepcopy(it)
        for name, it in OPENAI.items()
        if name not in {"query", "quirks", "responses", "endpoints"}
    },
    "name": "two",
    "dialect": "anthropic",
    "families": [
        {
            "pattern": "a*",
            "sampling": "one",
            "thinking": "budget",
            "efforts": ["low"],
            "thinks_unasked": True,
            "prefill": True,
            "structured": True,
            "forced_tools": True,
            "system_inside": True,
            "max_output": 5,
        }
    ],
}
MODEL: dict[str, Any] = {
    "id": "any",
    "targets": [{"target": "one/gpt-5", "weight": 2}, "two/small"],
    "deadline": 9,
    "first_byte": 9,
}
SOUND: dict[str, Any] = {
    "API_KEYS": "client-key",
    "DEFAULT_MODEL": "any",
    "MAX_BODY_BYTES": 1000,
    "KEEP_ALIVE_SECONDS": 5,
    "PROVIDERS": [OPENAI, ANTHROPIC],
    "MODELS": [MODEL],
    "ONE_KEY": "key-of-one",
    "A_TOKEN": "token",
    "SERVICE": object(),
}
"""Every variable, and every field of every row, with a value that is right."""

JUNK: list[object] = [
    *(None, True, False, 0, 1, -1, 0.5, 1e300, 10**30, float("nan"), float("inf")),
    *("", " ", "5", "false", "null", "a\nb", "é", "x" * 300, "{}", "[]"),
    *([], {}, [None], [[]], {"a": None}, {"a b": "c"}, object(), b"bytes"),
]


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """The place of everything in `value`."""
    if path:
        yield path
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for step, each in inner:
        yield from paths(each, (*path, step))


PLACES = [path for path in paths(SOUND) if path[0] not in {"ONE_KEY", "A_TOKEN", "SERVICE"}]


def with_junk(path: Path, junk: object) -> dict[str, Any]:
    """A correct value with `junk` at `path`, without the fields that depend on it."""
    dependents = {"PROVIDERS": {"MODELS", "DEFAULT_MODEL"}, "MODELS": {"DEFAULT_MODEL"}}
    left_out = dependents.get(str(path[0]), set())
    environment = {name: deepcopy(it) for name, it in SOUND.items() if name not in left_out}
    *way, last = path
    holder: Any = environment
    for step in way:
        holder = holder[step]
    holder[last] = junk
    return environment


def shown(path: Path) -> str:
    """`path` as the message of a fault begins with it."""
    first, *rest = path
    return f"{first}" + "".join(f"[{it}]" if isinstance(it, int) else f".{it}" for it in rest)


def conforms(value: object, hint: Any) -> bool:
    """Whether `value` has the type `hint`, strictly: text is no number, and True is not 1."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is not None:
        return conforms_to_generic(value, origin, arguments)
    if hint is float:
        return type(value) in {int, float}
    if is_dataclass(hint) or hasattr(hint, "_fields"):
        hints = get_type_hints(hint)
        return type(value) is hint and all(
            conforms(getattr(value, name), each) for name, each in hints.items()
        )
    return type(value) is hint


def conforms_to_generic(value: object, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin in {Union, types.UnionType}:
        return any(conforms(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(conforms(each, arguments[0]) for each in value)
    assert issubclass(origin, Mapping), origin
    return isinstance(value, dict) and all(
        conforms(name, arguments[0]) and conforms(each, arguments[1])
        for name, each in value.items()
    )


def outcome(environment: dict[str, Any]) -> Config | list[str]:
    """The configuration, or its faults. Any other exception is a defect."""
    try:
        return load(environment.get)
    except ConfigurationError as error:
        return error.faults


def test_what_is_right_is_right() -> None:
    config = outcome(SOUND)
    assert isinstance(config, Config), config
    assert conforms(config, Config)


def test_every_field_that_there_is_is_tried() -> None:
    """Whoever adds a field gives it a correct value above."""
    assert set(OPENAI) | set(ANTHROPIC) == set(ProviderRow._fields)
    assert set(OPENAI["quirks"]) == set(Quirks._fields)
    assert set(OPENAI["timeouts"]) == set(Timeouts._fields)
    assert set(OPENAI["retries"]) == set(Retries._fields)
    assert set(ANTHROPIC["families"][0]) == set(Family._fields)
    assert set(OPENAI["prices"][0]) == set(Price._fields)
    assert set(OPENAI["prices"][0]["long"]) == set(Long._fields)
    assert set(MODEL) == set(ModelRow._fields)
    assert set(OPENAI["responses"][1]) == set(ResponsesRule._fields)
    assert set(OWN_FIELDS) == {"openai", "anthropic", "openai-responses"}
    domain = {each.name for each in fields(Provider)} - {"key", "secrets", "missing_secret"}
    assert domain == set(ProviderRow._fields) - {"api_key", "secret_headers"}


@pytest.mark.parametrize("path", PLACES, ids=shown)
def test_junk_in_any_place_is_one_fault_there_or_a_value_of_the_right_type(path: Path) -> None:
    for junk in JUNK:
        met = outcome(with_junk(path, junk))
        if isinstance(met, Config):
            assert conforms(met, Config), repr(junk)
        else:
            # What holds other things may be wrong in several of them.
            assert len(met) == 1 or isinstance(junk, dict | list), (junk, met)
            for fault in met:
                assert fault.startswith(shown(path)), (junk, fault)
                assert len(fault) < 200, fault
