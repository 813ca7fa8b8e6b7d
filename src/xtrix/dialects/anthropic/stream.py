"""Anthropic's stream of a message, as deltas of a completion.

Source: platform.claude.com/docs/en/build-with-claude/streaming (read 2026-11): `message_start`,
then for each block `content_block_start`, deltas, `content_block_stop`; `message_delta` with the
stop reason and usage, which may come more than once and counts from the beginning; `message_stop`.
`ping` and events not known here mean nothing.
"""

from collections.abc import Callable
from typing import Any

from xtrix import json
from xtrix.chunks import ChunkWriter
from xtrix.completions import Usage
from xtrix.dialect import Asked
from xtrix.dialects.anthropic import answer, calls
from xtrix.dialects.anthropic.errors import error_of
from xtrix.errors import bad_response, truncated
from xtrix.sse import Event

Said = dict[str, Any]


class _Block:
    """One content block while it is open."""

    def __init__(self, kind: str, said: Said, start: int) -> None:
        self.kind = kind
        self.said = said
        self.start = start
        """Characters of text before it."""
        self.call = 0
        """The index of its call among the client's tool calls, or of a thinking block."""
        self.texts: list[str] = []
        """What has to be whole before it is told: thinking, and a custom tool's input."""
        self.begun = False


class StreamDecoder:
    """Turns one message's events into the client's frames."""

    def __init__(self, writer: ChunkWriter, asked: Asked) -> None:
        self.finished = False
        self.usage = Usage()
        self.carried: str | None = None
        self.unknown_stop_reason: str | None = None
        self._writer = writer
        self._asked = asked
        self._blocks: dict[str, _Block] = {}
        self._calls = 0
        self._thoughts: list[Said] = []
        """The signed blocks, for a client that will send them back. All are told in one delta:
        openai-node keeps the last list only, openai-python adds lists up by their indexes."""
        self._has_answer = False
        """Whether the tool whose input is the answer has been called."""
        self._aside: list[str] = []
        """Text of a model that has such a tool: the answer only where that is not called."""
        self._length = 0
        self._annotations: list[Said] = []
        self._message: Said | None = None
        self._usage: Said = {}

    def feed(self, event: Event) -> str:
        """The frames that `event` gives rise to. Raises UpstreamError."""
        self.carried = None
        try:
            said = json.decode_object(event.data)
        except ValueError:
            raise bad_response("an event that is not JSON") from None
        kind = str(said.get("type", event.name))
        decode = _EVENTS.get(kind)
        if decode is None:
            return ""
        if self._message is None and kind not in _FIRST:
            # llama.cpp leaves `message_start` out when the first character takes several tokens
            # (its server of 2026-10, observed).
            return self._message_start({"message": {}}) + decode(self, said)
        return decode(self, said)

    def close(self) -> str:
        """The last frames. Raises UpstreamError when the stop reason has not come."""
        if self._message is None or not self._message.get("stop_reason"):
            raise truncated()
        return self._message_stop({})

    def _message_start(self, said: Said) -> str:
        if self._message is not None:
            return ""
        self._message = {}
        self._merge_usage(_object(said, "message"))
        self._writer.served_by(answer.service_tier(self._usage))
        return self._writer.role()

    def _block_start(self, said: Said) -> str:
        content = _object(said, "content_block")
        kind = answer.block_type(content)
        if kind == "tool_use" and calls.tool_name(content) == self._asked.answer_tool:
            kind = "second answer" if self._has_answer else "answer"
            self._has_answer = True
        block = self._blocks[str(said.get("index"))] = _Block(kind, content, self._length)
        if kind == "text":
            return self._text(answer.string_in(content, "text"))
        if kind == "thinking":
            return self._think(block, answer.string_in(content, "thinking"))
        if kind == "answer":
            given = calls.input_of(content)
            return self._arguments(block, json.encode(given)) if given else ""
        if kind == "tool_use":
            block.call, self._calls = self._calls, self._calls + 1
            if self._asked.functions and block.call:
                return ""
            frame = self._writer.delta(calls.first_delta(content, block.call, self._asked))
            given = calls.input_of(content)
            return frame + (self._arguments(block, json.encode(given)) if given else "")
        return ""

    def _block_delta(self, said: Said) -> str:
        delta = _object(said, "delta")
        block = self._blocks.get(str(said.get("index")))
        match delta.get("type"):
            case "text_delta":
                return self._text(_string(delta, "text"))
            case "input_json_delta" if block:
                return self._arguments(block, _string(delta, "partial_json"))
            case "thinking_delta" if block:
                return self._think(block, _string(delta, "thinking"))
            case "signature_delta" if block:
                block.said["signature"] = _string(delta, "signature")
            case "citations_delta" if block:
                block.said.setdefault("cited", []).append(_object(delta, "citation"))
        return ""

    def _block_stop(self, said: Said) -> str:
        block = self._blocks.pop(str(said.get("index")), None)
        if block is None:
            return ""
        match block.kind:
            case "tool_use":
                return self._end_call(block)
            case "answer" if not block.begun:
                return self._writer.delta({"content": "{}"})
            case "thinking":
                whole = {**block.said, "thinking": "".join(block.texts)}
                self._thoughts.append({"index": len(self._thoughts), **whole})
            case "redacted_thinking":
                self._thoughts.append({"index": len(self._thoughts), **block.said})
            case "text":
                self._cite(block)
        return ""

    def _message_delta(self, said: Said) -> str:
        assert self._message is not None
        self._merge_usage(said)
        self._message |= {key: value for key, value in _object(said, "delta").items() if value}
        return ""

    def _message_stop(self, said: Said) -> str:
        assert self._message is not None
        frames = []
        aside = "" if self._has_answer else "".join(self._aside)
        if aside:
            frames.append(self._writer.delta({"content": aside}))
        if self._thoughts:
            frames.append(self._writer.delta({"thinking_blocks": self._thoughts}))
        refusal = answer.refusal_of(self._message)
        if refusal:
            frames.append(self._writer.delta({"refusal": refusal}))
        if self._annotations and not self._has_answer:
            frames.append(self._writer.delta({"annotations": self._annotations}))
        why = self._message.get("stop_reason")
        reason = answer.finish_reason(why, self._asked, called=self._calls > 0)
        self.unknown_stop_reason = answer.unknown_reason(why)
        self._writer.served_by(answer.service_tier(self._usage))
        frames.append(self._writer.end({0: reason}, self.usage))
        self.finished = True
        return "".join(frames)

    def _error(self, said: Said) -> str:
        raise error_of(_object(said, "error"))

    def _text(self, text: str) -> str:
        if not text:
            return ""
        self._length += len(text)
        if self._asked.answer_tool:
            self._aside.append(text)
            return ""
        if not self._asked.cited:
            self.carried = json.encode(text)
        return self._writer.delta({"content": text})

    def _think(self, block: _Block, text: str) -> str:
        if not text:
            return ""
        block.texts.append(text)
        return self._writer.delta({"reasoning_content": text})

    def _arguments(self, block: _Block, text: str) -> str:
        if not text or block.kind not in {"tool_use", "answer"}:
            return ""
        if block.kind == "tool_use" and self._is_custom(block):
            block.texts.append(text)
            return ""
        if block.begun:
            self.carried = json.encode(text)
        block.begun = True
        if block.kind == "answer":
            return self._writer.delta({"content": text})
        if self._asked.functions and block.call:
            return ""
        return self._writer.delta(calls.next_delta(text, block.call, self._asked))

    def _end_call(self, block: _Block) -> str:
        if self._is_custom(block):
            try:
                delta = calls.custom_delta("".join(block.texts), block.call)
            except ValueError:
                return ""  # the limit cut it off, as the finish reason will say
            return self._writer.delta(delta)
        return "" if block.begun else self._arguments(block, "{}")

    def _cite(self, block: _Block) -> None:
        for citation in block.said.get("cited", []):
            annotation = answer.annotation(citation, block.start, self._length)
            if annotation and self._asked.cited:
                self._annotations.append(annotation)

    def _is_custom(self, block: _Block) -> bool:
        return calls.client_name(block.said, self._asked) in self._asked.custom_tools

    def _merge_usage(self, said: Said) -> None:
        usage = said.get("usage")
        if isinstance(usage, dict):
            self._usage |= {key: value for key, value in usage.items() if value is not None}
            self.usage = answer.usage_of(self._usage)


_FIRST = {"message_start", "error"}
_EVENTS: dict[str, Callable[[StreamDecoder, Said], str]] = {
    "message_start": StreamDecoder._message_start,
    "content_block_start": StreamDecoder._block_start,
    "content_block_delta": StreamDecoder._block_delta,
    "content_block_stop": StreamDecoder._block_stop,
    "message_delta": StreamDecoder._message_delta,
    "message_stop": StreamDecoder._message_stop,
    "error": StreamDecoder._error,
}


def _object(said: Said, name: str) -> Said:
    value = said.get(name)
    if not isinstance(value, dict):
        raise bad_response(f"an event without '{name}'")
    return value


def _string(said: Said, name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise bad_response(f"a delta without '{name}'")
    return value
