"""Decodes a client's request of Messages: lightly to pass it on, fully to translate it.

`decode_request` checks almost nothing, because most requests are passed on to Anthropic as they
came. A Prompt is made only for targets of other protocols. Then the whole shape is checked, once.

Parameters without which an answer would be wrong are refused with their place. Others are left out,
and named in `Prompt.ignored`.

Source: platform.claude.com/docs/en/api/messages, read 2026-11.
"""

import re
from collections.abc import Mapping

from xtrix import json
from xtrix.prompt import Json, Prompt
from xtrix.protocol import Request
from xtrix.protocols.messages.errors import invalid, unsupported
from xtrix.protocols.messages.held import held_at
from xtrix.protocols.messages.schema import check
from xtrix.protocols.messages.settings import SETTING_NAMES, decode_settings, session_of
from xtrix.protocols.messages.tools import decode_tools
from xtrix.protocols.messages.turns import Turns
from xtrix.reasoning import Carrier
from xtrix.shape import decode_body

_MODEL = re.compile(r"[!-~]{1,256}")
_AT_ONE_UPSTREAM = {
    "container": "a container lives at Anthropic.",
    "mcp_servers": "this model cannot be connected to MCP servers here.",
    "compaction": "this model has no compaction.",
}
_MAPPED = {
    *("model", "messages", "system", "max_tokens", "stream", "stop_sequences", "tools"),
    *("tool_choice", "thinking", "output_config", "metadata", "service_tier", "cache_control"),
    *("temperature", "top_p", "top_k", *_AT_ONE_UPSTREAM),
}
_MAPPED_INSIDE = {
    "thinking": {"type", "budget_tokens"},
    "output_config": {"effort", "format"},
}
_LONGEST_NAME = 64
_MOST_IGNORED = 32


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request in `body`. Raises ClientError.

    If it names no model, `default_model` is filled in, also in the body.
    """
    fields = decode_body(body)
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise invalid("model", "Input should be a valid string")
    if not model:
        fields["model"] = model = default_model
        body = json.encode_body(fields)
    if not _MODEL.fullmatch(model):
        raise invalid("model", "it is not 1 to 256 printable ASCII characters without a space.")
    messages = fields.get("messages")
    if messages is None:
        raise invalid("messages", "Field required")
    if not isinstance(messages, list):
        raise invalid("messages", "Input should be a valid list")
    if not messages:
        raise invalid("messages", "List should have at least 1 item, not 0")
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise invalid("stream", "Input should be a valid boolean")
    session = session_of(fields, headers)
    return Request(fields, body, model, bool(stream), headers, session, held=held_at(fields))


def decode_prompt(request: Request, carrier: Carrier) -> Prompt:
    """`request` as a Prompt, for a target of another protocol. Raises ClientError."""
    fields = {name: value for name, value in request.fields.items() if value is not None}
    check(fields)
    _refuse(fields)
    turns = Turns(carrier)
    turns.system(fields.get("system"))
    turns.messages(fields["messages"])
    tools = decode_tools(fields, turns.changes)
    return Prompt(
        turns=turns.turns,
        tools=tools.tools,
        choice=tools.choice,
        settings=decode_settings(fields, tools, turns.effort, request.session),
        stream=request.stream,
        ignored=tuple(sorted(_ignored(fields) | tools.ignored)[:_MOST_IGNORED]),
        names=SETTING_NAMES,
        cache=fields.get("cache_control"),
    )


def _refuse(fields: Json) -> None:
    """Raise ClientError for what would make the answer wrong if it were left out."""
    for name, why in _AT_ONE_UPSTREAM.items():
        if fields.get(name):
            raise unsupported(name, why)
    if (fields.get("thread") or {}).get("type") == "continue":
        raise unsupported("thread", "what a thread holds is known to Anthropic alone.")
    if fields.get("max_tokens") == 0:
        raise unsupported("max_tokens", "this model has no cache to be warmed; ask for 1 or more.")


def _ignored(fields: Json) -> set[str]:
    """The names of the fields that are left out."""
    left = {name for name, value in fields.items() if name not in _MAPPED and value}
    for name, mapped in _MAPPED_INSIDE.items():
        inside = fields.get(name) or {}
        left |= {f"{name}.{inner}" for inner in inside if inner not in mapped and inside[inner]}
    return {name for name in left if len(name) <= _LONGEST_NAME}
