"""Tells by its shape whether a body is a chat, and rewrites functions in Responses' flat form.

Cursor and others mix the two forms of a tool.
"""

from typing import Any

from xtrix.json import Json


def claims(fields: Json) -> bool:
    """See `Codec.claims`: everything with messages, unless another protocol claims it."""
    return isinstance(fields.get("messages"), list) and "input" not in fields


def unmix(fields: Json) -> Json | None:
    """See `Codec.unmix`: flat functions get the form that a chat has."""
    given = fields.get("tools")
    tools = [it for it in given if isinstance(it, dict)] if isinstance(given, list) else []
    if "messages" not in fields or not any(map(_is_flat, tools)):
        return None
    nested = {**fields, "tools": [_nest(it) for it in tools]}
    choice = fields.get("tool_choice")
    if isinstance(choice, dict) and _is_flat(choice):
        nested["tool_choice"] = _nest(choice)
    return nested


def _is_flat(tool: Json) -> bool:
    return tool.get("type") == "function" and "function" not in tool and "name" in tool


def _nest(tool: Json) -> Json:
    if not _is_flat(tool):
        return tool
    inner: dict[str, Any] = {name: value for name, value in tool.items() if name != "type"}
    return {"type": "function", "function": inner}
