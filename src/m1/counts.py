"""Counts in words: 1 item, but 2 items."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """Write how many there are of what; `many` is `one` with an s where it is not given.

    The verb may come with it: `counted(n, "item is", "items are")`.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
