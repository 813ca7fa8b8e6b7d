"""The client's tools, their names, and the choice among them."""

import re
from typing import Any

import pytest

from tests.protocols.messages.encoding import (
    ADAPTIVE,
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
from xtrix.answer import ToolName
from xtrix.protocols.messages.names import ToolNames

EMPTY = {"type": "object", "properties": {}}


def function(name: str, parameters: object = None, **more: object) -> dict[str, Any]:
    said = {"name": name, **more}
    return {
        "type": "function",
        "function": said | ({"parameters": parameters} if parameters else {}),
    }


def custom(name: str, **more: object) -> dict[str, Any]:
    return {"type": "custom", "custom": {"name": name, **more}}


# Tools


def test_a_function() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Bonn"]}},
        "required": ["city"],
        "additionalProperties": False,
        "$defs": {"a": {"type": "null"}},
        "title": "Where",
    }
    assert sent(tools=[function("weather", schema, description="Says how it is.")])["tools"] == [
        {"name": "weather", "description": "Says how it is.", "input_schema": schema}
    ]


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"type": "string"}])
def test_the_root_is_always_an_object(parameters: object) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    assert sent(tools=[tool])["tools"] == [{"name": "f", "input_schema": EMPTY}]


def test_strict_tools_where_the_model_has_them() -> None:
    tool = function("f", strict=True)
    assert sent(ADAPTIVE, tools=[tool])["tools"][0]["strict"] is True
    assert encoded(ADAPTIVE, tools=[tool]).ignored == ()
    assert "strict" not in sent(OLD, tools=[tool])["tools"][0]
    assert encoded(OLD, tools=[tool]).ignored == ("tools.strict",)
    assert "strict" not in sent(ADAPTIVE, tools=[function("f", strict=False)])["tools"][0]


def optional(count: int) -> dict[str, Any]:
    """A schema with so many optional properties."""
    return {"type": "object", "properties": {f"p{number}": {} for number in range(count)}}


def unions(count: int) -> dict[str, Any]:
    """A schema with so many properties of more than one type."""
    types = {f"p{number}": {"type": ["string", "null"]} for number in range(count)}
    return {"type": "object", "properties": types, "required": list(types)}


def strict(*schemas: dict[str, Any], **said: Any) -> tuple[list[bool], tuple[str, ...]]:
    """The strict tools with these schemas that stay strict, and the ignored parameters."""
    tools = [function(f"f{at}", schema, strict=True) for at, schema in enumerate(schemas)]
    body = sent(ADAPTIVE, tools=tools, **said)
    ignored = encoded(ADAPTIVE, tools=tools, **said).ignored
    return ["strict" in tool for tool in body["tools"]], ignored


@pytest.mark.parametrize(
    ("schemas", "kept"),
    [
        ([EMPTY] * 20, [True] * 20),
        ([EMPTY] * 22, [True] * 20 + [False] * 2),
        ([optional(24)], [True]),
        ([optional(25)], [False]),
        ([optional(20), optional(5), optional(4)], [True, False, True]),
        ([unions(16)], [True]),
        ([unions(17)], [False]),
        ([unions(10), unions(7), EMPTY], [True, False, True]),
        ([optional(24), unions(16)], [True, True]),
    ],
)
def test_tools_are_strict_while_the_grammar_has_room(
    schemas: list[dict[str, Any]], kept: list[bool]
) -> None:
    assert strict(*schemas) == (kept, () if all(kept) else ("tools.strict",))


def test_the_answers_own_schema_takes_its_room_first() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": optional(20)}}
    kept, named = strict(optional(5), optional(4), response_format=wanted)
    assert (kept, named) == ([False, True], ("tools.strict",))


def test_a_strict_tool_has_the_keywords_of_a_grammar() -> None:
    number = {"type": "integer", "minimum": 3, "maximum": 9}
    schema = {"type": "object", "properties": {"n": number}, "required": ["n"]}
    for is_strict in (True, False):
        tool = function("f", schema, strict=is_strict)
        (made,) = sent(ADAPTIVE, tools=[tool])["tools"]
        assert made["input_schema"] == (
            {
                **schema,
                "properties": {"n": {"type": "integer", "description": "{minimum: 3, maximum: 9}"}},
                "additionalProperties": False,
            }
            if is_strict
            else schema
        )


@pytest.mark.parametrize(
    "more",
    [
        {"additionalProperties": True},
        {"additionalProperties": {"type": "string"}},
        {"properties": {"a": {"type": "object"}}},
    ],
)
def test_a_tool_that_a_grammar_would_close_is_not_strict(more: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {}, **more}
    assert strict(schema) == ([False], ("tools.strict",))
    (made,) = sent(ADAPTIVE, tools=[function("f", schema, strict=True)])["tools"]
    assert made["input_schema"] == schema


