"""Writes a model's answer in Completions: only text, whole or in chunks.

There is no place for anything but text: reasoning and sources are left out. No tool can be called.

Source: platform.openai.com/docs/api-reference/completions (OpenAPI document 2.3.0, read 2026-11).
"""

from typing import Any

from xtrix import json
from xtrix.answer import CallStart, Citation, Finish, FinishReason, Usage
from xtrix.errors import ApiError
from xtrix.prompt import Sealed
from xtrix.protocol import Answering, Stamp

Json = dict[str, Any]

DONE = "data: [DONE]\n\n"

_REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.REFUSED: "content_filter",
    FinishReason.FILTERED: "content_filter",
}


class _TextWriter:
    """The methods for everything that has no place here: they write nothing."""

    continues = False
    sequence = None
    finish_reasons: tuple[str, ...] = ()

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """See `Writer`, also for the other methods."""

    def text_end(self, citations: list[Citation]) -> None:
        """Sources have no place."""
        self.continues = False

    def thinking(self, text: str) -> None:
        """Reasoning has no place."""
        self.continues = False

    def thinking_end(self, sealed: Sealed | None) -> None:
        """The end of reasoning, which has no place here: left out."""

    def call(self, call: CallStart) -> None:
        """A call of a tool, though none was offered: left out."""
        self.continues = False

    def arguments(self, text: str) -> None:
        """Arguments of such a call: left out with it."""

    def call_end(self) -> None:
        """Nothing to add."""

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """A search, though none was asked for: left out."""
        self.continues = False

    def moved(self, count: int, text: str) -> None:
        """Nothing to do: this writer needs nothing of what was written before."""


class StreamWriter(_TextWriter):
    """Writes the chunks of one choice."""

    keep_alive = ": keep-alive\n\n"
    waits = False

    def __init__(self, of: Answering) -> None:
        self._head = _head(of.stamp)
        options = of.request.fields.get("stream_options") or {}
        self._tells_usage = bool(options.get("include_usage"))
        self._frames: list[str] = []

    def take(self) -> str:
        """The events that were written since the last call."""
        frames = "".join(self._frames)
        self._frames.clear()
        return frames

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """A piece of the text."""
        del logprobs
        self._write([_choice(text, None)])
        self.continues = True

    def refusal(self, text: str) -> None:
        """A refusal is written as text."""
        self._write([_choice(text, None)])
        self.continues = False

    def end(self, finish: Finish) -> None:
        """The finish reason, the usage where it was asked for, and [DONE]."""
        self.finish_reasons = (_REASONS[finish.reason],)
        self._write([_choice("", _REASONS[finish.reason])])
        if self._tells_usage:
            self._write([], _usage(finish.usage))
        self._frames.append(DONE)
        self.continues = False

    def fail(self, error: ApiError) -> None:
        """The error, and [DONE]."""
        self._frames.append(f"data: {json.encode_line(error.envelope())}\n\n{DONE}")
        self.continues = False

    def _write(self, choices: list[Json], usage: Json | None = None) -> None:
        counted = {"usage": usage} if self._tells_usage else {}
        line = json.encode_line({**self._head, "choices": choices, **counted})
        self._frames.append(f"data: {line}\n\n")


class WholeWriter(_TextWriter):
    """Writes one `text_completion` of one choice."""

    def __init__(self, of: Answering) -> None:
        self._head = _head(of.stamp)
        self._texts: list[str] = []
        self._finish = Finish(FinishReason.STOP, Usage())

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """Adds to the text."""
        del logprobs
        self._texts.append(text)

    def refusal(self, text: str) -> None:
        """A refusal is written as text."""
        self._texts.append(text)

    def end(self, finish: Finish) -> None:
        """The finish reason and the usage."""
        self._finish = finish
        self.finish_reasons = (_REASONS[finish.reason],)

    def body(self) -> Json:
        """OpenAI's `text_completion` object."""
        choice = _choice("".join(self._texts), _REASONS[self._finish.reason])
        return {**self._head, "choices": [choice], "usage": _usage(self._finish.usage)}


def _head(stamp: Stamp) -> Json:
    return {
        "id": f"cmpl-{stamp.token}",
        "object": "text_completion",
        "created": stamp.created,
        "model": stamp.model,
        "system_fingerprint": stamp.system_fingerprint,
    }


def _choice(text: str, finish_reason: str | None) -> Json:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish_reason}


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
