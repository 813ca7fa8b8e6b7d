"""The fields of a request, one by one: translated, refused, or reported as ignored."""

import hashlib
from typing import Any

import pytest

from tests.protocols.messages.encoding import (
    ADAPTIVE,
    BUDGET,
    CALL,
    CALLED,
    FUNCTION,
    NEWEST,
    OLD,
    RESULT,
    USER,
    encoded,
    refused,
    sent,
)
from xtrix import json
from xtrix.answer import ToolName
from xtrix.protocols.messages.encode import DEFAULT_MAX_TOKENS
from xtrix.providers import Family, Provider

MARK = {"type": "ephemeral"}


def ignored(model: str = BUDGET, **said: Any) -> tuple[str, ...]:
    return encoded(model, **said).ignored


# The call


def test_the_smallest_request() -> None:
    assert sent() == {
        "model": BUDGET,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


def test_where_it_goes_and_what_it_carries() -> None:
    call = encoded().request
    assert call.url == "https://a.test/v1/messages"
    assert dict(call.headers) == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "upstream-key",
    }
    assert call.binding is None


@pytest.mark.parametrize(
    ("row", "header"),
    [
        ({"key": "k"}, {"x-api-key": "k"}),
        ({"key": "k", "key_header": "authorization"}, {"authorization": "Bearer k"}),
        ({"key": "k", "key_header": "api-key"}, {"api-key": "k"}),
        ({"headers": {"anthropic-beta": "b"}}, {"anthropic-beta": "b"}),
        ({"headers": {"anthropic-version": "2030-01-01"}}, {"anthropic-version": "2030-01-01"}),
    ],
)
def test_headers_of_a_row(row: dict[str, Any], header: dict[str, str]) -> None:
    provider = Provider("a", "anthropic", "https://a.test/v1", binding="SERVICE", **row)
    call = encoded(provider=provider).request
    assert dict(call.headers).items() >= header.items()
    assert ("x-api-key" in dict(call.headers)) == ("x-api-key" in header)
    assert call.binding == "SERVICE"


def test_a_stream_is_asked_for() -> None:
    assert sent(stream=True)["stream"] is True
    assert "stream" not in sent(stream=False)
    assert "stream_options" not in sent(stream=True, stream_options={"include_usage": True})


# How long


@pytest.mark.parametrize(
    ("model", "said", "most"),
    [
        (BUDGET, {}, DEFAULT_MAX_TOKENS),
        (BUDGET, {"max_tokens": 5}, 5),
        (BUDGET, {"max_completion_tokens": 6}, 6),
        (BUDGET, {"max_tokens": 5, "max_completion_tokens": 6}, 6),
        (BUDGET, {"max_tokens": 0}, 0),
        (BUDGET, {"max_tokens": None}, DEFAULT_MAX_TOKENS),
        (BUDGET, {"max_tokens": 10**9}, 64_000),
        (OLD, {"max_tokens": 10**9}, 8_192),
        ("claude-3-haiku-20240307", {}, 4_096),
        (ADAPTIVE, {"max_tokens": 128_000}, 128_000),
        (BUDGET, {"reasoning_effort": "high"}, DEFAULT_MAX_TOKENS + 4096),
        (BUDGET, {"thinking": {"type": "enabled", "budget_tokens": 9000}}, 9000 + 8192),
        (BUDGET, {"thinking": {"type": "enabled", "budget_tokens": None}}, DEFAULT_MAX_TOKENS),
    ],
)
def test_how_long_an_answer_may_be(model: str, said: dict[str, Any], most: int) -> None:
    assert sent(model, **said)["max_tokens"] == most


def test_a_limit_that_was_lowered_is_named() -> None:
    assert ignored(max_tokens=64_001) == ("max_tokens",)
    assert ignored(max_tokens=1, max_completion_tokens=64_001) == ("max_completion_tokens",)
    assert ignored(max_tokens=64_000) == ()
    assert ignored("claude-3-haiku-20240307") == ()


# Sampling


