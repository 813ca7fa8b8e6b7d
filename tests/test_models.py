"""Which models are listed, which provider is asked for them, and how long they are remembered."""

from typing import Any

import pytest

from tests.play import NOW, Played, Upstream, gateway, head, play
from xtrix import json, models
from xtrix.app import Gateway
from xtrix.steps import Failure

ANTHROPIC = {
    "name": "anthropic",
    "dialect": "anthropic",
    "base_url": "https://a.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["claude-*"],
    "aliases": {"old": "claude-2"},
}
OPENAI = {
    "name": "openai",
    "dialect": "openai",
    "base_url": "https://o.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["gpt-*", "davinci"],
    "query": "version=2",
}
REST = {"name": "rest", "dialect": "openai", "base_url": "https://r.test", "models": ["*"]}
LOCKED = {**OPENAI, "name": "locked", "api_key": "NOT_SET", "models": ["x-*"]}
JSON = {"content-type": "application/json"}
DOWN = Upstream(failure=Failure.CONNECTION)


def listing(*names: str, **more: object) -> Upstream:
    """An upstream that lists models of these names."""
    page = {"data": [{"id": name} for name in names], **more}
    return Upstream(200, JSON, (json.encode_body(page),))


def refusal(status: int) -> Upstream:
    return Upstream(status, JSON, (b'{"error":{"message":"no"}}',))


def ask(gate: Gateway, *script: Upstream, path: str = "/v1/models", now: float = NOW) -> Played:
    return play(gate, b"", script, head(path, "GET"), now)


def ids(played: Played) -> list[str]:
    assert played.status == 200, played.body
    return [model["id"] for model in played.json()["data"]]


def urls(played: Played) -> list[str]:
    return [call.url for call in played.calls]


# The list


def test_what_providers_list_comes_with_what_is_configured() -> None:
    targets = [{"id": "any", "targets": ["openai/gpt-4"]}]
    gate = gateway(ANTHROPIC, OPENAI, MODELS=targets)
    played = ask(gate, listing("claude-1", "claude-2"), listing("gpt-4", "whisper-1"))
    assert ids(played) == ["any", "old", "davinci", "claude-1", "claude-2", "gpt-4"]
    owners = {model["id"]: model["owned_by"] for model in played.json()["data"]}
    assert (owners["any"], owners["old"], owners["gpt-4"]) == ("xtrix", "anthropic", "openai")


def test_each_is_asked_in_its_own_way() -> None:
    played = ask(gateway(ANTHROPIC, OPENAI, REST), DOWN, DOWN, DOWN)
    assert urls(played) == [
        "https://a.test/v1/models?limit=1000",
        "https://o.test/v1/models?version=2",
        "https://r.test/models",
    ]
    assert [dict(call.headers) for call in played.calls] == [
        {"anthropic-version": "2023-06-01", "x-api-key": "upstream-key"},
        {"authorization": "Bearer upstream-key"},
        {},
    ]
    assert {(call.method, call.body) for call in played.calls} == {("GET", b"")}


def test_who_has_no_pattern_or_no_key_is_not_asked() -> None:
    plain = {**OPENAI, "name": "plain", "models": ["a", "b"]}
    aliases = {**OPENAI, "name": "aliases", "models": [], "aliases": {"c": "d"}}
    played = ask(gateway(plain, aliases, LOCKED))
    assert (ids(played), played.calls) == (["a", "b", "c"], [])


def test_what_is_known_of_a_model_is_told() -> None:
    page = {"data": [{"id": "claude-2", "created_at": "2026-02-17T00:00:00Z"}]}
    gate = gateway(ANTHROPIC)
    played = ask(gate, Upstream(200, JSON, (json.encode_body(page),)))
    created = {model["id"]: model["created"] for model in played.json()["data"]}
    assert created == {"old": 1771286400, "claude-2": 1771286400}


def test_a_name_that_leads_to_another_provider_is_listed_with_its_own_before_it() -> None:
    gate = gateway(OPENAI, REST, MODELS=[{"id": "llama", "targets": ["rest/llama"]}])
    played = ask(gate, listing("gpt-4"), listing("gpt-4", "gpt-oss", "llama", "openai/x", "qwen"))
    assert ids(played) == [
        *("llama", "davinci", "gpt-4"),
        *("rest/gpt-4", "rest/gpt-oss", "rest/llama", "rest/openai/x", "qwen"),
    ]


