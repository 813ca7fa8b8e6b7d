"""The rows of the documentation: each loads, serves its models, and makes the right call.

The right call is in `DOCUMENTED`, which is written from the pages that docs/providers.md links and
not from its rows, so that the two can disagree.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.answers import asked_for
from tests.play import KEY, Played, Upstream, gateway, play
from xtrix import json
from xtrix.catalogue import plan_of
from xtrix.config import DEFAULT_MODEL, Config, load
from xtrix.errors import ConfigurationError

ROOT = Path(__file__).parents[1]
PAGES = ("docs/providers.md", "docs/configuration.md", "wrangler.toml")

Row = dict[str, Any]


class Documented(NamedTuple):
    """A call as the provider's own pages describe it."""

    url: str
    headers: Mapping[str, str]
    """All but the content type. `KEY` and `TOKEN` stand for secrets."""
    refuses: frozenset[str] = frozenset()
    """What must not reach it: parameters, `messages.FIELD`, `role:ROLE`, `null-content`."""
    sends: Mapping[str, object] = {}
    """What must reach it of a request with a `seed` of 7."""


def _bearer(
    url: str, *, refuses: str = "", sends: Mapping[str, object] | None = None, **more: str
) -> Documented:
    headers = {"authorization": "Bearer KEY"} | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    return Documented(url, headers, frozenset(refuses.split()), sends or {})


_CLOUDFLARE = "https://api.cloudflare.com/client/v4/accounts/ACCOUNT_ID/ai/v1"
_GATEWAY = "https://gateway.ai.cloudflare.com/v1/ACCOUNT_ID/GATEWAY_ID"
_AI_BINDING = "https://workers-binding.ai/ai-gateway/gateways/default"
_AZURE = "https://RESOURCE.openai.azure.com/openai"
_VERSION = {"anthropic-version": "2023-06-01"}
_TOKEN = {"cf-aig-authorization": "Bearer TOKEN"}
_NEWER_LIMIT = frozenset({"max_tokens"})
_OLDER_LIMIT = frozenset({"max_completion_tokens"})
_OF_ANSWERS = "messages.name messages.reasoning_content messages.refusal messages.annotations "
_OF_RESPONSES = frozenset(
    {"messages", "max_tokens", "max_completion_tokens", "seed", "frequency_penalty", "null-content"}
)
_OF_WORKERS_AI = frozenset({"role:developer", "null-content"})

