"""The configuration: what it means, and that every fault is named without a value."""

import re
from pathlib import Path
from typing import Any

import pytest

from xtrix import __version__, json, rows
from xtrix.config import DEFAULT_MODEL, KEEP_ALIVE_SECONDS, MAX_BODY_BYTES, Config, load
from xtrix.errors import ConfigurationError
from xtrix.protocols import DIALECTS
from xtrix.providers import (
    ENDPOINTS,
    EndpointRule,
    Family,
    Quirks,
    ResponsesRule,
    Retries,
    Timeouts,
)

ROW: dict[str, Any] = {
    "name": "one",
    "dialect": "openai",
    "base_url": "https://one.test/v1",
    "api_key": "ONE_KEY",
    "models": ["gpt-*"],
}

CLAUDE = {"dialect": "anthropic"}
NOTHING: dict[str, object] = {}


def config(*provider_rows: object, **variables: object) -> Config:
    environment = {"ONE_KEY": "secret-of-one", "PROVIDERS": list(provider_rows), **variables}
    return load(environment.get)


def faults(*provider_rows: object, **variables: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        config(*provider_rows, **variables)
    return caught.value.faults


# What it means


def test_nothing_at_all_is_sound_and_lets_nobody_in() -> None:
    empty = load(NOTHING.get)
    assert empty.accepted_keys == ()
    assert empty.providers == ()
    assert empty.models == ()
    assert empty.max_body_bytes == MAX_BODY_BYTES
    assert empty.default_model == DEFAULT_MODEL
    assert empty.keep_alive == KEEP_ALIVE_SECONDS


@pytest.mark.parametrize("absent", [None, ""])
def test_an_empty_variable_is_an_absent_one(absent: str | None) -> None:
    names = ("API_KEYS", "MAX_BODY_BYTES", "DEFAULT_MODEL", "KEEP_ALIVE_SECONDS", "PROVIDERS")
    assert load(dict.fromkeys(names, absent).get) == load(NOTHING.get)


def test_a_row_as_it_is_written() -> None:
    (provider,) = config(
        {
            **ROW,
            "base_url": "https://one.test/v1/",
            "key_header": "api-key",
            "aliases": {"small": "gpt-4o-mini"},
            "headers": {"X-Title": "xtrix"},
            "query": "api-version=2026-01-01",
            "timeouts": {"idle": 5},
            "retries": {"attempts": 3, "backoff": 0.25},
            "only_listed": True,
            "quirks": {"rename": {"max_tokens": "max_completion_tokens"}, "drop": ["seed"]},
        }
    ).providers
    assert provider.base_url == "https://one.test/v1"
    assert provider.key == "secret-of-one"
    assert provider.missing_secret is None
    assert provider.key_header == "api-key"
    assert provider.aliases == {"small": "gpt-4o-mini"}
    assert provider.headers == {"x-title": "xtrix"}
    assert provider.query == "api-version=2026-01-01"
    assert provider.timeouts == Timeouts(idle=5)
    assert provider.retries == Retries(attempts=3, backoff=0.25)
    assert provider.quirks == Quirks(
        rename={"max_tokens": "max_completion_tokens"}, drop=provider.quirks.drop
    )
    assert list(provider.quirks.drop) == ["seed"]
    assert provider.only_listed


def test_families_of_an_anthropic_row() -> None:
    row = {**ROW, "dialect": "anthropic", "families": [{"pattern": "m*", "efforts": ["low"]}]}
    (provider,) = config(row).providers
    assert provider.families == (Family("m*", efforts=("low",)),)


def test_a_row_that_says_only_what_it_must() -> None:
    row = {key: ROW[key] for key in ("name", "dialect", "base_url")}
    (provider,) = config(row).providers
    assert provider.key is None
    assert provider.missing_secret is None
    assert provider.models == ()
    assert provider.timeouts == Timeouts(None, 300, 120)
    assert provider.retries == Retries(attempts=None, backoff=0.5, longest=10, rest=30)


def test_limits_at_their_ends() -> None:
    retries = {"attempts": 10, "backoff": 60, "longest": 60, "rest": 3600}
    timeouts = {"connect": 3600, "first_byte": 0.001, "idle": 3600, "progress": 0.001}
    (provider,) = config({**ROW, "retries": retries, "timeouts": timeouts}).providers
    assert provider.retries._asdict() == retries
    assert provider.timeouts._asdict() == timeouts


def test_rows_as_json_are_rows() -> None:
    models = [{"id": "any", "targets": ["one/gpt-4"]}]
    as_text = config(ROW)._replace(fingerprint="")
    assert config(PROVIDERS=json.encode([ROW]))._replace(fingerprint="") == as_text
    assert config(ROW, MODELS=json.encode(models)) == config(ROW, MODELS=models)


@pytest.mark.parametrize("secret", [None, "", "  \n", 7, {"a": 1}], ids=repr)
def test_a_missing_secret_leaves_only_its_provider_out(secret: object) -> None:
    other = {**ROW, "name": "two", "api_key": "TWO_KEY"}
    one, two = config(ROW, other, TWO_KEY=secret).providers
    assert (one.key, one.missing_secret) == ("secret-of-one", None)
    assert (two.key, two.missing_secret) == (None, "TWO_KEY")


def test_white_space_around_a_secret_is_not_part_of_it() -> None:
    assert config(ROW, ONE_KEY=" secret\n").providers[0].key == "secret"


def test_numbers_may_be_text() -> None:
    sound = config(MAX_BODY_BYTES="1000", KEEP_ALIVE_SECONDS="0.5")
    assert (sound.max_body_bytes, sound.keep_alive) == (1000, 0.5)
    assert config(KEEP_ALIVE_SECONDS=0).keep_alive == 0


def test_models_with_targets_and_weights() -> None:
    two = {**ROW, "name": "two"}
    targets = [{"target": "one/a", "weight": 3}, "two/b/c"]
    (model,) = config(ROW, two, MODELS=[{"id": "any", "targets": targets, "deadline": 9}]).models
    assert model.id == "any"
    assert [(target.provider.name, target.model) for target in model.targets] == [
        ("one", "a"),
        ("two", "b/c"),
    ]
    assert list(model.weights) == [3, None]
    assert model.deadline == 9


def test_a_binding_that_is_there() -> None:
    assert config({**ROW, "binding": "SERVICE"}, SERVICE=object()).providers[0].binding == "SERVICE"


def test_a_secret_within_a_header() -> None:
    row = {**ROW, "headers": {"X-A": "b"}, "secret_headers": {"X-Token": "Bearer {A_TOKEN}!"}}
    (provider,) = config(row, A_TOKEN=" token ").providers
    assert provider.headers == {"x-a": "b", "x-token": "Bearer token!"}
    assert provider.secrets == ("secret-of-one", "token")
    assert provider.missing_secret is None
    assert config(row).providers[0].missing_secret == "A_TOKEN"


def test_a_target_may_be_named_by_its_alias() -> None:
    row = {**ROW, "aliases": {"small": "gpt-4o-mini"}}
    (model,) = config(row, MODELS=[{"id": "any", "targets": ["one/small"]}]).models
    assert model.targets[0].model == "gpt-4o-mini"


# The fingerprint


VERSION = "".join(f"{int(number):02x}" for number in __version__.split("."))


def test_the_fingerprint_is_stable_and_says_nothing() -> None:
    fingerprint = config(ROW).fingerprint
    assert fingerprint == config(dict(ROW)).fingerprint
    assert re.fullmatch(f"fp_{VERSION}[0-9a-f]{{4}}", fingerprint)


def test_a_changed_configuration_has_another_fingerprint_and_a_changed_key_has_not() -> None:
    fingerprint = config(ROW).fingerprint
    assert config({**ROW, "base_url": "https://two.test/v1"}).fingerprint != fingerprint
    assert config(ROW, MODELS=[{"id": "a", "targets": ["one/a"]}]).fingerprint != fingerprint
    assert config(ROW, ONE_KEY="another").fingerprint == fingerprint


# Faults


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": ""}, "PROVIDERS[0].name"),
        ({"name": "with space"}, "PROVIDERS[0].name"),
        ({"name": None}, "PROVIDERS[0].name"),
        ({"name": "x" * 65}, "PROVIDERS[0].name"),
        ({"dialect": "gemini"}, "PROVIDERS[0].dialect"),
        ({"dialect": None}, "PROVIDERS[0].dialect"),
        ({"base_url": ""}, "PROVIDERS[0].base_url"),
        ({"base_url": "one.test/v1"}, "PROVIDERS[0].base_url"),
        ({"base_url": "ftp://one.test/v1"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://user:password@one.test"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://one.test/v1?key=secret"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://one.test/v1#here"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://one .test/v1"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://one.test:99999/v1"}, "PROVIDERS[0].base_url"),
        ({"base_url": "http://[::1"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://one.test/v1\n"}, "PROVIDERS[0].base_url"),
        ({"base_url": 7}, "PROVIDERS[0].base_url"),
        ({"api_key": "sk-ant-the key itself"}, "PROVIDERS[0].api_key"),
        ({"key_header": "api key"}, "PROVIDERS[0].key_header"),
        ({"models": "gpt-*"}, "PROVIDERS[0].models"),
        ({"models": [""]}, "PROVIDERS[0].models[0]"),
        ({"aliases": ["a"]}, "PROVIDERS[0].aliases"),
        ({"aliases": {"a": ""}}, "PROVIDERS[0].aliases.a"),
        ({"headers": {"x-a": "line\nbreak"}}, "PROVIDERS[0].headers.x-a"),
        ({"headers": {"not a name": "x"}}, "PROVIDERS[0].headers"),
        ({"secret_headers": {"x-a": "plain"}}, "PROVIDERS[0].secret_headers.x-a"),
        ({"secret_headers": {"x-a": "{A}{B}"}}, "PROVIDERS[0].secret_headers.x-a"),
        ({"query": "a\nb"}, "PROVIDERS[0].query"),
        ({"timeouts": {"idle": 0}}, "PROVIDERS[0].timeouts.idle"),
        ({"timeouts": {"slow": 1}}, "PROVIDERS[0].timeouts.slow"),
        ({"retries": {"attempts": 0}}, "PROVIDERS[0].retries.attempts"),
        ({"retries": {"attempts": 11}}, "PROVIDERS[0].retries.attempts"),
        ({"retries": {"backoff": -1}}, "PROVIDERS[0].retries.backoff"),
        ({"retries": {"backoff": 61}}, "PROVIDERS[0].retries.backoff"),
        ({"retries": {"longest": 61}}, "PROVIDERS[0].retries.longest"),
        ({"retries": {"rest": 3601}}, "PROVIDERS[0].retries.rest"),
        ({"timeouts": {"idle": 3601}}, "PROVIDERS[0].timeouts.idle"),
        ({"quirks": {"drop": "seed"}}, "PROVIDERS[0].quirks.drop"),
        ({"quirks": {"stream_usage": "perhaps"}}, "PROVIDERS[0].quirks.stream_usage"),
        ({"binding": "NOT_THERE"}, "PROVIDERS[0].binding"),
        ({**CLAUDE, "families": [{}]}, "PROVIDERS[0].families[0].pattern"),
        ({**CLAUDE, "families": [{"pattern": "*", "tall": True}]}, "PROVIDERS[0].families[0].tall"),
        (
            {**CLAUDE, "families": [{"pattern": "*", "sampling": "x"}]},
            "PROVIDERS[0].families[0].sampling",
        ),
        ({"tpyo": 1}, "PROVIDERS[0].tpyo"),
        ({"base_url": "https://:password@one.test"}, "PROVIDERS[0].base_url"),
        ({"base_url": "https://a<b>.test"}, "PROVIDERS[0].base_url"),
        ({"query": "?a=b"}, "PROVIDERS[0].query"),
        ({"query": "a=b#c"}, "PROVIDERS[0].query"),
        ({"timeouts": {"connect": "5"}}, "PROVIDERS[0].timeouts.connect"),
        ({"timeouts": {"idle": True}}, "PROVIDERS[0].timeouts.idle"),
        ({"timeouts": {"idle": float("nan")}}, "PROVIDERS[0].timeouts.idle"),
        ({"retries": {"attempts": "3"}}, "PROVIDERS[0].retries.attempts"),
        ({"retries": {"attempts": 1.5}}, "PROVIDERS[0].retries.attempts"),
        ({"quirks": {"stream_usage": "false"}}, "PROVIDERS[0].quirks.stream_usage"),
        ({"quirks": {"null_content": 0}}, "PROVIDERS[0].quirks.null_content"),
        ({"only_listed": "yes"}, "PROVIDERS[0].only_listed"),
        ({"aliases": {"a": "x\ny"}}, "PROVIDERS[0].aliases.a"),
        ({"aliases": {"a": "modèle"}}, "PROVIDERS[0].aliases.a"),
        ({"aliases": {"a b": "x"}}, "PROVIDERS[0].aliases: "),
        ({"models": ["gpt-*", "a\rb"]}, "PROVIDERS[0].models[1]"),
        ({"headers": {"x-a": "é"}}, "PROVIDERS[0].headers.x-a"),
        ({"headers": {"x-a": "1", "X-A": "2"}}, "PROVIDERS[0]: headers and secret_headers name"),
        ({**CLAUDE, "families": [{"pattern": "*", "prefill": "no"}]}, "PROVIDERS[0].families[0]"),
        ({**CLAUDE, "families": [{"pattern": "*", "max_output": "9"}]}, "PROVIDERS[0].families[0]"),
    ],
)
def test_a_faulty_field_is_named(change: dict[str, Any], named: str) -> None:
    row = {key: value for key, value in {**ROW, **change}.items() if value is not None}
    (fault,) = faults(row)
    assert fault.startswith(named)
    assert len(fault) > len(named) + 5


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ({}, "MODELS[0].id"),
        ({"id": "a"}, "MODELS[0].targets"),
        ({"id": "a", "targets": []}, "MODELS[0].targets"),
        ({"id": "a", "targets": "one/a"}, "MODELS[0].targets"),
        ({"id": "a", "targets": [7]}, "MODELS[0].targets[0]"),
        ({"id": "a", "targets": ["one"]}, "MODELS[0].targets[0]"),
        ({"id": "a", "targets": ["one/"]}, "MODELS[0].targets[0]"),
        ({"id": "a", "targets": ["one/a", "two/a"]}, "MODELS[0].targets[1]"),
        ({"id": "a", "targets": [{"weight": 1}]}, "MODELS[0].targets[0].target"),
        ({"id": "a", "targets": [{"target": "one/a", "weight": 0}]}, "MODELS[0].targets[0].weight"),
        ({"id": "a", "targets": [{"target": "one/a", "weight": 1001}]}, "MODELS[0].targets[0]"),
        ({"id": "a", "targets": ["one/a"], "deadline": 0}, "MODELS[0].deadline"),
        ({"id": "a", "targets": ["one/a"], "deadline": 3601}, "MODELS[0].deadline"),
        ({"id": "", "targets": ["one/a"]}, "MODELS[0].id"),
        ({"id": "a\nb", "targets": ["one/a"]}, "MODELS[0].id"),
        ({"id": "a", "targets": ["one/a\nb"]}, "MODELS[0].targets[0]"),
        ({"id": "a", "targets": [{"target": "one/a", "weight": "3"}]}, "MODELS[0].targets[0]"),
        ({"id": "a", "targets": ["one/a"], "deadline": "9"}, "MODELS[0].deadline"),
        ("any", "MODELS[0]"),
    ],
)
def test_a_faulty_model_is_named(model: object, named: str) -> None:
    assert any(fault.startswith(named) for fault in faults(ROW, MODELS=[model]))


@pytest.mark.parametrize("name", ["PROVIDERS", "MODELS"])
@pytest.mark.parametrize(
    "value",
    ["{", "{}", '"text"', "7", {"a": 1}, 7, "[1", {}, 0, False, True, '""', "null", " "],
    ids=repr,
)
def test_what_is_no_list_of_rows(name: str, value: object) -> None:
    (fault,) = faults(**{name: value})
    assert fault.startswith(name)
    assert "list" in fault


@pytest.mark.parametrize("row", ["one", 7, None, ["one"]], ids=repr)
def test_what_is_no_row(row: object) -> None:
    (fault,) = faults(row)
    assert fault.startswith("PROVIDERS[0]")


@pytest.mark.parametrize("name", ["MAX_BODY_BYTES", "KEEP_ALIVE_SECONDS"])
@pytest.mark.parametrize(
    "value",
    ["many", "-1", -1, "inf", "nan", [], {"a": 1}, {}, True, False, "true", float("inf"), "[5]"],
    ids=repr,
)
def test_what_is_no_number(name: str, value: object) -> None:
    (fault,) = faults(**{name: value})
    assert fault.startswith(f"{name} must be a number")


@pytest.mark.parametrize("size", [0, "0", 0.5, "0.5", 5.0e6, "5e6"], ids=repr)
def test_what_is_no_number_of_bytes(size: object) -> None:
    assert faults(MAX_BODY_BYTES=size) == ["MAX_BODY_BYTES must be a number, whole and 1 or more"]


@pytest.mark.parametrize("name", ["API_KEYS", "DEFAULT_MODEL"])
@pytest.mark.parametrize("value", [7, ["key"], {"a": 1}], ids=repr)
def test_what_is_no_text(name: str, value: object) -> None:
    assert faults(**{name: value}) == [f"{name} must be text"]


@pytest.mark.parametrize("name", ["a b", "a\nb", "é", "x" * 257], ids=repr)
def test_a_default_model_that_no_client_could_name(name: str) -> None:
    (fault,) = faults(ROW, DEFAULT_MODEL=name)
    assert fault.startswith("DEFAULT_MODEL: ")


def test_a_default_model_that_nobody_serves() -> None:
    served = {"MODELS": [{"id": "any", "targets": ["one/a"]}]}
    for name in ("gpt-5", "one/whatever", "any"):
        assert config(ROW, DEFAULT_MODEL=name, **served).default_model == name
    fault = "DEFAULT_MODEL is no model that PROVIDERS or MODELS serve"
    assert faults(ROW, DEFAULT_MODEL="claude-5") == [fault]
    assert faults({**ROW, "only_listed": True}, DEFAULT_MODEL="one/other") == [fault]
    assert faults(DEFAULT_MODEL="gpt-5") == [fault]


def test_where_a_row_is_faulty_it_cannot_be_told_whether_the_default_is_served() -> None:
    (fault,) = faults({**ROW, "tpyo": 1}, DEFAULT_MODEL="gpt-5")
    assert fault.startswith("PROVIDERS[0].tpyo")


@pytest.mark.parametrize(
    ("dialect", "field", "value"),
    [
        ("anthropic", "query", "a=b"),
        ("anthropic", "query", 7),
        ("anthropic", "quirks", {"drop": ["seed"]}),
        ("anthropic", "quirks", {}),
        ("anthropic", "responses", ["*"]),
        ("openai-responses", "responses", ["*"]),
        ("openai-responses", "responses", None),
    ],
)
def test_a_field_that_the_dialect_never_reads(dialect: str, field: str, value: object) -> None:
    assert faults({**ROW, "dialect": dialect, field: value}) == [
        f"PROVIDERS[0].{field}: this row's dialect does not read it"
    ]


def test_a_dialect_may_read_a_part_of_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rows.OWN_FIELDS, "openai", frozenset({"quirks.drop", "quirks.roles"}))
    (provider,) = config({**ROW, "quirks": {"drop": ["seed"]}}).providers
    assert provider.quirks == Quirks(drop=("seed",))
    assert faults({**ROW, "quirks": {"drop": ["seed"], "obfuscation": "?"}}) == [
        "PROVIDERS[0].quirks.obfuscation: this row's dialect does not read it"
    ]
    (fault,) = faults({**ROW, "quirks": 7})
    assert fault.startswith("PROVIDERS[0].quirks: ")


