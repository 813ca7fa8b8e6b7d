"""Days and their names, against the standard library's calendar."""

import datetime

import pytest

from xtrix.calendar import date_of, day_number, month_of, timestamp


def test_every_day_of_four_centuries() -> None:
    first = datetime.date(1970, 1, 1)
    for number in range(0, 146_097, 7):
        date = (first + datetime.timedelta(number)).isoformat()
        assert (date_of(number * 86_400), date_of(number * 86_400 + 86_399.999)) == (date, date)
        assert day_number(date) == number
        assert month_of(date) == date[:7]
    assert timestamp(951_827_696) == "2000-02-29T12:34:56Z"


@pytest.mark.parametrize(
    "text", ["2026-02-29", "2026-13-01", "2026-00-10", "26-1-1", "", "٢٠٢٦-01-01"]
)
def test_what_is_no_day(text: str) -> None:
    assert day_number(text) is None
