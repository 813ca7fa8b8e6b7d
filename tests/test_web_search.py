"""The web search that a client of Responses allows its model: the row decides."""

from typing import Any

import pytest

from tests.least import TEXT, WHOLE, answer, row
from tests.play import Played, Upstream, gateway, head, play
from xtrix import json

Json = dict[str, Any]

SEARCH: Json = {"type": "web_search"}
FUNCTION: Json = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CLAUDE = row("anthropic", web_search=True)
CHAT = row("openai", web_search=True, quirks={"takes": ["web_search_options"]})
FOUND: Json = {"type": "web_search_result", "url": "https://a.test", "title": "A"}
SEARCHED: list[Json] = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [FOUND]},
    {
        "type": "text",
        "text": TEXT,
        "citations": [
            {
                "type": "web_search_result_location",
                "url": "https://a.test",
                "title": "A",
                "cited_text": "They",
            }
        ],
    },
]


def asked(target: Json, *tools: Json, upstream: Upstream | None = None, **more: Any) -> Played:
    request = {"model": "m", "input": "Hi", "tools": list(tools), **more}
    answers = [upstream or answer(WHOLE[target["dialect"]])]
    return play(gateway(target), request, answers, head("/v1/responses"))


def sent(played: Played) -> Json:
    (call,) = played.calls
    return json.decode_object(call.body)


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
@pytest.mark.parametrize("kind", ["web_search", "web_search_2025_08_26", "web_search_preview"])
def test_by_default_it_is_a_hint(dialect: str, kind: str) -> None:
    played = asked(row(dialect), FUNCTION, {"type": kind}, max_tool_calls=3)
    assert played.status == 200
    assert len(sent(played)["tools"]) == 1
    assert played.headers["x-ignored-parameters"] == f"max_tool_calls, tools.{kind}"


def test_anthropics_search() -> None:
    limits = {
        "filters": {"allowed_domains": ["a.test"]},
        "user_location": {"type": "approximate", "city": "Paris", "country": None},
        "search_context_size": "high",
        "external_web_access": True,
    }
    played = asked(CLAUDE, FUNCTION, {**SEARCH, **limits}, max_tool_calls=3)
    assert "x-ignored-parameters" not in played.headers
    assert sent(played)["tools"][1] == {
        "type": "web_search_20250305",
        "name": "web_search",
        "max_uses": 3,
        "allowed_domains": ["a.test"],
        "user_location": {"type": "approximate", "city": "Paris"},
    }


def test_a_search_of_chat_completions() -> None:
    location = {"type": "approximate", "city": "Paris"}
    search = {**SEARCH, "search_context_size": "low", "user_location": location}
    assert sent(asked(CHAT, search))["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Paris"}},
    }


def test_domains_that_nobody_can_keep_to_are_refused() -> None:
    played = asked(CHAT, {**SEARCH, "filters": {"allowed_domains": ["a.test"]}})
    assert (played.status, played.json()["error"]["param"]) == (400, "tools[0].type")


@pytest.mark.parametrize(
    "odd",
    [
        {"filters": 7, "user_location": "Paris", "search_context_size": ["low"]},
        {"filters": {"allowed_domains": "a.test"}, "user_location": {"city": 7}},
        {"filters": {"allowed_domains": [7, None]}, "search_context_size": "vast"},
    ],
)
def test_limits_that_make_no_sense_are_none(odd: Json) -> None:
    (tool,) = sent(asked(CLAUDE, {**SEARCH, **odd}))["tools"]
    assert tool == {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}


def test_a_second_search_is_ignored() -> None:
    played = asked(CLAUDE, SEARCH, {"type": "web_search_preview"})
    assert len(sent(played)["tools"]) == 1
    assert played.headers["x-ignored-parameters"] == "tools.web_search_preview"


def test_what_was_found_is_told() -> None:
    upstream = answer({**WHOLE["anthropic"], "content": SEARCHED})
    include = ["web_search_call.action.sources"]
    search, message = asked(CLAUDE, SEARCH, upstream=upstream, include=include).json()["output"]
    assert (search["type"], search["status"]) == ("web_search_call", "completed")
    assert search["action"] == {
        "type": "search",
        "query": "q",
        "queries": ["q"],
        "sources": [{"type": "url", "url": "https://a.test"}],
    }
    (part,) = message["content"]
    assert part["annotations"] == [
        {
            "type": "url_citation",
            "url": "https://a.test",
            "title": "A",
            "start_index": 0,
            "end_index": len(TEXT),
        }
    ]


def test_the_conversation_goes_on_without_the_search_in_it() -> None:
    upstream = answer({**WHOLE["anthropic"], "content": SEARCHED})
    output = asked(CLAUDE, SEARCH, upstream=upstream).json()["output"]
    user = {"role": "user", "content": "Hi"}
    body = sent(asked(CLAUDE, SEARCH, input=[user, *output, user]))
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"][0]["text"] == TEXT