def test_every_dialect_says_what_it_reads() -> None:
    """A field that the dialect's folder names, and no other."""
    assert set(rows.OWN_FIELDS) == set(DIALECTS)
    of_some = {path.partition(".")[0] for paths in rows.OWN_FIELDS.values() for path in paths}
    for dialect, own in rows.OWN_FIELDS.items():
        source = Path(rows.__file__).parent
        files = [*(source / "protocols" / DIALECTS[dialect].name).glob("*.py")]
        if "responses" in own:
            files += [source / "providers.py", *(source / "protocols/responses").glob("*.py")]
        code = "".join(file.read_text() for file in files)
        if "from xtrix.openai.calls" in code:
            code += (source / "openai/calls.py").read_text()
        # The query is a part of every URL that the row itself makes.
        code = code.replace("provider.url(", "provider.query(")
        read = {it for it in of_some if re.search(rf"provider\.{it}\b", code)}
        # Which endpoints there are is asked of the row itself, above the dialects.
        read |= {"endpoints"} & own
        assert read == {path.partition(".")[0] for path in own}


def test_a_quirk_that_the_dialect_never_reads() -> None:
    row = {**ROW, "dialect": "openai-responses", "quirks": {"drop": ["user"], "null_content": True}}
    assert faults(row) == ["PROVIDERS[0].quirks.null_content: this row's dialect does not read it"]


