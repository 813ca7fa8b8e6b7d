"""Streams to a Responses client, cut anywhere: the same bytes, with and without the fast path."""

from typing import Any

import pytest

from tests import splicing
from tests.protocols.responses.grammar import events_of, read
from tests.protocols.responses.tellings import answering
from tests.scenarios import Scenario, scenarios
from tests.streams import asked_by, split_events
from xtrix import json
from xtrix.protocol import Answering, Stream, Translation
from xtrix.protocols import DIALECTS
from xtrix.protocols.responses import RESPONSES
from xtrix.reframe import Reframer

Json = dict[str, Any]

RECORDED = [each for each in scenarios("upstream.sse") if each.name != "malformed-event"]
STRIDE = 17


def stream_of(scenario: Scenario) -> Stream:
    of = answering()._replace(expected=asked_by(scenario).expected)
    return translation(scenario.dialect, of)


def translation(dialect: str, of: Answering) -> Stream:
    writer = RESPONSES.stream_writer(of)
    return Translation(DIALECTS[dialect].reader(writer, of), writer)


def fed(stream: Stream, *pieces: str) -> str:
    """The frames of a stream that comes in `pieces` and then ends."""
    return splicing.feed(Reframer(stream, str), pieces)


@pytest.mark.parametrize("scenario", RECORDED, ids=str)
def test_a_stream_is_the_same_wherever_it_is_cut(scenario: Scenario) -> None:
    text = scenario.bytes("upstream.sse").decode()
    once = fed(stream_of(scenario), text)
    assert fed(stream_of(scenario), *split_events(text)) == once
    assert fed(stream_of(scenario), *text) == once
    for at in range(1, len(text), STRIDE):
        assert fed(stream_of(scenario), text[:at], text[at:]) == once
    if once:
        read(once)


def anthropic(*texts: str) -> list[str]:
    """Anthropic's events for a text."""
    said: list[Json] = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in texts
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]
    return [f"event: {each['type']}\ndata: {json.encode(each)}\n\n" for each in said]


class Counting:
    """Counts the texts that were moved without being read."""

    def __init__(self) -> None:
        of = answering()
        self.writer = RESPONSES.stream_writer(of)
        self.stream = Translation(DIALECTS["anthropic"].reader(self.writer, of), self.writer)
        self.moved = 0
        move = self.writer.moved

        def counted(count: int, text: str) -> None:
            self.moved += count
            move(count, text)

        self.writer.moved = counted  # type: ignore[method-assign]


@pytest.mark.parametrize("size", [1, 7], ids=["one by one", "sevens"])
def test_spliced_text_is_numbered_and_told_again_at_the_end(size: int) -> None:
    texts = [f"wort {number} \u00fc\\n\n" for number in range(200)]
    events = anthropic(*texts)
    pieces = ["".join(events[at : at + size]) for at in range(0, len(events), size)]
    counting = Counting()
    frames = fed(counting.stream, *pieces)
    assert counting.moved > 150
    telling = read(frames)
    assert telling.response["output"][0]["content"][0]["text"] == "".join(texts)
    assert len(events_of(frames)) == 2 + 2 + 200 + 3 + 1
    assert frames == fed(Counting().stream, "".join(events))
