"""What a JSON scalar is to a query: its canonical text, and the instant it may name.

Stored values and the words of a query pass through the same two functions, so that
`1`, `1.0` and `1e0` meet, and a stored ISO date meets the same date in a range.
Times are whole milliseconds since 1970-01-01T00:00:00Z, years 1 to 9999.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

Scalar = str | int | float | bool

DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    r"(?:(Z)|([+-])([0-9]{2})(?::?([0-5][0-9]))?)?"
)


def text_of(value: Scalar) -> str:
    """Give the canonical text of a stored scalar, by which it is found."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    return _text_of_double(value)


def is_number(text: str) -> bool:
    """Tell whether a query's word is written as a JSON number."""
    return _NUMBER.fullmatch(text) is not None


def canonical_number(text: str) -> str | None:
    """Give the canonical text of a number as written, None where it is not one.

    Whole numbers keep every digit; others are IEEE doubles. One beyond the range of a
    double (`1e400`) has no canonical text.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    if match[1] is None and match[2] is None:
        return "0" if text == "-0" else text
    number = float(text)
    return None if number in (float("inf"), float("-inf")) else _text_of_double(number)


def _text_of_double(number: float) -> str:
    """Print a double: whole ones below 1e21 as digits, others as RFC 8785 does."""
    if abs(number) < 1e21 and number == int(number):
        return str(int(number))
    mantissa, _, power = repr(number).partition("e")
    if not power:
        return mantissa
    exponent = int(power)
    if -7 < exponent < 0:  # repr turns to an exponent at 1e-5, RFC 8785 at 1e-7
        sign, digits = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
        return f"{sign}0.{'0' * (-exponent - 1)}{digits.replace('.', '')}"
    return f"{mantissa.removesuffix('.0')}e{exponent:+d}"


def double_of(number: int | float) -> float | None:
    """Give a stored number as an IEEE double, None where it is beyond one."""
    try:
        return float(number) + 0.0  # -0.0 becomes 0.0: Lucene would order the two
    except OverflowError:
        return None


def instant_of(text: str) -> int | None:
    """Give the milliseconds of a text that is wholly an ISO instant or day, else None.

    A day is its first millisecond; an instant without an offset is UTC.
    """
    if len(text) == 10:
        return day_of(text)
    match = INSTANT.fullmatch(text)
    return None if match is None else instant_of_match(match)


def day_of(text: str) -> int | None:
    """Give the first millisecond of a `YYYY-MM-DD`, None where it is no such day."""
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    try:
        return milliseconds(datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC))
    except ValueError:
        return None


def instant_of_match(match: re.Match[str]) -> int | None:
    """Give the milliseconds of a match of `INSTANT`, None where no calendar has it."""
    year, month, day, hour, minute, second, fraction, _, sign, off_hours, off_minutes = (
        match.groups()
    )
    zone: timezone = UTC
    try:
        if sign is not None:
            offset = timedelta(hours=int(off_hours), minutes=int(off_minutes or 0))
            zone = timezone(offset if sign == "+" else -offset)
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=zone
        )
    except ValueError:
        return None
    return milliseconds(moment) + int((fraction or "")[:3].ljust(3, "0"))


def milliseconds(moment: datetime) -> int:
    """Give a moment with a time zone as milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def moment_of(instant: int) -> datetime:
    """Give milliseconds since 1970 as a UTC moment; OverflowError outside years 1 to 9999."""
    return _EPOCH + timedelta(milliseconds=instant)
