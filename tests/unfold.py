"""Turns a whole answer into the events of a stream, so that a test of one is a test of both.

It knows how the vendors divide a message into events. Values are copied as they are, so an answer
with junk in it becomes a stream with the same junk.
"""

from collections.abc import Callable
from typing import Any

from xtrix import json

Event = dict[str, Any] | str


def events_of(dialect: str, answer: Any) -> list[Event] | None:
    """The stream with the content of `answer`; None if it is not a message."""
    if not isinstance(answer, dict):
        return None
    return _UNFOLD[dialect](answer)


def on_the_wire(events: list[Event]) -> str:
    """`events` as an upstream writes them."""
    return "".join(
        f"data: {event if isinstance(event, str) else json.encode(event)}\n\n" for event in events
    )


def _of_anthropics(answer: dict[str, Any]) -> list[Event] | None:
    content = answer.get("content")
    if not isinstance(content, list):
        return None
    start = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
    events: list[Event] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(content):
        events += _of_a_block(index, block)
    ending = {key: answer.get(key) for key in ("stop_reason", "stop_sequence", "stop_details")}
    last = {"type": "message_delta", "delta": ending, "usage": answer.get("usage")}
    return [*events, last, {"type": "message_stop"}]


def _of_a_block(index: int, block: Any) -> list[Event]:
    """The block, complete at its start, except for citations, which only come as deltas."""
    deltas: list[Event] = []
    if isinstance(block, dict) and isinstance(block.get("citations"), list):
        deltas = [
            {"type": "citations_delta", "citation": citation} for citation in block["citations"]
        ]
        block = {**block, "citations": []}
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _of_openais(answer: dict[str, Any]) -> list[Event] | None:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not all(map(_has_a_message, choices)):
        return None  # nothing that is said: of a stream that is no fault
    head = {key: answer[key] for key in answer if key not in {"choices", "usage"}}
    chunks: list[Event] = [
        {**head, "choices": [_chunk(number, choice)]} for number, choice in enumerate(choices)
    ]
    return [*chunks, {**head, "choices": [], "usage": answer.get("usage")}, "[DONE]"]


def _has_a_message(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("message"), dict)


def _chunk(number: int, choice: dict[str, Any]) -> dict[str, Any]:
    """A choice with its whole message as one delta."""
    delta = choice["message"]
    if isinstance(delta.get("tool_calls"), list):
        calls = [
            {**call, "index": index} if isinstance(call, dict) else call
            for index, call in enumerate(delta["tool_calls"])
        ]
        delta = {**delta, "tool_calls": calls}
    rest = {key: value for key, value in choice.items() if key != "message"}
    index = number if rest.get("index") is None else rest["index"]
    return {**rest, "index": index, "delta": delta}


def _of_a_response(answer: dict[str, Any]) -> list[Event] | None:
    """Each item, complete at its beginning and at its end."""
    output = answer.get("output")
    if not isinstance(output, list):
        return None
    ends = {"incomplete": "incomplete", "failed": "failed"}
    status = answer.get("status")
    end = ends.get(status, "completed") if isinstance(status, str) else "completed"
    items: list[Event] = [
        {"type": f"response.output_item.{step}", "output_index": index, "item": item}
        for index, item in enumerate(output)
        if isinstance(item, dict)
        for step in ("added", "done")
    ]
    begun = {**answer, "status": "in_progress", "output": [], "usage": None, "error": None}
    return [
        {"type": "response.created", "response": begun},
        *items,
        {"type": f"response.{end}", "response": answer},
    ]


_UNFOLD: dict[str, Callable[[dict[str, Any]], list[Event] | None]] = {
    "anthropic": _of_anthropics,
    "openai": _of_openais,
    "openai-responses": _of_a_response,
}
