"""Whether a body is a request of Messages, or is none though it has messages: by its shape alone.

Next to nothing of a request is judged at the door, so a chat passes it. What tells the two apart is
what the other has never had. Roles of the system's tell nothing: both have them among the messages.
"""

from collections.abc import Iterator
from typing import Any

from xtrix.prompt import Json

_ROLES = ("tool", "function", "developer")
_PARTS = {"image_url", "input_audio", "file"}
"""The members of a chat's parts that have them, named as their types are."""
_NAMES = {
    *("max_completion_tokens", "response_format", "reasoning_effort", "stream_options"),
    *("functions", "function_call", "parallel_tool_calls", "stop"),
}
"""What Messages has in another place or by another name."""


def claims(fields: Json) -> bool:
    """As `Codec.claims` has it."""
    return _has_turns(fields) and ("system" in fields or _has_own_tools(fields))


def disowns(fields: Json) -> bool:
    """As `Codec.disowns` has it.

    What has a `system` or a tool of its own is told at once: agents send both, with hundreds of
    messages.
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
    """The objects in `value`, where that is a list."""
    return (it for it in value if isinstance(it, dict)) if isinstance(value, list) else iter(())
