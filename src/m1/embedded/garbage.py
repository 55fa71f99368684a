"""Rows that nobody can ask for any more: when they are deleted, and in which order.

Deleting a row rewrites the page that it is on. So dead rows are left where they are until
they are many beside those that live; then those that were written first go, some with each
update, until half are gone. The older a page, the more of its rows are dead.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyroaring import BitMap64

_FEW = 1_000
"""Fewer dead rows than this are never worth the trouble."""
_FOR_EACH_CHANGE = 4
_AT_ONCE = 1_000
_AT_ONCE_PRESSED = 100
"""When the disk is full: each may be on a page of its own, which then is in the log too."""


class Garbage:
    """The dead rows of one space, by seq."""

    def __init__(self, kept: bytes = b"") -> None:
        """Begin with what `upto` gave."""
        self._rows = BitMap64.deserialize(kept) if kept else BitMap64()
        self._taken = BitMap64()
        self._sweeping = False
        self._due = 0

    def add(self, seqs: Iterable[int]) -> None:
        """Take rows in."""
        self._rows.update(seqs)

    def take(self, changes: int, live: int, *, pressed: bool = False) -> list[int]:
        """Give rows to be deleted along with so many changes, where so many rows are live.

        When pressed, because the disk is full, any that there are.

        No more are given before it was said what became of them: the row that says that an
        item was removed must not go before the rows of the item, which are older.
        """
        many = max(_FEW, live // 2)
        self._sweeping = len(self._rows) > (many // 2 if self._sweeping else many)
        self._due = min(self._due + changes * _FOR_EACH_CHANGE, _AT_ONCE) if self._sweeping else 0
        if pressed:
            self._due = min(changes * _FOR_EACH_CHANGE, _AT_ONCE_PRESSED)
        if self._taken or not self._due:
            return []
        self._taken = self._rows[: self._due]
        self._rows -= self._taken
        self._due = 0
        return list(self._taken)

    def are_deleted(self) -> None:
        """Be told that the rows that were taken are gone."""
        self._taken = BitMap64()

    def give_back(self) -> None:
        """Be told that the rows that were taken could not be deleted after all."""
        self._rows |= self._taken
        self._taken = BitMap64()

    def upto(self, seq: int, others: Iterable[int]) -> bytes:
        """Give all rows up to a seq that may still be there, and others, for a later start."""
        rows = self._rows | self._taken | BitMap64(others)
        kept: bytes = rows[: rows.rank(seq)].serialize()
        return kept
