"""A request for an OpenAI-compatible upstream: the client's own, but for what the row says.

Nothing is clamped, invented or swallowed. The model is the target's, usage is always asked for in
a stream (its place in the answer is ours to choose), and the row's quirks rename and drop.
"""

from typing import Any

from xtrix import json
from xtrix.http import UpstreamRequest
from xtrix.protocol import Encoded, Request, says_something
from xtrix.providers import Provider, Quirks, Target
from xtrix.reasoning import Carrier

_OURS = {"thinking_blocks"}


def relay_request(request: Request, target: Target, carrier: Carrier) -> Encoded:
    """`request` for `target`."""
    del carrier  # reasoning that it has opened is for others
    quirks = target.provider.quirks
    body: dict[str, Any] = {**request.fields, "model": target.model}
    for name, theirs in quirks.rename.items():
        value = body.pop(name, None)
        if value is not None:
            body[theirs] = body.get(theirs) or value
    ignored = tuple(
        sorted(name for name in quirks.drop if says_something(name, body.pop(name, None)))
    )
    body["messages"] = [_message(message, quirks) for message in body["messages"]]
    body.pop("stream_options", None)
    if request.stream and quirks.stream_usage:
        body["stream_options"] = {"include_usage": True}
        if quirks.obfuscation:
            body["stream_options"]["include_obfuscation"] = False
    return Encoded(_upstream_request(body, target.provider), ignored)


def _message(message: dict[str, Any], quirks: Quirks) -> dict[str, Any]:
    """`message` as the upstream takes it, without what this gateway alone has added to answers."""
    said = {
        name: value
        for name, value in message.items()
        if name not in _OURS and f"messages.{name}" not in quirks.drop
    }
    said["role"] = quirks.roles.get(said["role"], said["role"])
    if not quirks.null_content and said.get("content", "") is None:
        said["content"] = ""
    return said


def _upstream_request(body: dict[str, Any], provider: Provider) -> UpstreamRequest:
    query = f"?{provider.query}" if provider.query else ""
    headers = {"content-type": "application/json", **provider.headers_with_key("authorization")}
    return UpstreamRequest(
        url=f"{provider.base_url}/chat/completions{query}",
        headers=tuple(headers.items()),
        body=json.encode_body(body),
        binding=provider.binding,
    )
