"""Every request of the scenario folders, with junk in every place: all cases, always the same.

Whatever a client sends is answered, or refused as its own fault with the name of what is wrong. It
makes no difference whether it asked for a stream.

The folders' requests are alike. `make test` puts every kind of junk into one place of every kind
(`mutations.swept` says what a kind is): for each dialect where it comes first. `make sweep` puts it
into every place of every request.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.mutations import (
    FIELDS_READ,
    JUNK,
    Case,
    Complaints,
    Path,
    at,
    foreign_fields,
    places,
    put,
    spelled,
    swept,
)
from tests.play import Played, Upstream, gateway, play
from tests.scenarios import Scenario, refused, scenarios
from xtrix import json
from xtrix.app import Gateway
from xtrix.protocols import DIALECTS

ANSWERS = {
    "anthropic": Upstream(
        headers={"content-type": "application/json"},
        pieces=(
            b'{"type":"message","content":[{"type":"text","text":"Yes."}],'
            b'"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}',
        ),
    ),
    "openai": Upstream(
        headers={"content-type": "application/json"},
        pieces=(b'{"choices":[{"message":{"content":"Yes."},"finish_reason":"stop"}]}',),
    ),
    "openai-responses": Upstream(
        headers={"content-type": "application/json"},
        pieces=(
            b'{"object":"response","status":"completed","output":[{"type":"message",'
            b'"content":[{"type":"output_text","text":"Yes."}]}]}',
        ),
    ),
}
STREAMS = {
    "anthropic": Upstream(
        headers={"content-type": "text/event-stream"},
        pieces=(
            b'data: {"type":"message_start","message":{}}\n\n'
            b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n'
            b'data: {"type":"content_block_delta","index":0,"delta":'
            b'{"type":"text_delta","text":"Yes."}}\n\n'
            b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
            b'data: {"type":"message_stop"}\n\n',
        ),
    ),
    "openai": Upstream(
        headers={"content-type": "text/event-stream"},
        pieces=(
            b'data: {"choices":[{"index":0,"delta":{"content":"Yes."}}]}\n\n'
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
            b"data: [DONE]\n\n",
        ),
    ),
    "openai-responses": Upstream(
        headers={"content-type": "text/event-stream"},
        pieces=(
            b'data: {"type":"response.output_text.delta","delta":"Yes."}\n\n'
            b'data: {"type":"response.completed","response":{"status":"completed"}}\n\n',
        ),
    ),
}


ABOUT_STREAMS = {"stream", "stream_options"}


class Asked(NamedTuple):
    """A golden request, sent to one provider's row."""

    name: str
    dialect: str
    row: dict[str, Any]
    request: dict[str, Any]


def _asked() -> Iterator[Asked]:
    """Each request once for each dialect, with its own row if that row has this dialect."""
    seen = set()
    for scenario in [*scenarios(), *refused()]:
        request = scenario.json("request.json")
        for dialect in DIALECTS:
            row = _row(scenario, dialect)
            key = json.encode([dialect, row, request])
            if key not in seen:
                seen.add(key)
                yield Asked(f"{scenario}-{dialect}", dialect, row, request)


def _row(scenario: Scenario, dialect: str) -> dict[str, Any]:
    row = scenario.row() | {"name": "any"}
    own = scenario.provider != "refused" and scenario.dialect == dialect
    plain = {key: row[key] for key in ("name", "base_url", "api_key", "models")}
    return row if own else {**plain, "dialect": dialect}


ASKED = list(_asked())


def outcome(gate: Gateway, dialect: str, request: object, *, stream: bool) -> Played:
    """The outcome of `request`, with an upstream that answers correctly."""
    return play(gate, request, [(STREAMS if stream else ANSWERS)[dialect]])


def as_streamed(request: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """`request` with or without `stream`."""
    rest = {key: value for key, value in request.items() if key not in ABOUT_STREAMS}
    return {**rest, "stream": stream}


def assert_ours(played: Played, path: tuple[int | str, ...]) -> None:
    """Asserts that the client got an answer, or an error that names the wrong parameter."""
    for name, value in played.headers.items():
        assert (name + value).isascii(), "a header that is none"
        assert (name + value).isprintable(), "a header that is none"
    if played.status == 200:
        assert len(played.calls) == 1, "an answer that nobody gave"
        assert '"Yes."' in played.body, "the answer was lost"
        return
    error = played.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}, "no envelope of ours"
    assert error["code"] != "internal_error", "internal_error"
    assert 400 <= played.status < 500, f"status {played.status}"
    assert error["type"] == "invalid_request_error", f"the error's type is {error['type']}"
    assert error["message"], "no message"
    assert error["code"], "no code"
    assert error["param"] or not path, f"a refusal without param: {error['message'][:80]}"
    assert played.calls == [], "refused after the upstream was asked"


