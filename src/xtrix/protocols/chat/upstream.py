"""Passes a client's own request on to an OpenAI-compatible upstream, with what its row changes.

No value is changed, added or dropped, except this: the model is the target's, a stream is always
asked for its usage (the gateway decides where it comes in the answer), and the row's quirks rename
and drop parameters.
"""

from collections.abc import Iterator
from typing import Any

from xtrix import json
from xtrix.http import UpstreamRequest
from xtrix.openai.calls import post
from xtrix.protocol import Encoded, Request, says_something
from xtrix.providers import Quirks, Target
from xtrix.reasoning import Carrier

_OURS = frozenset({"thinking_blocks"})
"""Members that only this gateway adds to the messages of its answers."""

_MEMBER = "messages."
_REASONING = {"thinking_blocks", "reasoning_content", "reasoning"}


def relay_request(request: Request, target: Target, carrier: Carrier) -> Encoded:
    """`request`, encoded for `target`."""
    del carrier  # it is for clients of other protocols
    return Encoded(*upstream_request(request.fields, target, kept_here=_OURS))


def upstream_request(
    fields: dict[str, Any], target: Target, *, kept_here: frozenset[str] = frozenset()
) -> tuple[UpstreamRequest, tuple[str, ...]]:
    """The call of `target` with `fields`, and the sorted names of those that were dropped.

    `kept_here` are fields of messages that no upstream gets.
    """
    quirks = target.provider.quirks
    body: dict[str, Any] = {**fields, "model": target.model}
    for name, theirs in quirks.rename.items():
        value = body.pop(name, None)
        if value is not None:
            body[theirs] = body.get(theirs) or value
    ignored = tuple(
        sorted(name for name in quirks.drop if says_something(name, body.pop(name, None)))
    )
    dropped = kept_here.union(_dropped_members(quirks.drop))
    body["messages"] = [
        message if _is_accepted(message, quirks, dropped) else _message(message, quirks, dropped)
        for message in body["messages"]
    ]
    body.pop("stream_options", None)
    if fields.get("stream") and quirks.stream_usage:
        body["stream_options"] = {"include_usage": True}
        if quirks.obfuscation:
            body["stream_options"]["include_obfuscation"] = False
    return post(target.provider, "/chat/completions", json.encode_body(body)), ignored


def _dropped_members(drop: tuple[str, ...]) -> Iterator[str]:
    """The members of messages that the names in `drop` stand for."""
    return (name.removeprefix(_MEMBER) for name in drop if name.startswith(_MEMBER))


def _is_accepted(message: dict[str, Any], quirks: Quirks, dropped: frozenset[str]) -> bool:
    """Whether the upstream accepts `message` as it is. It usually does."""
    is_named = quirks.null_content and message["role"] not in quirks.roles
    return is_named and dropped.isdisjoint(message)


def _message(message: dict[str, Any], quirks: Quirks, dropped: frozenset[str]) -> dict[str, Any]:
    """`message` in the form that the upstream accepts."""
    encoded = {name: value for name, value in message.items() if name not in dropped}
    encoded["role"] = quirks.roles.get(encoded["role"], encoded["role"])
    if not quirks.null_content and encoded.get("content", "") is None:
        encoded["content"] = ""
    return encoded


def without_reasoning(request: Request) -> Request:
    """`request` without the reasoning of earlier answers, whoever issued it."""
    messages = [
        {name: value for name, value in message.items() if name not in _REASONING}
        for message in request.fields["messages"]
    ]
    return request._replace(fields={**request.fields, "messages": messages})