def test_which_calls_take_responses() -> None:
    rules = ["gpt-6*", {"pattern": "gpt-5.4*", "when": "effort"}, {"pattern": "o*"}]
    (provider,) = config({**ROW, "responses": rules}).providers
    assert provider.responses == (
        ResponsesRule("gpt-6*"),
        ResponsesRule("gpt-5.4*", "effort"),
        ResponsesRule("o*", "always"),
    )
    (fault,) = faults({**ROW, "responses": [{"pattern": "gpt-6*", "when": "never"}]})
    assert fault.startswith("PROVIDERS[0].responses[0].when: ")


BROKEN_SECRETS = ["line\nbreak", "carriage\rreturn", "clé", "nul\x00", "emoji 🙂"]


@pytest.mark.parametrize("secret", BROKEN_SECRETS)
def test_a_secret_that_no_header_can_carry_is_named_and_not_shown(secret: str) -> None:
    reason = "has a line break or another character that no header can carry"
    row = {**ROW, "secret_headers": {"x-token": "Bearer {A_TOKEN}"}}
    assert faults(row, ONE_KEY=secret, A_TOKEN=secret) == [
        f"PROVIDERS[0].api_key: the secret ONE_KEY {reason}",
        f"PROVIDERS[0].secret_headers.x-token: the secret A_TOKEN {reason}",
    ]


