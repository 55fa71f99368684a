"""The ends of ranges: a number, a day, an instant with date math, or just a text.

    NOW-1YEAR/DAY     2023-11-14T22:13:20Z+2HOURS     2023-11-14     15     b

Math runs left to right in UTC. A month has the days it has: January 31 +1MONTH is the
last of February. Only the years 1 to 9999 exist.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from m1.errors import BadQuery
from m1.query.escapes import shown
from m1.values import (
    DAY_MS,
    INSTANT,
    day_of,
    double_of,
    instant_of,
    is_number,
    milliseconds,
    moment_of,
)

_DATE = re.compile(rf"(?P<base>NOW|{INSTANT.pattern})(?P<math>[+\-/].*)?", re.DOTALL)
_PIECE = re.compile(r"[+\-/][^+\-/]*")
_STEP = re.compile(r"(?:([+-])([0-9]+)|/)([A-Za-z]+)")
_MAX_STEPS = 100
_MAX_DIGITS = 12

_MILLISECONDS = {
    "MILLI": 1,
    "MILLISECOND": 1,
    "SECOND": 1_000,
    "MINUTE": 60_000,
    "HOUR": 3_600_000,
    "DAY": DAY_MS,
}
_MONTHS = {"MONTH": 1, "YEAR": 12}
_UNITS = {unit + plural: unit for unit in _MILLISECONDS | _MONTHS for plural in ("", "S")}
_UNITS["DATE"] = "DAY"


class Number(NamedTuple):
    """A JSON number, as a double; beside a date it is milliseconds."""

    value: float


class Day(NamedTuple):
    """A whole day, by its first millisecond."""

    start: int


class Date(NamedTuple):
    """An instant in milliseconds, None for NOW, and the math: (count, unit), 0 rounds down."""

    base: int | None
    steps: tuple[tuple[int | None, str], ...] = ()

    def instant(self, now: int) -> int:
        """Give the milliseconds; raises BadQuery outside the years 1 to 9999."""
        instant = now if self.base is None else self.base
        try:
            for count, unit in self.steps:
                instant = _floor(instant, unit) if count is None else _add(instant, count, unit)
        except (OverflowError, ValueError):
            raise BadQuery("the result of date math is outside the years 1 to 9999") from None
        return instant


End = str | Number | Day | Date


def read_moment(text: str, now: int) -> float:
    """Read a number, or a day or an instant in epoch ms: that of its beginning.

    Raises BadQuery for anything else.
    """
    match read_end(text):
        case Number(value):
            return value
        case Day(start):
            return float(start)
        case Date() as date:
            return float(date.instant(now))
    raise BadQuery(f"a number or a date is needed, not {shown(text)}")


def read_end(text: str) -> End:
    """Tell what an end of a range is: a number, a day, a date, or else the text itself.

    Raises BadQuery for date math that cannot be read and a number beyond a double.
    """
    if is_number(text):
        return _number(text)
    day = day_of(text)
    if day is not None:
        return Day(day)
    found = _DATE.fullmatch(text)
    if found is None:
        return text
    base = None if found["base"] == "NOW" else instant_of(found["base"])
    if base is None and found["base"] != "NOW":
        return text
    pieces = _PIECE.findall(found["math"] or "")
    if len(pieces) > _MAX_STEPS:
        raise BadQuery(f"date math has more than {_MAX_STEPS} steps")
    return Date(base, tuple(map(_step, pieces)))


def _number(text: str) -> Number:
    value = double_of(float(text))
    if value is None or value in (float("inf"), float("-inf")):
        raise BadQuery(f"the number {shown(text)} is out of range")
    return Number(value)


def _step(piece: str) -> tuple[int | None, str]:
    found = _STEP.fullmatch(piece)
    if found is None:
        raise BadQuery(f"'{shown(piece)}' is not date math (for example -1DAY, +2HOURS or /MONTH)")
    sign, digits, name = found.groups()
    unit = _UNITS.get(name)
    if unit is None:
        units = "YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MILLI"
        raise BadQuery(f"'{shown(name)}' is not a unit of time ({units})")
    if sign is None:
        return None, unit
    digits = digits.lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        raise BadQuery(f"the number {shown(digits)} is out of range")
    return int(sign + digits), unit


def _add(instant: int, count: int, unit: str) -> int:
    if unit in _MILLISECONDS:
        return milliseconds(moment_of(instant + count * _MILLISECONDS[unit]))
    moment = moment_of(instant)
    month = moment.year * 12 + moment.month - 1 + count * _MONTHS[unit]
    first = moment.replace(year=month // 12, month=month % 12 + 1, day=1)
    return milliseconds(first.replace(day=min(moment.day, _days_in(first))))


def _days_in(moment: datetime) -> int:
    leap = moment.year % 4 == 0 and (moment.year % 100 != 0 or moment.year % 400 == 0)
    return 28 + leap if moment.month == 2 else 30 + (moment.month in (1, 3, 5, 7, 8, 10, 12))


def _floor(instant: int, unit: str) -> int:
    if unit in _MILLISECONDS:
        return instant - instant % _MILLISECONDS[unit]
    moment = moment_of(instant - instant % DAY_MS).replace(day=1)
    return milliseconds(moment.replace(month=1) if unit == "YEAR" else moment)
