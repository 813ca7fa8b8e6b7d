"""What upstreams of other protocols get for a Responses client, and what their answers become."""

from typing import Any

import pytest

from tests.protocols.responses.tellings import CARRIER, ORIGIN, SEALED, STAMP
from xtrix import json
from xtrix.errors import ClientError
from xtrix.prompt import Sealed
from xtrix.protocol import Whole
from xtrix.protocols.responses import RESPONSES
from xtrix.providers import TAKEN, Plan, Provider, Quirks, Target
from xtrix.translation import Conversion, TargetCall

Json = dict[str, Any]

CLAUDE = Target(Provider(ORIGIN.provider, "anthropic", "https://a.test/v1"), ORIGIN.model)
CHAT = Target(Provider("deepseek", "openai", "https://d.test/v1"), "deepseek-chat")
OPENAI = Target(
    Provider("openai", "openai", "https://o.test/v1", quirks=Quirks(takes=TAKEN)), "gpt-5.5"
)
BOTH = pytest.mark.parametrize("target", [CLAUDE, CHAT], ids=["messages", "chat"])

USER: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
EXEC: Json = {
    "type": "function",
    "name": "exec_command",
    "description": "Runs a command.",
    "strict": False,
    "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}},
}
PATCH: Json = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*"\nend: /x/'},
}
MAIL: Json = {
    "type": "namespace",
    "name": "mcp__mail",
    "description": "Mail.",
    "tools": [{"type": "function", "name": "send", "parameters": None}],
}
SEARCH: Json = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}
CODEX: Json = {
    "model": "best",
    "stream": True,
    "store": False,
    "tools": [EXEC, PATCH, MAIL, SEARCH, {"type": "web_search", "external_web_access": True}],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199-session",
    "text": {"verbosity": "low"},
    "client_metadata": {"x-codex-installation-id": "installation-1"},
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "You are Codex."}],
        },
        USER,
    ],
}
PNG = "data:image/png;base64,iVBORw0KGgo="
TURN: list[Json] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Well…"}],
        "content": None,
        "encrypted_content": CARRIER.pack(SEALED),
    },
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Let me look."}],
    },
    {"type": "function_call", "call_id": "1", "name": "exec_command", "arguments": '{"cmd":"ls"}'},
    {
        "type": "function_call",
        "call_id": "2",
        "name": "send",
        "namespace": "mcp__mail",
        "arguments": "",
    },
    {"type": "custom_tool_call", "call_id": "3", "name": "apply_patch", "input": "*x"},
    {"type": "custom_tool_call_output", "call_id": "3", "output": "done"},
    {"type": "function_call_output", "call_id": "2", "output": "sent"},
    {
        "type": "function_call_output",
        "call_id": "1",
        "output": [{"type": "input_image", "image_url": PNG, "detail": "original"}],
    },
]


def asked(target: Target, fields: Json) -> tuple[Json, TargetCall, Conversion]:
    """The upstream's request, and what is reported about it."""
    request = RESPONSES.decode_request(json.encode_body(fields), {}, "best")
    conversion = Conversion(RESPONSES, request, CARRIER)
    call = conversion.encode(target, Plan((target,)), is_last=True)
    assert call.request is not None
    return json.decode_object(call.request.body), call, conversion


def sent(target: Target, **fields: Any) -> Json:
    return asked(target, {"input": "Hi", **fields})[0]


def ignored(target: Target, **fields: Any) -> tuple[str, ...]:
    return asked(target, {"input": "Hi", **fields})[1].ignored


def refused(target: Target, **fields: Any) -> ClientError:
    with pytest.raises(ClientError) as raised:
        sent(target, **fields)
    return raised.value


def turns(target: Target, *items: Json, **fields: Any) -> list[Json]:
    found: list[Json] = sent(target, input=list(items), **fields)["messages"]
    return found


# Codex


