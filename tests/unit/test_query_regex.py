r"""Regular expressions: the subset, its refusals, and how it is written for two engines."""

from __future__ import annotations

import pytest
import re2

from m1.errors import BadQuery
from m1.query.regex import Regular, read


def matches(pattern: str, text: str) -> bool:
    return re2.fullmatch(read(pattern).to_re2(), text) is not None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (".", "\n"),
        (".", "😀"),
        ("[^a]", "\n"),
        ("a.*b", "a\r\nb"),
        (r"\d+", "0123456789"),
        (r"\w+", "aZ_9"),
        (r"[\s]+", " \t\n\r\f\v"),
        (r"[^\d\s]", "x"),
        (r"\t\n\r", "\t\n\r"),
        (r"\.\/\~\ ", "./~ "),
        ("(a|b){2}", "ab"),
        ("a{2,}", "aaa"),
        ("a{0}", ""),
        ("a{1,2}b?", "aa"),
        ("()", ""),
        ("[]a]+", "]a"),
        ("[a-]+", "a-"),
        ("[-a]+", "a-"),
        ('[~&@#<>"^$]+', '~&@#<>"^$'),
        ("[[:]+", "[:"),
        ("a}]", "a}]"),
        ("é-z,", "é-z,"),
        ("\x00", "\x00"),
    ],
)
def test_a_pattern_covers_the_whole_value(pattern: str, text: str) -> None:
    assert matches(pattern, text)
    assert not matches(pattern, text + "§")


@pytest.mark.parametrize(("pattern", "text"), [(r"\d", "٣"), (r"\w", "é"), (r"\s", "\xa0")])
def test_the_classes_are_ascii(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "at", "problem"),
    [
        ("a(b", 3, "'(' is not closed"),
        ("a)b", 1, "')' without a matching '('"),
        ("a[b", 3, "'[' is not closed"),
        ("[]", 2, "'[' is not closed"),
        ("[^]", 3, "'[' is not closed"),
        ("(?i)a", 0, "'(?' is not supported"),
        ("*a", 0, "'*' has nothing to repeat"),
        ("(+a)", 1, "'+' has nothing to repeat"),
        ("a|?", 2, "'?' has nothing to repeat"),
        ("a*?", 2, "'?' cannot follow another repeat"),
        ("a{2}{3}", 4, "'{3}' cannot follow another repeat"),
        ("a{,3}", 1, "a repeat is written {n}, {n,} or {n,m}"),
        ("a{2", 1, "a repeat is written {n}, {n,} or {n,m}"),
        ("a{3,2}", 1, "a repeat goes from a lower to a higher number, to 1000"),
        ("a{1001}", 1, "a repeat goes from a lower to a higher number, to 1000"),
        ("a|", 2, "an alternative beside '|' is empty"),
        ("|a", 0, "an alternative beside '|' is empty"),
        ("(a|)", 3, "an alternative beside '|' is empty"),
        ("[z-a]", 1, "'z-a' is not a range of characters"),
        (r"[\d-z]", 1, r"'\d-z' is not a range of characters"),
        (r"a\b", 1, r"'\b' is not known"),
        (r"\u0041", 0, r"'\u' is not known"),
        (r"\D", 0, r"'\D' is not known"),
        *[(f"a{sign}", 1, rf"'{sign}' must be escaped: write \{sign}") for sign in '~&@#<>"^$'],
    ],
)
def test_what_engines_read_differently_is_refused_at_its_place(
    pattern: str, at: int, problem: str
) -> None:
    with pytest.raises(BadQuery) as raised:
        read(pattern, 10)
    assert raised.value.at == 10 + at
    assert raised.value.message.startswith("in the regular expression: " + problem)


def test_a_pattern_may_be_long_and_deep_but_not_longer_than_1000_characters() -> None:
    assert matches("(" * 499 + "a" + ")" * 499, "a")
    with pytest.raises(BadQuery, match="at most 1000 characters"):
        read("a" * 1_001)


@pytest.mark.parametrize("pattern", ["(a{1000}){1000}", "[^a]{1000}" * 90])
def test_a_pattern_that_re2_finds_too_large_is_too_complex(pattern: str) -> None:
    with pytest.raises(BadQuery, match="the regular expression is too complex"):
        read(pattern)


def test_lucene_gets_every_sign_escaped_and_no_letter() -> None:
    assert read(r"\d[^\wé\-]x\.\t(a|b)*c+d?e{2,}~".rstrip("~")).to_lucene() == (
        "[0-9][^0-9A-Z\\_a-zé\\-]x\\.\t(a|b){0,}c{1,}d{0,1}e{2,}"
    )


def test_equal_patterns_are_equal_and_can_be_keys() -> None:
    assert {read(r"\d"): 1} == {read("[0-9]"): 1}
    assert isinstance(read("a"), Regular)
