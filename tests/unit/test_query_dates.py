"""The ends of ranges: what they are, and date math."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from m1.errors import BadQuery
from m1.query.dates import Date, Day, Number, read_end
from m1.values import milliseconds

NOW = milliseconds(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)) + 123


def result(text: str, now: int = NOW) -> str:
    """Give the instant of a date as ISO text."""
    end = read_end(text)
    assert isinstance(end, Date)
    instant = end.instant(now)
    moment = datetime.fromtimestamp(instant // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{instant % 1000:03d}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NOW", "2023-11-14T22:13:20.123"),
        ("NOW/SECOND", "2023-11-14T22:13:20.000"),
        ("NOW/MINUTES", "2023-11-14T22:13:00.000"),
        ("NOW/HOUR", "2023-11-14T22:00:00.000"),
        ("NOW/DATE", "2023-11-14T00:00:00.000"),
        ("NOW/MONTH", "2023-11-01T00:00:00.000"),
        ("NOW/YEARS", "2023-01-01T00:00:00.000"),
        ("NOW/MILLI", "2023-11-14T22:13:20.123"),
        ("NOW-1YEAR/DAY", "2022-11-14T00:00:00.000"),
        ("NOW/DAY-1YEAR+2MONTHS", "2023-01-14T00:00:00.000"),
        ("NOW+1MILLISECOND+2MILLIS", "2023-11-14T22:13:20.126"),
        ("NOW+0000000000YEARS", "2023-11-14T22:13:20.123"),
        ("2023-01-31T00:00Z+1MONTH", "2023-02-28T00:00:00.000"),
        ("2024-01-31T00:00Z+1MONTH", "2024-02-29T00:00:00.000"),
        ("2023-03-31T00:00Z-1MONTH", "2023-02-28T00:00:00.000"),
        ("2024-02-29T00:00Z-4YEARS", "2020-02-29T00:00:00.000"),
        ("2024-02-29T00:00Z+1YEAR", "2025-02-28T00:00:00.000"),
        ("2023-11-14T22:13:20.9876+01:00", "2023-11-14T21:13:20.987"),
        ("2023-11-14T22:13:20+10DAYS", "2023-11-24T22:13:20.000"),
        ("2023-11-14T22:13:20+10+10DAYS", "2023-11-24T12:13:20.000"),
        ("1969-12-31T23:59:59.999Z/DAY", "1969-12-31T00:00:00.000"),
    ],
)
def test_date_math_runs_left_to_right(text: str, expected: str) -> None:
    assert result(text) == expected


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2023-11-14", Day(1_699_920_000_000)),
        ("15", Number(15.0)),
        ("-1.5e3", Number(-1500.0)),
        ("-0", Number(0.0)),
        ("2023-02-30", "2023-02-30"),
        ("2023-02-30T00:00:00Z+1DAY", "2023-02-30T00:00:00Z+1DAY"),
        ("2023-11-14+1DAY", "2023-11-14+1DAY"),
        ("NOWHERE", "NOWHERE"),
        ("now", "now"),
        ("007", "007"),
        ("+5", "+5"),
    ],
)
def test_an_end_is_a_day_a_number_or_else_text(text: str, end: object) -> None:
    assert read_end(text) == end
    assert type(read_end(text)) is type(end)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("NOW/BOB", "'BOB' is not a unit of time"),
        ("NOW+1WEEK", "'WEEK' is not a unit of time"),
        ("NOW/day", "'day' is not a unit of time"),
        ("NOW/DATES", "'DATES' is not a unit of time"),
        ("NOW+SECOND", r"'\+SECOND' is not date math"),
        ("NOW-", "'-' is not date math"),
        ("NOW+1.5DAYS", r"'\+1.5DAYS' is not date math"),
        ("NOW+9999999999999DAYS", "the number 9999999999999 is out of range"),
        ("1e400", "the number 1e400 is out of range"),
        ("1" + "0" * 400, "the number 1000.*… is out of range"),
    ],
)
def test_bad_math_and_huge_numbers_are_refused(text: str, problem: str) -> None:
    with pytest.raises(BadQuery, match=problem):
        read_end(text)


@pytest.mark.parametrize(
    "text", ["NOW+9999YEARS", "NOW-3000YEARS", "NOW+999999999999DAYS", "NOW-99999MONTHS"]
)
def test_a_result_outside_the_years_1_to_9999_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="outside the years 1 to 9999"):
        result(text)
