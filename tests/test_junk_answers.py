"""Every answer of the scenario folders, with junk in every place: all cases, always the same.

Whatever an upstream answers, the client gets a completion of the documented form, or an error that
blames the upstream. The answer is the same whether it came whole or as a stream, and however the
network cut the stream.

The folders' answers are alike. `make test` puts every kind of junk into one place of every kind
(`mutations.swept` says what a kind is): for each dialect where it comes first in a whole answer, in
the first event of a stream and in a later one. `make sweep` puts it into every place of every
answer and of every event.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import pytest

from tests.contract import difference, told_streamed, told_whole
from tests.mutations import (
    FIELDS_READ,
    JUNK,
    Case,
    Complaints,
    Path,
    at,
    foreign_fields,
    kind_of,
    places,
    put,
    spelled,
    swept,
)
from tests.play import Played, Upstream, gateway, play
from tests.scenarios import Scenario, scenarios
from tests.streams import asked_by as answer_asked_by
from tests.streams import replay, split_events
from tests.unfold import events_of, on_the_wire
from xtrix import json
from xtrix.app import Gateway
from xtrix.protocols import DIALECTS

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}


def asked_by(scenario: Scenario, *, stream: bool) -> bytes:
    request = {**scenario.json("request.json"), "stream": stream}
    request.pop("stream_options", None)
    return json.encode(request).encode()


def whole(gate: Gateway, request: bytes, answer: object, status: int = 200) -> Played:
    return play(gate, request, [Upstream(status, JSON_TYPE, (json.encode(answer).encode(),))])


def streamed(gate: Gateway, request: bytes, *pieces: str) -> Played:
    return play(gate, request, [Upstream(200, SSE_TYPE, tuple(map(str.encode, pieces)))])


# Whole answers

K = TypeVar("K")
WHOLE = scenarios("upstream.json")
STREAMED = scenarios("upstream.sse")


def events_in(scenario: Scenario) -> list[str]:
    return split_events(scenario.bytes("upstream.sse").decode())


def data_of(event: str) -> tuple[str, Any]:
    """The lines of `event` before its data, and its data where it is JSON."""
    named, _, data = event.partition("data:")
    try:
        return named, json.decode(data)
    except ValueError:
        return named, None


def places_of_whole(*, everywhere: bool) -> dict[Scenario, list[Path]]:
    """Where junk is tried in each whole answer."""
    found: dict[Scenario, list[Path]] = {}
    for dialect in DIALECTS:
        spoken = [(each, each.json("upstream.json")) for each in WHOLE if each.dialect == dialect]
        found |= swept(spoken, everywhere=everywhere)
    return found


def places_of_events(*, everywhere: bool) -> dict[Scenario, dict[int, list[Path]]]:
    """Where junk is tried in each event of each stream, by the event's number."""
    found: dict[Scenario, dict[int, list[Path]]] = {}
    for dialect, is_first in itertools.product(DIALECTS, (True, False)):
        spoken = (
            ((each, number), said)
            for each in STREAMED
            if each.dialect == dialect
            for number, event in enumerate(events_in(each))
            if (number == 0) is is_first and (said := data_of(event)[1]) is not None
        )
        for (each, number), paths in swept(spoken, everywhere=everywhere).items():
            found.setdefault(each, {})[number] = paths
    return found


