"""Reading `q`: the rules that the corpus does not show, and hostile input."""

from __future__ import annotations

import pytest

from m1.errors import BadQuery
from m1.query import parse, tree
from m1.query.reader import MAX_CONDITIONS, MAX_LEVELS

LONG = 1_000_000


def refusal(q: str) -> tuple[int, str]:
    """Give the place and the bare problem that parse finds."""
    with pytest.raises(BadQuery) as raised:
        parse(q)
    message = raised.value.message.removeprefix(
        f"cannot parse q at character {raised.value.at + 1}: "
    )
    return raised.value.at, message.split(' near "')[0]


def any_of(*nodes: tree.Node) -> tree.Group:
    return tree.Group(tuple(tree.Clause("", node) for node in nodes))


def test_an_error_shows_the_text_where_it_is() -> None:
    with pytest.raises(BadQuery) as raised:
        parse("f:a ünd g:b")
    assert raised.value.message == (
        "cannot parse q at character 5: a condition needs a property name, "
        'as in property:value near "ünd g:b"'
    )


def test_white_space_and_comments_may_surround_the_colon() -> None:
    assert parse("f /* a /* b */ */ : /**/ x") == tree.Term("f", "x")
    assert parse("f:(a /* c */ : b)") == tree.Term("a", "b")


def test_a_no_break_space_is_part_of_a_word() -> None:
    assert parse("f:a\xa0b") == tree.Term("f", "a\xa0b")


def test_a_name_reaches_into_its_group_until_another_is_given() -> None:
    assert parse("f:(a g:(b c) d)") == any_of(
        tree.Term("f", "a"),
        any_of(tree.Term("g", "b"), tree.Term("g", "c")),
        tree.Term("f", "d"),
    )


def test_star_means_all_without_a_name_and_exists_with_one() -> None:
    assert parse("f:(* *:*)") == any_of(tree.Exists("f"), tree.All())
    assert parse("*:(*)") == tree.All()
    assert parse(r"\*:x") == tree.Term("*", "x")


def test_or_changes_no_mark_and_and_changes_both_sides() -> None:
    group = parse("f:(a OR b AND c || -d && e)")
    assert isinstance(group, tree.Group)
    assert [clause.mark for clause in group.clauses] == ["", "+", "+", "-", "+"]


def test_a_minus_before_a_digit_is_a_number_after_a_name_and_a_mark_in_a_group() -> None:
    assert parse("f:-5.5") == tree.Term("f", "-5.5")
    assert parse("f:-5*") == tree.Prefix("f", "-5")
    assert parse("f:(-5)") == tree.Group((tree.Clause("-", tree.Term("f", "5")),))
    assert refusal("f:-05:00") == (5, refusal("f:a:b")[1])


@pytest.mark.parametrize(
    ("q", "node"),
    [
        ("f:>5", tree.Range("f", "5", None, False, False)),
        ("f:>=-5", tree.Range("f", "-5", None, True, False)),
        ('f:<"a b"', tree.Range("f", None, "a b", False, False)),
        (r"f:<=\*^2", tree.Range("f", None, "*", False, True)),
        (r"f:\>5", tree.Term("f", ">5")),
        ('f:">5"', tree.Term("f", ">5")),
    ],
)
def test_a_sign_before_a_value_compares(q: str, node: tree.Node) -> None:
    assert parse(q) == node


@pytest.mark.parametrize("q", ["f:>", "f:> 5", 'f:>=""', "f:>5*", 'f:>"5', "f:>1e400", "f:>5~"])
def test_a_comparison_needs_one_plain_value_directly_after_its_sign(q: str) -> None:
    assert refusal(q)


def test_one_star_at_the_end_is_a_prefix_and_every_other_shape_a_wildcard() -> None:
    assert parse(r"f:a\**") == tree.Prefix("f", "a*")
    assert parse(r"f:a\*") == tree.Term("f", "a*")
    assert parse("f:?") == tree.Wildcard("f", "?")
    assert parse("f:AND*") == tree.Prefix("f", "AND")


def test_suffixes_may_stand_in_either_order_and_apart() -> None:
    assert parse("f:a^2~1") == parse("f:a ~1 ^=-2.5") == tree.Fuzzy("f", "a", 1.0)
    assert parse("f:te*~1.1") == tree.Prefix("f", "te")
    assert parse('f:"a b"~5^2') == tree.Term("f", "a b")


