"""What of an item can be found."""

from __future__ import annotations

from m1.terms import Leaf, flatten


def test_each_value_gives_a_leaf_with_what_each_search_sees() -> None:
    item = {"t": "2023-11-14", "n": [1, 2.50, -0.0], "b": True, "s": "15", "x": None}
    assert set(flatten(item).leaves()) == {
        ("t", Leaf("2023-11-14", None, 1_699_920_000_000)),
        ("n", Leaf("1", 1.0, None)),
        ("n", Leaf("2.5", 2.5, None)),
        ("n", Leaf("0", 0.0, None)),
        ("b", Leaf("true", None, None)),
        ("s", Leaf("15", None, None)),
    }


def test_a_whole_number_beyond_a_double_has_its_text_alone() -> None:
    assert list(flatten({"n": 10**400}).leaves()) == [("n", Leaf("1" + "0" * 400, None, None))]


def test_a_long_text_is_there_but_not_by_its_value() -> None:
    assert list(flatten({"t": "\u00e9" * 4_096}).leaves())[0][1].text is not None
    assert list(flatten({"t": "\u00e9" * 4_096 + "x"}).leaves()) == [("t", Leaf(None, None, None))]


def test_a_path_exists_with_all_above_it() -> None:
    assert flatten({"a": {"b": [{"c": 1}], "d": None}, "e.f": ""}).shape.existing == {
        *("a", "a.b", "a.b.c"),
        *("e", "e.f"),
    }


def test_items_with_the_same_paths_share_a_shape_and_repeated_paths_have_places() -> None:
    one, other = (
        flatten({"a": {"b": 1}, "c": [2, 3]}),
        flatten({"a": {"b": "x"}, "c": ["y", None, 1]}),
    )
    assert one.shape is other.shape
    assert one.shape.places == {"a.b": [0], "c": [1, 2]}
    assert flatten({"c": [2, 3]}).shape is not one.shape