DOCUMENTED = {
    "anthropic": Documented(
        "https://api.anthropic.com/v1/messages", {"x-api-key": "KEY", **_VERSION}
    ),
    "openai": _bearer("https://api.openai.com/v1/chat/completions", refuses="max_tokens"),
    "azure": Documented(f"{_AZURE}/v1/chat/completions", {"api-key": "KEY"}, _NEWER_LIMIT),
    "azure-responses": Documented(
        f"{_AZURE}/v1/responses", {"api-key": "KEY"}, _OF_RESPONSES, {"store": False}
    ),
    "azure-dated": Documented(
        f"{_AZURE}/deployments/MY-DEPLOYMENT/chat/completions?api-version=2024-10-21",
        {"api-key": "KEY"},
    ),
    "gemini": _bearer(
        "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        refuses="frequency_penalty seed store",
    ),
    "groq": _bearer("https://api.groq.com/openai/v1/chat/completions", refuses=_OF_ANSWERS),
    "mistral": _bearer(
        "https://api.mistral.ai/v1/chat/completions",
        refuses=_OF_ANSWERS
        + "max_completion_tokens seed user store service_tier verbosity stream_options "
        "role:developer",
        sends={"random_seed": 7},
    ),
    "deepseek": _bearer(
        "https://api.deepseek.com/chat/completions", refuses="max_completion_tokens role:developer"
    ),
    "xai": _bearer("https://api.x.ai/v1/chat/completions", refuses="max_tokens"),
    "openrouter": _bearer(
        "https://openrouter.ai/api/v1/chat/completions",
        http_referer="https://example.com",
        x_openrouter_title="Example",
    ),
    "openrouter-responses": _bearer(
        "https://openrouter.ai/api/v1/responses",
        refuses=" ".join(_OF_RESPONSES),
        sends={"store": False},
    ),
    "together": _bearer(
        "https://api.together.ai/v1/chat/completions", refuses="max_completion_tokens"
    ),
    "fireworks": _bearer(
        "https://api.fireworks.ai/inference/v1/chat/completions", refuses="stream_options"
    ),
    "workers-ai": _bearer(f"{_CLOUDFLARE}/chat/completions", refuses="role:developer null-content"),
    "cloudflare": _bearer(f"{_CLOUDFLARE}/chat/completions", cf_aig_gateway_id="default"),
    "cloudflare-messages": Documented(
        f"{_CLOUDFLARE}/messages",
        {"authorization": "Bearer KEY", "cf-aig-gateway-id": "default", **_VERSION},
    ),
    "gateway-openai": _bearer(
        f"{_GATEWAY}/openai/chat/completions",
        refuses="max_tokens",
        cf_aig_authorization="Bearer TOKEN",
    ),
    "gateway-anthropic": Documented(f"{_GATEWAY}/anthropic/v1/messages", _TOKEN | _VERSION),
    "gateway-compat": Documented(f"{_GATEWAY}/compat/chat/completions", _TOKEN),
    "ollama": Documented("http://127.0.0.1:11434/v1/chat/completions", {}, _OLDER_LIMIT),
    "vllm": _bearer("http://127.0.0.1:8000/v1/chat/completions"),
    "llamacpp": Documented("http://127.0.0.1:8080/v1/chat/completions", {}),
    "MODELS_WORKER/inner": Documented("https://my-models/v1/chat/completions", {}),
    "AI/workers-ai": Documented(
        f"{_AI_BINDING}/workers-ai/v1/chat/completions", {}, _OF_WORKERS_AI
    ),
    "AI/anthropic": Documented(f"{_AI_BINDING}/anthropic/v1/messages", _VERSION),
    "AI/openai": Documented(f"{_AI_BINDING}/openai/chat/completions", {}, _NEWER_LIMIT),
}
"""By a row's name, after its binding where it has one."""


class Settings(NamedTuple):
    """The settings from one block of TOML."""

    place: str
    variables: Mapping[str, Any]
    bindings: tuple[str, ...]

    @property
    def rows(self) -> list[Row]:
        """Its providers."""
        rows: list[Row] = self.variables.get("PROVIDERS", [])
        return rows

    @property
    def models(self) -> list[Row]:
        """Its models with several targets."""
        models: list[Row] = self.variables.get("MODELS", [])
        return models


