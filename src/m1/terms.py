"""What of an item can be found: its leaves, one rule for both engines.

Every value that is not null gives a leaf. Its text is what terms, prefixes, patterns and
text ranges see; its number what number ranges and orders see; its instant, for texts that
are wholly an ISO instant or day, what date ranges see beside the numbers.

    {"a": {"t": "2023-11-14", "n": [1, 2.50]}}
    =>  (a.t, "2023-11-14", None, 1699920000000), (a.n, "1", 1.0, None), (a.n, "2.5", 2.5, None)
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from m1.paths import scalars
from m1.values import Scalar, double_of, instant_of, text_of

MAX_TEXT_BYTES = 8_192
"""A longer text is stored, returned and found by `exists`, but not by its value."""


_SURELY_SHORT = MAX_TEXT_BYTES // 4
_USUAL_CHARACTERS = 10_000
_new = tuple.__new__  # a third of the time that a NamedTuple takes to check its arguments


class Leaf(NamedTuple):
    """One value of an item: where it is, and what each kind of search sees of it."""

    path: str
    text: str | None
    number: float | None
    instant: int | None


def leaves(item: dict[str, Any]) -> tuple[Leaf, ...]:
    """Give what of an item can be found; raises BadRequest as `paths.scalars` does."""
    return tuple([_leaf(path, value) for path, value in scalars(item)])


def _leaf(path: str, value: Scalar) -> Leaf:
    if isinstance(value, str):
        if len(value) > _SURELY_SHORT and len(value.encode()) > MAX_TEXT_BYTES:
            return _new(Leaf, (path, None, None, None))
        instant = instant_of(value) if value[4:5] == "-" else None
        return _new(Leaf, (path, value, None, instant))
    if isinstance(value, bool):
        return _new(Leaf, (path, text_of(value), None, None))
    return _new(Leaf, (path, text_of(value), double_of(value), None))


def existing_paths(found: Iterable[Leaf]) -> frozenset[str]:
    """Give every path at or below which an item has a value."""
    paths = tuple([leaf[0] for leaf in found])
    usual = len("".join(paths)) <= _USUAL_CHARACTERS
    return _with_ancestors(paths) if usual else _with_ancestors.__wrapped__(paths)


@lru_cache(maxsize=1_000)
def _with_ancestors(paths: tuple[str, ...]) -> frozenset[str]:
    """Add what lies above; items of one store have few shapes, so the last ones are kept."""
    above = [
        path[:at] for path in set(paths) for at, character in enumerate(path) if character == "."
    ]
    return frozenset((*paths, *above))
