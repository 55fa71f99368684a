"""One space in this process: its index, the rows that died, and the pages being read.

A row that an update replaced stays on disk while a page that began before may still ask
for it. Every showing of changes begins a new *moment*; a page remembers its own, and a
row that died at a moment is let go once no page of an earlier one is open.

A row that says that an item was removed stays until a manifest on disk knows of it: it is
what keeps the item from coming back out of its segment after a crash.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from m1.embedded.disk import Row
from m1.embedded.disk import Space as Place
from m1.embedded.index import Index, Spot, View
from m1.embedded.matching import Pattern
from m1.embedded.search import Matched, patterns_of
from m1.engine import Change, Put
from m1.query.plan import Plan
from m1.terms import Flat

_STAGED_AT_ONCE = 100
_DELETED_AT_ONCE = 1_000
_MATCHED_AT_ONCE = 5_000

_matchers = ThreadPoolExecutor(2, thread_name_prefix="m1-match")


class Space:
    """A space; used by the event loop's thread alone."""

    def __init__(self, place: Place, index: Index, garbage: Sequence[int] = ()) -> None:
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
        self._dead: deque[tuple[int, list[int]]] = deque([(0, list(garbage))])
        self._taken: list[int] = []
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
        if dead:
            self._dead.append((0, dead))

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

    def take_dead(self) -> list[int]:
        """Take some of the rows that no open page can ask for, to delete them.

        They come in the order in which they died, and no more come before it was said what
        became of them: the row that says that an item was removed must never be deleted
        before the rows of the item itself.
        """
        if self._taken:
            return []
        oldest = min(self._open, default=self._moment)
        taken: list[int] = []
        while self._dead and self._dead[0][0] <= oldest and len(taken) < _DELETED_AT_ONCE:
            taken += self._dead.popleft()[1]
        self._taken = taken
        return taken

    def dead_are_deleted(self) -> None:
        """Be told that the rows that were taken are gone."""
        self._taken = []

    def give_back_dead(self) -> None:
        """Be told that the rows that were taken could not be deleted after all."""
        self._dead.appendleft((0, self._taken))
        self._taken = []

    def garbage(self, covered: int) -> list[int]:
        """Give all rows up to a seq that nobody will need and that may still be on disk."""
        dead = [*self._taken, *(seq for _, some in self._dead for seq in some)]
        return [seq for seq in (*dead, *self._removals) if seq <= covered]

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


async def match_patterns(views: Sequence[View], plan: Plan) -> list[Matched]:
    """Find what a plan's patterns match where that takes long, beside the event loop."""
    patterns = list(dict.fromkeys(patterns_of(plan)))
    matched: list[dict[Pattern, Sequence[int]]] = [{} for _ in views]
    loop = asyncio.get_running_loop()
    for pattern in patterns:
        for (part, _), known in zip(views, matched, strict=True):
            terms = part.terms_at(pattern.path)
            if terms is not None and terms.count > _MATCHED_AT_ONCE:
                known[pattern] = await loop.run_in_executor(_matchers, terms.matching, pattern)
    return list[Mapping[Pattern, Sequence[int]]](matched)
