"""A body of one protocol at another's path: recognised by its shape, and answered as the path says.

Cursor sends what Responses takes to the path of Chat Completions, and others mix the two vendors'
forms of a tool. It is looked for only where the path's own protocol makes no sense of a body, so
that nobody else pays for it.
"""

from collections.abc import Mapping
from typing import Any

from xtrix import json
from xtrix.errors import ClientError
from xtrix.json import Json
from xtrix.protocol import Codec, Request
from xtrix.protocols import PROTOCOLS
from xtrix.shape import decode_body


def decode(
    codec: Codec, body: bytes, headers: Mapping[str, str], default_model: str
) -> tuple[Codec, Request]:
    """The request that `body` spells, and how it is read and answered. Raises ClientError."""
    try:
        return codec, codec.decode_request(body, headers, default_model)
    except ClientError as error:
        refusal = error.with_traceback(None)
    try:
        fields = decode_body(body)
    except ClientError:
        raise refusal from None
    if codec.name == "chat" and (nested := _nested(fields)):
        return codec, codec.decode_request(json.encode_body(nested), headers, default_model)
    other = _protocol_of(fields, codec.name)
    if other is None:
        raise refusal
    return _answering_as(codec, PROTOCOLS[other], body, headers, default_model)


def _answering_as(
    path: Codec, spoken: Codec, body: bytes, headers: Mapping[str, str], default_model: str
) -> tuple[Codec, Request]:
    """A request that is read as `spoken` and answered as `path` has it.

    What does so is a protocol of its own that no row speaks: so it is translated for every target.
    """
    mixed = path._replace(
        decode_prompt=spoken.decode_prompt, without_reasoning=spoken.without_reasoning
    )
    return mixed, spoken.decode_request(body, headers, default_model)


def _protocol_of(fields: Json, path: str) -> str | None:
    """The protocol that `fields` look like; None where they look like that of `path`, or none."""
    if "input" in fields and "messages" not in fields:
        found = "responses"
    elif isinstance(fields.get("messages"), list) and "input" not in fields:
        is_anthropics = "system" in fields or any("input_schema" in it for it in _tools(fields))
        found = "messages" if is_anthropics else "chat"
    else:
        return None
    return found if path not in {found, "completions"} else None


def _tools(fields: Json) -> list[Json]:
    tools = fields.get("tools")
    return [it for it in tools if isinstance(it, dict)] if isinstance(tools, list) else []


def _nested(fields: Json) -> Json | None:
    """A chat's `fields` with its flat functions, which Responses has, put as a chat has them.

    None where there are none.
    """
    tools = _tools(fields)
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
