"""How a call of the model to one of the client's tools is told, whole and in pieces.

Knows the three forms OpenAI has for it: functions, custom tools (text instead of JSON) and the
older `function_call`. Anthropic has one: a `tool_use` block whose input is a JSON object.
"""

from typing import Any

from xtrix import json
from xtrix.dialect import Asked
from xtrix.dialects.anthropic.answer import string_in
from xtrix.errors import bad_response

Call = dict[str, Any]
CUSTOM_INPUT = "input"
"""The one property of the object that stands for a custom tool's text."""


def whole_call(block: Call, index: int, asked: Asked) -> Call:
    """The entry `index` of `message.tool_calls` for a `tool_use` block. Raises UpstreamError."""
    name = client_name(block, asked)
    given = input_of(block)
    call_id = string_in(block, "id") or f"call_{index}"
    if name in asked.custom_tools:
        custom = {"name": name, "input": custom_text(given)}
        return {"id": call_id, "type": "custom", "custom": custom}
    function = {"name": name, "arguments": json.encode(given)}
    return {"id": call_id, "type": "function", "function": function}


def first_delta(block: Call, index: int, asked: Asked) -> Call:
    """The delta that names a call; its arguments follow."""
    name = client_name(block, asked)
    if asked.functions:
        return {"function_call": {"name": name, "arguments": ""}}
    kind, field = ("custom", "input") if name in asked.custom_tools else ("function", "arguments")
    identity = {
        "index": index,
        "id": string_in(block, "id") or f"call_{index}",
        "type": kind,
    }
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
    name = tool_name(block)
    return asked.tool_names.get(name, name)


def tool_name(block: Call) -> str:
    """The upstream's name of the tool that `block` calls. Raises UpstreamError."""
    name = string_in(block, "name")
    if not name:
        raise bad_response("a call without a tool's name")
    return name


def input_of(block: Call) -> Call:
    """What the tool is called with. Raises UpstreamError."""
    given = block.get("input") or {}
    if not isinstance(given, dict):
        raise bad_response("a call whose input is no object")
    return given


def custom_text(given: Call) -> str:
    """The text of a custom tool's input."""
    text = given.get(CUSTOM_INPUT, "")
    return text if isinstance(text, str) else json.encode(text)
