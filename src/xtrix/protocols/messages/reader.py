"""Reads answers of Messages, whole or streamed, for a Writer.

The blocks of a whole answer are read by the same functions as those of a stream.

Source: platform.claude.com/docs/en/build-with-claude/streaming (read 2026-11): `message_start`,
then for each block `content_block_start`, deltas, `content_block_stop`; `message_delta` with the
stop reason and usage, which may come more than once and counts from the beginning; `message_stop`.
`ping` and events not known here mean nothing.
"""

from collections.abc import Callable
from typing import Any

from xtrix import json
from xtrix.answer import CallStart, Citation, Finish, FinishReason, Served, Usage, Writer
from xtrix.errors import bad_response, truncated
from xtrix.prompt import Sealed
from xtrix.protocol import Answering
from xtrix.protocols.messages.answer import (
    STOP_REASONS,
    advances,
    decode_served,
    decode_tier,
    decode_usage,
    unknown_reason,
)
from xtrix.protocols.messages.errors import error_of
from xtrix.protocols.messages.names import CUSTOM_INPUT
from xtrix.sse import Event
from xtrix.upstream import decode_answer, decode_event, member

Json = dict[str, Any]


class _Block:
    """One content block, until its end."""

    def __init__(self, kind: str, content: Json) -> None:
        self.kind = kind
        self.content = content
        self.pieces: list[str] = []
        """Pieces of what must be whole before it is written, as JSON strings without their quotes:
        thinking, and the input of a custom tool or a search."""
        self.citations: list[Json] = []
        self.has_arguments = False
        self.held: list[Json] = []
        """Its events, while another block is being written."""

    def joined(self) -> str:
        """The pieces as one text."""
        text: str = json.decode(f'"{"".join(self.pieces)}"')
        return text