def test_codex_first_request_to_anthropic() -> None:
    body, call, _ = asked(CLAUDE, CODEX)
    assert body == {
        "model": ORIGIN.model,
        "max_tokens": 8192 + 2048,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "system": [{"type": "text", "text": "You are Codex."}],
        "stream": True,
        "tools": [
            {
                "name": "exec_command",
                "description": "Runs a command.",
                "input_schema": EXEC["parameters"],
            },
            {
                "name": "apply_patch",
                "description": "Edits files.\n\n"
                "'input' has to keep to this lark grammar:\nstart: \"*\"\nend: /x/",
                "input_schema": {
                    "type": "object",
                    "properties": {"input": {"type": "string"}},
                    "required": ["input"],
                },
            },
            {
                "name": "mcp__mail__send",
                "description": "Mail.",
                "input_schema": {"type": "object", "properties": {}},
            },
            {
                "name": "tool_search",
                "description": "Finds tools.",
                "input_schema": SEARCH["parameters"],
            },
        ],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "cache_control": {"type": "ephemeral"},
    }
    assert call.ignored == ("prompt_cache_key", "text.verbosity", "tools.web_search")


def test_codex_first_request_to_a_chat_server() -> None:
    body, call, _ = asked(CHAT, CODEX)
    assert body["messages"] == [
        {"role": "system", "content": "You are Codex."},
        {"role": "user", "content": "Hi"},
    ]
    assert [tool["function"]["name"] for tool in body["tools"]] == [
        *("exec_command", "apply_patch", "mcp__mail__send", "tool_search")
    ]
    assert "lark grammar:\nstart" in body["tools"][1]["function"]["description"]
    assert not {"tool_choice", "verbosity", "prompt_cache_key", "store"} & body.keys()
    assert call.ignored == (
        *("prompt_cache_key", "reasoning.effort", "text.verbosity", "tools.web_search"),
    )


@pytest.mark.parametrize("target", [CLAUDE, CHAT, OPENAI], ids=["messages", "chat", "openai"])
def test_ids_of_an_installation_reach_nobody(target: Target) -> None:
    body, call, _ = asked(target, CODEX)
    assert "installation-1" not in json.encode(body)
    assert "client_metadata" not in call.ignored


def test_codex_tool_turn_to_anthropic() -> None:
    found = turns(CLAUDE, *CODEX["input"], *TURN, tools=CODEX["tools"])
    assert found[1:] == [
        {
            "role": "assistant",
            "content": [
                SEALED.value,
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "1", "name": "exec_command", "input": {"cmd": "ls"}},
                {"type": "tool_use", "id": "2", "name": "mcp__mail__send", "input": {}},
                {"type": "tool_use", "id": "3", "name": "apply_patch", "input": {"input": "*x"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "1",
                    "content": [
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": "iVBORw0KGgo=",
                            },
                        }
                    ],
                },
                {"type": "tool_result", "tool_use_id": "2", "content": "sent"},
                {"type": "tool_result", "tool_use_id": "3", "content": "done"},
            ],
        },
    ]


def test_codex_tool_turn_to_a_chat_server() -> None:
    found = turns(CHAT, *CODEX["input"], *TURN, tools=CODEX["tools"])
    assistant, *results, picture = found[2:]
    assert assistant["content"] == "Let me look."
    assert "reasoning_content" not in assistant
    called = [(call["id"], call["function"]["name"]) for call in assistant["tool_calls"]]
    assert called == [("1", "exec_command"), ("2", "mcp__mail__send"), ("3", "apply_patch")]
    assert json.decode(assistant["tool_calls"][2]["function"]["arguments"]) == {"input": "*x"}
    assert [result["tool_call_id"] for result in results] == ["1", "2", "3"]
    assert picture["role"] == "user"
    [image] = [part["image_url"] for part in picture["content"] if part["type"] == "image_url"]
    assert image == {"url": PNG}


def test_codex_compaction_to_anthropic() -> None:
    asked_for = {**CODEX, "tools": [], "parallel_tool_calls": False}
    body, _, _ = asked(CLAUDE, {**asked_for, "input": [*CODEX["input"], *TURN, USER]})
    assert body["tool_choice"] == {"type": "none"}
    assert [tool["name"] for tool in body["tools"]] == [
        *("exec_command", "mcp__mail__send", "apply_patch")
    ]