def test_two_rows_of_one_name() -> None:
    assert faults(ROW, ROW) == ["PROVIDERS names 'one' twice"]


def test_two_models_of_one_id() -> None:
    models = [{"id": "any", "targets": ["one/a"]}, {"id": "any", "targets": ["one/b"]}]
    assert faults(ROW, MODELS=models) == ["MODELS names 'any' twice"]


def test_a_target_of_a_faulty_provider_is_no_second_fault() -> None:
    (fault,) = faults({**ROW, "tpyo": 1}, MODELS=[{"id": "any", "targets": ["one/a"]}])
    assert fault.startswith("PROVIDERS[0].tpyo")


def test_every_fault_is_named_at_once() -> None:
    named = faults(
        {**ROW, "dialect": "x", "base_url": "ftp://one.test", "tpyo": 1},
        {**ROW, "name": "two", "base_url": "y"},
        MODELS=[{"id": "a", "targets": ["three/a"]}],
        MAX_BODY_BYTES="z",
        API_KEYS=7,
    )
    for wrong in ("[0].dialect", "[0].tpyo", "[1].base_url", "MODELS[0]", "MAX_BODY", "API_KEYS"):
        assert any(wrong in fault for fault in named), wrong


SECRET = "sk-ant-this-must-not-be-shown"


