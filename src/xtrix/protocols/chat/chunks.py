r"""Writes the events of a stream: the only place that knows the JSON of a `chat.completion.chunk`.

The members that are the same in each chunk (id, created, model, fingerprint) are serialised once.
Each event is one `data:` line. There is no `event:`, `id:` or `retry:`, because some clients cannot
read these.

U+0085, U+2028 and U+2029 are escaped: JSON may hold them raw, but clients that split lines as
Python's `splitlines` does would break a frame there.
"""

from enum import Enum
from typing import Any

from xtrix import json
from xtrix.answer import Usage
from xtrix.errors import ApiError
from xtrix.protocol import Answering, Stamp
from xtrix.protocols.chat.usage import encode_usage

DONE = "data: [DONE]\n\n"
KEEP_ALIVE = ": keep-alive\n\n"

_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class UsageForm(Enum):
    """Where a stream has its usage."""

    ON_FINISH = None
    """With the finish reason, the documented default."""
    SEPARATE = True
    """Alone, in one more chunk without choices: OpenAI's `include_usage`."""
    NEVER = False


class ChunkWriter:
    """Writes the events of one stream."""

    def __init__(self, stamp: Stamp, usage_form: UsageForm) -> None:
        head = _line(
            {
                "id": f"chatcmpl-{stamp.token}",
                "object": "chat.completion.chunk",
                "created": stamp.created,
                "model": stamp.model,
                "system_fingerprint": stamp.system_fingerprint,
            }
        )
        self._head = f'data: {head[:-1]},"choices":'
        self._tier = ""
        self._usage_form = usage_form
        self._unfinished = ',"usage":null}\n\n' if usage_form is UsageForm.SEPARATE else "}\n\n"

    def served_by(self, service_tier: str | None) -> None:
        """Adds the service tier to all further events, as OpenAI does."""
        if service_tier and not self._tier:
            self._tier = f',"service_tier":{_line(service_tier)}'
            self._head = self._head.replace(',"choices":', f'{self._tier},"choices":')

    def delta(self, delta: dict[str, Any], index: int = 0, logprobs: object = None) -> str:
        """The event for one delta of choice `index`."""
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        return self._frame(choice, self._unfinished)

    def role(self, index: int = 0) -> str:
        """The first event of choice `index`."""
        return self.delta({"role": "assistant", "content": ""}, index)

    def end(self, finish_reasons: dict[int, str], usage: Usage) -> str:
        """The last events: a finish reason for each choice, the usage, and [DONE]."""
        counted = f',"usage":{json.encode(encode_usage(usage))}'
        frames = []
        for index, reason in sorted(finish_reasons.items()):
            choice = {"index": index, "delta": {}, "logprobs": None, "finish_reason": reason}
            frames.append(self._frame(choice, self._unfinished))
        if self._usage_form is UsageForm.ON_FINISH:
            frames[-1] = frames[-1][: -len(self._unfinished)] + counted + self._unfinished
        elif self._usage_form is UsageForm.SEPARATE:
            frames.append(f"{self._head}[]{counted}}}\n\n")
        return "".join(frames) + DONE

    def _frame(self, choice: dict[str, Any], tail: str) -> str:
        return f"{self._head}[{_line(choice)}]{tail}"


def chunk_writer(of: Answering) -> ChunkWriter:
    """The writer for one answer's chunks, with usage where the client asked for it."""
    options = of.request.fields.get("stream_options") or {}
    return ChunkWriter(of.stamp, UsageForm(options.get("include_usage")))


def error_frames(error: ApiError) -> str:
    """The last events of a stream that failed."""
    return f"data: {_line(error.envelope())}\n\n{DONE}"


def _line(value: object) -> str:
    """`value` as JSON that is a single line for every client."""
    text = json.encode(value)
    return text if text.isascii() else text.translate(_LINE_BREAKS)
