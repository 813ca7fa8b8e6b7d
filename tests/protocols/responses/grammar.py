"""Reads a stream of Responses, and checks its events against this grammar:

    stream    = created in_progress item* terminal DONE
    item      = message | reasoning | call | custom | other        one after the other
    message   = item.added part+ item.done
    part      = part.added delta* annotation* text.done part.done
    reasoning = item.added [part.added delta+ text.done part.done] item.done
    call      = item.added delta+ done item.done
    other     = item.added [in_progress searching completed] item.done
    terminal  = completed | incomplete | error failed

What a stream contains several times must be the same every time.
"""

from typing import Any, NamedTuple

from xtrix import json
from xtrix.sse import Decoder

Json = dict[str, Any]

LIFECYCLE = ("response.created", "response.in_progress")
GROWING = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
}


class Telling(NamedTuple):
    """A parsed stream."""

    events: list[Json]
    response: Json
    """The object of its last event."""
    error: Json | None
    """Of an `error` event."""


def events_of(frames: str) -> list[Json]:
    """The events of `frames`, whose last one is [DONE]. Their names and numbers are checked."""
    decoder = Decoder()
    raw = decoder.feed(frames)
    assert decoder.close() == []
    assert raw[-1] == ("message", "[DONE]")
    assert frames.count("[DONE]\n\n") >= 1
    events = []
    for number, (name, data) in enumerate(raw[:-1]):
        assert len(data.splitlines()) == 1
        event = json.decode_object(data)
        assert list(event)[:2] == ["type", "sequence_number"]
        assert event["type"] == name
        assert event["sequence_number"] == number
        events.append(event)
    return events


def read(frames: str) -> Telling:
    """Parses the stream. Raises AssertionError if it breaks the grammar."""
    return _Parser(events_of(frames)).stream()


