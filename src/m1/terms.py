"""What of an item can be found: its values flattened, and the leaf that each one is.

Every value that is not null gives a leaf. Its text is what terms, prefixes, patterns and
text ranges see; its number what number ranges and orders see; its instant, for texts that
are wholly an ISO instant or day, what date ranges see beside the numbers. One rule for
both engines.

    {"a": {"t": "2023-11-14", "n": [1, 2.50]}}
    =>  paths a.t, a.n, a.n;  values "2023-11-14", 1, 2.5
    =>  (a.t, "2023-11-14", None, 1699920000000), (a.n, "1", 1.0, None), (a.n, "2.5", 2.5, None)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from m1.paths import scalars
from m1.values import Scalar, double_of, instant_of, text_of

MAX_TEXT_BYTES = 8_192
"""A longer text is stored, returned and found by `exists`, but not by its value."""

SORTED_CHARACTERS = 256
"""Texts are sorted by so many of their first characters."""

_SURELY_SHORT = MAX_TEXT_BYTES // 4
_SHAPES_KEPT = 5_000
_PATHS_KEPT = 1_000


class Shape:
    """The paths of an item's values; the items of one store have few shapes."""

    __slots__ = ("existing", "paths", "places")

    def __init__(self, paths: tuple[str, ...]) -> None:
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, path in enumerate(paths):
            places[path].append(place)
        self.paths = paths
        self.places: Mapping[str, Sequence[int]] = dict(places)
        """At which places of the values a path has its own."""
        self.existing = frozenset((*places, *above(places)))
        """Every path at or below which there is a value."""


def above(paths: Iterable[str]) -> Iterator[str]:
    """Yield what paths are below, some perhaps more than once."""
    return (path[:at] for path in paths for at, mark in enumerate(path) if mark == ".")


class Leaf(NamedTuple):
    """One value as each kind of search sees it."""

    text: str | None
    number: float | None
    instant: int | None


class Flat(NamedTuple):
    """An item flattened: its values that are not null, `shape` having the path of each."""

    shape: Shape
    values: Sequence[Scalar]

    def leaves(self) -> Iterator[tuple[str, Leaf]]:
        """Yield every path with a leaf there."""
        return zip(self.shape.paths, map(leaf_of, self.values), strict=True)


_shapes: dict[tuple[str, ...], Shape] = {}


def flatten(item: dict[str, Any]) -> Flat:
    """Give what of an item can be found; raises BadRequest as `paths.scalars` does."""
    paths, values = scalars(item)
    return Flat(_shape_of(tuple(paths)), values)


def _shape_of(paths: tuple[str, ...]) -> Shape:
    shape = _shapes.get(paths)
    if shape is None:
        shape = Shape(paths)
        if len(paths) <= _PATHS_KEPT:
            if len(_shapes) >= _SHAPES_KEPT:
                _shapes.clear()
            _shapes[paths] = shape
    return shape


def leaf_of(value: Scalar) -> Leaf:
    """Give what each kind of search sees of a value."""
    if isinstance(value, str):
        if len(value) > _SURELY_SHORT and len(value.encode()) > MAX_TEXT_BYTES:
            return Leaf(None, None, None)
        return Leaf(value, None, instant_of(value) if value[4:5] == "-" else None)
    number = None if isinstance(value, bool) else double_of(value)
    return Leaf(text_of(value), number, None)
