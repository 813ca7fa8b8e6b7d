"""Every recorded answer of an OpenAI-compatible upstream, read whole and streamed."""

from typing import Any

import pytest

from tests.play import texts
from tests.protocols.chat.reading import chunk_event, events_of, reader, streamed, whole
from tests.protocols.recorder import Recorder
from tests.scenarios import Scenario, scenarios
from xtrix import json
from xtrix.errors import UpstreamError
from xtrix.sse import Decoder, Event

CHAT = [each for each in scenarios("upstream.sse") if each.dialect == "openai"]
BOTH = [each for each in CHAT if each.has("upstream.json") and each.has("reply.json")]
FINISHED = [each for each in CHAT if each.has("reply.json")]
STRIDE = 29
PIECES = {"text", "thinking", "arguments"}


def played(events: list[Event]) -> Recorder | str:
    """The blocks, or the code of the error."""
    try:
        return streamed(events)
    except UpstreamError as error:
        return str(error.code)


def plain(recorder: Recorder | str) -> Any:
    if isinstance(recorder, str):
        return recorder
    return recorder.blocks, recorder.finish


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_whole_and_streamed_answers_tell_the_same(scenario: Scenario) -> None:
    once = whole(scenario.bytes("upstream.json"))
    stream = streamed(events_of(scenario.bytes("upstream.sse")))
    spaces = str.maketrans("", "", " \n")
    for recorder in (once, stream):
        recorder.blocks = [
            block._replace(text=block.text.translate(spaces)) if block.call else block
            for block in recorder.blocks
        ]
    ids = [block.call.id for block in once.blocks if block.call]
    assert stream.blocks == once.blocks
    assert stream.finish == once.finish
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_the_same_as_the_relay_tells(scenario: Scenario) -> None:
    """A chat client of the same upstream gets the same, by another path through the code."""
    recorder = whole(scenario.bytes("upstream.json"))
    choice = scenario.json("reply.json")["choices"][0]
    said = choice["message"]
    assert "".join(recorder.texts("text")) == (said["content"] or "")
    assert "".join(recorder.texts("thinking")) == said.get("reasoning_content", "")
    assert "".join(recorder.texts("refusal")) == (said["refusal"] or "")
    calls = [block for block in recorder.blocks if block.call]
    expected = [*said.get("tool_calls", ())]
    if "function_call" in said:
        expected.append({"type": "function", "function": said["function_call"]})
    assert [(block.call and block.call.tool.name) for block in calls] == [
        call[call["type"]]["name"] for call in expected
    ]
    usage = recorder.finish and recorder.finish.usage
    assert usage
    counted = scenario.json("reply.json")["usage"]
    assert (usage.prompt, usage.completion) == (
        counted["prompt_tokens"],
        counted["completion_tokens"],
    )


@pytest.mark.parametrize("scenario", CHAT, ids=str)
def test_cut_anywhere(scenario: Scenario) -> None:
    data = scenario.bytes("upstream.sse")
    uncut = plain(played(events_of(data)))
    for offset in range(len(data) % STRIDE, len(data), STRIDE):
        decoder = Decoder()
        pieces = [decoder.feed(text) for text in texts([data[:offset], data[offset:]])]
        events = [event for piece in (*pieces, decoder.close()) for event in piece]
        assert plain(played(events)) == uncut


@pytest.mark.parametrize("scenario", CHAT, ids=str)
def test_truncated_after_every_event(scenario: Scenario) -> None:
    events = events_of(scenario.bytes("upstream.sse"))
    for count in range(len(events)):
        reading, recorder = reader()
        try:
            for event in events[:count]:
                reading.feed(event)
            reading.close()
        except UpstreamError:
            assert recorder.finish is None
            assert not reading.finished
        else:
            assert recorder.finish
            sent = "".join(event.data for event in events[:count])
            assert '"finish_reason":"' in sent.replace(" ", "") or "[DONE]" in sent


@pytest.mark.parametrize("scenario", CHAT, ids=str)
def test_what_is_carried_is_all_that_an_event_did(scenario: Scenario) -> None:
    """The same event with another text makes the same call with that text, and nothing else."""
    events = events_of(scenario.bytes("upstream.sse"))
    for index, event in enumerate(events):
        reading, recorder = reader()
        if not _fed(reading, events[: index + 1]) or reading.lone_text is None:
            continue
        if event.data.count(reading.lone_text) != 1:
            continue
        other = Event(event.name, event.data.replace(reading.lone_text, '"} \\n{"'))
        moved = recorder
        reading.moved(1, "} \\n{")
        recorder.moved(1, "} \\n{")
        again, second = reader()
        assert _fed(again, [*events[: index + 1], other])
        told = len(second.calls)
        _fed(again, events[index + 1 :])
        _fed(reading, events[index + 1 :])
        assert moved.blocks == second.blocks
        assert moved.finish == second.finish
        assert moved.calls[: told - 1] == second.calls[: told - 1]


def _fed(reading: Any, events: list[Event]) -> bool:
    try:
        for event in events:
            reading.feed(event)
    except UpstreamError:
        return False
    return True


@pytest.mark.parametrize("scenario", FINISHED, ids=str)
def test_what_is_carried_was_one_call(scenario: Scenario) -> None:
    events = events_of(scenario.bytes("upstream.sse"))
    reading, recorder = reader()
    lone_text = 0
    for event in events:
        told = len(recorder.calls)
        reading.feed(event)
        new = recorder.calls[told:]
        if reading.lone_text is not None:
            lone_text += 1
            assert len(new) == 1
            assert new[0] in PIECES
    pieces = [name for name in recorder.calls if name in PIECES]
    assert lone_text or len(pieces) < 4, "the fast path has nothing to learn from"


# Junk

VARIED = [
    each
    for each in FINISHED
    if str(each)
    in {
        *("openai/tools-custom", "openai/citations", "openai/logprobs", "openai/refusal"),
        *("openai/functions-legacy", "groq/tools-single", "gemini/tools-single"),
        *("mistral/reasoning", "openrouter/text", "deepseek/text"),
    }
]
"""Streams that have everything a chunk may hold, each kind once."""

JUNK: list[Any] = [
    *(None, True, 0, -1, 1.5, "", "x", [], {}, [None], [1], ["x"], [[]], [{}]),
    *({"a": 1}, {"text": None}, {"type": []}, {"name": 5, "arguments": {}}, 10**30),
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = [*value.items()]
    elif isinstance(value, list):
        inner = [*enumerate(value)]
    return [path, *(place for key, it in inner for place in _places(it, (*path, key)))]


def _with(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    copied = value.copy()
    copied[path[0]] = _with(value[path[0]], path[1:], junk)
    return copied


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_junk_in_every_place_of_a_whole_answer(scenario: Scenario) -> None:
    answer = scenario.json("upstream.json")
    for place in _places(answer):
        for junk in JUNK:
            try:
                recorder = whole(json.encode_body(_with(answer, place, junk)))
            except UpstreamError:
                continue
            assert recorder.finish


@pytest.mark.parametrize("scenario", VARIED, ids=str)
def test_junk_in_every_place_of_every_event(scenario: Scenario) -> None:
    events = events_of(scenario.bytes("upstream.sse"))
    chunks = [json.decode(event.data) for event in events if event.data.startswith("{")]
    for index, chunk in enumerate(chunks):
        for place in _places(chunk):
            for junk in JUNK:
                told = chunks.copy()
                told[index] = _with(chunk, place, junk)
                played([chunk_event(each) for each in told])
