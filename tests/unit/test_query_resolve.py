"""From a tree to a plan: what a query means."""

from __future__ import annotations

import pytest

from m1.errors import BadQuery
from m1.query import parse, plan, resolve
from m1.query.plan import (
    And,
    DateRange,
    Exists,
    Fuzzy,
    Hole,
    Not,
    NumberRange,
    Or,
    Prefix,
    Term,
    TextRange,
    Wildcard,
)
from m1.query.regex import read

NOW = 1_700_000_000_000
DAY = 86_400_000
START = 1_699_920_000_000  # of 2023-11-14


def meaning(q: str) -> plan.Plan:
    return resolve(parse(q), NOW)


def terms(*pairs: str) -> plan.Terms:
    """Give the terms of `path:text` words."""
    return plan.Terms(tuple(Term(*pair.split(":", 1)) for pair in pairs))


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("*", plan.All()),
        ("v:*", Exists("v")),
        ("v:[* TO *]", Exists("v")),
        ("v:{* TO *}", Exists("v")),
        ("v:a*", Prefix("v", "a")),
        ("v:/a/", plan.Regex("v", read("a"))),
        ("v:1", terms("v:1")),
        ("v:1.0", terms("v:1.0", "v:1")),
        ("v:1e21", terms("v:1e21", "v:1e+21")),
        ('v:"-0"', terms("v:-0", "v:0")),
        ("v:007", terms("v:007")),
        ("v:1e400", terms("v:1e400")),
        ("v:9007199254740993", terms("v:9007199254740993")),
        ("v:true", terms("v:true")),
    ],
)
def test_a_leaf_is_looked_up_by_every_spelling_that_it_means(q: str, expected: plan.Plan) -> None:
    assert meaning(q) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("v:a?", Wildcard("v", ("a", Hole.ONE))),
        ("v:**", Wildcard("v", (Hole.MANY,))),
        ("v:a***b", Wildcard("v", ("a", Hole.MANY, "b"))),
        ("v:*?**", Wildcard("v", (Hole.MANY, Hole.ONE, Hole.MANY))),
        (r"v:a\*\?\\b\c?", Wildcard("v", (r"a*?\bc", Hole.ONE))),
        (r"v:\ud83d\ude00?", Wildcard("v", ("😀", Hole.ONE))),
        ("v:a**", Prefix("v", "a")),
    ],
)
def test_a_wildcard_becomes_its_parts(q: str, expected: plan.Plan) -> None:
    assert meaning(q) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("v:roam~", Fuzzy("v", "roam", 2)),
        ("v:roam~1", Fuzzy("v", "roam", 1)),
        ("v:roam~9", Fuzzy("v", "roam", 2)),
        ("v:roam~0", terms("v:roam")),
        ("v:roam~0.5", Fuzzy("v", "roam", 2)),
        ("v:roam~0.7", Fuzzy("v", "roam", 1)),
        ("v:roam~0.9", terms("v:roam")),
        ("v:1.0~0", terms("v:1.0")),
    ],
)
def test_a_fuzzy_word_allows_at_most_two_edits(q: str, expected: plan.Plan) -> None:
    assert meaning(q) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("v:[1 TO 2.5}", NumberRange("v", 1.0, 2.5, True, False)),
        ("v:>-0.0", NumberRange("v", 0.0, None, False, True)),
        ("v:[15 TO b]", TextRange("v", "15", "b", True, True)),
        ("v:[2023-11-14 TO b}", TextRange("v", "2023-11-14", "b", True, False)),
        ("v:<b", TextRange("v", None, "b", True, False)),
        ("v:{NOW-1DAY TO NOW]", DateRange("v", NOW - DAY, NOW, False, True)),
        ("v:[5 TO NOW}", DateRange("v", 5.0, NOW, True, False)),
        ("v:[2023-11-14 TO 2023-11-14]", DateRange("v", START, START + DAY, True, False)),
        ("v:{2023-11-14 TO 2023-11-14}", DateRange("v", START + DAY, START, True, False)),
        ("v:>2023-11-14", DateRange("v", START + DAY, None, True, True)),
        ("v:>=2023-11-14", DateRange("v", START, None, True, True)),
        ("v:<2023-11-14", DateRange("v", None, START, True, False)),
        ("v:<=2023-11-14", DateRange("v", None, START + DAY, True, False)),
        ("v:[10.0.0.0 TO *}", TextRange("v", "10.0.0.0", None, True, True)),
    ],
)
def test_a_range_is_classified_by_its_ends(q: str, expected: plan.Plan) -> None:
    assert meaning(q) == expected


def test_equal_ranges_in_different_words_have_one_plan() -> None:
    assert meaning("v:>5") == meaning("v:{5 TO *]") == meaning("v:{5.0 TO *}")


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("v:1.0 AND -w:a*", And((terms("v:1.0", "v:1"), Not(Prefix("w", "a"))))),
        (
            "a:x AND b:y OR c:z AND d:w",
            And((terms("a:x"), terms("b:y"), terms("c:z"), terms("d:w"))),
        ),
        ("a:x b:y AND c:z", And((terms("b:y"), terms("c:z")))),
        ("a:x OR -b:y", And((terms("a:x"), Not(terms("b:y"))))),
        ("+a:x b:y", terms("a:x")),
        ("-a:x", Not(terms("a:x"))),
        ("-a:x -b:y -c:z*", Not(Or((terms("a:x", "b:y"), Prefix("c", "z"))))),
        ("a:x AND (-b:y)", And((terms("a:x"), Not(terms("b:y"))))),
        ("-(-a:x)", terms("a:x")),
        ("a:x OR (-b:y)", Or((terms("a:x"), Not(terms("b:y"))))),
    ],
)
def test_the_clause_rule_of_lucene_holds_and_a_nested_not_starts_from_all(
    q: str, expected: plan.Plan
) -> None:
    assert meaning(q) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("a:1 OR b:2 OR a:1.0", terms("a:1", "b:2", "a:1.0")),
        (
            "a:p* a:1 b:q* (c:2 OR (d:3 d:r*))",
            Or((Prefix("a", "p"), terms("a:1", "c:2", "d:3"), Prefix("b", "q"), Prefix("d", "r"))),
        ),
        ("a:1 (+(b:2 c:3))", terms("a:1", "b:2", "c:3")),
        (
            "a:1 AND (b:2 AND (c:3 AND d:4))",
            And((terms("a:1"), terms("b:2"), terms("c:3"), terms("d:4"))),
        ),
        ("a:1 AND (b:2 c:3)", And((terms("a:1"), terms("b:2", "c:3")))),
    ],
)
def test_nested_lists_are_flattened_and_terms_merged_in_order(q: str, expected: plan.Plan) -> None:
    assert meaning(q) == expected


def test_a_list_of_terms_is_one_leaf_but_1001_leaves_are_refused() -> None:
    long = meaning(" OR ".join(f"a{i}:{i}" for i in range(60_000)))
    assert isinstance(long, plan.Terms)
    assert len(long.terms) == 60_000
    assert meaning("a:x* " * 1_000)
    with pytest.raises(BadQuery, match="more than 1000 conditions"):
        meaning("a:x* " * 1_001)


def test_a_hundred_levels_of_every_mark_are_resolved() -> None:
    for mark in ("", "+", "-"):
        assert meaning(f"a:x* {mark}(b:y* " * 100 + "c:z" + ")" * 100)


def test_a_date_beyond_the_calendar_is_refused_when_now_is_known() -> None:
    node = parse("v:[NOW+9000YEARS TO *]")
    with pytest.raises(BadQuery, match="outside the years 1 to 9999"):
        resolve(node, NOW)
