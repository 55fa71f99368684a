"""Keeping a space in few parts: full deltas become segments, many segments become few.

The work is done by processes of their own (`build`); here they are started, and what they
made takes the place of what it was made of, in one step. The manifest on disk follows each
such step, and only then is what it no longer names let go.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import subprocess
import sys
import weakref
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from pyroaring import BitMap

from m1.embedded.build import Job, Rows, Source
from m1.embedded.delta import Delta
from m1.embedded.index import FULL_BYTES, FULL_CHANGES, Index, bury_again
from m1.embedded.layout import INDEX
from m1.embedded.manifest import Listed, Manifest, load, save
from m1.embedded.segment import Segment
from m1.embedded.space import Space
from m1.errors import DamagedData

_log = logging.getLogger("m1")

_SUFFIX = ".segment"
_COMMAND = (sys.executable, "-P", "-m", "m1.embedded.build")
_MERGED_AT_ONCE = 4
"""So many segments of one size become one of the next."""
_BURIED_AT_ONCE = 500
_PAUSE_SECONDS = 10
_AHEAD = 4
"""So many times what fills a delta may come while segments are made; beyond that it slows down."""
_SLOWED_SECONDS = 50e-6
"""What a change then costs at least, for each time more."""
_LONGEST_SLOWED = 10.0
_FREED_AT_ONCE = 200


# --- folders ---


def folder_of(data: Path, number: int) -> Path:
    """Give the folder of a space's segments."""
    return data / INDEX / str(number)


def forget_others(data: Path, numbers: Sequence[int]) -> None:
    """Remove the folders of spaces that are no more."""
    kept = {str(number) for number in numbers}
    for folder in (data / INDEX).glob("*"):
        if folder.name not in kept:
            shutil.rmtree(folder)