@pytest.mark.parametrize(
    ("model", "said", "expected", "named"),
    [
        (OLD, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}, ()),
        (BUDGET, {"temperature": 0}, {"temperature": 0}, ()),
        (BUDGET, {"top_p": 0.9}, {"top_p": 0.9}, ()),
        (BUDGET, {"top_k": 5}, {"top_k": 5}, ()),
        (BUDGET, {"temperature": 1.5}, {"temperature": 1}, ("temperature",)),
        (BUDGET, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",)),
        (BUDGET, {"temperature": 0.5, "top_p": 1}, {"temperature": 0.5}, ()),
        (BUDGET, {"temperature": 1, "top_p": 0.9}, {"top_p": 0.9}, ()),
        (BUDGET, {"temperature": 1, "top_p": 1}, {"temperature": 1}, ()),
        (BUDGET, {"temperature": 1.5, "top_p": 0.9}, {"temperature": 1}, ("temperature", "top_p")),
        (NEWEST, {"temperature": 0}, {}, ("temperature",)),
        (NEWEST, {"temperature": 1, "top_p": 1}, {}, ()),
        (NEWEST, {"top_p": 0.5, "top_k": 4}, {}, ("top_k", "top_p")),
    ],
)
def test_sampling(
    model: str, said: dict[str, Any], expected: dict[str, Any], named: tuple[str, ...]
) -> None:
    body = sent(model, **said)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == (
        expected
    )
    assert ignored(model, **said) == named


def test_sampling_gives_way_to_thinking_and_stays_where_thinking_is_off() -> None:
    said: dict[str, Any] = {"reasoning_effort": "low", "temperature": 0.5}
    assert "temperature" not in sent(**said)
    assert ignored(**said) == ("temperature",)
    assert sent(thinking={"type": "disabled"}, temperature=0.5)["temperature"] == 0.5


# Stop sequences


@pytest.mark.parametrize(
    ("stop", "expected", "named"),
    [
        ("END", ["END"], ()),
        (["a", "b"], ["a", "b"], ()),
        (["a", "\n", ""], ["a"], ("stop",)),
        (" ", None, ("stop",)),
        ([], None, ()),
        (None, None, ()),
    ],
)
def test_stop_sequences(stop: object, expected: object, named: tuple[str, ...]) -> None:
    assert sent(stop=stop).get("stop_sequences") == expected
    assert ignored(stop=stop) == named


# Who asks, and how urgently


def hashed(who: str) -> dict[str, str]:
    return {"user_id": hashlib.sha256(who.encode()).hexdigest()}


def test_who_asks_is_hashed() -> None:
    assert sent(user="me@example.com")["metadata"] == hashed("me@example.com")
    assert sent(user="a", safety_identifier="b")["metadata"] == hashed("b")
    assert "metadata" not in sent(user="")


def test_the_clients_metadata_goes_nowhere() -> None:
    said: dict[str, Any] = {"metadata": {"order": "7"}}
    assert "metadata" not in sent(**said)
    assert ignored(**said) == ("metadata",)


@pytest.mark.parametrize(
    ("tier", "expected", "named"),
    [
        ("auto", "auto", ()),
        ("default", "standard_only", ()),
        ("flex", None, ("service_tier",)),
        ("priority", None, ("service_tier",)),
        (None, None, ()),
    ],
)
def test_service_tiers(tier: str | None, expected: str | None, named: tuple[str, ...]) -> None:
    assert sent(service_tier=tier).get("service_tier") == expected
    assert ignored(service_tier=tier) == named


# Refused, because the answer would be wrong without it


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"n": 2}, "unsupported_value"),
        ({"logprobs": True}, "unsupported_parameter"),
        ({"top_logprobs": 3}, "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, "unsupported_value"),
        ({"audio": {"voice": "x"}}, "unsupported_parameter"),
        ({"moderation": {"model": "x"}}, "unsupported_parameter"),
    ],
)
def test_refused(said: dict[str, Any], code: str) -> None:
    error = refused(**said)
    assert (error.code, error.param) == (code, next(iter(said)))