@pytest.mark.parametrize(
    "variables",
    [
        {"PROVIDERS": SECRET},
        {"PROVIDERS": [SECRET]},
        {"PROVIDERS": [{**ROW, "dialect": SECRET}]},
        {"PROVIDERS": [{**ROW, "api_key": SECRET + " "}]},
        {"PROVIDERS": [{**ROW, "base_url": SECRET}]},
        {"PROVIDERS": [{**ROW, "base_url": f"https://one.test/?key={SECRET}"}]},
        {"PROVIDERS": [{**ROW, "headers": {"x-key": SECRET + "\n"}}]},
        {"PROVIDERS": [{**ROW, "models": SECRET}]},
        {"PROVIDERS": [ROW], "MODELS": [{"id": "a", "targets": [SECRET]}]},
        {"MAX_BODY_BYTES": SECRET},
        {"KEEP_ALIVE_SECONDS": SECRET},
        {"API_KEYS": [SECRET]},
        {"PROVIDERS": [{**ROW, "headers": {SECRET + " ": "x"}}]},
        {"PROVIDERS": [{**ROW, "aliases": {SECRET + "\n": "x"}}]},
        {"PROVIDERS": [{**ROW, SECRET + " ": "x"}]},
        {"PROVIDERS": [ROW], "ONE_KEY": SECRET + "\nx"},
        {"DEFAULT_MODEL": SECRET},
        {"DEFAULT_MODEL": SECRET + " "},
    ],
)
def test_no_fault_shows_a_value(variables: dict[str, object]) -> None:
    assert SECRET not in str(faults(**variables))