def _blocks() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every block of TOML in the documentation, and where it begins."""
    for page in PAGES:
        text = (ROOT / page).read_text()
        if page.endswith(".toml"):
            yield page, tomllib.loads(text)
            continue
        for block in re.finditer(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, block.start()) + 1
            yield f"{page}:{line}", tomllib.loads(block[1])


def _settings() -> Iterator[Settings]:
    for place, block in _blocks():
        for environment in (block, *block.get("env", {}).values()):
            bindings = [service["binding"] for service in environment.get("services", ())]
            bindings += [environment["ai"]["binding"]] if "ai" in environment else []
            variables = environment.get("vars", {})
            if variables.keys() & {"PROVIDERS", "MODELS"}:
                yield Settings(place, variables, tuple(bindings))


SETTINGS = list(_settings())
ROWS = [
    pytest.param(settings, row, id=f"{settings.place}-{row['name']}")
    for settings in SETTINGS
    for row in settings.rows
]


def environment(settings: Settings, *more: Row) -> dict[str, object]:
    """The environment of a Worker with `settings` and these rows, secrets included."""
    rows = [*settings.rows, *more]
    named = re.findall(r"'api_key': '(\w+)'|\{(\w+)\}", repr(rows))
    secrets = {name: _secret(name) for pair in named for name in pair if name}
    bindings = {name: object() for name in settings.bindings}
    return {**settings.variables, "PROVIDERS": rows, **secrets, **bindings}


def _secret(name: str) -> str:
    return f"the-value-of-{name.lower()}"


def _rows_above(settings: Settings) -> list[Row]:
    """The page's rows for providers that a block's models name but that it has no rows for."""
    first: dict[str, Row] = {}
    for each in SETTINGS:
        for row in each.rows:
            first.setdefault(row["name"], row)
    targets = [target for model in settings.models for target in model["targets"]]
    named = {
        (target if isinstance(target, str) else target["target"]).partition("/")[0]
        for target in targets
    }
    return [first[name] for name in sorted(named - {row["name"] for row in settings.rows})]


def loaded(settings: Settings) -> Config:
    return load(environment(settings, *_rows_above(settings)).get)


def names_of(row: Row) -> Iterator[tuple[str, str]]:
    """A model for each pattern and alias of `row`, and its name upstream."""
    yield from row.get("aliases", {}).items()
    for pattern in row.get("models", ()):
        name = pattern.replace("*", "1")
        yield name, row.get("aliases", {}).get(name, name)


def call(settings: Settings, row: Row, **parameters: object) -> Played:
    """One streamed request to the provider of `row`, which refuses it."""
    given = environment(settings) | {"MODELS": [], "DEFAULT_MODEL": ""}
    del given["PROVIDERS"]
    request = {
        "model": next(names_of(row))[0],
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        **parameters,
    }
    refusal = Upstream(400, {"content-type": "application/json"}, (b"{}",))
    return play(gateway(row, **given), request, [refusal])


@pytest.mark.parametrize("place", ["wrangler.toml", "docs/providers.md"])
def test_a_model_of_the_same_class_stands_for_the_retired_one_and_is_named(place: str) -> None:
    (settings, *_) = [each for each in SETTINGS if each.place.startswith(place)]
    answer = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Yes."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    upstream = Upstream(200, {}, (json.encode_body(answer),))
    request = {"model": DEFAULT_MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    variables = environment(settings)
    rows = variables.pop("PROVIDERS")
    assert isinstance(rows, list)
    played = play(gateway(*rows, **{**variables, "API_KEYS": KEY}), request, [upstream])
    assert played.json()["model"] == DEFAULT_MODEL
    assert played.headers["x-served-by"] == "anthropic/claude-sonnet-4-6"


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: each.place)
def test_a_block_is_a_faultless_configuration(settings: Settings) -> None:
    config = loaded(settings)
    assert len(config.providers) >= len(settings.rows)
    assert not [provider.name for provider in config.providers if provider.missing_secret]


def test_the_page_is_a_faultless_configuration() -> None:
    """All rows at once. For each provider, its first row on the page."""
    first: dict[str, Row] = {}
    secrets: dict[str, object] = {}
    for settings in SETTINGS:
        secrets |= environment(settings)
        for row in settings.rows:
            first.setdefault(row["name"], row)
    assert load({**secrets, "PROVIDERS": list(first.values()), "MODELS": []}.get).providers


def test_the_page_has_every_provider_that_is_documented() -> None:
    shown = {_key(row) for each in SETTINGS if "providers.md" in each.place for row in each.rows}
    assert shown == set(DOCUMENTED)


@pytest.mark.parametrize(("settings", "row"), ROWS)
def test_a_row_serves_its_models(settings: Settings, row: Row) -> None:
    config = loaded(settings)
    for name, upstream_name in names_of(row):
        for asked in (name, f"{row['name']}/{name}"):
            request = asked_for(asked)
            (target,) = plan_of(config, request, 0.5).targets
            assert (target.provider.name, target.model) == (row["name"], upstream_name), asked


def _key(row: Row) -> str:
    return f"{row['binding']}/{row['name']}" if "binding" in row else str(row["name"])


@pytest.mark.parametrize(("settings", "row"), ROWS)
def test_a_row_calls_what_its_provider_documents(settings: Settings, row: Row) -> None:
    documented = DOCUMENTED[_key(row)]
    (made,) = call(settings, row).calls
    secrets = {"KEY": _secret(row.get("api_key", "")), "TOKEN": _secret("CF_AIG_TOKEN")}
    expected = {
        name: re.sub("KEY|TOKEN", lambda found: secrets[found[0]], said)
        for name, said in documented.headers.items()
    }
    assert made.url == documented.url
    assert dict(made.headers) == {"content-type": "application/json", **expected}
    assert made.binding == row.get("binding")


ROWS_IN_FULL = [each for each in ROWS if "configuration.md" not in str(each.id)]
"""Those of docs/configuration.md are examples, and may leave a provider's quirks out."""

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
HISTORY: list[dict[str, object]] = [
    {"role": "developer", "content": "Be brief.", "name": "operator"},
    {"role": "user", "content": "Hello"},
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "reasoning_content": "Hm.",
        "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}],
        "tool_calls": [CALL],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Yes."},
]
"""A history with what a client has got from another provider, sent back as it came."""


