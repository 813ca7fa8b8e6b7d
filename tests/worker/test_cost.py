"""A request costs no more than its bytes, and so does an upstream's answer, whatever their shape.

`make hostile` prints all shapes in all sizes. Here all of them are small, which shows best what
each byte costs, and those large that once took the most. All of a group meet one fresh Worker,
because the interpreter's memory never shrinks.
"""

from collections.abc import Iterator

import pytest

from tests.worker.conftest import Gateway, Start
from tests.worker.cost import ISOLATE, V8_FLAGS, cost_of, take_once
from tests.worker.shapes import ANSWERS, REQUESTS, Shape
from tests.worker.upstream import Upstream
from xtrix.body import MAX_READ_BYTES
from xtrix.exchange import MAX_ANSWER_BYTES
from xtrix.sse import MAX_EVENT_LENGTH

SMALL = 100_000
IN_PIECES = 450_000
"""Of which the body is a sixth, and 75,000 pieces."""
SHAPES = {each.name: each for group in (REQUESTS | ANSWERS).values() for each in group}
assert len(SHAPES) == sum(map(len, (REQUESTS | ANSWERS).values()))
UNPAUSED = 65_536
"""So many bytes of a stream come between two pauses."""
UNSEEN = [
    SHAPES[f"streamed: {name}, openai"]
    for name in ("comments", "empty lines", "empty events", "one event of empty lines")
]
LARGE = {
    "a great deal": (
        ("one text, openai", MAX_READ_BYTES, 200),
        ("one text with an emoji in it, anthropic", MAX_READ_BYTES, 200),
        ("one text of escapes, anthropic", MAX_READ_BYTES, 200),
        ("a data URI of base64, anthropic", MAX_READ_BYTES, 200),
        ("a data URI of ;, anthropic", MAX_READ_BYTES, 400),
        ("a role, openai", MAX_READ_BYTES, 400),
    ),
    "very many": (
        ("messages of one character, anthropic", 1_000_000, 200),
        ("messages of one character, anthropic", MAX_READ_BYTES, 413),
        ("parts of one character, openai", 1_000_000, 200),
        ("parts that are 0, openai", MAX_READ_BYTES, 413),
        ("biases that are 101, openai", 1_000_000, 400),
        ("a list of {}, anthropic", MAX_READ_BYTES, 413),
    ),
    "very many in a text": (
        ("arguments of many values, openai", MAX_READ_BYTES, 200),
        ("arguments of many values, anthropic", 200_000, 200),
        ("arguments of many values, anthropic", 300_000, 413),
        ("arguments of many values, anthropic", MAX_READ_BYTES, 413),
    ),
    "very many for an answer": (
        ("answered: calls, anthropic", 1_400_000, 200),
        ("answered: calls, anthropic", 2_000_000, 502),
        ("answered: blocks of no kind, anthropic", MAX_READ_BYTES, 502),
        ("answered: calls of no kind, openai", 2_000_000, 502),
        ("answered: parts of one character, openai", 1_300_000, 200),
    ),
    "a great deal in an answer": (
        ("answered: one text, anthropic", MAX_ANSWER_BYTES - 1000, 200),
        ("answered: one text, openai", MAX_ANSWER_BYTES - 1000, 200),
        ("answered: one text, openai", MAX_ANSWER_BYTES + 1000, 502),
        ("streamed: one event, anthropic", MAX_EVENT_LENGTH - 1000, 200),
        ("streamed: one event, openai", MAX_EVENT_LENGTH - 1000, 200),
        ("streamed: one event, openai", 3 * MAX_EVENT_LENGTH, 200),
    ),
}


@pytest.fixture
def fresh(start: Start, bindings: dict[str, object]) -> Iterator[Gateway]:
    """A Worker with the default limits."""
    del bindings["MAX_BODY_BYTES"]
    with start(bindings, v8_flags=V8_FLAGS) as worker:
        yield worker


@pytest.fixture
def bindings(bindings: dict[str, object]) -> dict[str, object]:
    return {**bindings}


def assert_cheap(worker: Gateway, upstream: Upstream, bodies: list[tuple[Shape, int, int]]) -> None:
    """Asserts that each shape in that size costs no more than its bytes allow and gets that status,
    and that the isolate lives.
    """
    take_once(worker, upstream, in_crumbs=any(shape.pieces for shape, _, _ in bodies))
    costs = [cost_of(worker, upstream, shape, size) for shape, size, _ in bodies]
    dear = [str(cost) for cost in costs if cost.grown > cost.allowed or cost.isolate > ISOLATE]
    assert not dear, "\n".join(dear)
    assert [(cost.shape, cost.status) for cost in costs] == [
        (shape.name, status) for shape, _, status in bodies
    ]


@pytest.mark.parametrize("group", [*REQUESTS, *ANSWERS])
def test_a_small_body(fresh: Gateway, upstream: Upstream, group: str) -> None:
    bodies = [
        (shape, size, shape.status)
        for shape in (REQUESTS | ANSWERS)[group]
        for size in ((SMALL, IN_PIECES) if shape.pieces else (SMALL,))
    ]
    assert_cheap(fresh, upstream, bodies)


@pytest.mark.parametrize("shape", UNSEEN, ids=lambda shape: shape.name)
def test_a_stream_of_which_the_client_sees_nothing_lets_others_be_served(
    start: Start, bindings: dict[str, object], upstream: Upstream, shape: Shape
) -> None:
    with start(bindings) as worker:
        cost = cost_of(worker, upstream, shape, 2_000_000)
    assert cost.status == shape.status
    assert cost.others > 2_000_000 / UNPAUSED / 2, cost


@pytest.mark.parametrize("group", LARGE)
def test_a_large_body(fresh: Gateway, upstream: Upstream, group: str) -> None:
    bodies = [(SHAPES[name], size, status) for name, size, status in LARGE[group]]
    assert_cheap(fresh, upstream, bodies)
