"""Writes a model's answer in Chat Completions: chunks of a stream, or one `chat.completion`.

A call has one of three forms: functions, custom tools (text instead of JSON), and the older
`function_call`, of which an answer has one. Reasoning is written as `reasoning_content`, which many
servers and clients know. What its provider needs back is written as `thinking_blocks`.

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from typing import Any

from xtrix import json
from xtrix.answer import CallStart, Citation, Finish, FinishReason, ToolName, Usage
from xtrix.errors import ApiError
from xtrix.prompt import Sealed
from xtrix.protocol import Answering
from xtrix.protocols.chat.chunks import KEEP_ALIVE, chunk_writer, error_frames
from xtrix.protocols.chat.completion import encode_choice, encode_completion

Json = dict[str, Any]

_REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.REFUSED: "content_filter",
    FinishReason.FILTERED: "content_filter",
}


class _AnswerState:
    """What both forms of an answer remember until the end."""

    def __init__(self, of: Answering) -> None:
        fields = of.request.fields
        self.has_functions = fields.get("functions") is not None and not fields.get("tools")
        """Whether the client uses `functions`, the form before tools."""
        self.annotations: list[Json] = []
        self.thinking: list[Json] = []
        """The blocks that the client sends back."""
        self.calls: list[CallStart] = []
        self._carrier = of.carrier
        self._length = 0
        self._block_start = 0

    def text(self, text: str) -> None:
        self._length += len(text)

    def text_end(self, citations: list[Citation]) -> None:
        for citation in citations:
            start = self._block_start + (citation.start or 0)
            end = self._length if citation.end is None else self._block_start + citation.end
            span = {"start_index": start, "end_index": end}
            source = {"url": citation.url, "title": citation.title, **span}
            self.annotations.append({"type": "url_citation", "url_citation": source})
        self._block_start = self._length

    def thinking_end(self, text: str, sealed: Sealed | None) -> None:
        if sealed is None:
            return
        if sealed.origin is None or sealed.origin.protocol == "messages":
            self.thinking.append(sealed.value)
            return
        signature = self._carrier.pack(sealed)
        self.thinking.append({"type": "thinking", "thinking": text, "signature": signature})

    def reason(self, finish: Finish) -> str:
        """OpenAI's finish reason. Tool calls are recognised by the calls that were written."""
        if self.calls and finish.reason is FinishReason.STOP:
            return "function_call" if self.has_functions else "tool_calls"
        return _REASONS[finish.reason]


class StreamWriter:
    """Writes the chunks of one choice."""

    keep_alive = KEEP_ALIVE
    sequence = None

    waits = False

    def __init__(self, of: Answering) -> None:
        self.continues = False
        self.finish_reasons: tuple[str, ...] = ()
        self._chunks = chunk_writer(of)
        self._state = _AnswerState(of)
        self._is_cited = of.expected.cited
        self._frames: list[str] = []
        self._thought: list[str] = []
        self._thinks = False

    def take(self) -> str:
        """The events that were written since the last call."""
        frames = "".join(self._frames)
        self._frames.clear()
        return frames

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """See `Writer`, also for the other methods."""
        del usage
        self._chunks.served_by(service_tier)
        self._frames.append(self._chunks.role())
        self.continues = False

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """A delta of the content."""
        self._state.text(text)
        probabilities = {"content": logprobs, "refusal": None} if logprobs else None
        self._frames.append(self._chunks.delta({"content": text}, logprobs=probabilities))
        # If there will be citations, their places in the text must be counted.
        self.continues = not (self._is_cited or logprobs)

    def text_end(self, citations: list[Citation]) -> None:
        """Keeps the sources for the end: the SDKs accept a list without indexes only once."""
        self._state.text_end(citations)
        self.continues = False

    def thinking(self, text: str) -> None:
        """A delta of `reasoning_content`."""
        self._thought.append(text)
        self._delta({"reasoning_content": text})
        self.continues = self._thinks = True

    def thinking_end(self, sealed: Sealed | None) -> None:
        """Keeps the block: all of them are sent in one delta at the end.

        openai-node keeps only the last list, and openai-python adds lists up by their indexes.
        """
        self._state.thinking_end("".join(self._thought), sealed)
        self._thought.clear()
        self.continues = self._thinks = False

    def call(self, call: CallStart) -> None:
        """The delta that names a call."""
        self._state.calls.append(call)
        index = len(self._state.calls) - 1
        if not self._state.has_functions:
            self._delta({"tool_calls": [{"index": index, **_call(call, "")}]})
        elif index == 0:
            self._delta({"function_call": {"name": call.tool.name, "arguments": ""}})
        self.continues = False

    def arguments(self, text: str) -> None:
        """A delta of the last call's arguments."""
        index = len(self._state.calls) - 1
        self.continues = True
        if not self._state.has_functions:
            kind, field = _form(self._state.calls[-1].tool)
            self._delta({"tool_calls": [{"index": index, kind: {field: text}}]})
        elif index == 0:
            self._delta({"function_call": {"arguments": text}})
        else:
            self.continues = False

    def call_end(self) -> None:
        """Nothing to write: the next call, or the end, shows it."""
        self.continues = False

    def refusal(self, text: str) -> None:
        """A delta of the refusal."""
        self._delta({"refusal": text})
        self.continues = False

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """Nothing to write: the citations name what was found."""
        del queries, sources
        self.continues = False

    def end(self, finish: Finish) -> None:
        """The last chunks, and [DONE]."""
        state = self._state
        if state.thinking:
            blocks = [{**block, "index": index} for index, block in enumerate(state.thinking)]
            self._delta({"thinking_blocks": blocks})
        if state.annotations:
            self._delta({"annotations": state.annotations})
        self._chunks.served_by(finish.service_tier)
        reason = state.reason(finish)
        self.finish_reasons = (reason,)
        self._frames.append(self._chunks.end({0: reason}, finish.usage))
        self.continues = False

    def fail(self, error: ApiError) -> None:
        """The error, and [DONE]."""
        self._frames.append(error_frames(error))
        self.continues = False

    def moved(self, count: int, text: str) -> None:
        """Keeps moved reasoning. Other text is not needed again."""
        del count
        if self._thinks:
            self._thought.append(json.decode(f'"{text}"'))

    def _delta(self, delta: Json) -> None:
        self._frames.append(self._chunks.delta(delta))


