"""Writes an answer in Messages: events of a stream, or one object.

One state machine makes both, so that a stream adds up to the whole answer. Its rules come from what
clients need: indexes from 0 without gaps, one open block at a time, all content in deltas and none
in the start of a block, every block closed, usage at both ends, and an error that cannot be
mistaken for an end. Counts at the beginning are 0, because Claude Code keeps a count from there if
the true one, at the end, is 0.

Source: platform.claude.com/docs/en/build-with-claude/streaming; anthropic-python 2.14.0, the AI
SDK's provider 4.0 and Claude Code 2.1 with broken streams, observed 2026-11.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

from xtrix import json
from xtrix.answer import CallStart, Citation, Finish, Usage
from xtrix.errors import ApiError
from xtrix.prompt import Json, Sealed
from xtrix.protocol import Answering
from xtrix.protocols.messages.answer import (
    OWN_SEARCH_ID,
    encode_call_id,
    encode_stop_reason,
    encode_tier,
    encode_usage,
)
from xtrix.protocols.messages.calls import seal_extra
from xtrix.protocols.messages.errors import error_frame
from xtrix.protocols.messages.frames import PING, frame
from xtrix.protocols.messages.names import CUSTOM_INPUT

_Kind: TypeAlias = Literal["text", "thinking", "tool_use"]
_LONGEST_CITED = 150
"""The most characters of a cited passage that are written with its source, as in Anthropic's
API."""


class _Blocks:
    """The state machine."""

    def __init__(self, of: Answering, emit: Callable[[Json], None]) -> None:
        """`emit` gets the events of a stream, one after the other."""
        self.continues = False
        self.sequence: int | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self._of = of
        self._emit = emit
        self._opened = 0
        """The number of blocks so far."""
        self._open: _Kind | None = None
        self._call_ids: set[str] = set()
        self._has_arguments = False
        self._is_custom = False
        self._refusal: list[str] = []
        self._searches = 0
        self._passage: list[str] = []
        """The open block's text, if it may be cited."""

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """See `Writer`."""
        message: Json = {
            "id": f"msg_{self._of.stamp.token}",
            "type": "message",
            "role": "assistant",
            "model": self._of.stamp.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0} | encode_tier(service_tier),
        }
        self._emit({"type": "message_start", "message": message})

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """See `Writer`."""
        self.continues = self._open == "text"
        if not self.continues:
            self._start("text", {"type": "text", "text": ""})
        if self._of.expected.cited:
            self._passage.append(text)
        self._delta({"type": "text_delta", "text": text})

    def text_end(self, citations: list[Citation]) -> None:
        """See `Writer`."""
        self.continues = False
        if self._open != "text":
            return
        passage = "".join(self._passage)
        for citation in citations:
            self._delta({"type": "citations_delta", "citation": _citation(citation, passage)})
        self._close()

    def thinking(self, text: str) -> None:
        """See `Writer`."""
        self.continues = self._open == "thinking"
        if not self.continues:
            self._start("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        self._delta({"type": "thinking_delta", "thinking": text})

    def thinking_end(self, sealed: Sealed | None) -> None:
        """See `Writer`."""
        self.continues = False
        packed = self._of.carrier.pack(sealed) if sealed and sealed.origin else None
        if self._open == "thinking":
            if packed:
                self._delta({"type": "signature_delta", "signature": packed})
            self._close()
        elif packed:
            self._whole({"type": "redacted_thinking", "data": packed})

    def call(self, call: CallStart) -> None:
        """See `Writer`."""
        self.continues = False
        call_id = self._call_id(call.id)
        if call.extra:
            sealed = seal_extra(call_id, call.extra, self._of.origin)
            self._whole({"type": "redacted_thinking", "data": self._of.carrier.pack(sealed)})
        block = {"type": "tool_use", "id": call_id, "name": call.tool.name, "input": {}}
        self._start("tool_use", block)
        self._has_arguments = False
        self._is_custom = call.tool.kind == "custom"

    def arguments(self, text: str) -> None:
        """See `Writer`. A custom tool's text is put into JSON, because Messages has only that."""
        self.continues = self._has_arguments and not self._is_custom
        self._has_arguments = True
        if self._is_custom:
            text = json.encode({CUSTOM_INPUT: text})
        self._delta({"type": "input_json_delta", "partial_json": text})

    def call_end(self) -> None:
        """See `Writer`."""
        self.continues = False
        if self._open == "tool_use":
            self._close()

    def refusal(self, text: str) -> None:
        """See `Writer`."""
        self.continues = False
        self._refusal.append(text)

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """See `Writer`."""
        self.continues = False
        self._close()
        self._searches += 1
        search_id = f"{OWN_SEARCH_ID}{self._of.stamp.token}_{self._searches}"
        name = {"type": "server_tool_use", "id": search_id, "name": "web_search", "input": {}}
        self._begin_block(name)
        given = json.encode({"query": "; ".join(queries)})
        self._delta({"type": "input_json_delta", "partial_json": given})
        self._end_block()
        found = [_found(source) for source in sources]
        self._whole({"type": "web_search_tool_result", "tool_use_id": search_id, "content": found})

    def end(self, finish: Finish) -> None:
        """See `Writer`."""
        self.continues = False
        if not self._opened:
            self._start("text", {"type": "text", "text": ""})
        self._close()
        explanation = "".join(self._refusal)
        reason = encode_stop_reason(finish, called=bool(self._call_ids), refused=bool(explanation))
        self.finish_reasons = (reason,)
        matched = finish.stop_sequence if reason == "stop_sequence" else None
        delta: Json = {"stop_reason": reason, "stop_sequence": matched}
        if reason == "refusal":
            details = {"type": "refusal", "category": None, "explanation": explanation or None}
            delta["stop_details"] = details
        usage = encode_usage(finish.usage)
        if self._searches:
            used = {"web_search_requests": self._searches, "web_fetch_requests": 0}
            usage["server_tool_use"] = used
        self._emit({"type": "message_delta", "delta": delta, "usage": usage})
        self._emit({"type": "message_stop"})

    def moved(self, count: int, text: str) -> None:
        """See `Writer`."""
        del count
        if self._open == "text" and self._of.expected.cited:
            self._passage.append(json.decode(f'"{text}"'))

    def _call_id(self, call_id: str) -> str:
        """The id for the client: one that every provider accepts, and that no other call has."""
        plain = encode_call_id(call_id)
        unique, number = plain, 1
        while unique in self._call_ids:
            number += 1
            unique = f"{plain}_{number}"
        self._call_ids.add(unique)
        return unique

    def _start(self, kind: _Kind, block: Json) -> None:
        self._close()
        self._open = kind
        self._begin_block(block)

    def _close(self) -> None:
        """Closes the open block, if there is one."""
        if self._open is None:
            return
        if self._open == "tool_use" and not self._has_arguments:
            self._delta({"type": "input_json_delta", "partial_json": "{}"})
        self._open = None
        self._passage.clear()
        self._end_block()

    def _whole(self, block: Json) -> None:
        """Writes a block that is whole in its start event."""
        self._close()
        self._begin_block(block)
        self._end_block()

    def _begin_block(self, block: Json) -> None:
        self._emit({"type": "content_block_start", "index": self._opened, "content_block": block})
        self._opened += 1

    def _delta(self, delta: Json) -> None:
        self._emit({"type": "content_block_delta", "index": self._opened - 1, "delta": delta})

    def _end_block(self) -> None:
        self._emit({"type": "content_block_stop", "index": self._opened - 1})


class StreamWriter(_Blocks):
    """Writes the events of a stream."""

    keep_alive = PING

    waits = False

    def __init__(self, of: Answering) -> None:
        super().__init__(of, lambda event: self._frames.append(frame(event)))
        self._frames: list[str] = []

    def take(self) -> str:
        """See `answer.StreamWriter`."""
        frames = "".join(self._frames)
        self._frames.clear()
        return frames

    def fail(self, error: ApiError) -> None:
        """See `answer.StreamWriter`."""
        self._frames.append(error_frame(error, self._of.stamp.request_id))


class WholeWriter(_Blocks):
    """Writes one object: what the events of the stream add up to."""

    def __init__(self, of: Answering) -> None:
        super().__init__(of, self._add)
        self._message: Json = {}
        self._pieces: list[str] = []
        """Pieces of the open block's text, thinking or input."""

    def body(self) -> Json:
        """See `answer.WholeWriter`."""
        return self._message

    def _add(self, event: Json) -> None:
        match event["type"]:
            case "message_start":
                self._message = event["message"]
            case "content_block_start":
                self._message["content"].append(event["content_block"])
            case "content_block_delta":
                self._add_delta(event["delta"])
            case "content_block_stop":
                self._fill(self._message["content"][-1])
            case "message_delta":
                self._message |= {"stop_details": None, **event["delta"]}
                self._message["usage"] |= event["usage"]

    def _add_delta(self, delta: Json) -> None:
        block = self._message["content"][-1]
        match delta["type"]:
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])
            case kind:
                self._pieces.append(delta[_PIECES[kind]])

    def _fill(self, block: Json) -> None:
        """Puts the pieces into the block that ends."""
        text = "".join(self._pieces)
        self._pieces.clear()
        if "input" in block:
            block["input"] = _input(text)
        elif block["type"] in {"text", "thinking"}:
            block[block["type"]] = text


_PIECES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}


def _input(arguments: str) -> Json:
    """The object in a call's arguments. If it is not one, the text is put under a name of ours."""
    try:
        return json.decode_object(arguments)
    except ValueError:
        return {"_raw": arguments}


def _citation(citation: Citation, passage: str) -> Json:
    cited = passage[citation.start : citation.end][:_LONGEST_CITED]
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "encrypted_index": "",
        "cited_text": cited,
    }


def _found(source: Json) -> Json:
    return {
        "type": "web_search_result",
        "url": str(source.get("url") or ""),
        "title": str(source.get("title") or ""),
        "encrypted_content": "",
        "page_age": None,
    }