def test_codex_compaction_to_a_chat_server() -> None:
    asked_for = {**CODEX, "tools": [], "parallel_tool_calls": False}
    body, _, _ = asked(CHAT, {**asked_for, "input": [*CODEX["input"], *TURN, USER]})
    assert not {"tool_choice", "parallel_tool_calls"} & body.keys()


# Turns


def test_instructions_and_developers_come_in_order() -> None:
    items = [{"role": "developer", "content": "b"}, {"role": "system", "content": "c"}, USER]
    system = sent(CLAUDE, input=items, instructions="a")["system"]
    assert [block["text"] for block in system] == ["a", "b", "c"]
    found = turns(OPENAI, *items, instructions="a")
    assert [(turn["role"], turn["content"]) for turn in found] == [
        *(("developer", "a"), ("developer", "b"), ("system", "c"), ("user", "Hi"))
    ]


def test_equal_ids_of_two_turns_are_told_apart_where_they_have_to_be() -> None:
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    given = {"type": "function_call_output", "call_id": "1", "output": "x"}
    found = turns(CLAUDE, USER, call, given, call, given)
    blocks = [block for turn in found for block in turn["content"]]
    uses = [block["id"] for block in blocks if "id" in block]
    assert uses == [block["tool_use_id"] for block in blocks if "tool_use_id" in block]
    assert len(set(uses)) == 2


def test_thinking_between_texts_and_calls_keeps_its_place() -> None:
    first, second = ({"type": "thinking", "thinking": "a", "signature": word} for word in "12")
    reasoning = [
        {
            "type": "reasoning",
            "summary": [],
            "encrypted_content": CARRIER.pack(Sealed(value, ORIGIN)),
        }
        for value in (first, second)
    ]
    text, call, *_ = TURN[1:]
    items = [USER, reasoning[0], text, reasoning[1], call, TURN[-1]]
    kinds = [block["type"] for block in turns(CLAUDE, *items)[1]["content"]]
    assert kinds == ["thinking", "text", "thinking", "tool_use"]
    assert turns(CLAUDE, *items)[1]["content"][2] == second


@pytest.mark.parametrize(
    "target",
    [CHAT, Target(Provider("other", "anthropic", "https://b.test/v1"), ORIGIN.model)],
    ids=["chat", "another row"],
)
def test_thinking_of_another_provider_is_left_out_and_named(target: Target) -> None:
    body, call, _ = asked(target, {"input": [USER, TURN[0], TURN[1], USER]})
    assert "Well…" not in json.encode(body)
    assert "input.reasoning" in call.ignored


# Tools


@BOTH
def test_names_that_collide_when_they_are_flattened(target: Target) -> None:
    plain = {"type": "function", "name": "mcp__mail__send"}
    names = [
        tool.get("name") or tool["function"]["name"]
        for tool in sent(target, tools=[MAIL, plain])["tools"]
    ]
    assert len(set(names)) == 2
    assert "mcp__mail__send" in names


@BOTH
def test_long_names_fit(target: Target) -> None:
    long = {**MAIL, "name": "mcp__" + "n" * 60, "tools": [{"type": "function", "name": "s" * 64}]}
    body, call, _ = asked(target, {"input": "Hi", "tools": [long]})
    [tool] = body["tools"]
    name = tool.get("name") or tool["function"]["name"]
    assert len(name) <= (128 if target is CLAUDE else 64)
    assert call.expected.tool(name).namespace == long["name"]


@BOTH
def test_found_tools_can_be_called(target: Target) -> None:
    search = {"type": "tool_search_call", "call_id": "s", "arguments": {"query": "mail"}}
    found = {"type": "tool_search_output", "call_id": "s", "tools": [MAIL]}
    body = sent(target, tools=[SEARCH], input=[USER, search, found])
    names = [tool.get("name") or tool["function"]["name"] for tool in body["tools"]]
    assert names == ["tool_search", "mcp__mail__send"]
    assert "Loaded tools: mcp__mail__send" in json.encode(body["messages"])


