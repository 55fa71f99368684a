"""Paths into items, and identity."""

from __future__ import annotations

from typing import Any

import pytest

from m1.errors import BadRequest
from m1.paths import id_of, identity, scalars, values_at


def test_lists_add_nothing_to_a_path_and_dots_in_keys_are_nesting() -> None:
    item = {"a": {"b": 1}, "a.c": [2, {"d": 3}, [[4]], None], "e": [], "f": {}, "": {"": 5}}
    found = {("a.b", 1), ("a.c", 2), ("a.c.d", 3), ("a.c", 4), (".", 5)}
    assert set(zip(*scalars(item), strict=True)) == found


def test_every_spelling_of_a_path_is_found() -> None:
    item = {"a": {"b": {"c": 1}, "b.c": 2}, "a.b": {"c": 3}, "a.b.c": 4}
    assert sorted(values_at(item, "a.b.c")) == [1, 2, 3, 4]
    assert values_at(item, "a.x") == []
    assert values_at({"a": [{"b": 1}]}, "a.b") == []


def nested(levels: int) -> dict[str, Any]:
    item: dict[str, Any] = {"k": 1}
    for _ in range(levels - 1):
        item = {"k": item}
    return item


def test_two_hundred_levels_are_the_limit() -> None:
    assert len(scalars(nested(200))[0]) == 1
    with pytest.raises(BadRequest, match="200 levels"):
        scalars(nested(201))


@pytest.mark.parametrize("item", [{"a\0": 1}, {"a": [{"\0": {}}]}, {"x" * 2_001: 1}])
def test_a_key_with_nul_and_a_path_that_is_too_long_are_refused(item: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        scalars(item)


def test_a_path_of_two_thousand_bytes_is_fine() -> None:
    assert scalars({"\u00e9" * 1_000: 1})
    with pytest.raises(BadRequest):
        scalars({"\u00e9" * 1_000: {"x": 1}})


@pytest.mark.parametrize(
    ("value", "id"), [("x", "x"), (2002, "2002"), (-5, "-5"), (2**70, str(2**70))]
)
def test_texts_and_whole_numbers_are_ids(value: object, id: str) -> None:
    assert id_of(value) == id
    assert identity({"a": {"b": value}}, "a.b") == id
    assert identity({"a.b": value}, "a.b") == id


@pytest.mark.parametrize(
    "value", ["", None, True, 1.0, 1.5, {}, [], ["x"], "x" * 513, 10**512, "\u00e9" * 257]
)
def test_anything_else_is_no_id(value: object) -> None:
    with pytest.raises(BadRequest):
        id_of(value)
    with pytest.raises(BadRequest, match=r"the key a\.b"):
        identity({"a": {"b": value}}, "a.b")


def test_an_item_without_a_value_at_the_key_or_with_two_has_no_identity() -> None:
    for item in ({}, {"a": 1}, {"a": [{"b": "x"}]}, {"a": {"b": "x"}, "a.b": "x"}):
        with pytest.raises(BadRequest, match=r"a\.b"):
            identity(item, "a.b")