@pytest.mark.parametrize(
    ("q", "at", "problem"),
    [
        ("f:a~1^2~1", 7, r"'~' is not expected here (write \~ for the character)"),
        ("f:a^2 AND ^3", 10, r"'^' is not expected here (write \^ for the character)"),
        ("f:[1 TO 2]~1", 10, r"'~' is not expected here (write \~ for the character)"),
        ("f:", 2, "a value is expected after 'f:'"),
        ("f: )", 3, "a value is expected after 'f:'"),
        ("f:a NOT", 4, "'NOT' must be followed by a condition"),
        ("f:a AND OR f:b", 8, "'OR' cannot follow another operator"),
        ("(f:a", 0, "'(' is not closed"),
        ("f:a /* /* */", 4, "the comment opened here with /* is not closed"),
        ("f:[a TO", 2, "the range opened here is not closed"),
        ('f:["" TO b]', 3, "an end of a range cannot be empty (write * for open)"),
        ("f:[a TO b c]", 10, "a range is written [low TO high]"),
        (
            r"f:[NOW+1WEEK TO *]",
            2,
            "'WEEK' is not a unit of time (YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MILLI)",
        ),
        ("f:[1e400 TO *]", 2, "the number 1e400 is out of range"),
        (
            "f:/usr",
            2,
            "a value that begins with '/' is read as a regular expression: "
            r"quote the value or write \/",
        ),
        ('_val_:"x"', 0, "nested queries with _val_ are not supported"),
        ("f:a {!b}", 4, "local parameters {!...} are not supported"),
        ("f:/(a{1000}){1000}/", 2, "the regular expression is too complex"),
        (
            "and",
            0,
            "a condition needs a property name, as in property:value "
            "(operators are written in capital letters: AND, OR, NOT)",
        ),
        ("f:\ud800", 2, "a character is half of a surrogate pair"),
    ],
)
def test_a_mistake_is_named_at_its_place(q: str, at: int, problem: str) -> None:
    assert refusal(q) == (at, problem)


@pytest.mark.parametrize("q", ['f:"x"*', "f:[1 TO 2]*", "f:[1 TO 2]?", 'f:>="x"*'])
def test_a_wildcard_that_touches_a_closed_value_is_refused(q: str) -> None:
    at, problem = refusal(q)
    assert at == len(q) - 1
    assert problem.startswith("a wildcard cannot follow a ")


def test_wildcards_in_names_are_refused_but_not_their_escaped_characters() -> None:
    assert refusal("fo*:x")[1].startswith("wildcards are not supported in property names")
    assert parse(r"fo\*\::x") == tree.Term("fo*:", "x")
    assert parse(r"\_query_:x") == tree.Term("_query_", "x")


def test_a_regular_expression_ends_at_its_slash_and_nothing_may_touch_it() -> None:
    assert parse("f:(/a/ /b/)") == any_of(tree.Regex("f", "a"), tree.Regex("f", "b"))
    assert parse(r"f:/a\\/^2") == tree.Regex("f", r"a\\")
    assert refusal("f:(/a//b/)")[0] == 3


def test_one_hundred_levels_and_all_conditions_are_accepted_but_no_more() -> None:
    assert parse("(" * MAX_LEVELS + "f:a" + ")" * MAX_LEVELS) == tree.Term("f", "a")
    many = parse("f:a " * MAX_CONDITIONS)
    assert isinstance(many, tree.Group)
    assert len(many.clauses) == MAX_CONDITIONS
    assert refusal("f:a " * (MAX_CONDITIONS + 1)) == (
        MAX_CONDITIONS * 4 + 2,
        "the query has more than 65536 conditions",
    )


def test_a_query_over_a_million_characters_is_refused() -> None:
    assert parse("f:" + "a" * (LONG - 2)) == tree.Term("f", "a" * (LONG - 2))
    assert refusal("f:" + "a" * (LONG - 1)) == (LONG, "the query has more than 1000000 characters")


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        ("", "("),
        ("", "(a:b "),
        ("", "-"),
        ("", "NOT "),
        ("", "/*"),
        ("f:a ", "/**/"),
        ("f:(", "a /**/"),
        ("f:(", "a  "),
        ("f ", " "),
        ('f:"', "a"),
        ('f:"', '\\"'),
        ("f:(", '"" '),
        ("f:(", "/a "),
        ("f:/", "(a+)+"),
        ("f:[", '"'),
        ("f:(", '["\\"'),
        ("f:(", '["a TO b] '),
        ("f:[NOW", "+1DAY"),
        ("f:[NOW", "-"),
        ("f:[2020-01-01T00:00:00.", "9"),
        ("f:", "a*"),
        ("f:", "\\a"),
        ("f:", "\\ud83d\\ude00"),
        ("f:a~", "9"),
        ("f:a^", "9"),
        ("f:[", "9"),
    ],
)
def test_no_repetition_takes_longer_than_its_length(start: str, repeated: str) -> None:
    q = (start + repeated * (LONG // len(repeated)))[:LONG]
    try:
        parse(q)
    except BadQuery as error:
        place = error.at
    else:
        place = 0
    assert 0 <= place <= LONG
