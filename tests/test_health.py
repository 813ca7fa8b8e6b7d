"""Which targets rest, and until when."""

from xtrix.health import FAILURES, Health
from xtrix.providers import Provider, Retries, Target

REST = Retries().rest

REST = 12.0
ONE, TWO, THREE = (
    Target(Provider(name, "openai", "http://upstream.test/v1", retries=Retries(rest=REST)), "model")
    for name in "abc"
)
ALL = (ONE, TWO, THREE)


def failing(health: Health, target: Target, times: int = FAILURES, now: float = 0.0) -> None:
    for _ in range(times):
        health.failed(target, now)


def test_all_are_awake_at_first_in_their_order() -> None:
    assert Health().order(ALL, 0.0) == [ONE, TWO, THREE]


def test_one_that_keeps_failing_rests() -> None:
    health = Health()
    failing(health, ONE, FAILURES - 1)
    assert health.order(ALL, 0.0) == [ONE, TWO, THREE]
    health.failed(ONE, 0.0)
    assert health.order(ALL, 0.0) == [TWO, THREE]


def test_it_is_tried_again_after_its_rest() -> None:
    health = Health()
    failing(health, ONE, now=100.0)
    assert health.order(ALL, 100.0 + REST - 0.1) == [TWO, THREE]
    assert health.order(ALL, 100.0 + REST) == [ONE, TWO, THREE]


def test_one_more_failure_after_the_rest_sends_it_back() -> None:
    health = Health()
    failing(health, ONE)
    health.failed(ONE, REST)
    assert health.order(ALL, REST + 1) == [TWO, THREE]
    assert health.order(ALL, REST + REST) == [ONE, TWO, THREE]


def test_an_answer_forgets_the_failures_before_it() -> None:
    health = Health()
    failing(health, ONE, FAILURES - 1)
    health.answered(ONE)
    failing(health, ONE, FAILURES - 1)
    assert health.order(ALL, 0.0) == [ONE, TWO, THREE]
    failing(health, TWO)
    health.answered(TWO)
    health.answered(THREE)
    assert health.order(ALL, 0.0) == [ONE, TWO, THREE]


def test_where_all_rest_all_are_tried() -> None:
    health = Health()
    for target in ALL:
        failing(health, target)
    assert health.order(ALL, 0.0) == [ONE, TWO, THREE]
    assert health.order((TWO,), 0.0) == [TWO]


def test_models_of_one_provider_rest_apart() -> None:
    health = Health()
    other = Target(ONE.provider, "other")
    failing(health, other)
    assert health.order((ONE, other), 0.0) == [ONE]


def test_each_provider_says_how_long_its_targets_rest() -> None:
    health = Health()
    restless = Target(Provider("d", "openai", "http://d.test", retries=Retries(rest=0)), "model")
    failing(health, restless)
    failing(health, ONE)
    assert health.order((ONE, restless), 0.0) == [restless]
