"""Removes from a conversation what this gateway has added and no upstream of Messages can read.

A client of Messages sees the answer of any provider as if it were Anthropic's. It sends this answer
back with every turn, and perhaps in the end to Anthropic. Anthropic refuses reasoning that it has
not signed, and searches that it has not made. All of that can be recognised, and is left out.
"""

from typing import Any

from xtrix import json
from xtrix.prompt import Json
from xtrix.protocol import Request
from xtrix.protocols.messages.answer import OWN_SEARCH_ID
from xtrix.reasoning import is_packed

_SEALS = {"thinking": "signature", "redacted_thinking": "data"}
_SEARCHES = {"server_tool_use": "id", "web_search_tool_result": "tool_use_id"}


def without_ours(fields: Json) -> Json | None:
    """A request's `fields` without such additions; None if there are none.

    The request has not been checked here, except that `messages` is a list.
    """
    messages = [_kept(message) for message in fields["messages"]]
    if all(kept is message for kept, message in zip(messages, fields["messages"], strict=True)):
        return None
    return {**fields, "messages": [message for message in messages if message is not _NOTHING]}


def has_foreign_thinking(fields: Json) -> bool:
    """Whether `fields` contain reasoning that is sealed by another provider."""
    return any(
        str(block.get("type")) in _SEALS and is_packed(block.get(_SEALS[block["type"]]))
        for message in fields["messages"]
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for block in message["content"]
        if isinstance(block, dict)
    )


_NOTHING: Json = {}


def _kept(message: Any) -> Any:
    """`message` itself if nothing in it is ours; `_NOTHING` if everything is."""
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    content = message.get("content")
    if not isinstance(content, list):
        return message
    blocks = [_uncited(block) for block in content if not _is_ours(block)]
    if len(blocks) == len(content) and all(map(_is, blocks, content)):
        return message
    return {**message, "content": blocks} if blocks else _NOTHING


def _is_ours(block: Any) -> bool:
    """Whether `block` is reasoning without its issuer's seal, or a search of another provider."""
    if not isinstance(block, dict):
        return False
    kind = str(block.get("type"))
    if kind in _SEALS:
        seal = block.get(_SEALS[kind])
        return not seal or is_packed(seal)
    return kind in _SEARCHES and str(block.get(_SEARCHES[kind])).startswith(OWN_SEARCH_ID)


def _uncited(block: Any) -> Any:
    """`block` without citations of other providers' searches: those have no index."""
    citations = block.get("citations") if isinstance(block, dict) else None
    if not isinstance(citations, list) or not any(map(_is_ours_cited, citations)):
        return block
    kept = [citation for citation in citations if not _is_ours_cited(citation)]
    bare = {name: value for name, value in block.items() if name != "citations"}
    return {**bare, "citations": kept} if kept else bare


def _is_ours_cited(citation: Any) -> bool:
    return isinstance(citation, dict) and citation.get("encrypted_index") == ""


def _is(one: Any, other: Any) -> bool:
    return one is other


def without_reasoning(request: Request) -> Request:
    """`request` without the reasoning of earlier answers, whoever issued it.

    If the last turn answers calls that followed some reasoning, the request no longer asks for
    thinking: with a thinking budget Anthropic refuses calls without their own thinking
    (…/extended-thinking, read 2026-11).
    """
    fields = request.fields
    messages = [_unreasoned(message) for message in fields["messages"]]
    if _has_budget(fields) and _answers_calls(fields["messages"]):
        fields = _unthinking(fields)
    fields = {**fields, "messages": [each for each in messages if each is not _NOTHING]}
    return request._replace(fields=fields, body=json.encode_body(fields))


def _has_budget(fields: Json) -> bool:
    thinking = fields.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


def _answers_calls(messages: list[Any]) -> bool:
    """Whether the last of `messages` has results of calls."""
    content = messages[-1].get("content") if messages and isinstance(messages[-1], dict) else None
    blocks = content if isinstance(content, list) else []
    return any(isinstance(it, dict) and it.get("type") == "tool_result" for it in blocks)


def _unthinking(fields: Json) -> Json:
    """`fields` without the request for thinking.

    Clearing old thinking is left out too, because it requires thinking.
    """
    kept = {name: value for name, value in fields.items() if name != "thinking"}
    managed = kept.get("context_management")
    edits = managed.get("edits") if isinstance(managed, dict) else None
    if isinstance(managed, dict) and isinstance(edits, list):
        others = [it for it in edits if not (isinstance(it, dict) and _clears_thinking(it))]
        kept["context_management"] = {**managed, "edits": others}
    return kept


def _clears_thinking(edit: Json) -> bool:
    return str(edit.get("type")).startswith("clear_thinking")


def _unreasoned(message: Any) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message
    kept = [it for it in content if not (isinstance(it, dict) and str(it.get("type")) in _SEALS)]
    return {**message, "content": kept} if kept or not content else _NOTHING