@pytest.mark.parametrize("name", ["rest/gpt-oss", "qwen", "gpt-4"])
def test_a_listed_name_leads_to_who_lists_it(name: str) -> None:
    gate = gateway(OPENAI, REST)
    assert name in ids(ask(gate, listing("gpt-4"), listing("gpt-oss", "qwen")))
    played = play(gate, {"model": name, "messages": [{"role": "user", "content": "x"}]}, [DOWN])
    owner = "openai" if name == "gpt-4" else "rest"
    assert played.log["provider"] == owner
    assert played.log["upstream_model"] == name.removeprefix("rest/")


# Providers that do not give a list


@pytest.mark.parametrize(
    ("met", "why"),
    [
        (DOWN, "connection"),
        (Upstream(failure=Failure.TIME), "time"),
        (Upstream(failure=Failure.SIZE), "size"),
        (refusal(401), "401"),
        (refusal(404), "404"),
        (refusal(500), "500"),
        (Upstream(302, {}), "302"),
        (Upstream(200, JSON, (b"",)), "bad_upstream_response"),
        (Upstream(200, {"content-type": "text/html"}, (b"<html>",)), "bad_upstream_response"),
        (Upstream(200, JSON, (b'{"data":"none"}',)), "bad_upstream_response"),
        (Upstream(200, JSON, (b"[" * 5000,)), "bad_upstream_response"),
        (Upstream(200, JSON, (b'{"data":[' + b"1" * 5000,)), "bad_upstream_response"),
    ],
)
def test_who_gives_no_list_leaves_the_rest(met: Upstream, why: str) -> None:
    played = ask(gateway(ANTHROPIC, OPENAI), met, listing("gpt-4"))
    assert ids(played) == ["old", "davinci", "gpt-4"]
    assert played.log["failures"] == [f"anthropic/models: {why}"]


def test_junk_in_a_list_leaves_the_rest_of_it() -> None:
    page = {"data": [None, 7, {"id": None}, {"id": "gpt-\r\n"}, {"id": "gpt-4"}, {}]}
    played = ask(gateway(OPENAI), Upstream(200, JSON, (json.encode_body(page),)))
    assert ids(played) == ["davinci", "gpt-4"]


def test_a_list_without_end_is_cut() -> None:
    many = [f"gpt-{number}" for number in range(20_000)]
    assert len(ids(ask(gateway(OPENAI), listing(*many)))) == models.MOST_MODELS + 1


# Pages


def test_pages_are_asked_for_one_after_the_other() -> None:
    gate = gateway(ANTHROPIC, OPENAI)
    first = listing("claude-1", has_more=True, last_id="claude-1")
    second = listing("claude-3", has_more=True, last_id="claude-3&x=y")
    played = ask(gate, first, listing("gpt-4"), second, listing("claude-4", has_more=False))
    assert ids(played) == ["old", "davinci", "claude-1", "claude-3", "claude-4", "gpt-4"]
    assert urls(played)[2:] == [
        "https://a.test/v1/models?limit=1000&after_id=claude-1",
        "https://a.test/v1/models?limit=1000&after_id=claude-3%26x%3Dy",
    ]


def test_a_chat_upstream_has_pages_too() -> None:
    first = listing("gpt-1", has_more=True, last_id="gpt-1")
    played = ask(gateway(OPENAI), first, listing("gpt-2"))
    assert ids(played) == ["davinci", "gpt-1", "gpt-2"]
    assert urls(played)[1] == "https://o.test/v1/models?version=2&after=gpt-1"


def test_what_came_before_a_page_failed_is_kept() -> None:
    first = listing("claude-1", has_more=True, last_id="claude-1")
    played = ask(gateway(ANTHROPIC), first, DOWN)
    assert ids(played) == ["old", "claude-1"]
    assert played.log["failures"] == ["anthropic/models: connection"]


def test_pages_without_end_are_not_all_asked_for() -> None:
    pages = [listing(f"claude-{n}", has_more=True, last_id=f"claude-{n}") for n in range(99)]
    played = ask(gateway(ANTHROPIC), *pages)
    assert len(played.calls) == models.MOST_PAGES
    again = ask(gateway(ANTHROPIC), *[pages[0]] * 99)
    assert len(again.calls) == 2, "the same page again is no next page"


# Time


def test_a_list_is_kept_for_some_minutes() -> None:
    gate = gateway(OPENAI)
    assert ids(ask(gate, listing("gpt-4"))) == ["davinci", "gpt-4"]
    later = ask(gate, listing("gpt-5"), now=NOW + models.KEPT_SECONDS - 1)
    assert (ids(later), later.calls) == (["davinci", "gpt-4"], [])
    too_late = ask(gate, listing("gpt-5"), now=NOW + models.KEPT_SECONDS)
    assert ids(too_late) == ["davinci", "gpt-5"]