PLACES: dict[str, Callable[..., Mapping[Scenario, object]]] = {
    "in_whole": places_of_whole,
    "in_events": places_of_events,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each answer in which there is a place to try, and what these places are."""
    for name in PLACES.keys() & set(metafunc.fixturenames):
        found = PLACES[name](everywhere=metafunc.config.getoption("--thorough"))
        metafunc.parametrize(("scenario", name), found.items(), ids=map(str, found))


@pytest.mark.swept
def test_junk_in_a_whole_answer(scenario: Scenario, in_whole: list[Path]) -> None:
    complaints = Complaints()
    gate = gateway(scenario.row())
    asked = {stream: asked_by(scenario, stream=stream) for stream in (False, True)}
    answer = scenario.json("upstream.json")
    for path in in_whole:
        for junk in JUNK.values():
            mutated = put(answer, path, junk)
            told = None
            with complaints.about(Case(str(scenario), path, junk, "whole")):
                told = told_whole(whole(gate, asked[False], mutated))
            events = events_of(scenario.dialect, mutated)
            if events is None or told is None:
                continue
            with complaints.about(Case(str(scenario), path, junk, "as a stream")):
                seen = told_streamed(streamed(gate, asked[True], on_the_wire(events)))
                assert seen == told, f"whole and streamed differ: {difference(told, seen)}"
    complaints.raise_if_any()


def test_a_whole_answer_unfolds_into_its_stream() -> None:
    """Checks the test itself: an answer in order is the same whole and unfolded."""
    unfolded = 0
    for scenario in WHOLE:
        answer = scenario.json("upstream.json")
        events = events_of(scenario.dialect, answer)
        if events is None:
            continue
        gate = gateway(scenario.row())
        told = told_whole(whole(gate, asked_by(scenario, stream=False), answer))
        asked = asked_by(scenario, stream=True)
        assert told_streamed(streamed(gate, asked, on_the_wire(events))) == told, scenario
        unfolded += told[0] == "completion"
    assert unfolded > len(WHOLE) * 0.9


ERRORS = [(each, status) for each in scenarios() if (status := each.status_of("upstream"))]


@pytest.mark.parametrize(("scenario", "status"), ERRORS, ids=str)
def test_junk_in_an_error(scenario: Scenario, status: int) -> None:
    complaints = Complaints()
    gate = gateway(scenario.row())
    said = scenario.json(f"upstream.{status}.json")
    for path in places(said):
        for junk in JUNK.values():
            with complaints.about(Case(str(scenario), path, junk)):
                told = []
                for stream in (False, True):
                    asked = asked_by(scenario, stream=stream)
                    played = whole(gate, asked, put(said, path, junk), status)
                    assert played.status >= 400, "an error became an answer"
                    told.append((played.status, *told_whole(played)))
                assert told[0] == told[1], "whole and streamed differ"
    complaints.raise_if_any()


# Streams


@pytest.mark.swept
def test_junk_in_a_stream(scenario: Scenario, in_events: dict[int, list[Path]]) -> None:
    complaints = Complaints()
    gate = gateway(scenario.row())
    asked = asked_by(scenario, stream=True)
    events = events_in(scenario)
    for number, paths in in_events.items():
        named, said = data_of(events[number])
        for path in paths:
            for junk in JUNK.values():
                mutated = f"{named}data: {json.encode(put(said, path, junk))}\n\n"
                pieces = [*events[:number], mutated, *events[number + 1 :]]
                with complaints.about(Case(f"{scenario}, event {number}", path, junk, "streamed")):
                    played = streamed(gate, asked, *pieces)
                    told_streamed(played)
                    together = streamed(gate, asked, "".join(pieces))
                    assert played.body == together.body, "event by event and in one piece differ"
    complaints.raise_if_any()


# Fields where none belong

SOME_JUNK = [JUNK[name] for name in ("0", '"x"', "[0]", "{}")]


def _kinds_of_objects(
    values: Iterable[tuple[K, str, Any]],
) -> Iterator[tuple[K, Path]]:
    """One object of each kind in `values`, each of which has a key and a dialect."""
    seen = set()
    for key, dialect, value in values:
        for path in places(value):
            there = at(value, path)
            kind = (
                dialect,
                kind_of(value, path),
                str(isinstance(there, dict) and there.get("type")),
            )
            if isinstance(there, dict) and kind not in seen and "input" not in path:
                seen.add(kind)
                yield key, path


WHOLE_OBJECTS = list(
    _kinds_of_objects((each, each.dialect, each.json("upstream.json")) for each in WHOLE)
)
EVENT_OBJECTS = list(
    _kinds_of_objects(
        ((each, number), each.dialect, data_of(event)[1])
        for each in STREAMED
        for number, event in enumerate(events_in(each))
    )
)


@pytest.mark.swept
@pytest.mark.parametrize(
    "number",
    range(len(WHOLE_OBJECTS)),
    ids=[f"{scenario}-{spelled(path)}" for scenario, path in WHOLE_OBJECTS],
)
def test_a_field_that_no_whole_answer_has(number: int, thorough: bool) -> None:
    """In `make test` with one kind of junk (see `foreign_fields`), in `make sweep` with all."""
    scenario, path = WHOLE_OBJECTS[number]
    complaints = Complaints()
    gate = gateway(scenario.row())
    asked = asked_by(scenario, stream=False)
    answer = scenario.json("upstream.json")
    for name, junk in foreign_fields(at(answer, path), SOME_JUNK, number, thorough=thorough):
        with complaints.about(Case(str(scenario), (*path, name), junk, "whole")):
            told_whole(whole(gate, asked, put(answer, (*path, name), junk)))
    complaints.raise_if_any()


@pytest.mark.swept
@pytest.mark.parametrize(
    "which",
    range(len(EVENT_OBJECTS)),
    ids=[f"{each}-{number}-{spelled(path)}" for (each, number), path in EVENT_OBJECTS],
)
def test_a_field_that_no_event_has(which: int, thorough: bool) -> None:
    """In `make test` with one kind of junk (see `foreign_fields`), in `make sweep` with all."""
    (scenario, number), path = EVENT_OBJECTS[which]
    complaints = Complaints()
    gate = gateway(scenario.row())
    asked = asked_by(scenario, stream=True)
    events = events_in(scenario)
    named, said = data_of(events[number])
    for name, junk in foreign_fields(at(said, path), SOME_JUNK, which, thorough=thorough):
        mutated = f"{named}data: {json.encode(put(said, (*path, name), junk))}\n\n"
        pieces = [*events[:number], mutated, *events[number + 1 :]]
        case = Case(f"{scenario}, event {number}", (*path, name), junk, "streamed")
        with complaints.about(case):
            told_streamed(streamed(gate, asked, *pieces))
    complaints.raise_if_any()


def _into(event: Any, name: str, junk: Any) -> Any:
    """`event` with one more field in every object that carries content."""
    spots = [("choices", 0, "delta"), ("choices", 0), ("delta",), ("content_block",), ()]
    for spot in spots:
        with contextlib.suppress(KeyError, IndexError, TypeError):
            if isinstance(at(event, spot), dict):
                event = put(event, (*spot, name), junk)
    return event


REPEATED = ("text", "tools-parallel", "reasoning", "thinking", "citations", "logprobs")


@pytest.mark.parametrize("scenario", [it for it in STREAMED if it.name in REPEATED], ids=str)
def test_the_same_field_in_every_event(scenario: Scenario) -> None:
    """The fast path could take a field that is the same in every event for one that never
    changes.
    """
    complaints = Complaints()
    events = [data_of(event) for event in events_in(scenario)]
    for name in FIELDS_READ:
        for junk in (*(JUNK[key] for key in ("0", '"x"', "[0]", "{}", '{"x":{}}')), [{"index": 0}]):
            pieces = [
                f"{named}data: {'[DONE]' if said is None else json.encode(_into(said, name, junk))}"
                for named, said in events
            ]
            pieces = [f"{piece}\n\n" for piece in pieces]
            with complaints.about(Case(str(scenario), (name,), junk, "in every event")):
                together = replay(scenario.dialect, ["".join(pieces)], answer_asked_by(scenario))
                singly = replay(scenario.dialect, pieces, answer_asked_by(scenario))
                assert singly == together, "event by event and in one piece differ"
    complaints.raise_if_any()
