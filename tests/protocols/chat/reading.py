"""Answers of OpenAI-compatible upstreams, read into a `Recorder`."""

from collections.abc import Iterable
from typing import Any

from tests.protocols.recorder import Recorder
from xtrix import json
from xtrix.answer import Expected
from xtrix.prompt import Origin
from xtrix.protocol import Answering, Request, Stamp
from xtrix.protocols.chat.reader import Reader
from xtrix.reasoning import Carrier
from xtrix.sse import Decoder, Event

ORIGIN = Origin("row", "model-upstream", "chat")
DONE = Event("message", "[DONE]")


def answering(expected: Expected | None = None) -> Answering:
    """What a test's answer needs to know of its request."""
    request = Request({}, b"{}", "model", stream=True)
    stamp = Stamp("0" * 32, 0, "model", "fp_0")
    return Answering(request, stamp, ORIGIN, Carrier(b"secret", b"client"), expected or Expected())


def reader(expected: Expected | None = None) -> tuple[Reader, Recorder]:
    """A Reader, and the Recorder that it calls."""
    recorder = Recorder()
    return Reader(recorder, answering(expected)), recorder


def whole(answer: object, expected: Expected | None = None) -> Recorder:
    """The blocks of a whole answer."""
    reading, recorder = reader(expected)
    reading.whole(answer if isinstance(answer, bytes) else json.encode_body(answer))
    assert reading.finished
    return recorder


def streamed(events: Iterable[Event | object], expected: Expected | None = None) -> Recorder:
    """The blocks of a stream of `events`, which may contain chunks, up to its end."""
    reading, recorder = reader(expected)
    for event in events:
        reading.feed(event if isinstance(event, Event) else chunk_event(event))
    reading.close()
    assert reading.finished
    return recorder


def chunk_event(chunk: object) -> Event:
    """The event that carries `chunk`."""
    return Event("message", json.encode(chunk))


def events_of(stream: bytes) -> list[Event]:
    """The events of a recorded stream."""
    decoder = Decoder()
    return [*decoder.feed(stream.decode()), *decoder.close()]


def delta(said: dict[str, Any] | None = None, reason: object = None, **more: Any) -> Any:
    """A chunk of one choice; `more` stands beside its delta."""
    return {"choices": [{"index": 0, "delta": said or {}, "finish_reason": reason, **more}]}


def message(said: dict[str, Any], reason: object = "stop", **more: Any) -> Any:
    """A whole answer of one choice."""
    return {"choices": [{"index": 0, "message": said, "finish_reason": reason, **more}]}


STOP = delta(reason="stop")


def fragment(arguments: str = "", name: str = "", **said: object) -> dict[str, Any]:
    """A piece of a function call."""
    return {**said, "function": {**({"name": name} if name else {}), "arguments": arguments}}


def called(*fragments: dict[str, Any]) -> Any:
    """A chunk with pieces of calls."""
    return delta({"tool_calls": list(fragments)})
