"""What may be counted among the items that a query finds: their facets.

    Paths("user.", 10)            the paths that begin so, in order: those of user completed
    Texts("user.name", "A", 10)   the most frequent values of a path that begin so
    Stretches("n", (0, 5, 10))    how many have a value from 0 to below 5, and from 5 to below 10

Items are counted, not values: one with the same value twice counts once.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

LONGEST = 255
"""A text with more characters is no facet: nobody would choose it from a list."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The first paths with a beginning, at or below which items have a value."""

    prefix: str
    most: int


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a path with a beginning, by falling count, then by text."""

    path: str
    prefix: str
    most: int


@dataclass(frozen=True, slots=True)
class Stretches:
    """The numbers and instants (in epoch ms) of a path, between each two of ascending edges."""

    path: str
    edges: tuple[float, ...]


Facets = Paths | Texts | Stretches


class Largest:
    """The texts with the largest counts, of those that are added in the order of the texts."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._added = 0
        self._kept: list[tuple[int, int, str]] = []

    def add(self, text: str, count: int) -> None:
        """Add a text that comes after all before: of two with one count the first is larger."""
        self._added += 1
        entry = (count, -self._added, text)
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, entry)
        elif self._kept:
            heapq.heappushpop(self._kept, entry)

    def ranked(self) -> list[tuple[str, int]]:
        """Give them with their counts, the largest first."""
        return [(text, count) for count, _, text in sorted(self._kept, reverse=True)]
