"""What Anthropic's Messages API refuses, as checks of a request's body.

Source: platform.claude.com/docs/en/api/messages, …/agents-and-tools/tool-use,
…/build-with-claude/prompt-caching and …/extended-thinking (read 2026-11). Written from there and
not from the code, so that the two can disagree; what a family can do is the code's own table.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from xtrix.providers import Family

Body = dict[str, Any]

_FIELDS = {
    *("model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice", "thinking"),
    *("output_config", "temperature", "top_p", "top_k", "stop_sequences", "metadata"),
    *("service_tier", "cache_control", "container", "mcp_servers"),
}
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_GRAMMAR = {
    *("type", "properties", "required", "additionalProperties", "items", "minItems", "enum"),
    *("const", "anyOf", "allOf", "$ref", "$defs", "definitions", "default", "description"),
    *("title", "format", "pattern"),
}
"""What structured output knows of JSON Schema (…/build-with-claude/structured-outputs)."""
_FORCED = {"any", "tool"}


def assert_accepted(body: Body, family: Family) -> None:
    """Asserts that `body` breaks no published rule, for a model of `family`."""
    assert set(body) <= _FIELDS
    assert 0 <= body["max_tokens"] <= family.max_output
    for block in body.get("system", []):
        _assert_text(block)
    _assert_turns(body["messages"], family)
    _assert_calls(body["messages"])
    _assert_tools(body, family)
    _assert_sampling(body, family)
    _assert_thinking(body, family)
    assert _marks(body) <= 4
    assert all(sequence.strip() for sequence in body.get("stop_sequences", []))
    assert set(body.get("metadata", {})) <= {"user_id"}
    assert body.get("service_tier", "auto") in {"auto", "standard_only"}


def assert_made_right(body: Body) -> None:
    """Asserts that the parts made by the gateway break no rule, whatever the client sent."""
    assert body["max_tokens"] >= 0, "less than no token"
    roles = [turn["role"] for turn in body["messages"] if turn["role"] != "system"]
    assert all(one != other for one, other in pairwise(roles)), "no alternation"
    _assert_calls(body["messages"])
    names = [tool["name"] for tool in body.get("tools", []) if "name" in tool]
    assert len(set(names)) == len(names), "a tool's name twice"


def _assert_turns(turns: list[Body], family: Family) -> None:
    assert turns
    chat = [turn["role"] for turn in turns if turn["role"] != "system"]
    assert set(chat) <= {"user", "assistant"}
    assert all(one != other for one, other in pairwise(chat)), "no alternation"
    for index, turn in enumerate(turns):
        assert turn["content"], "an empty turn"
        if turn["role"] == "system":
            assert family.system_inside
            assert index, "a system turn first"
            assert turns[index - 1]["role"] == "user"
            assert [after["role"] for after in turns[index + 1 : index + 2]] in ([], ["assistant"])
        for block in turn["content"]:
            _assert_text(block)
    if turns[-1]["role"] == "assistant":
        assert family.prefill
        last = turns[-1]["content"][-1]
        assert last["type"] != "text" or last["text"] == last["text"].rstrip()


def _assert_text(block: Body) -> None:
    if block["type"] == "text":
        assert block["text"].strip(), "a text without anything in it"
    content = block.get("content")
    if block["type"] == "tool_result" and content is not None:
        assert content, "a result with empty content"
        for part in content if isinstance(content, list) else ():
            _assert_text(part)


def _assert_calls(turns: list[Body]) -> None:
    ids: list[str] = []
    asked: list[str] = []
    for turn in turns:
        kinds = [block["type"] for block in turn["content"]]
        answered = [block["tool_use_id"] for block in _of(turn, "tool_result")]
        assert kinds[: len(answered)] == ["tool_result"] * len(answered), "results come first"
        assert sorted(answered) == sorted(asked), "each call has its result in the next turn"
        asked = [block["id"] for block in _of(turn, "tool_use")]
        assert not asked or turn["role"] == "assistant"
        assert not answered or turn["role"] == "user"
        ids += asked
    assert not asked, "a call without a result"
    assert len(set(ids)) == len(ids), "an id twice"
    assert all(_ID.fullmatch(each) for each in ids)
    uses = [block for turn in turns for block in _of(turn, "tool_use")]
    assert all(_NAME.fullmatch(use["name"]) for use in uses)
    assert all(isinstance(use["input"], dict) for use in uses)


def _of(turn: Body, kind: str) -> Iterator[Body]:
    return (block for block in turn["content"] if block["type"] == kind)


def _assert_tools(body: Body, family: Family) -> None:
    tools = body.get("tools", [])
    names = [tool["name"] for tool in tools]
    assert len(set(names)) == len(names), "a tool's name twice"
    assert all(_NAME.fullmatch(name) for name in names)
    assert all(tool["input_schema"]["type"] == "object" for tool in tools if "type" not in tool)
    _assert_grammars(body)
    in_history = [use for turn in body["messages"] for use in _of(turn, "tool_use")]
    assert tools or not in_history, "calls in the history and no tools"
    choice = body.get("tool_choice")
    if choice:
        assert tools, "a choice and no tools"
        assert choice["type"] not in _FORCED or family.forced_tools
        assert choice["type"] != "tool" or choice["name"] in names
        assert choice["type"] != "none" or "disable_parallel_tool_use" not in choice


def _assert_grammars(body: Body) -> None:
    """Asserts that strict tools and the output's format can become grammars."""
    tools = [tool for tool in body.get("tools", []) if tool.get("strict") and "type" not in tool]
    schemas = [tool["input_schema"] for tool in tools]
    output = body.get("output_config", {}).get("format")
    if output:
        assert set(output) == {"type", "schema"}
        schemas.append(output["schema"])
    assert len(tools) <= 20
    found = [each for schema in schemas for each in _schemas_in(schema)]
    for schema in found:
        _assert_grammar(schema)
    properties = [(each.get("properties", {}), each.get("required", [])) for each in found]
    assert sum(len(names.keys() - set(required)) for names, required in properties) <= 24
    assert sum("anyOf" in each or isinstance(each.get("type"), list) for each in found) <= 16


