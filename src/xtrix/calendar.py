"""Converts between Unix seconds and the names of days, in UTC.

The present time is not known here; seconds are passed in.

The calculation is from howardhinnant.github.io/date_algorithms.html, "civil_from_days" and
"days_from_civil" (read 2026-11). Its years begin in March, so that the leap day is the last day of
a year.
"""

import re

DAY_SECONDS = 86_400

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_EPOCH = 719_468
"""Days from the first of March of the year 0 to the first of January 1970."""
_ERA = 146_097
"""Days of 400 years."""


def date_of(seconds: float) -> str:
    """The day of these Unix seconds, such as `2026-11-26`."""
    era, day = divmod(int(seconds // DAY_SECONDS) + _EPOCH, _ERA)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}"


def timestamp(seconds: float) -> str:
    """Unix seconds as a time of RFC 3339 in UTC, without fractions."""
    hours, rest = divmod(int(seconds % DAY_SECONDS), 3600)
    return f"{date_of(seconds)}T{hours:02}:{rest // 60:02}:{rest % 60:02}Z"


def day_number(date: str) -> int | None:
    """The days from 1970 to `date`; None if that is not a day."""
    found = _DATE.fullmatch(date)
    if not (found and date.isascii()):
        return None
    year, month, day = map(int, found.groups())
    if not 1 <= month <= 12:
        return None
    year -= month <= 2
    era, rest = divmod(year, 400)
    in_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    number = era * _ERA + rest * 365 + rest // 4 - rest // 100 + in_year - _EPOCH
    return number if date_of(number * DAY_SECONDS) == date else None


def month_of(date: str) -> str:
    """The month of a day, such as `2026-11`."""
    return date[:7]