class _Parser:
    def __init__(self, events: list[Json]) -> None:
        self.events = events
        self.at = 0

    def peek(self) -> str:
        return str(self.events[self.at]["type"]) if self.at < len(self.events) else "the end"

    def take(self, kind: str) -> Json:
        assert self.peek() == kind, f"event {self.at}: {self.peek()}, not {kind}"
        self.at += 1
        return self.events[self.at - 1]

    def stream(self) -> Telling:
        begun = [self.take(kind)["response"] for kind in LIFECYCLE]
        assert begun[0] == begun[1]
        assert begun[0]["status"] == "in_progress"
        assert begun[0]["output"] == []
        assert begun[0]["usage"] is None
        items: list[Json] = []
        while self.peek() == "response.output_item.added":
            item = self.item(len(items))
            if item is None:
                break
            items.append(item)
        return self.terminal(begun[0], items)

    def terminal(self, begun: Json, items: list[Json]) -> Telling:
        error = None
        if self.peek() == "error":
            error = self.take("error")["error"]
            assert set(error) == {"type", "code", "message", "param"}
            response = self.take("response.failed")["response"]
            assert response["status"] == "failed"
            assert response["error"]["message"] == error["message"]
        else:
            status = self.peek().removeprefix("response.")
            assert status in {"completed", "incomplete"}
            response = self.take(f"response.{status}")["response"]
            assert response["status"] == status
            assert response["error"] is None
            assert isinstance(response["usage"], dict)
            assert (response["incomplete_details"] is not None) == (status == "incomplete")
        assert self.at == len(self.events)
        assert response["output"] == items
        changing = {"status", "output", "usage", "error", "incomplete_details", "completed_at"}
        changing.add("service_tier")
        kept = begun.keys() - changing
        assert {key: begun[key] for key in kept} == {key: response[key] for key in kept}
        assert begun.keys() == response.keys()
        whole = [item for item in items if item.get("status", "completed") != "completed"]
        assert whole in ([], items[-1:])
        return Telling(self.events, response, error)

    def item(self, index: int) -> Json | None:
        """The next item; None when a failure left it open."""
        event = self.take("response.output_item.added")
        added = event["item"]
        assert event["output_index"] == index
        assert added["id"]
        assert added.get("status", "in_progress") == "in_progress"
        place = {"item_id": added["id"], "output_index": index}
        whole = getattr(self, f"read_{added['type']}")(added, place)
        if whole is None:
            assert self.peek() == "error"
            return None
        done = self.take("response.output_item.done")
        assert done["output_index"] == index
        assert done["item"] == whole | {
            key: done["item"][key] for key in ("status", "encrypted_content") if key in done["item"]
        }
        return dict(done["item"])

    def growing(self, place: Json, kind: str, field: str) -> str | None:
        """The text of one string that comes in deltas and at its end; None if a failure left it
        open.
        """
        pieces = []
        while self.peek() == f"{kind}.delta":
            event = self.take(f"{kind}.delta")
            self.placed(event, place)
            pieces.append(event["delta"])
        while self.peek() == "response.output_text.annotation.added":
            self.at += 1
        if self.peek() == "error":
            return None
        event = self.take(f"{kind}.done")
        self.placed(event, place)
        assert event[field] == "".join(pieces)
        return "".join(pieces)

    def placed(self, event: Json, place: Json) -> None:
        assert {key: event[key] for key in place} == place

    def read_message(self, added: Json, place: Json) -> Json | None:
        assert added["content"] == []
        assert added["role"] == "assistant"
        parts: list[Json] = []
        while self.peek() == "response.content_part.added":
            event = self.take("response.content_part.added")
            here = place | {"content_index": len(parts)}
            self.placed(event, here)
            part = self.part(event["part"], here)
            if part is None:
                return None
            parts.append(part)
        assert parts or self.peek() == "error"
        return added | {"content": parts} if parts else None

    def part(self, added: Json, place: Json) -> Json | None:
        kind = added["type"]
        field = {"output_text": "text", "refusal": "refusal"}[kind]
        assert added[field] == ""
        start = self.at
        annotations: list[Json] = []
        logprobs: list[Json] = []
        pieces = []
        delta, note = f"response.{kind}.delta", "response.output_text.annotation.added"
        while self.peek() in {delta, note}:
            event = self.events[self.at]
            self.placed(event, place)
            self.at += 1
            if event["type"] == note:
                assert event["annotation_index"] == len(annotations)
                annotations.append(event["annotation"])
            else:
                pieces.append(event["delta"])
                logprobs += event.get("logprobs", [])
        if self.peek() == "error":
            return None
        assert self.at > start
        done = self.take(f"response.{kind}.done")
        self.placed(done, place)
        assert done[field] == "".join(pieces)
        part = {"type": kind, field: "".join(pieces)}
        if kind == "output_text":
            assert done["logprobs"] == logprobs
            part |= {"annotations": annotations, "logprobs": logprobs}
        event = self.take("response.content_part.done")
        self.placed(event, place)
        assert event["part"] == part
        return part

    def read_reasoning(self, added: Json, place: Json) -> Json | None:
        assert added["summary"] == []
        if self.peek() in {"response.output_item.done", "error"}:
            return added if self.peek() != "error" else None
        here = place | {"summary_index": 0}
        event = self.take("response.reasoning_summary_part.added")
        self.placed(event, here)
        assert event["part"] == {"type": "summary_text", "text": ""}
        text = self.growing(here, "response.reasoning_summary_text", "text")
        if text is None:
            return None
        assert text
        part = {"type": "summary_text", "text": text}
        event = self.take("response.reasoning_summary_part.done")
        self.placed(event, here)
        assert event["part"] == part
        return added | {"summary": [part]}

    def read_call(self, added: Json, place: Json) -> Json | None:
        field, kind = GROWING[added["type"]]
        assert added[field] == ""
        assert added["id"] != added["call_id"]
        start = self.at
        given = self.growing(place, kind, field)
        if given is None:
            return None
        is_cut = self.events[self.at]["item"]["status"] == "incomplete"
        assert self.at > start + 1 or is_cut
        return added | {field: given}

    read_function_call = read_call
    read_custom_tool_call = read_call

    def read_compaction(self, added: Json, place: Json) -> Json | None:
        del place
        assert added.keys() == {"id", "type", "encrypted_content"}
        return added

    def read_tool_search_call(self, added: Json, place: Json) -> Json | None:
        del place
        if self.peek() == "error":
            return None
        given = self.events[self.at]["item"]["arguments"]
        assert isinstance(given, dict)
        return added | {"arguments": given}

    def read_web_search_call(self, added: Json, place: Json) -> Json:
        for state in ("in_progress", "searching", "completed"):
            self.placed(self.take(f"response.web_search_call.{state}"), place)
        return added
