"""The fast path gives the same bytes as the general path, and is really used.

Text that comes character by character takes the general path, because no piece of it is a whole
event.
"""

import itertools

import pytest

from tests import splicing
from tests.answers import stream_of
from tests.splicing import Spliced, splice
from tests.stories import (
    OPENAI_BEGINS,
    OPENAI_ENDS,
    STORIES,
    data,
    openai_call,
    response_event,
    story,
)
from tests.streams import CountingDecoder, replay
from xtrix.reframe import Reframer
from xtrix.template import learn

WORDS = (
    "Hello",
    " world",
    " \\n",
    ' \\"quoted\\"',
    " 北京",
    " 🙂",
    "\\\\",
    "{}",
    " \x7f",
    "<b>&amp;",
)
ODD_WORDS = ("\\u00e9", "\\/", "a\u2028b", "a\x85b", "", "\\ud83d\\ude42", "\\u0000", "\\ud800")
"""Spelled otherwise by us than here, so that they must go the general way."""


@pytest.mark.parametrize("name", STORIES)
def test_the_fast_path_is_taken(name: str) -> None:
    words = [WORDS[number % len(WORDS)] for number in range(1000)]
    dialect, begins, _, ends = STORIES[name]
    counting = CountingDecoder(stream_of(dialect))
    reframer = Reframer(counting, str)
    spliced = Spliced(reframer)
    frames = [spliced.feed(event) for event in story(name, words)]
    assert counting.events <= len(begins) + len(ends) + 3
    assert len([frame for frame in frames if frame]) >= 1000


@pytest.mark.parametrize("name", STORIES)
def test_the_fast_path_is_taken_for_many_events_in_one_piece(name: str) -> None:
    dialect, begins, event, _ends = STORIES[name]
    counting = CountingDecoder(stream_of(dialect))
    reframer = Reframer(counting, str)
    spliced = Spliced(reframer)
    for piece in [*begins, event("first")]:
        spliced.feed(piece)
    before = counting.events
    frames = spliced.feed("".join(event(f"word {number}") for number in range(1000)))
    assert frames.count("\n\n") == 1000
    assert counting.events == before


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("size", [2, 3, 50])
def test_the_fast_path_is_taken_where_no_event_comes_alone(name: str, size: int) -> None:
    dialect, begins, event, _ends = STORIES[name]
    counting = CountingDecoder(stream_of(dialect))
    spliced = Spliced(Reframer(counting, str))
    events = [*begins, *(event(f"word {number}") for number in range(300))]
    packs = ["".join(events[at : at + size]) for at in range(0, len(events), size)]
    frames = "".join(map(spliced.feed, packs))
    assert frames.count("word ") == 300
    assert counting.events <= len(begins) + 2 * size


def numbered(words: list[str], *, step: int = 1) -> list[str]:
    """A stream of Responses whose events are numbered, `step` apart."""
    _, begins, _, ends = STORIES["responses-text"]
    kind = "response.output_text.delta"
    deltas = [
        response_event(kind, word, sequence_number=number, item_id="m", output_index=0)
        for number, word in zip(itertools.count(8, step), words, strict=False)
    ]
    return [*begins, *deltas, *ends]


def test_the_fast_path_is_taken_where_events_are_numbered() -> None:
    events = numbered([WORDS[number % len(WORDS)] for number in range(1000)])
    slow = replay("openai-responses", list("".join(events)))
    for size in (1, 2, 3, 400):
        counting = CountingDecoder(stream_of("openai-responses"))
        reframer = Reframer(counting, str)
        pieces = ["".join(events[at : at + size]) for at in range(0, len(events), size)]
        frames = splicing.feed(reframer, pieces)
        assert counting.events <= 2 * size + 4
        assert frames == slow.frames


@pytest.mark.parametrize("step", [0, 2, 11])
def test_events_that_are_numbered_otherwise_go_the_general_way(step: int) -> None:
    events = numbered([f"word {number}" for number in range(50)], step=step)
    slow = replay("openai-responses", list("".join(events)))
    assert slow.frames.count("word") == 50
    assert replay("openai-responses", events) == slow
    assert replay("openai-responses", ["".join(events)]) == slow


def test_a_number_that_is_left_out_costs_one_event_the_general_way() -> None:
    events = numbered(["word"] * 100)
    del events[50]
    counting = CountingDecoder(stream_of("openai-responses"))
    reframer = Reframer(counting, str)
    frames = Spliced(reframer).feed(*events)
    assert counting.events <= 6
    assert frames.count("word") == 99


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("odd", ODD_WORDS, ids=ascii)
def test_both_paths_give_equal_bytes(name: str, odd: str) -> None:
    events = story(name, ["plain", "words", odd, *WORDS, odd, odd, "and plain again"])
    dialect = STORIES[name][0]
    slow = replay(dialect, list("".join(events)))
    assert replay(dialect, events) == slow
    assert replay(dialect, ["".join(events)]) == slow
    assert not slow.error


