"""Rewrites an OpenAI-compatible stream so that it has the form that clients expect.

Some upstreams leave out what OpenAI sends (indexes, ids, a finish reason, [DONE]), and repeat what
OpenAI sends once (role, tool names). Here every choice gets its role once, and every tool call an
index from 0, with its id and name once. The finish reason is written at the end of the stream, so
that usage can come with it.
"""

from typing import Any

from xtrix import json
from xtrix.answer import Served, Usage, served_by
from xtrix.errors import ApiError, bad_response, truncated
from xtrix.openai.errors import error_of
from xtrix.protocol import Answering
from xtrix.protocols.chat.answer import (
    choice_index,
    finish_reason,
    logprobs_of,
    trim,
    unknown_reason,
    usage_of,
)
from xtrix.protocols.chat.chunks import KEEP_ALIVE, chunk_writer, error_frames
from xtrix.protocols.chat.tools import NAMELESS, ToolCalls, may_begin
from xtrix.sse import Event
from xtrix.upstream import decode_event

Delta = dict[str, Any]


class _Choice:
    """One choice, as far as it has come."""

    def __init__(self, index: int) -> None:
        self.calls = ToolCalls(f"call_{index}")
        self.reason: object = None
        self.lists: Delta = {}
        """Lists whose items have no index. The SDKs accept such a list only once, so they are sent
        last."""
        self.function: str | None = None
        """The name in a call of the older form, empty until it comes; None without a call."""


class StreamRelay:
    """Turns one upstream stream's events into the client's."""

    keep_alive = KEEP_ALIVE
    sequence = None
    waits = False

    def __init__(self, of: Answering) -> None:
        self.finished = False
        self.usage = Usage()
        self.served: Served = {}
        self.lone_text: str | None = None
        self.advances = False
        self.unknown_stop_reason: str | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self._writer = chunk_writer(of)
        self._choices: dict[int, _Choice] = {}

    def more(self) -> str:
        """Nothing: `feed` returns all events at once."""
        return ""

    def feed(self, event: Event) -> str:
        """The client's events for `event`. Raises UpstreamError."""
        self.lone_text = None
        self.advances = False
        if event.data == "[DONE]":
            return self._end()
        if not event.data.strip():
            return ""
        chunk = decode_event(event.data)
        if chunk.get("error") or event.name == "error":
            raise error_of(chunk.get("error", chunk))
        return self._chunk(chunk)

    def close(self) -> str:
        """The last events. Raises UpstreamError unless there are choices and all have finished."""
        if not all(choice.reason for choice in self._choices.values()):
            raise truncated()
        return self._end()

    def fail(self, error: ApiError) -> str:
        """The last events of a stream that cannot go on."""
        return error_frames(error)

    def moved(self, count: int, text: str) -> None:
        """Nothing to do: no text is needed again."""

    def _chunk(self, chunk: Delta) -> str:
        usage = usage_of(chunk.get("usage")) or usage_of(_groq(chunk).get("usage"))
        if usage:
            self.usage = usage
        tier = chunk.get("service_tier")
        self._writer.served_by(tier if isinstance(tier, str) else None)
        self.served = served_by(tier) or self.served
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise bad_response("choices that are no list")
        known = len(self._choices)
        frames = [self._choice(choice) for choice in choices if isinstance(choice, dict)]
        if usage or len(choices) != 1 or known != len(self._choices):
            self.lone_text = None
        return "".join(frames)

    def _choice(self, fields: Delta) -> str:
        index = choice_index(fields, 0)
        frames = []
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
            frames.append(self._writer.role(index))
        raw = fields.get("delta")
        delta = trim(raw) if isinstance(raw, dict) else {}
        ends = bool(fields.get("finish_reason")) and not choice.reason
        self.advances |= bool(delta) or ends
        calls = delta.pop("tool_calls", None)
        calls = calls if isinstance(calls, list) else []
        function = delta.get("function_call")
        if function:
            choice.function = choice.function or function.get("name", "")
        unindexed = [key for key in delta if _unindexed(delta[key])]
        for key in unindexed:
            choice.lists.setdefault(key, []).extend(delta.pop(key))
        logprobs = logprobs_of(fields)
        if delta or logprobs:
            frames.append(self._writer.delta(delta, index, logprobs))
        if calls:
            deltas = choice.calls.feed(calls)
            frames += [self._writer.delta({"tool_calls": [call]}, index) for call in deltas]
            delta |= {"tool_calls": deltas}
        is_stateless = not (unindexed or any(map(may_begin, calls)))
        choice.reason = fields.get("finish_reason") or choice.reason
        if is_stateless and not (logprobs or choice.reason):
            self.lone_text = _lone_text(delta)
        return "".join(frames)

    def _end(self) -> str:
        if not self._choices:
            raise truncated()
        frames = []
        reasons = {}
        for index, choice in sorted(self._choices.items()):
            if choice.function == "":
                raise bad_response(NAMELESS)
            empty = choice.calls.close()
            frames += [self._writer.delta({"tool_calls": [call]}, index) for call in empty]
            if choice.lists:
                frames.append(self._writer.delta(choice.lists, index))
            reasons[index] = finish_reason(choice.reason, called=bool(choice.calls))
        self.unknown_stop_reason = unknown_reason(
            choice.reason for choice in self._choices.values()
        )
        self.finish_reasons = tuple(reasons.values())
        frames.append(self._writer.end(reasons, self.usage))
        self.finished = True
        return "".join(frames)


def _unindexed(value: object) -> bool:
    return isinstance(value, list) and not all(
        isinstance(item, dict) and type(item.get("index")) is int for item in value
    )


def _lone_text(delta: Delta) -> str | None:
    """The one text in `delta`, as JSON.

    None if there is no text, or more than one, or something that changes the state.
    """
    if len(delta) != 1:
        return None
    name, value = next(iter(delta.items()))
    if name == "tool_calls":
        return _lone_arguments(value)
    return json.encode(value) if isinstance(value, str) else None


def _lone_arguments(calls: list[Delta]) -> str | None:
    if len(calls) != 1 or "id" in calls[0]:
        return None
    function = calls[0].get("function", {})
    arguments = None if "name" in function else function.get("arguments")
    return json.encode(arguments) if arguments else None


def _groq(chunk: Delta) -> Delta:
    """Where Groq puts usage (console.groq.com/docs/api-reference, read 2026-11)."""
    extension = chunk.get("x_groq")
    return extension if isinstance(extension, dict) else {}
