r"""The frames of a stream of Messages: an event's name, its object, a blank line.

The name is no ornament: Anthropic's SDKs skip a frame without one. There is no `[DONE]`.

U+0085, U+2028 and U+2029 are escaped: JSON may hold them raw, but clients that split lines as
Python's `splitlines` does would break a frame there.

Source: platform.claude.com/docs/en/build-with-claude/streaming, read 2026-11.
"""

from xtrix import json
from xtrix.prompt import Json

PING = 'event: ping\ndata: {"type":"ping"}\n\n'

_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def frame(event: Json) -> str:
    """The frame of one event, which is named by its own `type`."""
    text = json.encode(event)
    data = text if text.isascii() else text.translate(_LINE_BREAKS)
    return f"event: {event['type']}\ndata: {data}\n\n"


def frame_of(name: str, data: str) -> str:
    """The frame of an event's data as it came."""
    if "\n" not in data:
        return f"event: {name}\ndata: {data}\n\n"
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n"