def answered(target: Target, fields: Json, answer: Json) -> Json:
    """The response that the client gets for an upstream's `answer`."""
    _, call, conversion = asked(target, fields)
    written: Whole = conversion.whole(json.encode_body(answer), call, STAMP)
    return json.decode_object(written.body)


def calling(target: Target, *calls: tuple[str, Json]) -> Json:
    """An upstream's answer that calls tools by the names that the upstream got."""
    if target is CLAUDE:
        uses = [
            {"type": "tool_use", "id": f"t{index}", "name": name, "input": given}
            for index, (name, given) in enumerate(calls)
        ]
        return {"type": "message", "content": uses, "stop_reason": "tool_use", "usage": {}}
    told = [
        {
            "id": f"t{index}",
            "type": "function",
            "function": {"name": name, "arguments": json.encode(given)},
        }
        for index, (name, given) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": told}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


@BOTH
def test_calls_come_back_as_the_client_knows_its_tools(target: Target) -> None:
    answer = calling(
        target,
        ("exec_command", {"cmd": "ls"}),
        ("mcp__mail__send", {"to": "x"}),
        ("send", {"to": "y"}),
        ("apply_patch", {"input": "*x"}),
        ("tool_search", {"query": "mail"}),
    )
    plain, spaced, bare, custom, search = answered(target, CODEX, answer)["output"]
    assert (plain["type"], plain["name"], "namespace" in plain) == (
        *("function_call", "exec_command", False),
    )
    assert (spaced["namespace"], spaced["name"]) == ("mcp__mail", "send")
    assert (bare["namespace"], bare["name"]) == ("mcp__mail", "send")
    assert (custom["type"], custom["input"]) == ("custom_tool_call", "*x")
    assert (search["type"], search["arguments"]) == ("tool_search_call", {"query": "mail"})
    assert len({item["id"] for item in (plain, spaced, bare, custom, search)}) == 5


@BOTH
def test_a_bare_name_that_tells_nothing_stays_as_it_is(target: Target) -> None:
    post = {**MAIL, "name": "mcp__post"}
    for tools in ([MAIL, post], [MAIL, {"type": "function", "name": "send"}]):
        answer = calling(target, ("send", {}))
        [item] = answered(target, {"input": "Hi", "tools": tools}, answer)["output"]
        assert "namespace" not in item


def test_the_place_of_a_tools_schema_is_the_clients() -> None:
    odd = {"type": "object", "oneOf": [{}, {}]}
    tools = [MAIL, {**MAIL, "name": "b", "tools": [{**EXEC, "parameters": odd}]}]
    error = refused(CLAUDE, tools=tools)
    assert error.param == "tools[1].tools[0].parameters"


# Choices, forms and settings


@pytest.mark.parametrize(
    ("said", "messages", "chat"),
    [
        ("auto", {"type": "auto"}, None),
        ("none", {"type": "none"}, "none"),
        (
            {"type": "function", "name": "exec_command"},
            {"type": "tool", "name": "exec_command"},
            {"type": "function", "function": {"name": "exec_command"}},
        ),
        (
            {"type": "function", "name": "send", "namespace": "mcp__mail"},
            {"type": "tool", "name": "mcp__mail__send"},
            {"type": "function", "function": {"name": "mcp__mail__send"}},
        ),
        ("required", {"type": "any"}, "required"),
    ],
    ids=str,
)
def test_each_choice_of_tools(said: Any, messages: Json, chat: Any) -> None:
    forced = Target(CLAUDE.provider, "claude-3-7-sonnet-20250219")
    assert sent(forced, tools=[EXEC, MAIL], tool_choice=said)["tool_choice"] == messages
    assert sent(CHAT, tools=[EXEC, MAIL], tool_choice=said).get("tool_choice") == chat


def test_a_schema_for_the_answer() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "codex_output_schema", "schema": schema, "strict": True}
    body = sent(CLAUDE, text={"format": form})
    assert body["output_config"]["format"] == {"type": "json_schema", "schema": schema}
    body = sent(CHAT, text={"format": form})
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "codex_output_schema", "schema": schema, "strict": True},
    }
    assert sent(CHAT, text={"format": {"type": "json_object"}})["response_format"] == {
        "type": "json_object"
    }