def _traits(body: Mapping[str, Any]) -> set[str]:
    """The parts of `body` that a provider might refuse."""
    messages = [item for item in body.get("messages") or body["input"] if "role" in item]
    null = any(message.get("content", "") is None for message in messages)
    return {
        *body,
        *(f"role:{message['role']}" for message in messages),
        *(f"messages.{field}" for message in messages for field in message),
        *({"null-content"} if null else ()),
    }


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(("settings", "row"), ROWS_IN_FULL)
def test_a_row_sends_what_its_provider_takes(settings: Settings, row: Row, limit: str) -> None:
    documented = DOCUMENTED[_key(row)]
    hints = {"seed": 7, "user": "someone", "store": True, "frequency_penalty": 0.5}
    hints |= {"service_tier": "auto", "verbosity": "low", "safety_identifier": "someone"}
    parameters = {limit: 50, **hints, "messages": HISTORY}
    body = json.decode(call(settings, row, **parameters).calls[0].body)
    assert not (documented.refuses | {"messages.thinking_blocks"}) & _traits(body)
    assert documented.sends.items() <= body.items()
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    assert [body[name] for name in limits if name in body] == [50]


MODELS = [
    pytest.param(settings, model, id=f"{settings.place}-{model['id']}")
    for settings in SETTINGS
    for model in settings.models
]


@pytest.mark.parametrize(("settings", "model"), MODELS)
def test_a_model_leads_to_its_targets(settings: Settings, model: Row) -> None:
    config = loaded(settings)
    plan = plan_of(config, asked_for(model["id"]), 0.0)
    aliases = {provider.name: provider.aliases for provider in config.providers}
    expected = []
    for target in model["targets"]:
        named = target if isinstance(target, str) else target["target"]
        provider, _, name = named.partition("/")
        expected.append((provider, aliases[provider].get(name, name)))
    assert [(target.provider.name, target.model) for target in plan.targets] == expected
    assert plan.deadline == model.get("deadline")


def test_the_weights_share_conversations_out_as_the_page_says() -> None:
    (settings,) = [each for each in SETTINGS if any(it["id"] == "gpt-4.1" for it in each.models)]
    config = loaded(settings)
    chosen: list[str] = []
    for number in range(1000):
        request = asked_for("gpt-4.1", prompt_cache_key=f"conversation {number}")
        plans = [plan_of(config, request, chance) for chance in (0.0, 0.99)]
        assert plans[0] == plans[1], "chance moved a conversation away from its cache"
        chosen.append(plans[0].targets[0].provider.name)
        assert [it.provider.name for it in plans[0].targets][2] == "openrouter"
    assert set(chosen) == {"openai", "azure"}
    assert 700 < chosen.count("openai") < 800


# Faulty rows


GROQ: Row = {
    "name": "groq",
    "dialect": "openai",
    "base_url": "https://api.groq.com/openai/v1",
    "api_key": "GROQ_API_KEY",
    "models": ["llama-*"],
}
SOUND = {"GROQ_API_KEY": "the-value-of-the-secret", "API_KEYS": "client-key"}

FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "a field nobody knows": ({"url": "https://x.test"}, "PROVIDERS[0].url"),
    "a dialect nobody speaks": ({"dialect": "gemini"}, "PROVIDERS[0].dialect"),
    "no scheme": ({"base_url": "api.groq.com/openai/v1"}, "PROVIDERS[0].base_url"),
    "a query in the URL": ({"base_url": "https://x.test/v1?a=b"}, "PROVIDERS[0].base_url"),
    "a user in the URL": ({"base_url": "https://me:pw@x.test/v1"}, "PROVIDERS[0].base_url"),
    "a key in place of its name": ({"api_key": "gsk_123456789abcdef"}, "PROVIDERS[0].api_key"),
    "one pattern, not a list": ({"models": "llama-*"}, "PROVIDERS[0].models"),
    "a header with a line break": ({"headers": {"a": "b\nc: d"}}, "PROVIDERS[0].headers.a"),
    "a limit in words": ({"timeouts": {"idle": "soon"}}, "PROVIDERS[0].timeouts.idle"),
    "no attempt": ({"retries": {"attempts": 0}}, "PROVIDERS[0].retries.attempts"),
    "a quirk nobody has": ({"quirks": {"renames": {}}}, "PROVIDERS[0].quirks.renames"),
    "a binding that is not there": ({"binding": "INNER"}, "PROVIDERS[0].binding"),
    "a header without its secret": (
        {"secret_headers": {"x-token": "Bearer abc"}},
        "PROVIDERS[0].secret_headers.x-token",
    ),
}


