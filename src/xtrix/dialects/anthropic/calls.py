"""How a call of the model to one of the client's tools is told, whole and in pieces.

Knows the three forms OpenAI has for it: functions, custom tools (text instead of JSON) and the
older `function_call`. Anthropic has one: a `tool_use` block whose input is a JSON object.
"""

from typing import Any

from xtrix import json
from xtrix.dialect import Asked

Call = dict[str, Any]
CUSTOM_INPUT = "input"
"""The one property of the object that stands for a custom tool's text."""


def whole_call(block: Call, asked: Asked) -> Call:
    """The entry of `message.tool_calls` for a `tool_use` block."""
    name = client_name(block, asked)
    given = block.get("input") or {}
    if name in asked.custom_tools:
        custom = {"name": name, "input": custom_text(given)}
        return {"id": block.get("id"), "type": "custom", "custom": custom}
    function = {"name": name, "arguments": json.encode(given)}
    return {"id": block.get("id"), "type": "function", "function": function}


def first_delta(block: Call, index: int, asked: Asked) -> Call:
    """The delta that names a call; its arguments follow."""
    name = client_name(block, asked)
    if asked.functions:
        return {"function_call": {"name": name, "arguments": ""}}
    kind, field = ("custom", "input") if name in asked.custom_tools else ("function", "arguments")
    identity = {"index": index, "id": block.get("id"), "type": kind}
    return {"tool_calls": [{**identity, kind: {"name": name, field: ""}}]}


def next_delta(text: str, index: int, asked: Asked) -> Call:
    """The delta with more of a function's arguments."""
    if asked.functions:
        return {"function_call": {"arguments": text}}
    return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}


def custom_delta(arguments: str, index: int) -> Call:
    """The delta with a custom tool's whole text. Raises ValueError when `arguments` is cut off."""
    text = custom_text(json.decode_object(arguments or "{}"))
    return {"tool_calls": [{"index": index, "custom": {"input": text}}]}


def client_name(block: Call, asked: Asked) -> str:
    """The client's own name of the tool that `block` calls."""
    name = str(block.get("name"))
    return asked.tool_names.get(name, name)


def custom_text(given: Call) -> str:
    """The text of a custom tool's input."""
    text = given.get(CUSTOM_INPUT, "")
    return text if isinstance(text, str) else json.encode(text)