def test_settings_have_the_upstreams_names() -> None:
    said = {"max_output_tokens": 64, "temperature": 0.5, "user": "u", "service_tier": "default"}
    body = sent(CLAUDE, **said)
    assert (body["max_tokens"], body["temperature"]) == (64, 0.5)
    assert body["service_tier"] == "standard_only"
    assert len(body["metadata"]["user_id"]) == 64
    body = sent(OPENAI, **said, metadata={"a": "b"}, prompt_cache_key="k", parallel_tool_calls=True)
    assert (body.get("max_completion_tokens") or body["max_tokens"]) == 64
    assert (body["metadata"], body["prompt_cache_key"]) == ({"a": "b"}, "k")


def test_log_probabilities() -> None:
    body = sent(CHAT, top_logprobs=2)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    assert refused(CLAUDE, top_logprobs=2).param == "top_logprobs"
    assert refused(CLAUDE, include=["message.output_text.logprobs"]).param == "include"
    assert sent(CLAUDE, top_logprobs=0)


@BOTH
@pytest.mark.parametrize("store", [True, False, None])
def test_what_is_said_of_storing_changes_nothing(target: Target, store: bool | None) -> None:
    assert sent(target, store=store) == sent(target)


def test_files() -> None:
    pdf = {"type": "input_file", "filename": "a.pdf", "file_data": "JVBERi0x"}
    url = {"type": "input_file", "file_url": "https://f.test/a.pdf"}
    upload = {"type": "input_file", "file_id": "file-1"}
    [turn] = turns(CLAUDE, {"role": "user", "content": [pdf, url]})
    assert [block["source"]["type"] for block in turn["content"]] == ["base64", "url"]
    error = refused(CLAUDE, input=[{"role": "user", "content": [upload]}])
    assert error.param == "input[0].content[0].file_id"
    [turn] = turns(OPENAI, {"role": "user", "content": [pdf]})
    assert turn["content"][0]["file"]["filename"] == "a.pdf"
    error = refused(CHAT, input=[{"role": "user", "content": [url]}])
    assert error.param == "input[0].content[0].file_url"


# Caching


def test_anthropic_has_to_be_asked_for_what_openai_caches_unasked() -> None:
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    assert sent(CLAUDE)["cache_control"] == short
    assert "cache_control" not in sent(CLAUDE, prompt_cache_options={"mode": "explicit"})
    assert sent(CLAUDE, prompt_cache_options={"ttl": "12h"})["cache_control"] == long
    text = {"type": "input_text", "text": "a"}
    marked = {**text, "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
    body = sent(CLAUDE, input=[{"role": "user", "content": [marked, text]}])
    assert "cache_control" not in body
    assert body["messages"][0]["content"][0]["cache_control"] == long


@BOTH
def test_nothing_that_can_be_told_to_nobody(target: Target) -> None:
    said = {"truncation": "auto", "max_tool_calls": 2, "reasoning": {"context": "auto"}}
    assert {"truncation", "max_tool_calls", "reasoning.context"} <= set(ignored(target, **said))


@BOTH
def test_metadata_is_repeated_to_the_client(target: Target) -> None:
    fields: Json = {"input": "Hi", "metadata": {"team": "blue"}}
    assert answered(target, fields, calling(target, ("f", {})))["metadata"] == {"team": "blue"}


def test_metadata_goes_to_nobody_but_openai() -> None:
    """Anthropic's `metadata` is something else, and others refuse unknown fields."""
    for target in (CLAUDE, CHAT):
        assert "metadata" not in sent(target, metadata={"team": "blue"})
        assert ignored(target, metadata={"team": "blue"}) == ("metadata",)
    assert sent(OPENAI, metadata={"team": "blue"})["metadata"] == {"team": "blue"}