@pytest.mark.parametrize(
    "said",
    [{"n": 1}, {"logprobs": False}, {"top_logprobs": 0}, {"modalities": ["text"]}, {"audio": None}],
)
def test_what_asks_for_nothing_is_not_refused(said: dict[str, Any]) -> None:
    assert sent(**said) == sent()
    assert ignored(**said) == ()


# Left out and named


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.5),
        ("presence_penalty", -1),
        ("logit_bias", {"1": 2}),
        ("seed", 0),
        ("seed", 7),
        ("store", True),
        ("verbosity", "low"),
        ("prediction", {"type": "content", "content": "x"}),
        ("prompt_cache_key", "x"),
        ("prompt_cache_retention", "24h"),
        ("prompt_cache_options", {"mode": "explicit"}),
        ("unknown", 1),
        ("context_management", {"edits": []}),
    ],
)
def test_hints_are_left_out_and_named(name: str, value: Any) -> None:
    said: dict[str, Any] = {name: value}
    assert sent(**said) == sent()
    assert ignored(**said) == (name,)


@pytest.mark.parametrize(
    "said",
    [{"frequency_penalty": 0}, {"store": False}, {"logit_bias": {}}, {"seed": None}, {"x": None}],
)
def test_what_says_nothing_is_left_out_unnamed(said: dict[str, Any]) -> None:
    assert sent(**said) == sent()
    assert ignored(**said) == ()


def test_all_that_was_left_out_is_named_in_order() -> None:
    assert ignored(zebra=1, seed=1, apple=1) == ("apple", "seed", "zebra")


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_a_name_that_has_no_place_upstream_is_named(role: str) -> None:
    said: dict[str, dict[str, Any]] = {
        "system": {"role": "system", "content": "x"},
        "user": dict(USER),
        "assistant": dict(CALLED),
        "tool": dict(RESULT),
    }
    assert ignored(messages=[*said.values(), USER]) == ()
    said[role]["name"] = "Ada"
    assert ignored(messages=[*said.values(), USER]) == ("messages.name",)


def test_a_functions_name_is_used() -> None:
    called = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    assert ignored(messages=[USER, called, {"role": "function", "name": "f", "content": "x"}]) == ()


@pytest.mark.parametrize(
    ("detail", "named"),
    [("high", True), ("low", True), ("auto", False), ("", False), (None, False)],
)
def test_the_detail_of_an_image_is_named(detail: str | None, named: bool) -> None:
    image = {"url": "https://i.test/a.png", "detail": detail}
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": image}]
    expected = ("image_url.detail",) if named else ()
    assert ignored(messages=[{"role": "user", "content": content}]) == expected


# Search


@pytest.mark.parametrize(
    ("options", "search"),
    [
        ({}, {"max_uses": 5}),
        ({"search_context_size": "low"}, {"max_uses": 1}),
        ({"search_context_size": "high"}, {"max_uses": 10}),
        ({"search_context_size": "vast"}, {"max_uses": 5}),
        (
            {"user_location": {"type": "approximate", "approximate": {"city": "Bonn"}}},
            {"max_uses": 5, "user_location": {"type": "approximate", "city": "Bonn"}},
        ),
        ({"user_location": None}, {"max_uses": 5}),
        ({"search_context_size": None}, {"max_uses": 5}),
    ],
)
def test_web_search(options: object, search: dict[str, Any]) -> None:
    expected = {"type": "web_search_20250305", "name": "web_search", **search}
    assert sent(web_search_options=options)["tools"] == [expected]
    assert sent(web_search_options=options, tools=[FUNCTION])["tools"][1] == expected
    assert encoded(web_search_options=options).expected.cited


# Cache marks


def marks(body: object) -> int:
    """How many cache marks there are in `body`, wherever they stand."""
    if isinstance(body, dict):
        return ("cache_control" in body) + sum(marks(value) for value in body.values())
    return sum(marks(item) for item in body) if isinstance(body, list) else 0


