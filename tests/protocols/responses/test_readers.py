"""Answers of upstreams that speak Messages or Responses, written for clients of Responses.

Those of Chat Completions are in `tests/protocols/chat`.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given

from tests.protocols.recorder import Recorder
from tests.protocols.responses.grammar import read
from tests.protocols.responses.tellings import (
    FINISHES,
    REFUSED,
    STEADY,
    STEPS,
    Step,
    answering,
    replay,
    replay_whole,
    step,
    streamed,
    whole,
)
from tests.scenarios import Scenario, scenarios
from tests.streams import asked_by
from xtrix import json
from xtrix.answer import CallStart, Finish
from xtrix.prompt import Origin
from xtrix.protocol import Answering
from xtrix.protocols.messages import MESSAGES
from xtrix.protocols.responses import RESPONSES
from xtrix.sse import Decoder, Event

Json = dict[str, Any]

RECORDED = [each for each in scenarios("upstream.sse") if each.dialect == "anthropic"]
BOTH = [each for each in RECORDED if each.has("upstream.json") and each.has("reply.json")]
HERE = Origin("openai", "gpt-5.5", "responses")


def asked(scenario: Scenario) -> Answering:
    return answering()._replace(expected=asked_by(scenario).expected)


def events_of(stream: bytes | str) -> list[Event]:
    decoder = Decoder()
    text = stream if isinstance(stream, str) else stream.decode()
    return [*decoder.feed(text), *decoder.close()]


# Messages


@pytest.mark.parametrize("scenario", RECORDED, ids=str)
def test_every_recorded_stream_keeps_to_the_grammar_wherever_it_is_cut(scenario: Scenario) -> None:
    events = events_of(scenario.bytes("upstream.sse"))
    frames = replay(MESSAGES.reader, events, asked(scenario))
    assert bool(frames) != scenario.has("reply.503.json")
    if frames:
        assert (read(frames).error is None) == scenario.has("reply.json")
    for count in range(len(events)):
        cut = replay(MESSAGES.reader, events[:count], asked(scenario))
        if cut:
            telling = read(cut)
            assert telling.error or telling.response["output"] == read(frames).response["output"]


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_a_stream_ends_with_the_whole_answer(scenario: Scenario) -> None:
    of = asked(scenario)
    telling = read(replay(MESSAGES.reader, events_of(scenario.bytes("upstream.sse")), of))
    once = replay_whole(MESSAGES.reader, scenario.bytes("upstream.json"), of)
    assert compact(telling.response) == compact(once)


def compact(response: Json) -> Json:
    """Removes the white space of arguments, which is the model's own in a stream."""
    for item in response["output"]:
        if item["type"] == "function_call":
            item["arguments"] = json.encode(json.decode(item["arguments"]))
    return response


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_a_responses_client_is_told_what_a_chat_client_is(scenario: Scenario) -> None:
    response = replay_whole(MESSAGES.reader, scenario.bytes("upstream.json"), asked(scenario))
    choice = scenario.json("reply.json")["choices"][0]
    message = choice["message"]
    parts = [part for item in response["output"] for part in item.get("content", ())]
    texts = [part["text"] for part in parts if part["type"] == "output_text"]
    assert "".join(texts) == (message["content"] or "")
    called = [item for item in response["output"] if "call_id" in item]
    if "function_call" not in message:
        assert [item["call_id"] for item in called] == [
            call["id"] for call in message.get("tool_calls", ())
        ]
    ends = {"length": "incomplete", "content_filter": response["status"]}
    assert response["status"] == ends.get(choice["finish_reason"], "completed")


# Responses: what is written can be read, and says the same


def heard(frames: str) -> Recorder:
    """The calls that a Reader of Responses makes for our own events."""
    recorder = Recorder()
    reader = RESPONSES.reader(recorder, answering()._replace(origin=HERE))
    for event in events_of(frames):
        reader.feed(event)
    assert reader.finished
    return recorder


@STEADY
@given(STEPS, FINISHES)
def test_what_the_writer_writes_the_reader_reads(steps: list[Step], finish: Finish) -> None:
    ended = [*steps, step("end", finish)]
    recorder = heard(streamed(ended))
    expected = meant(steps)
    last = whole(ended)["output"][-1:]
    if last and last[0]["type"] == "custom_tool_call" and last[0]["status"] == "incomplete":
        expected[-1] = ("call", "")  # half of a text is worth nothing to a Reader
    if finish is REFUSED and "refusal" not in names_of(steps):
        expected.append(("refusal", "The model refused to answer."))
    assert said(recorder) == expected
    assert recorder.finish is not None
    assert recorder.finish.reason is finish.reason or "refusal" in recorder.kinds
    assert recorder.finish.usage == finish.usage
    again = Recorder()
    RESPONSES.reader(again, answering()).whole(json.encode_body(whole(ended)))
    assert said(again) == said(recorder)


def names_of(steps: list[Step]) -> set[str]:
    """The names of the calls that `steps` make."""
    return {name for name, _ in steps}


def said(recorder: Recorder) -> list[tuple[str, str]]:
    """Each block's kind and text. Text in several consecutive blocks is one part here."""
    return joined((block.kind, block.text or nothing(block.call)) for block in recorder.blocks)


def meant(steps: list[Step]) -> list[tuple[str, str]]:
    """The steps without the search for tools, which the Reader does not know."""
    blocks: list[tuple[str, str]] = []
    given: list[str] = []
    called: CallStart | None = None
    for name, arguments in steps:
        if name in {"thinking", "arguments"}:
            given.append(arguments[0])
        elif name in {"text", "refusal"}:
            blocks.append((name, arguments[0]))
        elif name == "call":
            called = arguments[0]
        elif name == "thinking_end" and (given or arguments[0]):
            blocks.append(("thinking", "".join(given)))
            given = []
        elif name == "call_end":
            assert called is not None
            if called.tool.kind != "search":
                blocks.append(("call", "".join(given) or nothing(called)))
            given = []
    return joined(blocks)


def joined(blocks: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for kind, text in blocks:
        if found and kind == found[-1][0] in {"text", "refusal"}:
            found[-1] = (kind, found[-1][1] + text)
        else:
            found.append((kind, text))
    return found


def nothing(call: CallStart | None) -> str:
    """The text for empty arguments."""
    return "{}" if call and call.tool.kind == "function" else ""
