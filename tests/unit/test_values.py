"""Canonical texts and instants of values."""

from __future__ import annotations

import struct

import pytest

from m1.values import canonical_number, day_of, double_of, instant_of, is_number, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("1.0", "1.0"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (9007199254740993, "9007199254740993"),
        (-(10**400), "-1" + "0" * 400),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (-5.25, "-5.25"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.5e300, "-1.5e+300"),
        (1e-5, "0.00001"),
        (-1.25e-6, "-0.00000125"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (123456789.5, "123456789.5"),
    ],
)
def test_a_value_has_one_canonical_text(value: str | int | float | bool, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("bits", range(0, 2**64, 2**64 // 997))
def test_the_text_of_a_double_reads_back_as_the_same_double(bits: int) -> None:
    (number,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    if number == number and number not in (float("inf"), float("-inf")):
        assert float(text_of(number)) == number
        assert canonical_number(repr(number)) == text_of(number)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("1e0", "1"),
        ("1E+3", "1000"),
        ("-0", "0"),
        ("-0.0e5", "0"),
        ("9007199254740993", "9007199254740993"),
        ("9007199254740993.0", "9007199254740992"),
        ("1e-400", "0"),
        ("1e400", None),
        ("007", None),
        ("+1", None),
        (".5", None),
        ("1.", None),
        ("0x1", None),
        ("١", None),
        ("NaN", None),
        ("", None),
    ],
)
def test_a_word_has_the_canonical_text_of_the_number_it_is(word: str, text: str | None) -> None:
    assert canonical_number(word) == text


def test_a_number_beyond_a_double_is_still_written_as_a_number() -> None:
    assert is_number("1e400")
    assert double_of(10**400) is None
    assert str(double_of(-0.0)) == "0.0"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01T01:00:00.5+01:00", 500),
        ("1970-01-01T01:30:00.0019+0130", 1),
        ("1969-12-31T19:00:00-05", 0),
        ("0001-01-01", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("0000-01-01", None),
        ("2023-02-29", None),
        ("2023-1-01", None),
        ("2023-01-01T24:00:00Z", None),
        ("2023-01-01T00:00:00+24:00", None),
        ("2023-01-01T00:00:00+01:75", None),
        ("2023-01-01T00:00:00z", None),
        ("2023-01-01 00:00:00", None),
        ("2023-01-01T00:00:00Z ", None),
        ("٢٠٢٣-01-01", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_text_is_an_instant_only_as_a_whole(text: str, instant: int | None) -> None:
    assert instant_of(text) == instant


def test_a_day_is_not_an_instant_with_a_time() -> None:
    assert day_of("1970-01-02") == 86_400_000
    assert day_of("1970-01-02T00:00Z") is None