PART = {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_at_most_four_marks_and_the_last_ones_stay(count: int) -> None:
    parts = [{**PART, "text": str(number)} for number in range(count)]
    body = sent(messages=[{"role": "user", "content": parts}])
    marked = [block["text"] for block in body["messages"][0]["content"] if "cache_control" in block]
    assert marked == [str(number) for number in range(count)][-4:]


def test_every_mark_counts_wherever_it_stands() -> None:
    tool = {**FUNCTION, "cache_control": MARK}
    call = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": ""}}
    body = sent(
        cache_control=MARK,
        tools=[tool],
        messages=[
            {"role": "system", "content": [PART]},
            {"role": "user", "content": [PART]},
            {"role": "assistant", "content": [PART], "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": [PART, PART]},
        ],
    )
    assert marks(body) == 4
    assert body["cache_control"] == MARK


def test_a_mark_for_the_whole_request() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    assert sent(cache_control=mark)["cache_control"] == mark
    assert "cache_control" not in sent(cache_control="yes")
    assert "cache_control" not in sent(cache_control=None)


# Anthropic's own parameters

SERVER = {"type": "url", "url": "https://mcp.test/sse", "name": "files", "authorization_token": "t"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("container", "container_011"),
        ("container", {"id": "container_011", "skills": [{"type": "anthropic", "skill_id": "x"}]}),
        ("mcp_servers", [SERVER]),
        ("mcp_servers", [SERVER, {"type": "of tomorrow"}]),
    ],
)
def test_anthropics_own_parameters_go_on_as_they_came(name: str, value: Any) -> None:
    said: dict[str, Any] = {name: value}
    assert sent(**said) == {**sent(), name: value}
    assert ignored(**said) == ()


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"container": 7}, "container"),
        ({"container": ["container_011"]}, "container"),
        ({"container": False}, "container"),
        ({"mcp_servers": SERVER}, "mcp_servers"),
        ({"mcp_servers": "https://mcp.test"}, "mcp_servers"),
        ({"mcp_servers": [SERVER, "https://mcp.test"]}, "mcp_servers[1]"),
        ({"mcp_servers": [None]}, "mcp_servers[0]"),
        ({"betas": "a-2026-01-01"}, "betas"),
        ({"betas": {"a": 1}}, "betas"),
        ({"betas": ["a", 7]}, "betas[1]"),
        ({"betas": [["a"]]}, "betas[0]"),
    ],
)
def test_anthropics_own_parameters_have_their_types(said: dict[str, Any], param: str) -> None:
    error = refused(**said)
    assert (error.code, error.param) == ("invalid_type", param)


@pytest.mark.parametrize(
    "said",
    [
        *({"container": None}, {"container": ""}, {"container": {}}, {"mcp_servers": None}),
        *({"mcp_servers": []}, {"betas": None}, {"betas": []}),
    ],
)
def test_anthropics_own_parameters_that_say_nothing(said: dict[str, Any]) -> None:
    assert encoded(**said) == encoded()


@pytest.mark.parametrize(
    ("row", "betas", "header"),
    [
        ({}, ["mcp-client-2025-11-20"], "mcp-client-2025-11-20"),
        ({}, ["b-2", "a_1.0", "b-2"], "b-2,a_1.0"),
        ({}, ["x" * 64] * 32, "x" * 64),
        ({"anthropic-beta": "a, b,"}, ["b", "c"], "a,b,c"),
        ({"anthropic-beta": "a,  b"}, [], "a,b"),
        ({"anthropic-beta": "a,  b"}, None, "a,  b"),
    ],
)
def test_betas_are_a_header(row: dict[str, str], betas: object, header: str) -> None:
    provider = Provider("a", "anthropic", "https://a.test/v1", headers=row)
    call = encoded(provider=provider, betas=betas)
    assert [value for name, value in call.request.headers if name == "anthropic-beta"] == [header]
    assert json.decode_object(call.request.body) == sent()
    assert call.ignored == ()


