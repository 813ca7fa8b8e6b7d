"""Reads events and objects with Anthropic's own SDK, and checks the order that other clients need.

The events go through the SDK's decoder, its types and its accumulator, in this process.
"""

from typing import Any

import pydantic
from anthropic._models import construct_type
from anthropic._streaming import SSEDecoder
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent

from xtrix import json

_EVENT: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(RawMessageStreamEvent)


def events(frames: str) -> list[dict[str, Any]]:
    """The events of a stream, each under its own name, every frame one line of data."""
    assert frames.endswith("\n\n"), "the stream ends inside a frame"
    found = []
    for sse in SSEDecoder().iter_bytes(iter([frames.encode()])):
        value = json.decode(sse.data)
        assert sse.event == value["type"]
        found.append(value)
    assert len(found) == frames.count("\n\n")
    return found


def message(frames: str) -> dict[str, Any]:
    """The message that the frames of a whole answer add up to; checks their grammar."""
    told = [event for event in events(frames) if event["type"] != "ping"]
    check_grammar(told)
    for event in told:
        _EVENT.validate_python(event)
    return valid(accumulated(frames))


def accumulated(frames: str) -> dict[str, Any]:
    """The message that the frames add up to, from any server."""
    snapshot = None
    buffers: dict[int, bytes] = {}
    for event in events(frames):
        if event["type"] == "ping":
            continue
        typed: Any = construct_type(type_=RawMessageStreamEvent, value=event)
        snapshot = accumulate_event(event=typed, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    return snapshot.to_dict(warnings=False)


def valid(body: dict[str, Any]) -> dict[str, Any]:
    """`body` without empty members, after the SDK's strict types have accepted it."""
    typed = Message.model_validate(body)
    told: dict[str, Any] = _told(typed.to_dict(exclude_unset=True))
    return told


def check_grammar(told: list[dict[str, Any]]) -> None:
    """Assert what section 3 of the mapping says of a stream that is whole."""
    assert [event["type"] for event in told].count("message_start") == 1
    assert told[0]["type"] == "message_start"
    assert {"input_tokens", "output_tokens"} <= told[0]["message"]["usage"].keys()
    assert [event["type"] for event in told[-2:]] == ["message_delta", "message_stop"]
    assert told[-2]["delta"]["stop_reason"]
    assert {"input_tokens", "output_tokens"} <= told[-2]["usage"].keys()
    opened, is_open = 0, False
    for event in told[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not is_open, "two blocks open at once"
                assert event["index"] == opened
                _check_start(event["content_block"])
                opened, is_open = opened + 1, True
            case "content_block_delta":
                assert is_open, "a delta without a block"
                assert event["index"] == opened - 1
            case "content_block_stop":
                assert is_open, "an end without a block"
                assert event["index"] == opened - 1
                is_open = False
            case other:
                raise AssertionError(other)
    assert not is_open, "a block without an end"
    assert opened, "no block at all"


def _check_start(block: dict[str, Any]) -> None:
    """Claude Code drops what the start of a block already says."""
    match block["type"]:
        case "text" | "thinking":
            assert not block[block["type"]]
            assert block["type"] == "text" or block["signature"] == ""
        case "tool_use" | "server_tool_use":
            assert block["input"] == {}


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _told(inner) for name, inner in value.items() if inner is not None}
    return [_told(inner) for inner in value] if isinstance(value, list) else value
