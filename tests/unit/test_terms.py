"""What of an item can be found."""

from __future__ import annotations

from m1.terms import Leaf, existing_paths, leaves


def test_each_value_gives_a_leaf_with_what_each_search_sees() -> None:
    item = {"t": "2023-11-14", "n": [1, 2.50, -0.0], "b": True, "s": "15", "x": None}
    assert set(leaves(item)) == {
        Leaf("t", "2023-11-14", None, 1_699_920_000_000),
        Leaf("n", "1", 1.0, None),
        Leaf("n", "2.5", 2.5, None),
        Leaf("n", "0", 0.0, None),
        Leaf("b", "true", None, None),
        Leaf("s", "15", None, None),
    }


def test_a_whole_number_beyond_a_double_has_its_text_alone() -> None:
    assert leaves({"n": 10**400}) == (Leaf("n", "1" + "0" * 400, None, None),)


def test_a_long_text_is_there_but_not_by_its_value() -> None:
    assert leaves({"t": "\u00e9" * 4_096})[0].text is not None
    assert leaves({"t": "\u00e9" * 4_096 + "x"}) == (Leaf("t", None, None, None),)


def test_a_path_exists_with_all_above_it() -> None:
    assert existing_paths(leaves({"a": {"b": [{"c": 1}], "d": None}, "e.f": ""})) == {
        *("a", "a.b", "a.b.c"),
        *("e", "e.f"),
    }
