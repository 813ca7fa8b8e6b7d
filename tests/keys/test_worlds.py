"""Limits hold, whatever happens between isolates and the ledger, in many random worlds."""

from random import Random

import pytest

from tests.keys.worlds import World
from xtrix.keys.record import Limits

WORLDS = range(12)
STEPS = 400


def live(world: World, *, faults: bool) -> None:
    """Some minutes of a world: calls begin and end, messages get lost, things are restarted."""
    dice = world.dice
    for _ in range(STEPS):
        isolate = dice.choice(world.isolates)
        roll = dice.random()
        if roll < 0.45:
            most = dice.choice([100, 1_000, 9_000])
            world.start(isolate, most, dice.randint(0, most))
        elif roll < 0.72:
            world.end(isolate)
        elif roll < 0.75:
            world.try_again(isolate)
        elif roll < 0.9:
            world.tell(isolate)
        elif not faults:
            world.pass_time(dice.choice([0.01, 0.5, 2, 16, 30]))
        elif roll < 0.95:
            world.now += dice.choice([0.01, 0.5, 2, 16, 30])
        else:
            fault(world)


def fault(world: World) -> None:
    dice = world.dice
    match dice.randrange(6):
        case 0:
            world.wire.fate = "lost"
        case 1:
            world.wire.fate = "unheard"
        case 2:
            world.wire.restart()
        case 3:
            if world.may_crash:
                world.crash(dice.choice(world.isolates))
        case 4:
            world.deliver_late()
        case _:
            world.now += dice.choice([25, 61, 700, 4_000])
            world.wire.fate = "answered"
    if dice.random() < 0.5:
        world.wire.fate = "answered"


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize("isolates", [1, 4])
def test_a_strict_budget_is_never_exceeded(seed: int, isolates: int) -> None:
    budget = 0.1
    world = World(Random(seed), Limits(usd_total=budget, strict=True), isolates)
    live(world, faults=True)
    world.finish()
    assert world.refusals
    assert 0 < world.spent["ever"] <= budget * 1_000_000


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize("isolates", [1, 4])
def test_requests_a_minute_are_exact(seed: int, isolates: int) -> None:
    world = World(Random(seed), Limits(requests_per_minute=20, strict=True), isolates)
    live(world, faults=True)
    assert world.refusals
    assert max(world.begun.values()) <= 20


@pytest.mark.parametrize("seed", WORLDS)
def test_calls_at_once(seed: int) -> None:
    world = World(Random(seed), Limits(parallel=5), 4)
    live(world, faults=False)
    assert world.refusals
    assert world.most_running == 5


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize("strict", [False, True])
def test_all_that_was_spent_is_booked_once(seed: int, strict: bool) -> None:
    """Whatever becomes of messages, as long as nobody's memory is lost."""
    world = World(Random(seed), Limits(usd_per_day=1, strict=strict), 3)
    world.may_crash = False
    live(world, faults=True)
    world.finish()
    lost = [row for row in world.usage()["rows"] if not row[3]]
    assert world.booked() - sum(row[-2] for row in lost) == world.spent["ever"]


@pytest.mark.parametrize("seed", WORLDS)
def test_nothing_is_left_unused_in_the_end(seed: int) -> None:
    """An isolate that continues to ask gets everything that the others have returned."""
    world = World(Random(seed), Limits(usd_total=0.05, strict=True), 4)
    live(world, faults=False)
    world.finish()
    world.now += 700
    isolate = world.isolates[0]
    while world.start(isolate, 100, 100):
        world.end(isolate)
        world.tell(isolate)
    assert world.spent["ever"] > 50_000 - 100
