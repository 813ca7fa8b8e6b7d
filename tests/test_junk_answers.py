"""Every answer of the golden folders with junk in every place: all cases, always the same.

Whatever an upstream answers, the client gets a completion of the documented form, or the upstream's
fault. A message is the same whether it came whole or as the events that it could have come as, and
a stream is the same however the network cut it.

The folders' answers repeat each other, so all the junk is tried where a kind of place is met first,
and some of it everywhere else; with `--thorough` all of it everywhere, which takes ten minutes.
"""

from typing import Any

import pytest

from tests.contract import difference, told_streamed, told_whole
from tests.mutations import JUNK, Case, Complaints, Path, junk_for, of_new_kinds, places, put
from tests.play import Played, Upstream, gateway, play
from tests.scenarios import Scenario, scenarios
from tests.streams import split_events
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

Kinds = dict[tuple[Scenario, int], set[Path]]
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


@pytest.fixture(scope="module")
def kinds_of_whole() -> dict[Scenario, set[Path]]:
    """The places of each whole answer that are of a kind that none before has."""
    found: dict[Scenario, set[Path]] = {}
    for dialect in DIALECTS:
        spoken = [each for each in WHOLE if each.dialect == dialect]
        found |= of_new_kinds((each, each.json("upstream.json")) for each in spoken)
    return found


@pytest.fixture(scope="module")
def kinds_of_events() -> Kinds:
    """The same of each event of each stream."""
    found: Kinds = {}
    for dialect in DIALECTS:
        found |= of_new_kinds(
            ((each, number), data_of(event)[1])
            for each in STREAMED
            if each.dialect == dialect
            for number, event in enumerate(events_in(each))
        )
    return found


@pytest.mark.swept
@pytest.mark.parametrize("scenario", WHOLE, ids=str)
def test_junk_in_a_whole_answer(
    scenario: Scenario, kinds_of_whole: dict[Scenario, set[Path]], thorough: bool
) -> None:
    complaints = Complaints()
    gate = gateway(scenario.row())
    asked = {stream: asked_by(scenario, stream=stream) for stream in (False, True)}
    answer = scenario.json("upstream.json")
    for path in places(answer):
        for junk in junk_for(path, kinds_of_whole[scenario], thorough=thorough):
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
    """The instrument is true: what is in order is told the same either way."""
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
@pytest.mark.parametrize("scenario", STREAMED, ids=str)
def test_junk_in_a_stream(scenario: Scenario, kinds_of_events: Kinds, thorough: bool) -> None:
    complaints = Complaints()
    gate = gateway(scenario.row())
    asked = asked_by(scenario, stream=True)
    events = events_in(scenario)
    for number, event in enumerate(events):
        named, said = data_of(event)
        new = kinds_of_events[scenario, number]
        for path in places(said) if said is not None else ():
            for junk in junk_for(path, new, thorough=thorough):
                mutated = f"{named}data: {json.encode(put(said, path, junk))}\n\n"
                pieces = [*events[:number], mutated, *events[number + 1 :]]
                with complaints.about(Case(f"{scenario}, event {number}", path, junk, "streamed")):
                    played = streamed(gate, asked, *pieces)
                    told_streamed(played)
                    together = streamed(gate, asked, "".join(pieces))
                    assert played.body == together.body, "event by event and in one piece differ"
    complaints.raise_if_any()
