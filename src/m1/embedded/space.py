"""One space in this process: its index, the rows that died, and the pages being read.

A row that an update replaced stays on disk while a page that began before may still ask
for it. Every showing of changes begins a new *moment*; a page remembers its own, and a
row that died at a moment is garbage once no page of an earlier one is open.

A row that says that an item was removed stays until a manifest on disk knows of it: it is
what keeps the item from coming back out of its segment after a crash.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain

from m1.embedded.garbage import Garbage
from m1.embedded.index import Index, Spot
from m1.embedded.layout import Row
from m1.embedded.layout import Space as Place
from m1.engine import Change, Put
from m1.longwork import Slices
from m1.terms import Flat

_STAGED_AT_ONCE = 100


class Space:
    """A space; used by the event loop's thread alone."""

    def __init__(self, place: Place, index: Index, garbage: bytes = b"") -> None:
        self.place = place
        self.index = index
        self.fenced = False
        self.removed = False
        self.dropped = False
        self.changing = asyncio.Lock()
        """Held while changes are shown, and while parts take the place of others."""
        self._next_seq = index.delta.last_seq + 1
        self._moment = 0
        self._open: list[int] = []
        self._dead: deque[tuple[int, list[int]]] = deque()
        """Rows that an open page may still ask for, by the moment at which they died."""
        self.garbage = Garbage(garbage)
        self._removals: deque[int] = deque()

    # --- updates ---

    def restore(self, row: Row, flat: Flat | None) -> None:
        """Take a row as it was found on disk, in the order of seq; no flat where it removes."""
        self._next_seq = row.seq + 1
        if flat is None:
            self._removals.append(row.seq)
            dead = self.index.show((), (row.id,), (self.index.locate(row.id),), row.seq)
        else:
            docid, spot = self.index.stage(row.id, row.seq, len(row.body or b""), flat)
            dead = self.index.show((docid,), (), (spot,), row.seq)
        self.garbage.add(dead)

    def rows_of(self, changes: Sequence[Change]) -> list[Row]:
        """Give the rows that write these changes down, numbered after all given before."""
        begin = self._next_seq
        self._next_seq += len(changes)
        return [
            Row(seq, change.id, change.body if isinstance(change, Put) else None)
            for seq, change in enumerate(changes, begin)
        ]

    async def show(self, changes: Sequence[Change], rows: Sequence[Row]) -> None:
        """Make written changes visible, all at one moment; others may run before it."""
        staged: list[int] = []
        removed: list[str] = []
        replaced: list[Spot | None] = []
        async with self.changing:
            for count, (change, row) in enumerate(zip(changes, rows, strict=True), 1):
                if isinstance(change, Put):
                    docid, spot = self.index.stage(row.id, row.seq, len(change.body), change.flat)
                    staged.append(docid)
                else:
                    spot = self.index.locate(row.id)
                    removed.append(row.id)
                    self._removals.append(row.seq)
                replaced.append(spot)
                if count % _STAGED_AT_ONCE == 0:
                    await asyncio.sleep(0)
            dead = self.index.show(staged, removed, replaced, rows[-1].seq)
            self._moment += 1
            if dead:
                self._dead.append((self._moment, dead))

    # --- rows that died ---

    def take_garbage(self, changes: int, *, pressed: bool = False) -> list[int]:
        """Give rows to be deleted along with so many changes, see `Garbage`."""
        oldest = min(self._open, default=self._moment)
        while self._dead and self._dead[0][0] <= oldest:
            self.garbage.add(self._dead.popleft()[1])
        return self.garbage.take(changes, len(self.index), pressed=pressed)

    def garbage_upto(self, covered: int) -> bytes:
        """Give all rows up to a seq that nobody will need and that may still be on disk."""
        dying = chain.from_iterable(seqs for _, seqs in self._dead)
        return self.garbage.upto(covered, chain(dying, self._removals))

    def removals_are_kept(self, covered: int) -> None:
        """Be told that removals up to a seq need no rows any more."""
        kept: list[int] = []
        while self._removals and self._removals[0] <= covered:
            kept.append(self._removals.popleft())
        if kept:
            self._dead.append((self._moment, kept))

    # --- pages ---

    @property
    def open_pages(self) -> int:
        """How many pages are being read."""
        return len(self._open)

    def open_page(self) -> int:
        """Keep the rows of this moment until `close_page`; gives the moment."""
        self._open.append(self._moment)
        return self._moment

    def close_page(self, moment: int) -> None:
        """Let the rows of a moment go."""
        self._open.remove(moment)


async def catch_up(index: Index, paths: Iterable[str], slices: Slices) -> None:
    """Make ready what a query asks for at some paths, others being answered meanwhile.

    That is to index the newest items, and to read and check what is in large segments.
    """
    for path in dict.fromkeys(paths):
        for segment in index.segments:
            if segment.is_cold(path):
                await asyncio.to_thread(segment.warm, path)
        for delta in filter(None, (index.frozen, index.delta)):
            for _ in delta.look_further(path):
                if slices.are_due:
                    await slices.rest()
        if slices.are_due:
            await slices.rest()
