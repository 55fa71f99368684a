"""Counts in words."""

from __future__ import annotations

from m1.counts import counted


def test_one_is_no_plural() -> None:
    assert [counted(n, "item") for n in (0, 1, 2, 1_000)] == [
        "0 items",
        "1 item",
        "2 items",
        "1,000 items",
    ]
    assert counted(1, "item is", "items are") == "1 item is"
    assert counted(2, "item is", "items are") == "2 items are"