@pytest.mark.parametrize(
    "beta",
    [
        *("", " ", "a b", "a,b", "a\r\nx-api-key: mine", "a\n", "\na", "a\x00", "größe", "a;b"),
        *('"a"', "a:b", "x" * 65, "a\u2028", "\uff11"),
    ],
)
def test_nothing_but_a_word_is_a_beta(beta: str) -> None:
    for betas, param in (([beta], "betas[0]"), (["fine", beta], "betas[1]")):
        error = refused(betas=betas)
        assert (error.code, error.param) == ("invalid_value", param)


def test_betas_have_an_end() -> None:
    error = refused(betas=["a"] * 33)
    assert (error.code, error.param) == ("invalid_value", "betas")


# A provider's own families


def test_a_providers_own_row_decides_first() -> None:
    family = Family("my-*", sampling="both", thinking="none", max_output=100)
    provider = Provider("a", "anthropic", "https://a.test/v1", families=(family,))
    call = encoded("my-model", provider=provider, temperature=0.5, top_p=0.5)
    body = json.decode_object(call.request.body)
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.5, 0.5, 100)
    strict = json.decode_object(encoded("claude-unknown", temperature=0.5).request.body)
    assert "temperature" not in strict
    assert strict["messages"][0]["role"] == USER["role"]


# Values of a type that nobody meant


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"web_search_options": "yes"}, "web_search_options"),
        ({"web_search_options": {"user_location": "Berlin"}}, "web_search_options.user_location"),
        (
            {"web_search_options": {"search_context_size": []}},
            "web_search_options.search_context_size",
        ),
        (
            {"web_search_options": {"user_location": {"approximate": "Bonn"}}},
            "web_search_options.user_location.approximate",
        ),
        ({"thinking": "on"}, "thinking"),
        ({"thinking": {}}, "thinking.type"),
        ({"thinking": {"type": {}}}, "thinking.type"),
        ({"thinking": {"type": []}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": True}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": -100_000}}, "thinking.budget_tokens"),
        (
            {"tools": [{"type": "custom", "custom": {"name": "a", "format": "text"}}]},
            "tools[0].custom.format",
        ),
        (
            {
                "tools": [FUNCTION],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [{"type": "function", "function": "f"}],
                    },
                },
            },
            "tool_choice.allowed_tools.tools[0].function",
        ),
    ],
    ids=json.encode,
)
def test_a_value_of_the_wrong_type_is_refused_by_name(said: dict[str, Any], param: str) -> None:
    assert refused(**said).param == param


@pytest.mark.parametrize("role", ["system", "developer", "user", "tool", "function"])
@pytest.mark.parametrize("value", ["auto", {"a": 1}, {"name": "f", "arguments": "{}"}, [], 7])
def test_only_an_assistant_calls_functions(role: str, value: object) -> None:
    history: list[Any] = [USER, CALLED, RESULT]
    before = [USER, CALLED]
    message: dict[str, Any] = {"role": role, "content": "x"}
    if role == "tool":
        message["tool_call_id"] = "call_1"
    elif role == "function":
        function = {"name": "f", "arguments": "{}"}
        before = [USER, {"role": "assistant", "function_call": function}]
        message["name"] = "f"
    messages = [*(before if role in {"tool", "function"} else history), message]
    spoiled = [*messages[:-1], {**message, "function_call": value}]
    assert sent(messages=spoiled) == sent(messages=messages)


@pytest.mark.parametrize("value", [5, "toolu_mine", None])
def test_the_upstreams_id_of_a_call_is_not_the_clients_to_set(value: object) -> None:
    call = {**CALLED["tool_calls"][0], "upstream_id": value}
    messages = [USER, {**CALLED, "tool_calls": [call]}, RESULT]
    assert sent(messages=messages) == sent(messages=[USER, CALLED, RESULT])


def test_a_function_with_a_format_of_its_own() -> None:
    function = {"name": "look_up", "format": "text"}
    tools = [{"type": "function", "function": function}]
    assert sent(tools=tools) == sent(tools=[FUNCTION])


@pytest.mark.parametrize("kind", [[], {}, "name", "function", 7])
def test_the_older_choice_is_read_by_its_name_alone(kind: object) -> None:
    functions = [{"name": "look_up"}]
    choice = {"name": "look_up"}
    expected = sent(functions=functions, function_call=choice)
    assert sent(functions=functions, function_call={**choice, "type": kind}) == expected


