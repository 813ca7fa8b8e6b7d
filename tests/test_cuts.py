"""The result of a stream does not depend on how the network cuts it, nor on its line ends.

Every recorded stream is replayed whole, byte by byte and cut in two. The scenarios that every
dialect has are cut at each offset, in LF and CRLF. The others, 150 streams of 200 KB together, are
cut at every line end and at one offset in `STRIDE`, because each offset of all of them would take
two minutes.
"""

from collections.abc import Callable

import pytest

from tests.pace import assert_linear
from tests.play import texts
from tests.scenarios import Scenario, scenarios
from tests.stories import STORIES, UNSPLICED, story
from tests.streams import (
    Outcome,
    asked_by,
    has_finished,
    replay,
    split_events,
    with_line_ends,
)
from xtrix import json
from xtrix.protocols import DIALECTS

NAMED = {"text", "length", "stop-sequence", "ping", "error-mid-stream", "truncated"}
"""The scenarios that the first milestone names; `bad-key` and `overloaded` have no stream."""
STRIDE = 23
ENDINGS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}

STREAMS = scenarios("upstream.sse")
CUT_EVERYWHERE = [each for each in STREAMS if each.name in NAMED and each.provider in DIALECTS]


def text_of(scenario: Scenario) -> str:
    return scenario.bytes("upstream.sse").decode()


def outcome(scenario: Scenario, *pieces: str) -> Outcome:
    return replay(scenario.dialect, pieces, asked_by(scenario))


def whole(scenario: Scenario) -> Outcome:
    """The replay of a stream as it was recorded, in one piece."""
    return outcome(scenario, text_of(scenario))


def cut(data: bytes, offset: int) -> list[str]:
    """The text of `data` as the shell's decoder hands it on when it is cut at `offset`."""
    return texts([data[:offset], data[offset:]])


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
@pytest.mark.parametrize("ending", ENDINGS)
def test_line_ends_make_no_difference(scenario: Scenario, ending: str) -> None:
    text = with_line_ends(text_of(scenario), ENDINGS[ending])
    assert outcome(scenario, text) == whole(scenario)


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
@pytest.mark.parametrize("ending", ENDINGS)
def test_byte_by_byte(scenario: Scenario, ending: str) -> None:
    data = with_line_ends(text_of(scenario), ENDINGS[ending]).encode()
    pieces = texts(data[at : at + 1] for at in range(len(data)))
    assert outcome(scenario, *pieces) == whole(scenario)


@pytest.mark.parametrize("scenario", CUT_EVERYWHERE, ids=str)
@pytest.mark.parametrize("ending", ["LF", "CRLF"])
def test_cut_at_every_offset(scenario: Scenario, ending: str) -> None:
    data = with_line_ends(text_of(scenario), ENDINGS[ending]).encode()
    uncut = whole(scenario)
    for offset in range(len(data)):
        assert outcome(scenario, *cut(data, offset)) == uncut, offset


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
def test_cut_at_every_line_end(scenario: Scenario) -> None:
    data = with_line_ends(text_of(scenario), "\r\n").encode()
    ends = {offset for offset, byte in enumerate(data) if byte in b"\r\n"}
    uncut = whole(scenario)
    for offset in ends | set(range(len(data) % STRIDE, len(data), STRIDE)):
        assert outcome(scenario, *cut(data, offset)) == uncut, offset


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
@pytest.mark.parametrize("ending", ENDINGS)
def test_one_two_or_three_events_to_a_piece(scenario: Scenario, ending: str) -> None:
    """An event that comes alone may take the fast path; several together take the general path."""
    events = split_events(with_line_ends(text_of(scenario), ENDINGS[ending]))
    for size in (1, 2, 3):
        pieces = ["".join(events[at : at + size]) for at in range(0, len(events), size)]
        assert outcome(scenario, *pieces) == whole(scenario)


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
def test_truncated_after_every_event(scenario: Scenario) -> None:
    events = split_events(text_of(scenario))
    for count in range(len(events)):
        sent = "".join(events[:count])
        seen = outcome(scenario, sent)
        done = has_finished(scenario.dialect, sent) and not seen.error
        assert seen.finished == done
        assert bool(seen.error) != done
        assert seen.refused or seen.frames.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("scenario", CUT_EVERYWHERE, ids=str)
def test_truncated_anywhere_never_looks_finished(scenario: Scenario) -> None:
    text = text_of(scenario)
    for offset in range(0, len(text), 3):
        seen = outcome(scenario, text[:offset])
        assert not seen.finished or has_finished(scenario.dialect, text[:offset])
        assert seen.finished != bool(seen.error)


TEXTS = ["", "{}", '{"a":1}', "same", "same", "x", "\\/", " ", "same"]


@pytest.mark.parametrize("name", STORIES | UNSPLICED)
@pytest.mark.parametrize("repeated", [None, *sorted(set(TEXTS))])
def test_a_story_is_the_same_however_it_is_cut(name: str, repeated: str | None) -> None:
    words = TEXTS if repeated is None else [repeated] * 4
    events = story(name, [word if word == "\\/" else json.encode(word)[1:-1] for word in words])
    dialect = (STORIES | UNSPLICED)[name][0]
    whole = replay(dialect, ["".join(events)])
    assert replay(dialect, events) == whole
    assert replay(dialect, list("".join(events))) == whole


# Linear time


Replay = Callable[[], Outcome]


def replayed(name: str, pieces_of: Callable[[int], list[str]]) -> Callable[[int], Replay]:
    """Prepares the replay of a story's pieces."""
    dialect = STORIES[name][0]

    def prepare(size: int) -> Replay:
        cut = pieces_of(size)
        assert not replay(dialect, cut).error
        return lambda: replay(dialect, cut)

    return prepare


def pieces(text: str, length: int) -> list[str]:
    return [text[at : at + length] for at in range(0, len(text), length)]


@pytest.mark.parametrize("name", STORIES)
def test_one_long_event_in_small_pieces_takes_linear_time(name: str) -> None:
    def long(size: int) -> list[str]:
        return pieces("".join(story(name, ["x" * size])), 64)

    assert_linear(replayed(name, long), 150_000)


@pytest.mark.parametrize("name", STORIES)
def test_many_events_in_one_piece_take_linear_time(name: str) -> None:
    def together(count: int) -> list[str]:
        return ["".join(story(name, ["word", "\\/"] * count))]

    assert_linear(replayed(name, together), 400)


@pytest.mark.parametrize("name", STORIES)
def test_many_spliced_events_in_one_piece_take_linear_time(name: str) -> None:
    def together(count: int) -> list[str]:
        *begins, last = story(name, ["first"])
        event = STORIES[name][2]
        return [*begins, "".join(event(f"word {number}") for number in range(count)), last]

    assert_linear(replayed(name, together), 3_000)


@pytest.mark.parametrize("name", STORIES)
def test_many_lines_between_events_take_linear_time(name: str) -> None:
    def comments(count: int) -> list[str]:
        *before, last = story(name, ["word"])
        return [*before, *[": nothing\n"] * count, last]

    assert_linear(replayed(name, comments), 3_000)