def _assert_grammar(schema: Body) -> None:
    unknown = set(schema) - _GRAMMAR
    assert not unknown, f"a grammar does not know {unknown}"
    assert schema.get("minItems", 0) in {0, 1}
    if schema.get("type") == "object" or "properties" in schema:
        assert schema["additionalProperties"] is False, "an open object"
    assert schema.get("additionalProperties", False) is False, "an open object"


def _schemas_in(schema: Body) -> Iterator[Body]:
    """`schema` and all schemas inside it."""
    yield schema
    maps = [schema.get(name, {}) for name in ("properties", "$defs", "definitions")]
    lists = [schema.get(name, []) for name in ("anyOf", "allOf")]
    inner = [*(each for named in maps for each in named.values())]
    inner += [*(each for several in lists for each in several), schema.get("items")]
    for each in inner:
        if isinstance(each, dict):
            yield from _schemas_in(each)


def _assert_sampling(body: Body, family: Family) -> None:
    if family.sampling == "any":
        return
    assert body.get("temperature", 0) <= 1
    given = {"temperature", "top_p"} & set(body)
    most = {"both": 2, "one": 1, "none": 0}[family.sampling]
    assert len(given) <= most
    assert most or "top_k" not in body


def _assert_thinking(body: Body, family: Family) -> None:
    thinking = body.get("thinking", {"type": "disabled"})
    if thinking["type"] == "disabled" or family.sampling == "any":
        return
    assert thinking["type"] == {"budget": "enabled", "adaptive": "adaptive"}[family.thinking]
    if thinking["type"] == "enabled":
        assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
        assert body["messages"][-1]["role"] != "assistant", "a prefill cannot be thought about"
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert body.get("tool_choice", {}).get("type") not in _FORCED


def _marks(value: object) -> int:
    if isinstance(value, dict):
        return ("cache_control" in value) + sum(map(_marks, value.values()))
    return sum(map(_marks, value)) if isinstance(value, list) else 0
