"""What the embedded engine keeps on disk: one SQLite file (`layout`), and the lock beside it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from m1.embedded import room
from m1.embedded.checkpoints import PAGE, Checkpoints, DiskFull, is_full
from m1.embedded.layout import (
    FILE,
    INDEX,
    LOG,
    REPAIRED,
    SIDES,
    Row,
    Space,
    catalog_is_intact,
    checksum,
    connect,
    is_empty,
    is_new,
    make_tables,
)
from m1.embedded.reader import Reader
from m1.embedded.wal import damage_in
from m1.engine import Saved
from m1.errors import DamagedData, StartError

_LOCK = "lock"
_WRITTEN_AT_ONCE = 64
_Values = tuple[int | str | bytes | None, ...]


class Disk:
    """The file, opened by one server at a time; `transaction` is for one thread."""

    def __init__(self, directory: Path) -> None:
        """Open or make the data directory.

        Raises StartError where it cannot be used or another server has it, DamagedData
        where what is in it fails its checks.
        """
        self.file = directory / FILE
        self._lock = lock(directory)
        self._added: defaultdict[int, list[Row]] = defaultdict(list)
        self._gone: defaultdict[int, list[int]] = defaultdict(list)
        self._other_bytes = 0
        """How much the transaction writes that are no rows."""
        self.is_full = False
        """Whether nothing but removals has found room lately."""
        with ExitStack() as undo:
            undo.callback(self._lock.close)
            self._room = _room_in(directory)
            undo.callback(self._room.close)
            self._connection = self._opened()
            undo.pop_all()

    def _opened(self) -> sqlite3.Connection:
        if (self.file.parent / REPAIRED).exists():
            raise StartError(
                f"a repair of {self.file.parent} was cut short: move the files of its newest "
                f"damaged-... folder back, remove {REPAIRED}, and run m1 repair again"
            )
        log = Path(f"{self.file}{LOG}")
        problem = damage_in(log)
        if problem is not None:
            raise DamagedData(f"{log} is damaged ({problem}): {self._way_on}")
        if (self.file.parent / INDEX).exists() and is_empty(self.file):
            raise self._damaged("all that was in it is gone")
        try:
            connection = connect(self.file)
            nothing_there = is_new(connection, self.file)
            _set_durable(connection)
            self._begin_log_anew(connection)
            if nothing_there:
                with _transaction(connection):
                    make_tables(connection)
            (self.file.parent / INDEX).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartError(f"cannot use {self.file.parent / INDEX}: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error
        self._checkpoints = Checkpoints(connection, connect(self.file))
        return connection

    def _begin_log_anew(self, connection: sqlite3.Connection) -> None:
        """Let go of what a crash cut short, see `wal`; raises StartError where others read."""
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StartError(
                f"another process is reading {self.file} (a backup?): start again when it has ended"
            )

    def _unusable(self, error: sqlite3.DatabaseError) -> StartError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
            return StartError(f"cannot use {self.file}: {error}")
        return self._damaged(str(error))

    def _damaged(self, reason: str) -> DamagedData:
        return DamagedData(f"{self.file} is damaged ({reason}): {self._way_on}")

    @property
    def _way_on(self) -> str:
        data = f"--data {self.file.parent}"
        return (
            f"m1 check {data} tells more; bring back a backup with m1 restore, or keep what is "
            f"intact with m1 repair {data} --accept-loss"
        )

    # --- reading at start ---

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raise StartError where the file cannot be read in the block, or makes no sense."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    def load_catalog(self) -> Saved:
        """Give the saved catalog; raises DamagedData."""
        row = self._connection.execute("SELECT version, document, crc FROM catalog").fetchone()
        if row is None:
            (spaces,) = self._connection.execute("SELECT count(*) FROM spaces").fetchone()
            if spaces:
                raise self._damaged("the catalog is gone")
            return Saved(b"", 0)
        version, document, crc = row
        if not catalog_is_intact(version, document, crc):
            raise self._damaged("the catalog fails its checksum")
        return Saved(document, version)

    def load_spaces(self) -> tuple[list[Space], list[int]]:
        """Give the spaces, and the numbers of those that were removed and still have rows.

        Raises DamagedData where they are not those that have tables.
        """
        spaces: list[Space] = []
        removed: list[int] = []
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'items%'"
        made = {name for (name,) in self._connection.execute(tables)}
        for number, uid in self._connection.execute("SELECT number, uid FROM spaces"):
            if uid is None:
                removed.append(number)
            else:
                spaces.append(Space(number, uid))
        listed = {f"items_{number}" for number in (*removed, *(space.number for space in spaces))}
        if made != listed:
            raise self._damaged(f"the spaces are not those of {', '.join(sorted(made ^ listed))}")
        return spaces, removed

    def load_rows(self, number: int, after: int) -> Iterator[Row]:
        """Yield the rows of a space after a seq, ascending; raises DamagedData."""
        reader = Reader(self.file)
        try:
            yield from reader.rows(number, after)
        except OSError as error:
            raise self._damaged(str(error)) from error
        finally:
            reader.close()

    # --- changing, all inside `transaction` ---

    @contextmanager
    def transaction(self, *, removes: bool = False) -> Iterator[None]:
        """Make all changes of the block durable together, or none of them.

        Raises DiskFull where there is no room. After that, and until something else than
        removals finds room again, changes that only remove have the room set aside for them.
        """
        try:
            with _transaction(self._connection):
                yield
                self._write_rows()
                self._set_room_aside(removes)
            self._after_commit(removes)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            self._make_room_for_removals()
            raise DiskFull(str(error)) from error
        except DiskFull:
            self._make_room_for_removals()
            raise
        finally:
            self._added.clear()
            self._gone.clear()
            self._other_bytes = 0

    def _after_commit(self, removes: bool) -> None:
        self.is_full = self.is_full and removes
        if self.is_full:
            self._checkpoints.fold()  # the log must not grow into what room is left
            return
        added = sum(len(row.body or b"") for rows in self._added.values() for row in rows)
        self._checkpoints.after_commit(added, sum(map(len, self._gone.values())))

    def _set_room_aside(self, removes: bool) -> None:
        """See `room`; pages that are free in the file are room as well."""
        if self._room.takes(self._most_taken()):
            return
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        grows = max(pages * PAGE - self.file.stat().st_size, 0)
        last = max(room.LAST - free * PAGE, 0)
        if not self._room.set_aside(grows, last, removes=removes):
            raise DiskFull("there is no room to be set aside")

    def _most_taken(self) -> int:
        """Give by how much this transaction makes the file grow at the very most."""
        rows = [row for added in self._added.values() for row in added]
        pages = 2 * len(rows) + 2 * sum(map(len, self._gone.values())) + 2
        return self._other_bytes + pages * PAGE + 2 * sum(len(row.body or b"") for row in rows)

    def _make_room_for_removals(self) -> None:
        self.is_full = True
        self._room.let_go()
        self._checkpoints.fold()

    def _write_rows(self) -> None:
        """Write what was gathered in few statements.

        After each statement the thread waits for its turn in the interpreter again, which
        takes longer than the statement itself.
        """
        for number, rows in self._added.items():
            values = [(*row, checksum(*row)) for row in rows]
            self._in_batches(f"INSERT INTO items_{number} VALUES ", "(?,?,?,?)", "", values)
        for number, seqs in self._gone.items():
            gone = [(seq,) for seq in seqs]
            self._in_batches(f"DELETE FROM items_{number} WHERE seq IN (", "?", ")", gone)

    def _in_batches(self, head: str, each: str, tail: str, values: Sequence[_Values]) -> None:
        for begin in range(0, len(values), _WRITTEN_AT_ONCE):
            batch = values[begin : begin + _WRITTEN_AT_ONCE]
            statement = head + ",".join([each] * len(batch)) + tail
            self._connection.execute(statement, [value for row in batch for value in row])

    def save_catalog(self, document: bytes, version: int) -> None:
        """Put the catalog in place of the one before."""
        self._connection.execute(
            "INSERT OR REPLACE INTO catalog VALUES (1, ?, ?, ?)",
            (version, document, zlib.crc32(document, version)),
        )
        self._other_bytes += 2 * len(document)

    def add_space(self, space: Space) -> None:
        """Make an empty space."""
        self._connection.execute("INSERT INTO spaces VALUES (?, ?)", space)
        make_tables(self._connection, space.number)
        self._other_bytes += 4 * PAGE

    def mark_removed(self, number: int) -> None:
        """Remove a space for good, its rows staying readable until `drop_table`."""
        self._connection.execute("UPDATE spaces SET uid = NULL WHERE number = ?", (number,))

    def drop_table(self, number: int) -> None:
        """Let go of the rows of a removed space."""
        self._added.pop(number, None)
        self._gone.pop(number, None)
        self._connection.execute(f"DROP TABLE items_{number}")
        self._connection.execute("DELETE FROM spaces WHERE number = ?", (number,))

    def append(self, number: int, rows: Iterable[Row]) -> None:
        """Add rows to a space."""
        self._added[number] += rows

    def delete(self, number: int, seqs: Iterable[int]) -> None:
        """Delete rows that nobody can ask for any more."""
        self._gone[number] += seqs

    def close(self) -> None:
        """Fold the log into the file and give the lock back."""
        self._checkpoints.close()
        self._connection.close()
        self._room.close()
        self._lock.close()


def _room_in(directory: Path) -> room.Room:
    try:
        return room.Room(directory)
    except OSError as error:
        raise StartError(f"cannot use {directory / room.FILE}: {error.strerror}") from error


def lock(directory: Path) -> IO[bytes]:
    """Make the directory ours alone: another server on it would tear the data apart."""
    for name in (FILE, *(FILE + side for side in SIDES), _LOCK, room.FILE):
        if (directory / name).is_symlink():
            raise StartError(
                f"{directory / name} is a symbolic link: link the whole directory instead, so that "
                "its lock goes with it"
            )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(directory.iterdir()) or (directory / FILE).exists():
            directory.chmod(0o700)  # it is ours: nobody else's rights depend on it
        handle = open(os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "wb")  # noqa: SIM115
    except OSError as error:
        raise StartError(f"cannot use the data directory {directory}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.stat(directory / _LOCK)  # `unmake` may have removed what we opened
        is_ours = os.path.samestat(os.fstat(handle.fileno()), status)
    except OSError:
        is_ours = False
    if not is_ours:
        handle.close()
        raise StartError(
            f"another server is using the data directory {directory}: "
            "stop it first, or choose another with --data"
        )
    return handle


def unmake(directory: Path) -> None:
    """Leave nothing of a directory that was made for data that did not come; it is locked."""
    (directory / _LOCK).unlink()
    with suppress(OSError):  # somebody may have put something there
        directory.rmdir()


def _set_durable(connection: sqlite3.Connection) -> None:
    """Ask for what a 204 promises.

    In WAL mode only synchronous=FULL syncs the log at every commit; NORMAL would lose the
    last commits with the power.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync stops at the drive's cache
    connection.execute("PRAGMA checkpoint_fullfsync = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
