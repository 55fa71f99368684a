"""Reading the order of results."""

from __future__ import annotations

import pytest

from m1.errors import BadQuery
from m1.query import parse_sort
from m1.query.plan import SortKey


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a asc", [SortKey("a", False)]),
        (" a.b\tDESC ,score asc", [SortKey("a.b", True), SortKey("score", False)]),
        (r"my\ key\,\\ Asc", [SortKey("my key,\\", False)]),
        (r"\u0061 desc", [SortKey("a", True)]),
        ("a:b* asc", [SortKey("a:b*", False)]),
    ],
)
def test_a_key_is_a_path_and_a_direction(text: str, keys: list[SortKey]) -> None:
    assert parse_sort(text) == tuple(keys)


def test_the_first_mention_of_a_path_decides() -> None:
    assert parse_sort("a desc, b asc, a asc") == (SortKey("a", True), SortKey("b", False))


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("x", 0, "'x' needs asc or desc"),
        ("a asc, x up", 7, "'x' needs asc or desc"),
        ("a,b asc", 0, "'a' needs asc or desc"),
        ("", 0, "a path with asc or desc is expected"),
        ("a asc,", 6, "a path with asc or desc is expected"),
        (", a asc", 0, "a path with asc or desc is expected"),
        ("a asc b asc", 6, "a comma is expected before 'b asc'"),
        ("a asc\\", 5, "a backslash must be followed by the character it escapes"),
        (r"\ud800 asc", 0, r"\u escape is half of a surrogate pair"),
        (", ".join(f"k{i} asc" for i in range(9)), 63, "more than 8 keys"),
    ],
)
def test_a_mistake_is_named_at_its_place(text: str, at: int, problem: str) -> None:
    with pytest.raises(BadQuery) as raised:
        parse_sort(text)
    message = f"cannot parse sort: {problem} (at character {at + 1})"
    assert (raised.value.message, raised.value.at) == (message, at)
