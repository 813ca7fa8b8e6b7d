"""Turns the Worker's JSON log into one readable line for each request, with colours.

    14:55:03  laptop  best → anthropic/claude-sonnet-4-6  200  12 + 340 tokens  $0.0051  1240 ms

It knows the members of a log line, and nothing about where it comes from. Unknown values are left
out, so a line about `/v1/models` is short.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

GREY, RED, GREEN, YELLOW, CYAN = "90", "31", "32", "33", "36"


def readable(line: str, when: time.struct_time) -> str | None:
    """Returns the line of one request for a terminal; None if `line` is something else.

    `when` is the local time at which it came.
    """
    record = _record(line)
    if record is None:
        return None
    return "  ".join([_in(GREY, time.strftime("%H:%M:%S", when)), *_parts(record)])


def _record(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line, parse_constant=str)
    except ValueError:
        return None
    if not isinstance(record, dict) or not {"id", "path", "status", "total_ms"} <= record.keys():
        return None
    return {name: _plain(it) if isinstance(it, str) else it for name, it in record.items()}


def _parts(record: dict[str, Any]) -> Iterator[str]:
    if record.get("key"):
        yield _in(CYAN, str(record["key"]))
    yield _what(record)
    yield _status(record)
    if "prompt_tokens" in record or "completion_tokens" in record:
        yield f"{record.get('prompt_tokens', '?')} + {record.get('completion_tokens', '?')} tokens"
    if isinstance(record.get("cost"), int | float):
        yield f"${record['cost']:.4f}"
    yield _in(GREY, _milliseconds(record))
    if record.get("failures"):
        yield _in(YELLOW, f"after {_plain(', '.join(map(str, record['failures'])))}")


def _what(record: dict[str, Any]) -> str:
    """The model that was asked for and the one that answered, or the call if there is no model."""
    model = record.get("model")
    if not model:
        return f"{record.get('method', '')} {record['path']}"
    provider, upstream = record.get("provider"), record.get("upstream_model")
    return f"{model} → {provider}/{upstream}" if provider else str(model)


def _status(record: dict[str, Any]) -> str:
    status, error = record["status"], record.get("error")
    text = f"{status or '—'} {error}" if error else str(status)
    if error == "client_left":
        return _in(YELLOW, text)
    is_fine = isinstance(status, int) and 0 < status < 400 and not error
    return _in(GREEN if is_fine else RED, text)


def _milliseconds(record: dict[str, Any]) -> str:
    total, first = record["total_ms"], record.get("first_byte_ms")
    is_stream = record.get("stream") and first is not None
    return f"{total} ms, first {first}" if is_stream else f"{total} ms"


def _in(colour: str, text: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _plain(text: str) -> str:
    """`text` without control characters for a terminal: some of it comes from clients."""
    return "".join(each if each.isprintable() else "?" for each in text)