@pytest.mark.timeout(20)  # it takes a hundredth of a second, or for ever
@pytest.mark.parametrize("ending", ["\\u001b", "\\u00e9", "\\/"])
@pytest.mark.parametrize("name", STORIES)
def test_a_long_string_that_is_spelled_otherwise_at_its_end_takes_no_longer(
    name: str, ending: str
) -> None:
    dialect = STORIES[name][0]
    events = story(name, ["x" * 1000 + ending, "x" * 1000, "y" * 1000 + ending])
    slow = replay(dialect, list("".join(events)))
    assert replay(dialect, events) == slow
    assert replay(dialect, ["".join(events)]) == slow
    assert not slow.error


@pytest.mark.parametrize("name", STORIES)
def test_both_paths_give_equal_bytes_on_every_cut(name: str) -> None:
    *before, last = story(name, ["one", "two", 'th\\"r\\\\ee', "four"])
    dialect = STORIES[name][0]
    slow = replay(dialect, list("".join([*before, last])))
    for at in range(len(before)):
        for offset in range(len(before[at])):
            left, right = before[at][:offset], before[at][offset:]
            pieces = [*before[:at], left, right, *before[at + 1 :], last]
            assert replay(dialect, pieces) == slow, (at, offset)


@pytest.mark.parametrize("index", [{}, {"index": 0}], ids=["no index", "index 0"])
def test_the_fast_path_knows_whose_arguments_they_are(index: dict[str, int]) -> None:
    """Some upstreams number no call, or give every call 0, so equal events can mean different
    calls.
    """

    def arguments(text: str) -> str:
        call = {**index, "function": {"arguments": text}}
        return data({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})

    events = [
        OPENAI_BEGINS,
        *(openai_call("one", **index), arguments('{"a":'), arguments("1}")),
        *(openai_call("two", **index), arguments('{"b":'), arguments("2}")),
        OPENAI_ENDS,
    ]
    slow = replay("openai", list("".join(events)))
    assert '{"index":1,"function":{"arguments":"2}"}}' in slow.frames
    assert replay("openai", events) == slow


# What one event teaches

EVENT = 'data: {"type":"text","text":"word"}\n\n'
FRAME = 'data: {"delta":{"content":"word"}}\n\n'


def test_learns_what_surrounds_the_string() -> None:
    template = learn(EVENT, FRAME, '"word"')
    assert template
    two = EVENT.replace("word", "one") + EVENT.replace("word", "two")
    expected = FRAME.replace("word", "one") + FRAME.replace("word", "two")
    assert splice(template, two) == (expected, "", 2)


@pytest.mark.parametrize(
    ("event", "frame", "lone_text"),
    [
        pytest.param(EVENT[:-2], FRAME, '"word"', id="an event that goes on"),
        pytest.param(EVENT, FRAME + FRAME, '"word"', id="two frames"),
        pytest.param(EVENT, "", '"word"', id="no frame"),
        pytest.param(EVENT, FRAME, '"other"', id="another string"),
        pytest.param(EVENT, FRAME.replace("word", "other"), '"word"', id="a changed string"),
        pytest.param(EVENT.replace("word", "text"), FRAME, '"text"', id="a string there twice"),
        pytest.param(EVENT.replace("word", ""), FRAME.replace("word", ""), '""', id="no string"),
        pytest.param(
            EVENT.replace("word", r"\u0000"),
            FRAME.replace("word", r"\u0000"),
            r'"\u0000"',
            id="an escape with more than one spelling",
        ),
    ],
)
def test_learns_nothing_from(event: str, frame: str, lone_text: str) -> None:
    assert learn(event, frame, lone_text) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(EVENT.replace('"text",', '"other",'), id="another event"),
        pytest.param(EVENT[:-1], id="an event cut off"),
        pytest.param(EVENT.replace("word", ""), id="an empty string"),
        pytest.param(EVENT.replace("word", r"\/"), id="an odd escape"),
        pytest.param(EVENT.replace('"word"', "null"), id="no string"),
        pytest.param(EVENT.replace("word", "wo\x00rd"), id="a raw control character"),
    ],
)
def test_leaves_to_the_general_path(text: str) -> None:
    template = learn(EVENT, FRAME, '"word"')
    assert template
    assert splice(template, text) == ("", text, 0)


def test_leaves_what_follows_the_events_it_knows() -> None:
    template = learn(EVENT, FRAME, '"word"')
    assert template
    assert splice(template, EVENT + ": ping\n\n" + EVENT) == (2 * FRAME, ": ping\n\n", 2)
    assert splice(template, EVENT + "data:" + EVENT) == (FRAME, "data:" + EVENT, 1)


def test_leaves_a_text_with_a_secret_in_it() -> None:
    template = learn(EVENT, FRAME, '"word"')
    assert template
    text = EVENT + EVENT.replace("word", "the key")
    assert splice(template, text, ["a key", "the key"]) == ("", text, 0)
    assert splice(template, text, ["a key"])[1:] == ("", 2)
