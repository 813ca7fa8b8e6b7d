"""Writes the events of a stream of Messages: a name, an object, a blank line.

The name is necessary: Anthropic's SDKs ignore an event without one. There is no `[DONE]`.

Source: platform.claude.com/docs/en/build-with-claude/streaming, read 2026-11.
"""

from xtrix import json
from xtrix.prompt import Json

PING = 'event: ping\ndata: {"type":"ping"}\n\n'


def frame(event: Json) -> str:
    """The text of one event, whose name is its `type`."""
    return f"event: {event['type']}\ndata: {json.encode_line(event)}\n\n"


def frame_of(name: str, data: str) -> str:
    """The text of an event with its data as it came."""
    if "\n" not in data:
        return f"event: {name}\ndata: {data}\n\n"
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n"