def faults_of(environment: Mapping[str, object]) -> list[str]:
    with pytest.raises(ConfigurationError) as failure:
        load(environment.get)
    return failure.value.faults


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_entry_is_named_and_its_value_is_not(fault: str) -> None:
    change, where = FAULTS[fault]
    (said,) = faults_of({**SOUND, "PROVIDERS": [GROQ | change]})
    assert said.startswith(f"{where}: ")
    assert not any(str(value) in said for value in change.values())


@pytest.mark.parametrize("field", ["name", "dialect", "base_url"])
def test_a_missing_field_is_named(field: str) -> None:
    row = {name: value for name, value in GROQ.items() if name != field}
    (said,) = faults_of({**SOUND, "PROVIDERS": [row]})
    assert said.startswith(f"PROVIDERS[0].{field}: ")


MODEL_FAULTS: dict[str, tuple[Row, str]] = {
    "no id": ({"targets": ["groq/llama"]}, "MODELS[0].id"),
    "no targets": ({"id": "best", "targets": []}, "MODELS[0].targets"),
    "a provider without a row": ({"id": "best", "targets": ["x/llama"]}, "MODELS[0].targets[0]"),
    "no model": ({"id": "best", "targets": ["groq"]}, "MODELS[0].targets[0]"),
    "a weight of nothing": (
        {"id": "best", "targets": [{"target": "groq/llama", "weight": 0}]},
        "MODELS[0].targets",
    ),
    "a deadline in words": (
        {"id": "best", "targets": ["groq/llama"], "deadline": "soon"},
        "MODELS[0].deadline",
    ),
}


@pytest.mark.parametrize("fault", MODEL_FAULTS)
def test_a_faulty_model_is_named(fault: str) -> None:
    model, where = MODEL_FAULTS[fault]
    (said,) = faults_of({**SOUND, "PROVIDERS": [GROQ], "MODELS": [model]})
    assert said.startswith(where)


@pytest.mark.parametrize("value", ["[", '{"name": "groq"}', 7, "groq"])
def test_what_is_no_list_of_rows_is_named(value: object) -> None:
    (said,) = faults_of({**SOUND, "PROVIDERS": value})
    assert said.startswith("PROVIDERS must be a list of tables")


def test_all_faults_of_one_row_are_named_and_nothing_that_rests_on_it() -> None:
    row = GROQ | {"base_url": "nope", "url": 1, "binding": "B"}
    model = {"id": "best", "targets": ["groq/llama"]}
    said = faults_of({**SOUND, "PROVIDERS": [row], "MODELS": [model]})
    assert {fault.partition(":")[0] for fault in said} == {
        "PROVIDERS[0].url",
        "PROVIDERS[0].base_url",
        "PROVIDERS[0].binding",
    }


def test_every_fault_is_in_the_one_answer() -> None:
    rows = [GROQ | change | {"name": f"row{n}"} for n, (change, _) in enumerate(FAULTS.values())]
    places = [
        where.replace("[0]", f"[{number}]") for number, (_, where) in enumerate(FAULTS.values())
    ]
    played = play(
        gateway(*rows, GROQ, GROQ, MODELS="no list", MAX_BODY_BYTES="many"),
        {"messages": [{"role": "user", "content": "Hello"}]},
    )
    error = played.json()["error"]
    assert (played.status, error["code"]) == (500, "configuration_error")
    assert played.calls == []
    for place in [*places, "PROVIDERS names 'groq' twice", "MODELS", "MAX_BODY_BYTES"]:
        assert place in error["message"], place