def test_a_tool_that_is_not_strict_takes_no_room() -> None:
    tools = [function("large", optional(100)), function("f", EMPTY, strict=True)]
    assert [tool.get("strict") for tool in sent(ADAPTIVE, tools=tools)["tools"]] == [None, True]
    own = {"type": "code_execution_20250825", "name": "code_execution", "strict": True}
    assert sent(ADAPTIVE, tools=[own])["tools"] == [own]


def test_a_custom_tool_takes_one_text() -> None:
    (tool,) = sent(tools=[custom("shell", description="Runs it.")])["tools"]
    assert tool == {
        "name": "shell",
        "description": "Runs it.",
        "input_schema": {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
        },
    }
    assert encoded(tools=[custom("shell")]).expected.tool("shell").kind == "custom"
    assert sent(tools=[custom("a", format={"type": "text"})])["tools"]


def test_the_older_functions_are_tools() -> None:
    body = sent(functions=[{"name": "f", "parameters": EMPTY}])
    assert body["tools"] == [{"name": "f", "input_schema": EMPTY}]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_a_tools_mark_goes_with_it() -> None:
    mark = {"type": "ephemeral"}
    for tool in (function("f"), custom("f")):
        assert sent(tools=[{**tool, "cache_control": mark}])["tools"][0]["cache_control"] == mark


@pytest.mark.parametrize("union", ["oneOf", "anyOf", "allOf"])
def test_a_union_at_the_root_is_refused_by_the_tools_name(union: str) -> None:
    error = refused(tools=[function("a"), function("f", {"type": "object", union: [EMPTY]})])
    assert (error.code, error.param) == ("unsupported_value", "tools[1].function.parameters")
    inner = {"properties": {"x": {union: [{"type": "null"}]}}}
    assert (
        sent(tools=[function("f", inner)])["tools"][0]["input_schema"]["properties"]
        == (inner["properties"])
    )


@pytest.mark.parametrize("key", ["", "with space", "x" * 65, "größe", "a/b", "a\n"])
def test_property_names_that_would_be_refused_upstream(key: str) -> None:
    error = refused(tools=[function("f", {"properties": {"fine-1.x_Y": {}, key: {}}})])
    assert (error.code, error.param) == ("invalid_value", "tools[0].function.parameters")


def test_properties_that_are_none() -> None:
    (tool,) = sent(tools=[function("f", {"properties": ["x"]})])["tools"]
    assert tool["input_schema"]["type"] == "object"


@pytest.mark.parametrize(
    ("tool", "code", "param"),
    [
        ({"type": "web_search"}, "unsupported_value", "tools[1].type"),
        (custom("a", format={"type": "grammar"}), "unsupported_value", "tools[1].custom.format"),
        (function("look_up"), "invalid_value", "tools[1]"),
        (custom("look_up"), "invalid_value", "tools[1]"),
    ],
)
def test_tools_that_are_refused(tool: dict[str, Any], code: str, param: str) -> None:
    error = refused(tools=[FUNCTION, tool])
    assert (error.code, error.param) == (code, param)


def test_the_tools_that_servers_and_containers_need_go_on_as_they_came() -> None:
    mark = {"type": "ephemeral"}
    tools: list[dict[str, Any]] = [
        {"type": "mcp_toolset", "mcp_server_name": "a", "default_config": {"enabled": False}},
        {"type": "mcp_toolset", "mcp_server_name": "b", "cache_control": mark},
        {"type": "code_execution_20250825", "name": "code_execution"},
    ]
    call = encoded(tools=[FUNCTION, *tools], tool_choice="required")
    body = sent(tools=[FUNCTION, *tools], tool_choice="required")
    assert body["tools"] == [{"name": "look_up", "input_schema": EMPTY}, *tools]
    assert body["tool_choice"] == {"type": "any"}
    assert (call.ignored, call.expected.tools) == ((), {})
    assert sent(tools=tools)["tools"] == tools


def test_their_marks_are_spelled_and_counted_like_others() -> None:
    toolset = {"type": "mcp_toolset", "mcp_server_name": "a"}
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = {**toolset, "prompt_cache_breakpoint": {"mode": "explicit"}}
    said = [marked, {**toolset, **mark}, {**toolset, "cache_control": None}]
    sets = [{**toolset, **mark}, {**toolset, **mark}, toolset]
    assert sent(tools=said)["tools"] == sets
    five = sent(tools=[{**toolset, **mark}] * 5)["tools"]
    assert five == [toolset, *[{**toolset, **mark}] * 4]


@pytest.mark.parametrize("kind", ["mcp_toolsets", "code_execution", "code_execution_2025082x"])
def test_other_tools_of_the_vendors_are_refused(kind: str) -> None:
    error = refused(tools=[{"type": kind}, {"type": kind}])
    assert (error.code, error.param) == ("unsupported_value", "tools[0].type")


def test_no_tools_are_not_sent() -> None:
    assert "tools" not in sent(tools=[])
    assert "tool_choice" not in sent(tools=[], parallel_tool_calls=False)


# Names