def told(played: Played) -> object:
    """The part of the outcome that must be the same whole and streamed: the refusal, or the
    upstream's request.
    """
    if played.status != 200:
        return played.json()["error"]
    sent = json.decode_object(played.calls[0].body)
    ignored = played.headers.get("x-ignored-parameters")
    return as_streamed(sent, stream=False), ignored


def sweep(complaints: Complaints, asked: Asked, gate: Gateway, path: Any, junk: Any) -> None:
    """Sends the request with `junk` at `path`, for a whole answer and for a stream."""
    request = put(asked.request, path, junk)
    if not isinstance(request, dict) or ABOUT_STREAMS & set(path[:1]):
        stream = isinstance(request, dict) and request.get("stream") is True
        with complaints.about(Case(asked.name, path, junk)):
            assert_ours(outcome(gate, asked.dialect, request, stream=stream), path)
        return
    seen = []
    for stream in (False, True):
        with complaints.about(Case(asked.name, path, junk, "streamed" if stream else "whole")):
            said = as_streamed(request, stream=stream)
            played = outcome(gate, asked.dialect, said, stream=stream)
            assert_ours(played, path)
            seen.append(told(played))
    with complaints.about(Case(asked.name, path, junk)):
        assert len(seen) < 2 or seen[0] == seen[1], "whole and streamed differ"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each request in which there is a place to try, and what these places are."""
    if "where" not in metafunc.fixturenames:
        return
    everywhere = metafunc.config.getoption("--thorough")
    found: dict[str, list[Path]] = {}
    for dialect in DIALECTS:
        requests = [(it.name, it.request) for it in ASKED if it.dialect == dialect]
        found |= swept(requests, everywhere=everywhere)
    chosen = [(asked, found[asked.name]) for asked in ASKED if asked.name in found]
    metafunc.parametrize(("asked", "where"), chosen, ids=[asked.name for asked, _ in chosen])


@pytest.mark.swept
def test_junk_in_the_place_of_anything(asked: Asked, where: list[Path]) -> None:
    complaints = Complaints()
    gate = gateway(asked.row)
    for path in where:
        for junk in JUNK.values():
            sweep(complaints, asked, gate, path, junk)
    complaints.raise_if_any()


# Fields where none belong


MORE_JUNK = [JUNK[name] for name in ("0", '"x"', '"type"', "[]", "[0]", "{}", '{"type":{}}')]


def _kinds_of_objects() -> Iterator[tuple[Asked, Any]]:
    """One object of each kind: of each place, type and role."""
    seen = set()
    for asked in ASKED:
        for path in places(asked.request):
            there = at(asked.request, path)
            if not isinstance(there, dict) or {"parameters", "schema"} & set(path):
                continue
            shape = tuple(key for key in path if isinstance(key, str))
            kind = (asked.dialect, shape, str(there.get("type")), str(there.get("role")))
            if kind not in seen:
                seen.add(kind)
                yield asked, path


OBJECTS = list(_kinds_of_objects())


@pytest.mark.swept
@pytest.mark.parametrize(
    "number",
    range(len(OBJECTS)),
    ids=[f"{asked.name}-{spelled(path)}" for asked, path in OBJECTS],
)
def test_a_field_where_it_does_not_belong(number: int, thorough: bool) -> None:
    """In `make test` with one kind of junk (see `foreign_fields`), in `make sweep` with all."""
    assert len(FIELDS_READ) > 80, "the names are no longer found"
    asked, path = OBJECTS[number]
    complaints = Complaints()
    gate = gateway(asked.row)
    there = at(asked.request, path)
    for name, junk in foreign_fields(there, MORE_JUNK, number, thorough=thorough):
        place = (*path, name)
        request = put(asked.request, place, junk)
        stream = request.get("stream") is True
        with complaints.about(Case(asked.name, place, junk)):
            assert_ours(outcome(gate, asked.dialect, request, stream=stream), place)
    complaints.raise_if_any()
