"""Replays recorded upstream streams through the core's own Reframer, without an exchange.

This is quick enough to be done tens of thousands of times, which cutting at every offset needs.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from tests import splicing
from tests.answers import CARRIER, Asked, stream_of
from tests.scenarios import Scenario
from xtrix import json
from xtrix.answer import Served, Usage
from xtrix.catalogue import plan_of
from xtrix.config import load
from xtrix.errors import ApiError
from xtrix.protocol import Request, Stream
from xtrix.protocols import DIALECTS
from xtrix.protocols.chat import CHAT
from xtrix.reframe import Reframer
from xtrix.sse import Event


class Outcome(NamedTuple):
    """The client's bytes for a stream, or the error if the stream never began."""

    frames: str
    refused: dict[str, Any] | None
    """The error in place of a stream."""

    @property
    def finished(self) -> bool:
        """Whether some choice has a finish reason."""
        return re.search(r'"finish_reason":"', self.frames) is not None

    @property
    def error(self) -> str | None:
        """The code of the error that ended it."""
        if self.refused:
            return str(self.refused["error"]["code"])
        found = re.search(r'^data: (\{"error":.*)$', self.frames, re.MULTILINE)
        return str(json.decode(found[1])["error"]["code"]) if found else None


class CountingDecoder:
    """A stream that counts the events it is given: those of the general path."""

    def __init__(self, decoder: Stream) -> None:
        self.events = 0
        self.keep_alive = decoder.keep_alive
        self._decoder = decoder
        self._copy()

    def feed(self, event: Event) -> str:
        """The same as the decoder's."""
        self.events += 1
        frames = self._decoder.feed(event)
        self._copy()
        return frames

    def close(self) -> str:
        """The same as the decoder's."""
        frames = self._decoder.close()
        self._copy()
        return frames

    def fail(self, error: ApiError) -> str:
        """The same as the decoder's."""
        return self._decoder.fail(error)

    def more(self) -> str:
        """The same as the decoder's."""
        return self._decoder.more()

    @property
    def waits(self) -> bool:
        """The same as the decoder's."""
        return self._decoder.waits

    def moved(self, count: int, text: str) -> None:
        """The same as the decoder's."""
        self._decoder.moved(count, text)
        self._copy()

    def _copy(self) -> None:
        self.finished: bool = self._decoder.finished
        self.usage: Usage = self._decoder.usage
        self.served: Served = self._decoder.served
        self.lone_text: str | None = self._decoder.lone_text
        self.advances = self._decoder.advances
        self.sequence: int | None = self._decoder.sequence
        self.unknown_stop_reason: str | None = self._decoder.unknown_stop_reason
        self.finish_reasons: tuple[str, ...] = self._decoder.finish_reasons


def replay(dialect: str, pieces: Iterable[str], asked: Asked | None = None) -> Outcome:
    """What a client gets of a stream that comes in `pieces` and then ends."""
    reframer = Reframer(stream_of(dialect, asked), str)
    frames = splicing.feed(reframer, pieces)
    refused = reframer.error and not reframer.begun
    return Outcome(frames, reframer.error.envelope() if refused and reframer.error else None)


@cache
def asked_by(scenario: Scenario) -> Asked:
    """The settings from the scenario's request with which its answer is read."""
    body = json.encode({**scenario.json("request.json"), "stream": True})
    request = CHAT.decode_request(body.encode(), {}, "model")
    environment = {"PROVIDERS": [scenario.row()], "UPSTREAM_KEY": "key"}
    target = plan_of(load(environment.get), request, 0.0).targets[0]
    codec = DIALECTS[scenario.dialect]
    if codec is CHAT:
        encoded = CHAT.relay_request(request, target, CARRIER)
    else:
        encoded = codec.encode_prompt(CHAT.decode_prompt(request, CARRIER), target)
    return Asked(encoded.expected, _has_functions(request))


def _has_functions(request: Request) -> bool:
    return bool(request.fields.get("functions")) and not request.fields.get("tools")


def with_line_ends(text: str, ending: str) -> str:
    """`text` with every line ended by `ending`."""
    return re.sub(r"\r\n|\n|\r", ending, text)


def split_events(text: str) -> list[str]:
    """The events of `text`, each with its blank line, and last what follows them."""
    return re.findall(r".*?(?:\r\n\r\n|\n\n|\r\r)|.+\Z", text, re.DOTALL)


def has_finished(dialect: str, text: str) -> bool:
    """Whether the upstream has given its finish reason by then; read from the text alone."""
    if dialect == "anthropic":
        return re.search(r'"stop_reason": ?"', text) is not None
    if dialect == "openai-responses":
        return re.search(r'"type": ?"response\.(completed|incomplete)"', text) is not None
    if "[DONE]" in text:
        return True
    reasons: dict[int, bool] = {}
    for choice in _choices(text):
        index = choice.get("index", 0)
        reasons[index] = reasons.get(index, False) or bool(choice.get("finish_reason"))
    return bool(reasons) and all(reasons.values())


def _choices(text: str) -> Iterator[dict[str, Any]]:
    for event in split_events(text):
        lines = [line.removeprefix("data:") for line in event.splitlines() if line[:5] == "data:"]
        try:
            yield from json.decode_object("\n".join(lines)).get("choices") or []
        except ValueError:
            continue