def test_who_failed_is_asked_again_sooner() -> None:
    gate = gateway(OPENAI)
    ask(gate, DOWN)
    soon = ask(gate, listing("gpt-4"), now=NOW + models.FAILED_SECONDS - 1)
    assert (ids(soon), soon.calls) == (["davinci"], [])
    assert ids(ask(gate, listing("gpt-4"), now=NOW + models.FAILED_SECONDS)) == ["davinci", "gpt-4"]


def test_an_old_list_is_better_than_none() -> None:
    gate = gateway(OPENAI)
    ask(gate, listing("gpt-4", "gpt-5"))
    later = NOW + models.KEPT_SECONDS
    assert ids(ask(gate, DOWN, now=later)) == ["davinci", "gpt-4", "gpt-5"]
    later += models.FAILED_SECONDS
    half = listing("gpt-6", has_more=True, last_id="gpt-6")
    assert ids(ask(gate, half, DOWN, now=later)) == ["davinci", "gpt-4", "gpt-5"]
    later += models.FAILED_SECONDS
    assert ids(ask(gate, listing("gpt-6"), now=later)) == ["davinci", "gpt-6"]


# One model


def one(gate: Gateway, name: str, *script: Upstream) -> Played:
    return ask(gate, *script, path=f"/v1/models/{name}")


@pytest.mark.parametrize("name", ["any", "old", "davinci", "gpt-4", "claude-1", "rest/gpt-oss"])
def test_one_model_is_what_the_list_says_of_it(name: str) -> None:
    gate = gateway(ANTHROPIC, OPENAI, REST, MODELS=[{"id": "any", "targets": ["openai/gpt-4"]}])
    played = ask(gate, listing("claude-1"), listing("gpt-4"), listing("gpt-oss"))
    listed = {model["id"]: model for model in played.json()["data"]}
    found = one(gate, name)
    assert (found.json(), found.calls) == (listed[name], [])


def test_only_who_may_have_it_is_asked() -> None:
    played = one(gateway(ANTHROPIC, OPENAI), "gpt-4", listing("gpt-4"))
    assert (played.status, urls(played)) == (200, ["https://o.test/v1/models?version=2"])


def test_a_listed_model_may_be_named_by_its_provider() -> None:
    played = one(gateway(OPENAI), "openai%2Fgpt-4", listing("gpt-4"))
    assert (played.json()["id"], len(played.calls)) == ("openai/gpt-4", 1)


def test_of_what_is_not_listed_the_provider_is_asked() -> None:
    gate = gateway(OPENAI)
    there = one(gate, "gpt-5%2Fx", listing("gpt-4"), Upstream(200, JSON, (b"{}",)))
    assert urls(there)[1] == "https://o.test/v1/models/gpt-5%2Fx?version=2"
    assert there.json()["id"] == "gpt-5/x"
    for status in (400, 403, 404, 405):
        missing = one(gate, "gpt-5", refusal(status))
        assert (missing.status, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert one(gateway(ANTHROPIC), "claude-9", listing(), refusal(404)).status == 404


@pytest.mark.parametrize("met", [DOWN, refusal(500), refusal(429)])
def test_a_provider_that_cannot_tell_is_believed(met: Upstream) -> None:
    assert one(gateway(OPENAI), "gpt-5", listing("gpt-4"), met).status == 200
    assert one(gateway(OPENAI), "gpt-5", met).status == 200


@pytest.mark.parametrize(
    "name", ["gpt-%0d%0a", "gpt-%0A", "gpt-%20x", "gpt-" + "x" * 300, "gpt-%C3%A9", "openai%2F.."]
)
def test_what_cannot_be_a_model_is_none(name: str) -> None:
    played = one(gateway(OPENAI, REST), name)
    assert (played.status, played.json()["error"]["code"]) == (404, "model_not_found")
    assert played.calls == []


def test_a_row_that_reaches_only_what_it_lists() -> None:
    gate = gateway({**OPENAI, "only_listed": True})
    assert one(gate, "openai%2Fwhisper-1").status == 404
    assert one(gate, "openai%2Fdavinci").status == 200


# Secrets


def test_no_key_comes_through() -> None:
    entry: dict[str, Any] = {"id": "gpt-4", "owned_by": "upstream-key", "name": "upstream-key"}
    page = {"data": [entry, {"id": "gpt-upstream-key"}], "last_id": "upstream-key"}
    upstream = Upstream(200, {**JSON, "retry-after": "upstream-key"}, (json.encode_body(page),))
    played = ask(gateway(OPENAI), upstream)
    assert ids(played) == ["davinci", "gpt-4"]
    assert "upstream-key" not in f"{played.body}{played.headers}{played.log}"
