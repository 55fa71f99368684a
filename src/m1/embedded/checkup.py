"""Looking whether stored data is what was written, and saving what still is.

Both read everything, so no server may run on the data meanwhile.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from pyroaring import BitMap

from m1.counts import counted
from m1.embedded.copies import Copy, Line, Original, in_batches
from m1.embedded.disk import lock
from m1.embedded.layout import (
    FILE,
    INDEX,
    REPAIRED,
    SIDES,
    Space,
    catalog_is_intact,
    is_intact,
)
from m1.embedded.manifest import load, sync_directory
from m1.embedded.segment import Segment
from m1.embedded.upkeep import folder_of
from m1.embedded.wal import damage_in
from m1.errors import DamagedData, StartError
from m1.progress import Progress, Tell

_AT_ONCE = 1_000
_NAMED = 5


def check(data: Path, tell: Tell) -> list[str]:
    """Read all data; give what is wrong with it, one line each. Raises StartError."""
    _must_be_data(data)
    with closing(lock(data)):
        problem = damage_in(data / f"{FILE}-wal")
        found = [] if problem is None else [f"{data / FILE}-wal: {problem}"]
        try:
            with closing(Original(data / FILE)) as original:
                found += _in_file(data, original, tell)
        except sqlite3.DatabaseError as error:
            found.append(f"{data / FILE}: {error}")
        return found


def _must_be_data(data: Path) -> None:
    if not (data / FILE).is_file():
        raise StartError(f"there is no data of m1 in {data}")


def _in_file(data: Path, original: Original, tell: Tell) -> Iterator[str]:
    yield from original.problems()
    catalog = original.catalog()
    if catalog is not None and not catalog_is_intact(*catalog):
        yield f"{original.file}: the catalog fails its checksum"
    for space in original.spaces():
        yield from _in_rows(original, space, tell)
        yield from _in_segments(folder_of(data, space.number))


def _in_rows(original: Original, space: Space, tell: Tell) -> Iterator[str]:
    progress, done = Progress(tell, original.count(space), "row"), 0
    for lines in in_batches(original.lines(space)):
        done += len(lines)
        progress.at(done)
        for seq, id, body, crc in lines:
            if not is_intact(seq, id, body, crc):
                yield f"{original.file}: row {seq} of items_{space.number} fails its checksum"


def _in_segments(folder: Path) -> Iterator[str]:
    manifest = load(folder)
    for listed in manifest.segments:
        try:
            Segment(folder / listed.name).check()
        except DamagedData as error:
            yield str(error)


# --- repair ---


def repair(data: Path, tell: Tell) -> list[str]:
    """Make new data of what is intact, the damaged files kept aside; give what is lost.

    Where only the index is damaged nothing is: it is made anew by the next start. Raises
    StartError, and DamagedData where too little is left to go on.
    """
    _must_be_data(data)
    with closing(lock(data)):
        aside = data / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        aside.mkdir(mode=0o700)
        for side in ("", *SIDES):
            if (data / f"{FILE}{side}").exists():
                shutil.copy2(data / f"{FILE}{side}", aside)
        if (data / INDEX).exists():
            shutil.copytree(data / INDEX, aside / INDEX)
        lost = _remade(data, tell)
        tell(f"the files as they were are in {aside}; remove it when you are content")
        return lost


def _remade(data: Path, tell: Tell) -> list[str]:
    """Put a copy of what can be read in the place of the file; gives what cannot."""
    lost: list[str] = []
    problem = damage_in(data / f"{FILE}-wal")
    if problem is not None:
        lost.append(f"what the log had behind a damaged frame ({problem})")
    new = data / REPAIRED
    new.unlink(missing_ok=True)
    copy = Copy(new)
    try:
        with closing(Original(data / FILE)) as original:
            catalog = original.catalog()
            if catalog is None or not catalog_is_intact(*catalog):
                raise DamagedData(
                    f"{data / FILE}: the catalog (stores, users, settings) is lost, and nothing "
                    "can be repaired without it: bring back a backup with m1 restore"
                )
            copy.add_catalog(catalog)
            for space in original.spaces():
                copy.add_space(space)
                lost += _salvaged(original, copy, space, tell)
        copy.finish()
    except sqlite3.DatabaseError as error:
        raise DamagedData(
            f"{data / FILE} cannot be read ({error}): bring back a backup with m1 restore"
        ) from error
    finally:
        copy.drop()
    if (data / INDEX).exists():  # what it knows is not what will be there
        shutil.rmtree(data / INDEX)
    for side in SIDES:
        (data / f"{FILE}{side}").unlink(missing_ok=True)
    new.replace(data / FILE)
    sync_directory(data)
    return lost


def _salvaged(original: Original, copy: Copy, space: Space, tell: Tell) -> Iterator[str]:
    """Copy the intact rows of a space; yields what is lost."""
    last = original.last_seq(space)
    progress = Progress(tell, last, "row")
    copied: set[int] = set()
    damaged: list[int] = []
    for low in range(-1, last, _AT_ONCE):
        lines, unreadable = _readable(original, space, low, low + _AT_ONCE)
        intact = [line for line in lines if is_intact(*line)]
        seqs = [line[0] for line in intact]
        damaged += [*unreadable, *({line[0] for line in lines}.difference(seqs))]
        copied.update(seqs)
        copy.add_lines(space, intact)
        progress.at(low)
    missing = _live_seqs(folder_of(original.file.parent, space.number)) - copied
    lost = sorted(missing.union(damaged))
    if lost:
        more = ", ..." if len(lost) > _NAMED else ""
        named = ", ".join(map(str, lost[:_NAMED])) + more
        yield f"up to {counted(len(lost), 'row')} of items_{space.number} ({named})"


def _readable(
    original: Original, space: Space, low: int, high: int
) -> tuple[list[Line], list[int]]:
    """Give the rows after `low` and up to `high`, and the seqs that cannot be read."""
    try:
        return list(original.lines(space, low, high)), []
    except sqlite3.DatabaseError:
        if high - low == 1:
            return [], [high]
        middle = (low + high) // 2
        left, unread = _readable(original, space, low, middle)
        right, unread_too = _readable(original, space, middle, high)
        return left + right, unread + unread_too


def _live_seqs(folder: Path) -> set[int]:
    """Give the rows that the segments know to be needed, as far as they can be read."""
    seqs: set[int] = set()
    for segment in load(folder).segments:
        with suppress(DamagedData):
            live = BitMap.deserialize(segment.live)
            whole = Segment(folder / segment.name, live)
            seqs.update(whole.seqs[docid] for docid in live)
    return seqs