def test_which_endpoints_a_row_has() -> None:
    """All endpoints of its dialect, unless the row lists them."""
    (silent,) = config(ROW).providers
    assert all(silent.has(name, "any") for name in ENDPOINTS)
    (anthropic,) = config({**ROW, "dialect": "anthropic"}).providers
    assert anthropic.endpoints == ()
    said = ["embeddings", {"name": "completions", "models": ["davinci-*", "*-instruct"]}]
    (provider,) = config({**ROW, "endpoints": said}).providers
    assert provider.endpoints == (
        EndpointRule("embeddings"),
        EndpointRule("completions", ("davinci-*", "*-instruct")),
    )
    assert provider.has("embeddings", "gpt-5")
    assert provider.has("completions", "davinci-002")
    assert not provider.has("completions", "gpt-5")
    assert provider.has("completions")
    assert not provider.has("audio")


def test_endpoints_that_nobody_has() -> None:
    for wrong in ("files", {"name": "chat"}, {"models": ["a"]}, {"name": "audio", "models": []}):
        assert [it.partition(":")[0] for it in faults({**ROW, "endpoints": [wrong]})] in (
            ["PROVIDERS[0].endpoints[0].name"],
            ["PROVIDERS[0].endpoints[0].models"],
        )
    assert faults({**ROW, "dialect": "anthropic", "endpoints": ["audio"]}) == [
        "PROVIDERS[0].endpoints: this row's dialect does not read it"
    ]
