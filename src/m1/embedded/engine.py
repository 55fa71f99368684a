"""The engine in this process: an index in memory over items durable in SQLite.

What makes it hold together: the index is touched by the event loop's thread alone, the
file is written by one thread alone (`writer`), and rows are never rewritten. So a query
runs without a lock, sees one moment, and reads its rows at leisure.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from m1.counts import counted
from m1.embedded import measures
from m1.embedded.counting import counting
from m1.embedded.disk import Disk
from m1.embedded.index import FULL_CHANGES
from m1.embedded.layout import Space as Place
from m1.embedded.order import Found, arrange
from m1.embedded.order import Place as Spot
from m1.embedded.reader import Reader
from m1.embedded.search import find, paths_of
from m1.embedded.space import Space, catch_up
from m1.embedded.upkeep import Turns, Upkeep, build_now, folder_of, forget_others, open_index
from m1.embedded.writer import Writer
from m1.engine import Change, Check, Counts, Page, Remove, Saved
from m1.errors import BadRequest, DamagedData, M1Error, StartError, Unavailable
from m1.jsontext import decode
from m1.longwork import Aside, Slices
from m1.query.facets import Facets, Paths
from m1.query.plan import Plan, SortKey
from m1.readings import PARTS_FAILING, Measure
from m1.terms import flatten

_READ_AT_ONCE = 100
"""So many rows are read within the query itself; more are streamed."""
_TOLD_EVERY = 50_000
_MOST_RESTORED = 4 * FULL_CHANGES
"""So many rows after the last segment are taken in; of more, segments are made first."""
_SWEPT_AT_ONCE = 100
_BATCH_BYTES = 256 * 1024
_BATCH_ROWS = 1_000


_log = logging.getLogger("m1")


async def _nothing() -> None:
    pass


class EmbeddedEngine:
    """Keeps the Engine protocol on one data directory; used by one event loop."""

    def __init__(
        self, directory: Path, on_failure: Callable[[BaseException], None] = lambda error: None
    ) -> None:
        """Open the data and build the index; call inside the event loop that will use it.

        `on_failure` is called once when writing is over for good, and should end the process.
        Raises StartError or DamagedData.
        """
        self._directory = directory
        self._disk = Disk(directory)
        self._saving = asyncio.Lock()
        self._turns = Turns()
        self._upkeep: dict[str, Upkeep] = {}
        try:
            with self._disk.reading():
                self._saved = self._disk.load_catalog()
                places, removed = self._disk.load_spaces()
                forget_others(directory, [place.number for place in places])
                self._spaces = {place.uid: self._restored(place) for place in places}
        except OSError as error:
            self._disk.close()
            raise StartError(f"the index in {directory} cannot be written: {error}") from error
        except BaseException:
            self._disk.close()
            raise
        self._next_number = max([place.number for place in places] + removed, default=0) + 1
        self._reader = Reader(self._disk.file)
        self._streams = Aside("streams")
        self._stream_reader = Reader(self._disk.file)
        self._dropping: set[asyncio.Task[None]] = set()
        self._writer = Writer(self._disk, on_failure)
        for number in removed:
            self._drop(number)
        for upkeep in self._upkeep.values():
            upkeep.look()

    def _restored(self, place: Place) -> Space:
        """Give a space as its segments and the rows after them make it."""
        folder = folder_of(self._directory, place.number)
        index, garbage = open_index(folder)
        space = Space(place, index, garbage)
        for count, row in enumerate(self._disk.load_rows(place.number, index.delta.covered), 1):
            if count % _TOLD_EVERY == 0:
                _log.info("space %s: %d rows read, the index is being built", place.uid, count)
            space.restore(row, None if row.body is None else flatten(decode(row.body)))
            if index.delta.changes >= _MOST_RESTORED:
                build_now(space, folder, self._disk.file)
        self._add_upkeep(space)
        return space

    def _add_upkeep(self, space: Space) -> None:
        folder = folder_of(self._directory, space.place.number)
        self._upkeep[space.place.uid] = Upkeep(space, folder, self._disk.file, self._turns)

    # --- the catalog ---

    async def load_catalog(self) -> Saved:
        """See Engine."""
        return self._saved

    async def save_catalog(self, document: bytes, version: int) -> bool:
        """See Engine."""
        async with self._saving:
            if version != self._saved.version:
                return False
            saved = Saved(document, version + 1)

            async def show() -> None:
                self._saved = saved

            await self._writer.do(
                lambda disk: disk.save_catalog(document, version + 1), show, removes=True
            )
            return True

    # --- spaces ---

    async def create_space(self, uid: str, shards: int, replicas: int) -> None:
        """See Engine."""
        if (shards, replicas) != (1, 1):
            raise BadRequest(
                "the embedded engine keeps 1 shard and 1 replica of each store: "
                "ask for 1 and 1, or start the server with --engine opensearch"
            )
        if uid in self._spaces:
            return
        place = Place(self._next_number, uid)
        self._next_number += 1
        index, _ = open_index(folder_of(self._directory, place.number))
        await self._writer.do(lambda disk: disk.add_space(place), _nothing)
        self._spaces[uid] = Space(place, index)
        self._add_upkeep(self._spaces[uid])

    async def remove_space(self, uid: str) -> None:
        """See Engine."""
        space = self._spaces.pop(uid, None)
        if space is None:
            return
        number = space.place.number
        try:
            await self._writer.do(lambda disk: disk.mark_removed(number), _nothing, removes=True)
        except Unavailable:
            self._spaces[uid] = space
            raise
        space.removed = True
        await self._upkeep.pop(uid).close()
        self._drop_if_unread(space)

    def _drop_if_unread(self, space: Space) -> None:
        """Drop a removed space's rows; where a page is open, the last one to close does it.

        Nobody waits for it: rows that a stopped server leaves behind go at its next start.
        """
        if space.removed and not space.open_pages and not space.dropped:
            space.dropped = True
            self._drop(space.place.number)

    def _drop(self, number: int) -> None:

        async def forget() -> None:
            shutil.rmtree(folder_of(self._directory, number), ignore_errors=True)

        work = self._writer.do(lambda disk: disk.drop_table(number), forget, removes=True)
        task = asyncio.create_task(work)
        self._dropping.add(task)
        task.add_done_callback(self._dropped)

    def _dropped(self, task: asyncio.Task[None]) -> None:
        self._dropping.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.warning("rows of a removed store stay until the next start: %s", task.exception())

    async def fence_space(self, uid: str, closed: bool) -> None:
        """See Engine."""
        if not closed:
            if uid in self._spaces:
                self._spaces[uid].fenced = False
            return
        space = self._space(uid)
        _check_open(space)
        space.fenced = True
        try:
            await self._writer.do(lambda disk: None, _nothing, removes=True)
        except BaseException:
            space.fenced = False
            raise

    def _space(self, uid: str) -> Space:
        space = self._spaces.get(uid)
        if space is None:
            raise Unavailable("the store is just being changed: try again")
        return space

    # --- items ---

    async def update(self, uid: str, changes: Sequence[Change]) -> None:
        """See Engine."""
        if uid in self._upkeep:
            await self._upkeep[uid].keep_back(len(changes))
        space = self._space(uid)
        _check_open(space)
        if not changes:
            return
        removes = all(isinstance(change, Remove) for change in changes)
        if self._disk.is_full and not removes:
            await self._sweep(space)
            _check_open(space)
        number, rows = space.place.number, space.rows_of(changes)
        dead = space.take_garbage(len(changes), pressed=self._disk.is_full)

        def write(disk: Disk) -> None:
            disk.delete(number, dead)
            disk.append(number, rows)

        async def show() -> None:
            if dead:
                space.garbage.are_deleted()
            await space.show(changes, rows)
            if uid in self._upkeep:
                self._upkeep[uid].look()

        undo = space.garbage.give_back if dead else None
        await self._writer.do(write, show, undo, removes=removes)

    async def _sweep(self, space: Space) -> None:
        """Delete some dead rows by themselves: what comes after them may find their room."""
        number, dead = space.place.number, space.take_garbage(_SWEPT_AT_ONCE, pressed=True)
        if not dead:
            return

        async def show() -> None:
            space.garbage.are_deleted()

        await self._writer.do(
            lambda disk: disk.delete(number, dead), show, space.garbage.give_back, removes=True
        )

    async def query(
        self, uid: str, plan: Plan, order: Sequence[SortKey], start: int, rows: int
    ) -> Page:
        """See Engine."""
        space = self._space(uid)
        moment: int | None = space.open_page()

        def release() -> None:
            nonlocal moment
            if moment is not None:
                space.close_page(moment)
                moment = None
                self._drop_if_unread(space)

        try:
            with _damage_told(), Slices() as slices:
                page = await self._page(space, plan, order, start, rows, slices, release)
        except BaseException:
            release()
            raise
        if page.whole is not None:
            release()
        return page

    async def _page(
        self,
        space: Space,
        plan: Plan,
        order: Sequence[SortKey],
        start: int,
        rows: int,
        slices: Slices,
        release: Callable[[], None],
    ) -> Page:
        """Find and order at one moment; a small page is read within it."""
        found = await _found(space, plan, [key.path for key in order], slices)
        count = _size(found)
        blocks = arrange(found, order, start, rows)
        number = space.place.number
        if min(rows, count - start) > _READ_AT_ONCE:
            blocks = chain([next(blocks, [])], blocks)  # the first is of this very moment
            return Page(count, self._stream(number, blocks), release)
        spots = list(chain.from_iterable(blocks))
        if sum(size for _, size in spots) > _BATCH_BYTES:
            return Page(count, self._stream(number, iter([spots])), release)
        return Page.at_once(count, _read(self._reader, number, [seq for seq, _ in spots]))

    async def _stream(
        self, number: int, blocks: Iterator[list[Spot]]
    ) -> AsyncIterator[list[bytes]]:
        """Yield batches of items; while one is being sent, the next is being read."""
        batches = self._batches(number, blocks)
        reading = self._next_of(batches)
        try:
            while batch := await reading:
                reading = self._next_of(batches)
                yield batch
        finally:
            await asyncio.wait([reading])

    def _batches(self, number: int, blocks: Iterator[list[Spot]]) -> Iterator[list[bytes]]:
        with _damage_told():
            for block in blocks:
                begin = 0
                while begin < len(block):
                    end = _batch_end(block, begin)
                    seqs = [seq for seq, _ in block[begin:end]]
                    yield _read(self._stream_reader, number, seqs)
                    begin = end

    def _next_of(self, batches: Iterator[list[bytes]]) -> asyncio.Task[list[bytes]]:
        """Begin to make the next batch, in the thread for streams; an empty one is the end."""
        return asyncio.create_task(self._streams.do(lambda: next(batches, [])))

    async def count(self, uid: str, plan: Plan, facets: Facets) -> Counts:
        """See Engine."""
        space = self._space(uid)
        with _damage_told(), Slices() as slices:
            paths = [] if isinstance(facets, Paths) else [facets.path]
            found = await _found(space, plan, paths, slices)
            return Counts(_size(found), await slices.finish(counting(found, facets)))

    # --- health and end ---

    async def check(self) -> list[Check]:
        """See Engine."""
        failure = self._writer.failure
        state = "takes writes" if failure is None else f"no longer writable: {failure}"
        checks = [Check("db", failure is None, state)]
        for uid, space in self._spaces.items():
            problem = self._upkeep[uid].problem
            state = counted(len(space.index), "item") + (f"; {problem}" if problem else "")
            checks.append(Check(f"{uid} shard 0 replica 0", problem is None, state))
        return checks

    async def measure(self) -> list[Measure]:
        """See Engine."""
        found = await asyncio.to_thread(measures.of_disk, self._disk.file)
        failing = sum(not check.passed for check in await self.check())
        spaces = chain.from_iterable(map(measures.of_space, self._spaces.values()))
        return [*found, Measure(PARTS_FAILING, failing), *spaces]

    async def close(self) -> None:
        """See Engine."""
        for upkeep in self._upkeep.values():
            await upkeep.close()
        await self._writer.close()
        self._streams.close()
        for reader in (self._reader, self._stream_reader):
            reader.close()
        self._disk.close()


async def _found(space: Space, plan: Plan, paths: Sequence[str], slices: Slices) -> Found:
    """Find at one moment; what some more paths have is made ready too."""
    await catch_up(space.index, (*paths_of(plan), *paths), slices)
    return [(part, await find(part, live, plan, slices)) for part, live in space.index.views()]


def _size(found: Found) -> int:
    return sum(len(some) for _, some in found)


def _check_open(space: Space) -> None:
    if space.fenced:
        raise Unavailable("the store is just being re-keyed: try again")


@contextmanager
def _damage_told() -> Iterator[None]:
    """Raise M1Error where the index turns out to be damaged in the block."""
    try:
        yield
    except DamagedData as error:
        raise M1Error(str(error)) from error


def _batch_end(block: Sequence[Spot], begin: int) -> int:
    end, total = begin, 0
    while end < len(block) and total < _BATCH_BYTES and end - begin < _BATCH_ROWS:
        total += block[end][1]
        end += 1
    return end


def _read(reader: Reader, number: int, seqs: Sequence[int]) -> list[bytes]:
    try:
        return reader.bodies(number, seqs)
    except sqlite3.Error as error:
        raise Unavailable(f"the data cannot be read: {error}") from error
    except OSError as error:
        raise M1Error(f"the data is damaged: {error}") from error