def test_names_that_anthropic_takes_stay() -> None:
    said = ["a", "B-2_c", "x" * 128]
    names = ToolNames((None, name) for name in said)
    assert [names(None, name) for name in said] == ["a", "B-2_c", "x" * 128]
    assert names.table({}) == {}


def test_other_names_are_rewritten_and_written_back() -> None:
    names = ToolNames([(None, "server.tool/read"), (None, "größe"), ("ns", "f")])
    assert names(None, "server.tool/read") == "server_tool_read"
    assert names(None, "größe") == "gr__e"
    assert names("ns", "f") == "ns__f"
    assert names.table({}) == {
        "server_tool_read": ToolName("server.tool/read"),
        "gr__e": ToolName("größe"),
        "ns__f": ToolName("f", namespace="ns"),
    }


def test_names_that_would_become_one_are_kept_apart() -> None:
    said = ["a.b", "a_b", "a/b", "x" * 128, "x" * 129, "x" * 130]
    names = ToolNames((None, name) for name in said)
    theirs = [names(None, name) for name in said]
    assert len(set(theirs)) == len(said)
    assert names(None, "a_b") == "a_b"
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,128}", name) for name in theirs)
    assert {names.table({}).get(name, ToolName(name)).name for name in theirs} == set(said)


def test_one_name_is_rewritten_alike_everywhere() -> None:
    name = "server.look up"
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": ""}}
    body = sent(
        tools=[function(name)],
        tool_choice={"type": "function", "function": {"name": name}},
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [call]},
            {**RESULT, "tool_call_id": "1"},
        ],
    )
    assert body["tools"][0]["name"] == "server_look_up"
    assert body["tool_choice"]["name"] == "server_look_up"
    assert body["messages"][1]["content"][0]["name"] == "server_look_up"
    assert encoded(tools=[function(name)]).expected.tools == {"server_look_up": ToolName(name)}


# Choice


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (
            {"type": "function", "function": {"name": "look_up"}},
            {"type": "tool", "name": "look_up"},
        ),
    ],
)
def test_choices(choice: object, expected: object) -> None:
    assert sent(tools=[FUNCTION], tool_choice=choice).get("tool_choice") == expected


def test_a_custom_tool_may_be_chosen() -> None:
    choice = {"type": "custom", "custom": {"name": "shell"}}
    body = sent(tools=[custom("shell")], tool_choice=choice)
    assert body["tool_choice"] == {"type": "tool", "name": "shell"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("auto", {"type": "auto"}), ("none", {"type": "none"}), ({"name": "f"}, {"type": "tool"})],
)
def test_the_older_choice(choice: object, expected: dict[str, Any]) -> None:
    chosen = sent(functions=[{"name": "f"}], function_call=choice)["tool_choice"]
    assert chosen["type"] == expected["type"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        ("none", {"type": "none"}),
    ],
)
def test_one_call_at_a_time(choice: object, expected: object) -> None:
    body = sent(tools=[FUNCTION], tool_choice=choice, parallel_tool_calls=False)
    assert body["tool_choice"] == expected
    assert "tool_choice" not in sent(tools=[FUNCTION], parallel_tool_calls=True)


def test_a_choice_that_a_model_cannot_be_forced_to_is_named() -> None:
    call = encoded(NEWEST, tools=[FUNCTION], tool_choice="required", parallel_tool_calls=False)
    assert call.ignored == ("tool_choice",)
    body = sent(NEWEST, tools=[FUNCTION], tool_choice="required", parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(("mode", "kind"), [("auto", "auto"), ("required", "any")])
def test_allowed_tools_are_the_only_ones_sent(mode: str, kind: str) -> None:
    tools = [function("a"), function("b"), custom("c")]
    body = sent(tools=tools, tool_choice=allowed(mode, "b"))
    assert [tool["name"] for tool in body["tools"]] == ["b"]
    assert body["tool_choice"] == {"type": kind}


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "auto", "tools": []}, "tool_choice"),
        ({"function_call": "auto"}, "function_call"),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
        ),
        ({"tools": [FUNCTION], "tool_choice": allowed("auto", "look_up", "x")}, "tool_choice"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "x"}}, "function_call"),
    ],
    ids=str,
)
def test_a_choice_of_nothing_is_refused(said: dict[str, Any], param: str) -> None:
    error = refused(**said)
    assert (error.code, error.param) == ("invalid_value", param)


def test_no_choice_needs_no_tools() -> None:
    assert "tool_choice" not in sent(tool_choice="none")


# Histories


def test_a_history_with_calls_has_tools_that_are_not_to_be_called() -> None:
    body = sent(messages=[USER, CALLED, RESULT])
    assert body["tools"] == [{"name": "look_up", "input_schema": EMPTY}]
    assert body["tool_choice"] == {"type": "none"}
    filtered = sent(
        messages=[USER, CALLED, RESULT],
        tools=[FUNCTION, function("b")],
        tool_choice=allowed("auto", "b"),
    )
    assert [tool["name"] for tool in filtered["tools"]] == ["b"]