def open_index(folder: Path) -> tuple[Index, bytes]:
    """Give a space's index as far as it is in segments, and its garbage.

    Removes files that the manifest does not name; raises DamagedData.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    manifest = load(folder)
    if not all((folder / listed.name).exists() for listed in manifest.segments):
        _log.warning("files are missing in %s: the index is made anew", folder)
        manifest = Manifest()
    names = {listed.name for listed in manifest.segments}
    for path in folder.glob(f"*{_SUFFIX}"):
        if path.name not in names:
            path.unlink()
    segments = [
        Segment(folder / listed.name, BitMap.deserialize(listed.live))
        for listed in manifest.segments
    ]
    return Index(manifest.covered, segments), manifest.garbage


# --- building ---


class _Failed(Exception):
    """A segment could not be made."""


def _target(folder: Path) -> Path:
    return folder / f"{uuid4().hex}{_SUFFIX}"


def build_now(space: Space, folder: Path, database: Path) -> None:
    """Make a segment of the delta while nothing else goes on; raises OSError."""
    index, target = space.index, _target(folder)
    frozen = index.freeze()
    job = msgspec.msgpack.encode(Job(str(target), rows=_rows_of(frozen, space, database)))
    done = subprocess.run(_COMMAND, input=job, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        target.unlink(missing_ok=True)
        raise OSError(f"the index could not be built: {_reason(done.stderr)}")
    index.thaw(Segment(target))
    save(folder, manifest_of(space))


def _reason(errors: bytes) -> str:
    return errors.decode(errors="replace").strip().rpartition("\n")[2] or "it gave no reason"


def _started() -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(_COMMAND, stdin=pipe, stderr=pipe, start_new_session=True)


async def _build(job: Job) -> None:
    """Make a segment in a process of its own, started in a thread: that takes its time."""
    starting = asyncio.create_task(asyncio.to_thread(_started))
    try:
        process = await asyncio.shield(starting)
        _, errors = await asyncio.to_thread(process.communicate, msgspec.msgpack.encode(job))
    finally:
        process = await starting
        if process.poll() is None:
            process.kill()
            await asyncio.to_thread(process.wait)
    if process.returncode:
        raise _Failed(_reason(errors))


def manifest_of(space: Space) -> Manifest:
    """Give the manifest of this moment."""
    index = space.index
    covered = (index.frozen or index.delta).covered
    listed = [Listed(each.path.name, each.live.serialize()) for each in index.segments]
    return Manifest(covered, listed, space.garbage_upto(covered))


class Turns:
    """Who may build: one flush and one merge at a time, in all spaces together."""

    def __init__(self) -> None:
        self.flush = asyncio.Semaphore(1)
        self.merge = asyncio.Semaphore(1)


class Upkeep:
    """The upkeep of one space."""

    def __init__(self, space: Space, folder: Path, database: Path, turns: Turns) -> None:
        self.problem: str | None = None
        """Why the last attempt failed, if it did; it is tried again."""
        self._space = space
        self._folder = folder
        self._database = database
        self._turns = turns
        self._saving = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None
        self._merging: asyncio.Task[None] | None = None
        self._freeing: set[asyncio.Task[None]] = set()
        self._free_at = 0.0
        """When the changes that were slowed down have had their time."""
        self._unsaved = False
        self._obsolete: list[Path] = []
        """Files of segments that the manifest on disk may still name."""
        self._closed = False

    def look(self) -> None:
        """Begin what is due and not under way; cheap enough to be called after each update."""
        index = self._space.index
        due = index.full or index.frozen is not None
        if due and _is_over(self._flushing) and not self._closed:
            self._flushing = asyncio.create_task(self._until_done(self._flush))

    async def keep_back(self, changes: int) -> None:
        """Hold up changes that come faster than segments are made: they would fill the memory."""
        delta = self._space.index.delta
        ahead = max(delta.changes / FULL_CHANGES, delta.bytes / FULL_BYTES) - _AHEAD
        if ahead > 0:
            now = asyncio.get_running_loop().time()
            self._free_at = max(now, self._free_at) + changes * ahead * _SLOWED_SECONDS
            await asyncio.sleep(min(self._free_at - now, _LONGEST_SLOWED))

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work, and do it again after a pause where it failed; it goes on where it was."""
        while True:
            try:
                await work()
            except Exception as error:
                self.problem = f"its index cannot be kept up: {error}"
                expected = isinstance(error, (_Failed, OSError, DamagedData))
                uid = self._space.place.uid
                _log.warning("space %s: %s", uid, self.problem, exc_info=not expected)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self.problem = None
                return

    async def close(self) -> None:
        """Stop; what was not finished is begun again after the next start."""
        self._closed = True
        begun = (self._flushing, self._merging, *self._freeing)
        tasks = [task for task in begun if task is not None]
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                _log.error("the upkeep of a space failed", exc_info=outcome)

    async def _made(self, job: Job, turn: asyncio.Semaphore) -> Segment:
        target = _target(self._folder)
        try:
            async with turn:
                await _build(msgspec.structs.replace(job, target=str(target)))
            return Segment(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    async def _save(self) -> None:
        """Write the manifest; only then let go of what it no longer needs."""
        async with self._saving:
            obsolete, self._obsolete = self._obsolete, []
            try:
                manifest = manifest_of(self._space)
                await asyncio.to_thread(save, self._folder, manifest)
            except BaseException:
                self._obsolete += obsolete
                raise
            self._unsaved = False
            self._space.removals_are_kept(manifest.covered)
            for path in obsolete:
                path.unlink(missing_ok=True)

    async def _save_what_is_not(self) -> None:
        """Do now what an attempt of before could not."""
        if self._unsaved:
            await self._save()

    def _begin_merge(self) -> None:
        if self._due() and _is_over(self._merging):
            self._merging = asyncio.create_task(self._until_done(self._merge))

    # --- from delta to segment ---

    async def _flush(self) -> None:
        space, index = self._space, self._space.index
        await self._save_what_is_not()
        while index.full or index.frozen is not None:
            async with space.changing:
                frozen = index.frozen or index.freeze()
            job = Job("", rows=_rows_of(frozen, space, self._database))
            segment = await self._made(job, self._turns.flush)
            async with space.changing:
                index.thaw(segment)
                self._unsaved = True
            freeing = asyncio.create_task(_free(_unused(frozen), frozen.contents()))
            del frozen
            self._freeing.add(freeing)
            freeing.add_done_callback(self._freeing.discard)
            await self._save()
            self._begin_merge()
        self._begin_merge()

    # --- from segments to a segment ---

    def _due(self) -> list[Segment]:
        """Give segments that should become one: many of a size, or one that is half dead."""
        tiers: defaultdict[int, list[Segment]] = defaultdict(list)
        for segment in self._space.index.segments:
            size = max(len(segment.live), FULL_CHANGES) / FULL_CHANGES
            tiers[int(math.log(size, _MERGED_AT_ONCE))].append(segment)
        for _, segments in sorted(tiers.items()):
            if len(segments) >= _MERGED_AT_ONCE:
                return segments
        return [
            segment
            for segment in self._space.index.segments
            if 2 * len(segment.live) < len(segment.seqs)
        ][:1]

    async def _merge(self) -> None:
        await self._save_what_is_not()
        while sources := self._due():
            known = [source.live.copy() for source in sources]
            merged = None
            if any(known):
                job = Job("", sources=list(map(_source, sources)))
                merged = await self._made(job, self._turns.merge)
            try:
                while not await self._take_place(sources, known, merged):
                    pass
            except BaseException:
                if merged is not None and merged not in self._space.index.segments:
                    merged.path.unlink()
                raise
            await self._save()

    async def _take_place(
        self, sources: Sequence[Segment], known: Sequence[BitMap], merged: Segment | None
    ) -> bool:
        """Let some die that died meanwhile; when that was all, put the merged in place."""
        async with self._space.changing:
            left = False
            for source, live in zip(sources, known, strict=True):
                died = BitMap(islice(live - source.live, _BURIED_AT_ONCE))
                if merged is not None:
                    bury_again(died, source, merged)
                live.difference_update(died)
                left = left or live != source.live
            if not left:
                self._space.index.merge(sources, merged)
                self._obsolete += [source.path for source in sources]
                self._unsaved = True
        await asyncio.sleep(0)
        return not left


def _unused(part: object) -> asyncio.Event:
    """Give what happens once nobody uses a part any more, in whichever thread that is."""
    event = asyncio.Event()
    done = weakref.finalize(part, asyncio.get_running_loop().call_soon_threadsafe, event.set)
    done.atexit = False
    return event


async def _free(unused: asyncio.Event, contents: list[list[Any]]) -> None:
    """Free what a delta held, little by little: at once it would hold up all others."""
    await unused.wait()
    for content in contents:
        while content:
            del content[-_FREED_AT_ONCE:]
            await asyncio.sleep(0)


def _is_over(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done()


def _rows_of(frozen: Delta, space: Space, database: Path) -> Rows:
    return Rows(str(database), space.place.number, frozen.covered, frozen.last_seq)


def _source(segment: Segment) -> Source:
    return Source(str(segment.path), segment.live.serialize())
