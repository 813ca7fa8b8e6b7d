"""Finds what a request names that only one provider stores: containers, threads, files, credit.

Another provider of Messages would not find it. So only the first provider that gets the request may
answer it. The request has not been checked here, except that `messages` is a list.
"""

from collections.abc import Iterator
from typing import Any

from xtrix.prompt import Json

_KEPT = ("container", "fallback_credit_token")


def held_at(fields: Json) -> str:
    """The first place in a request's `fields` that names such a thing; empty if none does."""
    for name in _KEPT:
        if fields.get(name):
            return name
    if _member(fields, "thread", "type") == "continue":
        return "thread"
    if _member(fields, "diagnostics", "previous_message_id"):
        return "diagnostics"
    held = (
        f"messages.{number}"
        for number, message in enumerate(fields["messages"])
        if any(map(_is_file, _blocks(message)))
    )
    return next(held, "")


def _is_file(block: Json) -> bool:
    return block.get("type") == "container_upload" or _member(block, "source", "type") == "file"


def _blocks(holder: Any) -> Iterator[Json]:
    """The blocks of a message, and the blocks of results among them."""
    content = holder.get("content") if isinstance(holder, dict) else None
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict):
            yield block
            if block.get("type") == "tool_result":
                yield from (each for each in _inside(block) if isinstance(each, dict))


def _inside(result: Json) -> list[Any]:
    content = result.get("content")
    return content if isinstance(content, list) else []


def _member(fields: Json, name: str, inner: str) -> Any:
    value = fields.get(name)
    return value.get(inner) if isinstance(value, dict) else None
