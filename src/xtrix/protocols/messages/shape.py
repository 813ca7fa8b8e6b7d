"""Tells by its shape whether a body with messages is a request of Messages or a chat.

`decode_request` checks almost nothing, so it also accepts a chat. The two are told apart by members
that the other never has. Roles such as `system` tell nothing, because both have them.
"""

from collections.abc import Iterator
from typing import Any

from xtrix.prompt import Json

_ROLES = ("tool", "function", "developer")
_PARTS = {"image_url", "input_audio", "file"}
"""Members of a chat's content parts, which have the same names as their types."""
_NAMES = {
    *("max_completion_tokens", "response_format", "reasoning_effort", "stream_options"),
    *("functions", "function_call", "parallel_tool_calls", "stop"),
}
"""Parameters of a chat that have another place or another name in Messages."""


def claims(fields: Json) -> bool:
    """See `Codec.claims`."""
    return _has_turns(fields) and ("system" in fields or _has_own_tools(fields))


def disowns(fields: Json) -> bool:
    """See `Codec.disowns`.

    A request with `system`, or with a tool of Messages, is recognised at once. Agents send both,
    with hundreds of messages.
    """
    if "system" in fields or _has_own_tools(fields):
        return False
    choice = fields.get("tool_choice")
    return (
        not fields.keys().isdisjoint(_NAMES)
        or any(tool.get("type") == "function" for tool in _objects(fields.get("tools")))
        or isinstance(choice, str)
        or (isinstance(choice, dict) and choice.get("type") == "function")
        or any(map(_is_a_chats, _objects(fields.get("messages"))))
    )


def _has_turns(fields: Json) -> bool:
    return isinstance(fields.get("messages"), list) and "input" not in fields


def _has_own_tools(fields: Json) -> bool:
    return any("input_schema" in tool for tool in _objects(fields.get("tools")))


def _is_a_chats(message: Json) -> bool:
    return (
        message.get("role") in _ROLES
        or "tool_calls" in message
        or any(not part.keys().isdisjoint(_PARTS) for part in _objects(message.get("content")))
    )


def _objects(value: Any) -> Iterator[Json]:
    """The objects in `value`, if it is a list."""
    return (it for it in value if isinstance(it, dict)) if isinstance(value, list) else iter(())
