"""One space in this process: its index, the rows that died, and the pages being read.

A row that an update replaced stays on disk while a page that began before may still ask
for it. Every showing of changes begins a new *moment*; a page remembers its own, and a
row that died at a moment is let go once no page of an earlier one is open.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from m1.embedded.disk import Row
from m1.embedded.disk import Space as Place
from m1.embedded.index import Index
from m1.embedded.matching import Pattern, matching
from m1.embedded.search import patterns_of
from m1.engine import Change, Put
from m1.query.plan import Plan
from m1.terms import Leaf

_STAGED_AT_ONCE = 100
_SWEEP_STEPS = 2
_DELETED_AT_ONCE = 1_000
_MATCHED_AT_ONCE = 5_000

_matchers = ThreadPoolExecutor(2, thread_name_prefix="m1-match")


class Space:
    """A space; used by the event loop's thread alone."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.index = Index()
        self.fenced = False
        self.removed = False
        self.dropped = False
        self._next_seq = 1
        self._moment = 0
        self._open: list[int] = []
        self._dead: deque[tuple[int, list[int]]] = deque()
        self._taken: list[int] = []

    # --- updates ---

    def restore(self, row: Row, size: int, leaves: Sequence[Leaf]) -> None:
        """Take a row as it was found on disk, in the order of seq."""
        self._next_seq = row.seq + 1
        if row.body is None:
            dead = [*self.index.show((), (row.id,)), row.seq]
        else:
            dead = self.index.show((self.index.stage(row.id, row.seq, size, leaves),), ())
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
        removed: list[Row] = []
        for count, (change, row) in enumerate(zip(changes, rows, strict=True), 1):
            if isinstance(change, Put):
                staged.append(self.index.stage(row.id, row.seq, len(change.body), change.leaves))
            else:
                removed.append(row)
            if count % _STAGED_AT_ONCE == 0:
                self.index.sweep(_SWEEP_STEPS * _STAGED_AT_ONCE)
                await asyncio.sleep(0)
        dead = self.index.show(staged, [row.id for row in removed])
        self._moment += 1
        self._dead.append((self._moment, dead + [row.seq for row in removed]))
        self.index.sweep(_SWEEP_STEPS * (len(changes) % _STAGED_AT_ONCE))

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

    # --- patterns ---

    async def match_patterns(self, plan: Plan) -> dict[Pattern, list[str]]:
        """Find what the plan's patterns match where that takes long, beside the event loop.

        The sweep must be kept waiting: then what came meanwhile is what stands last.
        """
        begun: list[tuple[Pattern, int, list[str]]] = []
        loop = asyncio.get_running_loop()
        for pattern in self._costly_patterns(plan):
            texts = list(self.index.paths[pattern.path].numbered)
            found = await loop.run_in_executor(_matchers, matching, pattern, texts)
            begun.append((pattern, len(texts), found))
        for pattern, known, found in begun:
            numbered = self.index.paths[pattern.path].numbered
            found += matching(pattern, islice(reversed(numbered), len(numbered) - known))
        return {pattern: found for pattern, _, found in begun}

    def _costly_patterns(self, plan: Plan) -> list[Pattern]:
        """Give the patterns of a plan, if together they have many texts to look at."""
        paths = self.index.paths
        patterns = [pattern for pattern in patterns_of(plan) if pattern.path in paths]
        texts = sum(len(paths[pattern.path].numbered) for pattern in patterns)
        return patterns if texts > _MATCHED_AT_ONCE else []