# Names that are not the client's to give


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("web_search", {"web_search_options": {}}),
        (
            "json_tool_call",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        ),
        ("code_execution", {}),
    ],
)
def test_a_tool_named_as_one_of_ours_gets_another_name(name: str, said: dict[str, Any]) -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": name}}]
    if name == "code_execution":
        tools.append({"type": "code_execution_20250825", "name": name})
    made = encoded(OLD, tools=tools, **said)
    names = [tool["name"] for tool in json.decode_object(made.request.body)["tools"]]
    assert len(names) == len(set(names)) == 2
    assert names[1] == name
    assert made.expected.tools == {names[0]: ToolName(name)}


def test_an_error_repeats_no_more_than_a_word_of_the_clients() -> None:
    long = "é" * 100_000
    for said in (
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": long}}},
        {"tools": [{"type": long}]},
        {"tools": [{"type": "function", "function": {"name": long}}] * 2},
        {"messages": [USER, {"role": "tool", "tool_call_id": long, "content": "x"}]},
        {"messages": [USER, {"role": "assistant", "tool_calls": [{**CALL, "id": long}]}]},
        {"messages": [USER, {"role": "assistant", "tool_calls": [{**CALL, "type": long}]}]},
        {"messages": [{"role": "user", "content": [{"type": long}]}]},
    ):
        assert len(refused(**said).message) < 400


def test_an_id_without_end_is_made_short() -> None:
    one, two = "é" * 100_000, "é" * 100_001
    calls = [{**CALL, "id": one}, {**CALL, "id": two}]
    results = [{**RESULT, "tool_call_id": each} for each in (two, one)]
    turns_sent = sent(messages=[USER, {"role": "assistant", "tool_calls": calls}, *results])
    uses = turns_sent["messages"][1]["content"]
    results_sent = turns_sent["messages"][2]["content"]
    assert [use["id"] for use in uses] == [each["tool_use_id"] for each in reversed(results_sent)]
    assert all(len(use["id"]) == 64 for use in uses)


# Models that are no Claudes


@pytest.mark.parametrize(
    "model",
    ["qwen3-30b", "deepseek-chat", "kimi-k2", "glm-4.6", "MiniMax-M2", "meta-llama/Llama-3.3-70B"],
)
def test_what_is_no_claude_gets_what_the_client_sent(model: str) -> None:
    sampling = {"temperature": 1.5, "top_p": 0.5, "top_k": 5}
    choice = {"type": "function", "function": {"name": "look_up"}}
    prefill = [USER, {"role": "assistant", "content": "So"}]
    said: dict[str, Any] = {"tools": [FUNCTION], "tool_choice": choice, **sampling}
    said["max_tokens"] = 500_000
    made = encoded(model, messages=prefill, reasoning_effort="low", **said)
    body = json.decode_object(made.request.body)
    assert body.items() >= sampling.items()
    assert body["tool_choice"] == {"type": "tool", "name": "look_up"}
    assert body["max_tokens"] == 500_000
    assert body["thinking"]["type"] == "enabled"
    assert body["messages"][-1]["role"] == "assistant"
    assert made.ignored == ()
    assert encoded("claude-unknown", **said).ignored == (
        *("max_tokens", "temperature", "tool_choice", "top_k", "top_p"),
    )


def test_a_providers_rows_decide_about_what_is_no_claude() -> None:
    family = Family("qwen*", sampling="none")
    provider = Provider("a", "anthropic", "https://a.test/v1", families=(family,))
    call = encoded("qwen3", provider=provider, temperature=0.5)
    assert call.ignored == ("temperature",)


def test_a_prefill_is_not_thought_about() -> None:
    prefill = [USER, {"role": "assistant", "content": "So"}]
    made = encoded(BUDGET, messages=prefill, reasoning_effort="high")
    assert "thinking" not in json.decode_object(made.request.body)
    assert made.ignored == ("reasoning_effort",)
