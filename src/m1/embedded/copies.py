"""Copying what the engine keeps: backups of a running server, and bringing them back.

A backup is a file in the format of the data itself (`layout`), with one more table:

    backup   rows, sha256    how many rows there are, and a hash over all of them in order

The index is not in it: a server makes it anew from the rows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from m1.counts import counted
from m1.embedded.disk import lock, unmake
from m1.embedded.layout import (
    FILE,
    INDEX,
    SIDES,
    Space,
    connect,
    is_empty,
    is_intact,
    make_tables,
    not_ours,
)
from m1.embedded.manifest import sync_directory
from m1.errors import DamagedData, Failure, StartError
from m1.progress import Progress, Tell

Line = tuple[int, str, bytes | None, int]
"""A row with its checksum."""
_AT_ONCE = 1_000


class Original:
    """A file of rows as it is at one moment, read beside a server that goes on writing."""

    def __init__(self, file: Path) -> None:
        """Open it; raises StartError where it is not there or not ours."""
        if not file.is_file():
            raise StartError(f"{file} is not there")
        self.file = file
        self._connection = connect(file, read_only=True)
        reason = not_ours(self._connection, file)
        if reason is not None:
            self._connection.close()
            raise StartError(reason)
        self._connection.execute("BEGIN")

    def catalog(self) -> tuple[int, bytes, int] | None:
        """Give version, document and checksum of the catalog."""
        found: tuple[int, bytes, int] | None = self._connection.execute(
            "SELECT version, document, crc FROM catalog"
        ).fetchone()
        return found

    def spaces(self) -> list[Space]:
        """Give the spaces, those that are being removed left out."""
        found = self._connection.execute("SELECT number, uid FROM spaces WHERE uid NOT NULL")
        return [Space(number, uid) for number, uid in found]

    def count(self, space: Space) -> int:
        """Tell how many rows a space has."""
        (count,) = self._connection.execute(f"SELECT count(*) FROM items_{space.number}").fetchone()
        return int(count)

    def lines(self, space: Space, after: int = -1, upto: int = 2**63 - 1) -> Iterator[Line]:
        """Yield the rows of a space after a seq and up to another, with their checksums."""
        yield from self._connection.execute(
            f"SELECT seq, id, body, crc FROM items_{space.number}"
            " WHERE seq > ? AND seq <= ? ORDER BY seq",
            (after, upto),
        )

    def last_seq(self, space: Space) -> int:
        """Give the seq of a space's last row, 0 where there is none."""
        query = f"SELECT max(seq) FROM items_{space.number}"
        (last,) = self._connection.execute(query).fetchone()
        return last or 0

    def problems(self) -> list[str]:
        """Give what SQLite itself finds wrong with the file."""
        found = [line for (line,) in self._connection.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else [f"{self.file}: {line}" for line in found]

    def seal(self) -> tuple[int, str]:
        """Give what a backup says of itself; raises StartError where this is none."""
        try:
            found = self._connection.execute("SELECT rows, sha256 FROM backup").fetchone()
        except sqlite3.OperationalError:
            found = None
        if found is None:
            raise StartError(f"{self.file} is not a backup, or not a whole one")
        return found[0], found[1]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class Copy:
    """A new file of rows; nothing of it counts before `finish`."""

    def __init__(self, target: Path) -> None:
        """Begin it beside its target; raises StartError where that is there already."""
        if target.exists():
            raise StartError(f"{target} is there already: choose another name")
        self.rows = 0
        self._target = target
        self._new = target.with_name(f"{target.name}.new")
        self._new.unlink(missing_ok=True)
        os.close(os.open(self._new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._hash = hashlib.sha256()
        self._connection = connect(self._new)
        self._connection.execute("PRAGMA journal_mode = OFF")  # it is synced as a whole, at the end
        self._connection.execute("PRAGMA synchronous = OFF")
        make_tables(self._connection)
        self._connection.execute("BEGIN")

    @property
    def sha256(self) -> str:
        """The hash over all rows so far."""
        return self._hash.hexdigest()

    def add_catalog(self, catalog: tuple[int, bytes, int] | None) -> None:
        """Take in the catalog."""
        if catalog is not None:
            self._connection.execute("INSERT OR REPLACE INTO catalog VALUES (1, ?, ?, ?)", catalog)
            self._hash.update(b"%d %d %b" % (catalog[0], catalog[2], catalog[1]))

    def add_space(self, space: Space) -> None:
        """Make an empty space."""
        self._connection.execute("INSERT INTO spaces VALUES (?, ?)", space)
        make_tables(self._connection, space.number)
        self._hash.update(f"{space.number} {space.uid}".encode())

    def add_lines(self, space: Space, lines: list[Line]) -> None:
        """Add rows to a space; each has its own checksum, which goes into the hash."""
        self._connection.executemany(f"INSERT INTO items_{space.number} VALUES (?, ?, ?, ?)", lines)
        self._hash.update(b"".join(b"%d %d " % (line[0], line[3]) for line in lines))
        self.rows += len(lines)

    def seal(self) -> None:
        """Write down what makes it a backup."""
        self._connection.execute("CREATE TABLE backup (rows INTEGER, sha256 TEXT)")
        self._connection.execute("INSERT INTO backup VALUES (?, ?)", (self.rows, self.sha256))

    def finish(self) -> None:
        """Make it durable, and put it in its place."""
        self._connection.execute("COMMIT")
        self._connection.close()
        with self._new.open("rb+") as file:
            os.fsync(file.fileno())
        self._new.replace(self._target)
        sync_directory(self._target.parent)

    def drop(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        self._connection.close()
        self._new.unlink(missing_ok=True)


def back_up(data: Path, target: Path, tell: Tell) -> None:
    """Copy the data of one moment into a file, while a server may be running on it.

    Raises StartError, DamagedData, or Failure where it cannot be written.
    """
    with _open(data / FILE) as original, _copy(target) as copy:
        _copy_all(original, copy, tell)
        copy.seal()
        tell(f"{counted(copy.rows, 'row')}, sha256 {copy.sha256}")


def bring_back(source: Path, data: Path, tell: Tell) -> None:
    """Make a data directory of a backup; raises as `back_up` does."""
    if not is_empty(data / FILE):
        raise StartError(f"{data} has data already: restore into another directory")
    is_new = not data.exists()
    with _open(source) as original, closing(lock(data)), _all_or_nothing(data, is_new=is_new):
        rows, sha256 = original.seal()
        (data / FILE).unlink(missing_ok=True)
        with _copy(data / FILE) as copy:
            _copy_all(original, copy, tell)
            if (copy.rows, copy.sha256) != (rows, sha256):
                raise DamagedData(
                    f"{source} is damaged: it has {counted(copy.rows, 'row')} with the sha256 "
                    f"{copy.sha256}, and should have {rows:,} with {sha256}; nothing was restored"
                )
            _forget_lost_data(data)
        tell(f"{counted(rows, 'row')}, sha256 {sha256}: as backed up")


@contextmanager
def _all_or_nothing(data: Path, *, is_new: bool) -> Iterator[None]:
    """Leave nothing of a new directory where the block fails."""
    try:
        yield
    except BaseException:
        if is_new:
            unmake(data)
        raise


def _forget_lost_data(data: Path) -> None:
    """Remove what is left of data whose rows are gone: it would be believed."""
    if (data / INDEX).exists():
        shutil.rmtree(data / INDEX)
    for side in SIDES:
        (data / f"{FILE}{side}").unlink(missing_ok=True)


@contextmanager
def _open(file: Path) -> Iterator[Original]:
    """Open a file; raises DamagedData where it turns out in the block that it cannot be read."""
    try:
        with closing(Original(file)) as original:
            yield original
    except sqlite3.DatabaseError as error:
        raise DamagedData(f"{file} is damaged ({error})") from error


@contextmanager
def _copy(target: Path) -> Iterator[Copy]:
    """Finish a copy at the end of the block, or leave nothing of it."""
    try:
        copy = Copy(target)
    except (OSError, sqlite3.Error) as error:
        raise StartError(f"{target} cannot be written: {error}") from error
    try:
        yield copy
        copy.finish()
    except (OSError, sqlite3.OperationalError) as error:
        raise Failure(f"the copy could not be made: {error}") from error
    except sqlite3.DatabaseError as error:
        raise DamagedData(
            f"the data is damaged ({error}): look with m1 check --data DIR"
        ) from error
    finally:
        copy.drop()


def _copy_all(original: Original, copy: Copy, tell: Tell) -> None:
    copy.add_catalog(original.catalog())
    spaces = original.spaces()
    whole = sum(map(original.count, spaces))
    progress = Progress(tell, whole, "row", "copied")
    for space in spaces:
        copy.add_space(space)
        for lines in in_batches(original.lines(space)):
            for seq, id, body, crc in lines:
                if not is_intact(seq, id, body, crc):
                    raise DamagedData(
                        f"row {seq} of {original.file} fails its checksum: m1 check tells more"
                    )
            copy.add_lines(space, lines)
            progress.at(copy.rows)


def in_batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield rows some at a time."""
    batch: list[Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
