"""A case that has failed once is kept, and tried from then on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from tests import drawn
from tools import fuzz


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(drawn, "CASES", tmp_path / "cases")
    profile = settings.get_current_profile_name()
    yield
    settings.load_profile(profile)


def fails_for_long_texts(seen: list[str]) -> drawn.Test:
    @drawn.drawn(100, text=st.text())
    def test(text: str) -> None:
        seen.append(text)
        assert len(text) < 3

    return test


@pytest.mark.parametrize("again", [True, False])
def test_a_failure_is_kept_and_the_first_to_be_tried_again(again: bool) -> None:
    settings.load_profile(drawn.NEW)
    with pytest.raises(AssertionError) as caught:
        fails_for_long_texts([])()
    assert 'The case: {"text": "000"}' in caught.value.__notes__
    assert list(drawn.cases_of("test")) == [{"text": "000"}]
    settings.load_profile(drawn.NEW if again else drawn.SAME)
    seen: list[str] = []
    with pytest.raises(AssertionError):
        fails_for_long_texts(seen)()
    assert seen == ["000"]


def test_what_fails_every_time_alike_is_not_kept() -> None:
    settings.load_profile(drawn.SAME)
    with pytest.raises(AssertionError):
        fails_for_long_texts([])()
    assert not drawn.CASES.exists()


class Pair(NamedTuple):
    one: Any
    other: Any


VALUES: tuple[Any, ...] = (
    *(b"\xff\x00", "\ud800", (1, (2, b"")), [b""], {"$bytes": "x"}, {"$x": (1,), "y": {}}),
    *(None, True, 10**30, 1e308, {"": [{}]}, Pair({}, ["x"])),
)


@pytest.mark.parametrize("value", VALUES)
def test_a_case_comes_back_as_it_was(value: Any) -> None:
    drawn.keep("test", {"value": value}, "failure")
    (case,) = drawn.cases_of("test")
    assert case == {"value": value}
    assert isinstance(case["value"], tuple) == isinstance(value, tuple)


def test_of_each_kind_of_failure_one_is_kept() -> None:
    settings.load_profile(drawn.NEW)

    @drawn.drawn(200, number=st.integers())
    def test(number: int) -> None:
        if number > 100:
            raise KeyError
        if number < -100:
            raise IndexError

    with pytest.raises(ExceptionGroup):
        test()
    assert sorted(case["number"] for case in drawn.cases_of("test")) == [-101, 101]


def test_make_fuzz_draws_by_its_seed() -> None:
    command = fuzz.command(7, ["-k", "x"])
    assert "--hypothesis-seed=7" in command
    assert f"--hypothesis-profile={drawn.NEW}" in command