class WholeWriter:
    """Writes one `chat.completion` of one choice."""

    continues = False
    sequence = None

    def __init__(self, of: Answering) -> None:
        self.finish_reasons: tuple[str, ...] = ()
        self._state = _AnswerState(of)
        self._stamp = of.stamp
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._thought_start = 0
        self._arguments: list[list[str]] = []
        self._refusals: list[str] = []
        self._logprobs: list[Json] = []
        self._finish: Finish | None = None

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """See `Writer`, also for the other methods."""

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """Adds to the content."""
        self._state.text(text)
        self._texts.append(text)
        self._logprobs += logprobs or []

    def text_end(self, citations: list[Citation]) -> None:
        """Adds the sources of the text since the last call."""
        self._state.text_end(citations)

    def thinking(self, text: str) -> None:
        """Adds to `reasoning_content`."""
        self._thoughts.append(text)

    def thinking_end(self, sealed: Sealed | None) -> None:
        """One of `thinking_blocks`."""
        text = "".join(self._thoughts[self._thought_start :])
        self._thought_start = len(self._thoughts)
        self._state.thinking_end(text, sealed)

    def call(self, call: CallStart) -> None:
        """One of `tool_calls`."""
        self._state.calls.append(call)
        self._arguments.append([])

    def arguments(self, text: str) -> None:
        """Adds to the last call's arguments."""
        self._arguments[-1].append(text)

    def call_end(self) -> None:
        """Nothing to add."""

    def refusal(self, text: str) -> None:
        """Adds to the refusal."""
        self._refusals.append(text)

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """Nothing to write: the citations name what was found."""

    def end(self, finish: Finish) -> None:
        """The finish reason and the usage."""
        self._finish = finish
        self.finish_reasons = (self._state.reason(finish),)

    def moved(self, count: int, text: str) -> None:
        """Never called: whole answers have no fast path."""

    def body(self) -> Json:
        """OpenAI's `chat.completion` object."""
        finish = self._finish
        assert finish is not None
        logprobs = {"content": self._logprobs, "refusal": None} if self._logprobs else None
        choice = encode_choice(self._message(), self.finish_reasons[0], logprobs=logprobs)
        return encode_completion(self._stamp, [choice], finish.usage, finish.service_tier)

    def _message(self) -> Json:
        state = self._state
        text = "".join(self._texts)
        refusal = "".join(self._refusals) or None
        calls = [
            _call(call, "".join(arguments))
            for call, arguments in zip(state.calls, self._arguments, strict=True)
        ]
        message: Json = {
            "role": "assistant",
            "content": text or (None if calls or refusal else ""),
            "refusal": refusal,
        }
        if calls and state.has_functions:
            message["function_call"] = _function_call(state.calls[0], self._arguments[0])
        elif calls:
            message["tool_calls"] = calls
        if state.annotations:
            message["annotations"] = state.annotations
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if state.thinking:
            message["thinking_blocks"] = state.thinking
        return message


def _form(tool: ToolName) -> tuple[str, str]:
    """The member of a call that contains `tool`, and the member in that for its arguments."""
    return ("custom", "input") if tool.kind == "custom" else ("function", "arguments")


def _call(call: CallStart, given: str) -> Json:
    """One of `tool_calls`, or the beginning of one."""
    kind, field = _form(call.tool)
    named = {"name": call.tool.name, field: given}
    return {"id": call.id, "type": kind, kind: named, **call.extra}


def _function_call(call: CallStart, arguments: list[str]) -> Json:
    """The older form, which has only JSON: a custom tool's text becomes its one argument."""
    given = "".join(arguments)
    if call.tool.kind == "custom":
        given = json.encode({"input": given})
    return {"name": call.tool.name, "arguments": given}