class Reader:
    """Reads one message."""

    def __init__(self, writer: Writer, of: Answering) -> None:
        self.finished = False
        self.usage = Usage()
        self.lone_text: str | None = None
        self.advances = False
        self.unknown_stop_reason: str | None = None
        self._writer = writer
        self._expected = of.expected
        self._origin = of.origin
        self._blocks: dict[str, _Block] = {}
        """The blocks that have not ended, by their index, in the order in which they began."""
        self._message: Json | None = None
        self._usage: Json = {}
        self._has_answer = False
        """Whether the answer tool was called. Then its input is the answer, and text besides it is
        not."""
        self._texts: list[str] = []
        """Text that is written only if the answer tool is not called."""
        self._calls = 0
        self._is_loose = False
        """Whether text has come without a block."""
        self._queries: list[str] = []
        """The queries of the provider's search, until its result comes."""

    @property
    def served(self) -> Served:
        """As `Reader` has it."""
        return decode_served(self._usage)

    def feed(self, event: Event) -> None:
        """Reads one event. Raises UpstreamError."""
        self.lone_text = None
        payload = decode_event(event.data)
        self._read(payload, event.name)

    def close(self) -> None:
        """The upstream's stream has ended. Raises UpstreamError if the stop reason has not come."""
        if self._message is None or not self._message.get("stop_reason"):
            raise truncated()
        if not self.finished:
            self._message_stop({})

    def whole(self, body: bytes) -> None:
        """Reads a whole answer. Raises UpstreamError."""
        answer = decode_answer(body)
        kind, error = answer.get("type"), answer.get("error")
        if kind == "error" or (kind != "message" and error):
            raise error_of(error if isinstance(error, dict) else {})
        blocks = answer.get("content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise bad_response("no content")
        self._start(answer)
        for content in blocks:
            block = _block_of(content)
            self._begin(block)
            self._end(block)
        self._message = answer
        self._message_stop({})

    def moved(self, count: int, text: str) -> None:
        """Some events were written by the fast path. Keeps their text if it is needed whole."""
        del count
        block = next(iter(self._blocks.values()), None)
        if block and block.kind == "thinking":
            block.pieces.append(text)

    def _read(self, payload: Json, name: str) -> None:
        kind = payload.get("type", name)
        kind = kind if isinstance(kind, str) else ""
        self.advances = advances(kind, payload)
        read = _EVENTS.get(kind)
        if read is None:
            return
        if self._message is None and kind not in _FIRST:
            # llama.cpp leaves `message_start` out when the first character takes several tokens
            # (its server of 2026-10, observed).
            self._message_start({"message": {}})
        read(self, payload)
        if kind != "content_block_delta":
            self.lone_text = None  # the event had more than its text

    def _message_start(self, payload: Json) -> None:
        if self._message is None:
            self._message = {}
            self._start(member(payload, "message"))

    def _start(self, message: Json) -> None:
        self._merge_usage(message)
        self._writer.begin(self.usage, decode_tier(self._usage))

    # Blocks, one after the other. If the upstream mixes them, all but one are held back.

    def _block_start(self, payload: Json) -> None:
        block = _block_of(member(payload, "content_block"))
        self._blocks[str(payload.get("index"))] = block
        if self._is_current(block):
            self._begin(block)

    def _block_delta(self, payload: Json) -> None:
        block = self._blocks.get(str(payload.get("index")))
        delta = member(payload, "delta")
        if block is None:
            # Some servers send text without its block (observed with llama.cpp).
            block = _Block("text", {})
            self._is_loose = True
        elif not self._is_current(block):
            block.held.append(delta)
            return
        self._delta(block, delta)

    def _block_stop(self, payload: Json) -> None:
        index = str(payload.get("index"))
        block = self._blocks.get(index)
        if block is None:
            return
        if not self._is_current(block):
            block.held.append({"type": _STOP})
            return
        del self._blocks[index]
        self._end(block)
        self._tell_next()

    def _tell_next(self) -> None:
        """Writes what was held back of the next block, and of further ones that have ended."""
        while self._blocks:
            index, block = next(iter(self._blocks.items()))
            self._begin(block)
            held, block.held = block.held, []
            for delta in held:
                if delta.get("type") != _STOP:
                    self._delta(block, delta)
            if not held or held[-1].get("type") != _STOP:
                return
            del self._blocks[index]
            self._end(block)

    def _is_current(self, block: _Block) -> bool:
        return next(iter(self._blocks.values())) is block

    def _begin(self, block: _Block) -> None:
        if self._is_loose:
            self._writer.text_end([])
            self._is_loose = False
        begin = _BEGIN.get(block.kind)
        if begin:
            begin(self, block)

    def _begin_text(self, block: _Block) -> None:
        self._text(_text_of(block.content, "text"))
        cited = block.content.get("citations")
        if not cited:
            return
        if not isinstance(cited, list) or not all(isinstance(each, dict) for each in cited):
            raise bad_response("citations that are no list of objects")
        block.citations += cited

    def _begin_thinking(self, block: _Block) -> None:
        self._think(block, _text_of(block.content, "thinking"))

    def _begin_call(self, block: _Block) -> None:
        name = block.content.get("name")
        if not isinstance(name, str) or not name:
            raise bad_response("a call without a tool's name")
        given = block.content.get("input") or {}
        if not isinstance(given, dict):
            raise bad_response("a call whose input is no object")
        if name == self._expected.answer_tool:
            block.kind = "ignored" if self._has_answer else "answer"
            self._has_answer = True
        else:
            self._tell_texts()
            tool = self._expected.tool(name)
            block.kind = "custom" if tool.kind == "custom" else "call"
            call_id = _text_of(block.content, "id") or f"call_{self._calls}"
            self._calls += 1
            self._writer.call(CallStart(call_id, tool))
        if given:
            self._input(block, json.encode(given))

    def _delta(self, block: _Block, delta: Json) -> None:
        kind = delta.get("type")
        read = _DELTAS.get(kind) if isinstance(kind, str) else None
        if read:
            read(self, block, delta)

    def _text_delta(self, block: _Block, delta: Json) -> None:
        del block
        text = _string(delta, "text")
        self._text(text)
        if text and not self._expected.answer_tool:
            self.lone_text = json.encode(text)

    def _thinking_delta(self, block: _Block, delta: Json) -> None:
        self._think(block, _string(delta, "thinking"))

    def _signature_delta(self, block: _Block, delta: Json) -> None:
        block.content["signature"] = _string(delta, "signature")

    def _input_delta(self, block: _Block, delta: Json) -> None:
        self._input(block, _string(delta, "partial_json"))

    def _citations_delta(self, block: _Block, delta: Json) -> None:
        block.citations.append(member(delta, "citation"))

    def _end(self, block: _Block) -> None:
        end = _END.get(block.kind)
        if end:
            end(self, block)

    def _end_text(self, block: _Block) -> None:
        cited = block.citations if self._expected.cited else []
        citations = [found for each in cited if (found := _citation(each))]
        self._writer.text_end(citations)

    def _end_thinking(self, block: _Block) -> None:
        value = block.content
        if block.kind == "thinking":
            value = {**value, "thinking": block.joined()}
        self._writer.thinking_end(Sealed(value, self._origin))

    def _end_call(self, block: _Block) -> None:
        if not block.has_arguments:
            self._writer.arguments("{}")
        self._writer.call_end()

    def _end_custom(self, block: _Block) -> None:
        try:
            text = json.decode_object(block.joined() or "{}").get(CUSTOM_INPUT, "")
        except ValueError:
            text = ""  # the limit cut it off, as the finish reason will say
        text = text if isinstance(text, str) else json.encode(text)
        if text:
            self._writer.arguments(text)
        self._writer.call_end()

    def _end_answer(self, block: _Block) -> None:
        if not block.has_arguments:
            self._writer.text("{}")

    def _begin_search_result(self, block: _Block) -> None:
        found = block.content.get("content")
        sources = (
            [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        )
        self._writer.search(self._queries, sources)
        self._queries = []

    def _end_search(self, block: _Block) -> None:
        if block.content.get("name") != "web_search":
            return
        try:
            given = json.decode_object(block.joined()) if block.pieces else block.content["input"]
            self._queries = [str(given["query"])]
        except (KeyError, TypeError, ValueError):
            return

    # The end

    def _message_delta(self, payload: Json) -> None:
        assert self._message is not None
        self._merge_usage(payload)
        self._message |= {key: value for key, value in member(payload, "delta").items() if value}

    def _message_stop(self, payload: Json) -> None:
        del payload
        assert self._message is not None
        while self._blocks:
            self._block_stop({"index": next(iter(self._blocks))})
        if not self._has_answer:
            self._tell_texts()
        refusal = _refusal_of(self._message)
        if refusal:
            self._writer.refusal(refusal)
        why = self._message.get("stop_reason")
        known = STOP_REASONS.get(str(why))
        self.unknown_stop_reason = unknown_reason(why)
        sequence = self._message.get("stop_sequence")
        self._writer.end(
            Finish(
                known or FinishReason.STOP,
                self.usage,
                decode_tier(self._usage),
                sequence if isinstance(sequence, str) else None,
            )
        )
        self.finished = True

    def _error(self, payload: Json) -> None:
        raise error_of(member(payload, "error"))

    # Pieces

    def _text(self, text: str) -> None:
        if not text:
            return
        if self._expected.answer_tool:
            self._texts.append(text)
            return
        self._writer.text(text)

    def _tell_texts(self) -> None:
        text = "".join(self._texts)
        self._texts.clear()
        if text:
            self._writer.text(text)

    def _think(self, block: _Block, text: str) -> None:
        if not text or block.kind != "thinking":
            return
        self.lone_text = json.encode(text)
        block.pieces.append(self.lone_text[1:-1])
        self._writer.thinking(text)

    def _input(self, block: _Block, text: str) -> None:
        if not text:
            return
        if block.kind in {"custom", "server_tool_use"}:
            block.pieces.append(json.encode(text)[1:-1])
            return
        if block.kind not in {"call", "answer"}:
            return
        if block.has_arguments:
            self.lone_text = json.encode(text)
        block.has_arguments = True
        if block.kind == "answer":
            self._writer.text(text)
        else:
            self._writer.arguments(text)

    def _merge_usage(self, payload: Json) -> None:
        usage = payload.get("usage")
        if isinstance(usage, dict):
            self._usage |= {key: value for key, value in usage.items() if value is not None}
            self.usage = decode_usage(self._usage)


_STOP = "content_block_stop"
_FIRST = {"message_start", "error"}
_EVENTS: dict[str, Callable[[Reader, Json], None]] = {
    "message_start": Reader._message_start,
    "content_block_start": Reader._block_start,
    "content_block_delta": Reader._block_delta,
    _STOP: Reader._block_stop,
    "message_delta": Reader._message_delta,
    "message_stop": Reader._message_stop,
    "error": Reader._error,
}
_BEGIN: dict[str, Callable[[Reader, _Block], None]] = {
    "text": Reader._begin_text,
    "thinking": Reader._begin_thinking,
    "tool_use": Reader._begin_call,
    "web_search_tool_result": Reader._begin_search_result,
}
_DELTAS: dict[str, Callable[[Reader, _Block, Json], None]] = {
    "text_delta": Reader._text_delta,
    "thinking_delta": Reader._thinking_delta,
    "signature_delta": Reader._signature_delta,
    "input_json_delta": Reader._input_delta,
    "citations_delta": Reader._citations_delta,
}
_END: dict[str, Callable[[Reader, _Block], None]] = {
    "text": Reader._end_text,
    "thinking": Reader._end_thinking,
    "redacted_thinking": Reader._end_thinking,
    "call": Reader._end_call,
    "custom": Reader._end_custom,
    "answer": Reader._end_answer,
    "server_tool_use": Reader._end_search,
}


def _block_of(content: Json) -> _Block:
    """The block with this `content`. Raises UpstreamError."""
    kind = content.get("type")
    if not isinstance(kind, str):
        raise bad_response("a content block without a type")
    return _Block(kind, content)


def _refusal_of(message: Json) -> str | None:
    """Why the model refused, in its own words; None if it gives none."""
    details = message.get("stop_details")
    why = details.get("explanation") if isinstance(details, dict) else None
    return why if isinstance(why, str) and why else None


def _citation(citation: Json) -> Citation | None:
    """The source of a whole block; None if it has no URL."""
    url = citation.get("url")
    return Citation(url, _text_of(citation, "title")) if isinstance(url, str) else None


def _text_of(content: Json, name: str) -> str:
    """The text `name` of a block; null means empty. Raises UpstreamError."""
    text = content.get(name)
    if text is not None and not isinstance(text, str):
        raise bad_response(f"a content block whose '{name}' is no text")
    return text or ""


def _string(fields: Json, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise bad_response(f"a delta without '{name}'")
    return value
