"""How things lie in the file: one SQLite database, with a table for the rows of each space.

    catalog          the one saved catalog and its version
    spaces           number, uid; NULL for a space that was removed
    items_<number>   seq, id, body, crc: one row a change, `body` NULL where it removed

Rows are only ever added and, once nobody can ask for them, deleted; never rewritten. So
the row of the highest seq is what an id's item is, a removed item is a row without a
body, and whoever knows a seq reads the same bytes for as long as the row is there.

Every row carries a checksum over all it says: SQLite alone returns flipped bits as data.
"""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path
from typing import NamedTuple

from m1.errors import StartError

FORMAT = 1
"""The version of the layout above, kept in the file's `user_version`."""

_APPLICATION_ID = 0x6D31_5353  # "m1SS", shown by file(1) and checked before anything is written
FILE = "items.db"
LOG = "-wal"
SIDES = (LOG, "-shm")
"""What the files that SQLite keeps beside it are called after it."""
INDEX = "index"
"""The folder of all that is made from the rows; it also says that there were any."""
REPAIRED = "items.db.repaired"
"""A file that `m1 repair` made and did not come to put in its place."""
STATEMENTS_KEPT = 512
"""Compiled statements: one for each number of rows up to 64, for a few spaces."""


class Row(NamedTuple):
    """One change of one id; without a body the item was removed."""

    seq: int
    id: str
    body: bytes | None


def checksum(seq: int, id: str, body: bytes | None) -> int:
    """Give the checksum over all that a row says."""
    head = f"{seq} {len(id)} {id} {body is None}".encode()
    return zlib.crc32(body or b"", zlib.crc32(head))


def is_intact(seq: int, id: str, body: bytes | None, crc: int) -> bool:
    """Tell whether a row is what was written; damage may have changed even the types."""
    try:
        return checksum(seq, id, body) == crc
    except TypeError:
        return False


class Space(NamedTuple):
    """A space as the disk knows it."""

    number: int
    uid: str


def catalog_is_intact(version: int, document: object, crc: int) -> bool:
    """Tell whether a catalog is what was written; damage may have changed even its type."""
    return isinstance(document, bytes) and zlib.crc32(document, version) == crc


def connect(file: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a file; statements are transactions of their own unless one is begun."""
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=30,
        cached_statements=STATEMENTS_KEPT,
    )
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def not_ours(connection: sqlite3.Connection, file: Path) -> str | None:
    """Tell why a file that is not empty cannot be used, None where it can."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        return f"{file} is not a file of m1: choose another directory with --data"
    if version != FORMAT:
        return f"{file} has data format {version}, this version of m1 reads format {FORMAT}"
    return None


def is_empty(file: Path) -> bool:
    """Tell whether SQLite takes a file for a new one: it overlooks a single byte."""
    return not file.exists() or file.stat().st_size <= 1


def is_new(connection: sqlite3.Connection, file: Path) -> bool:
    """Tell whether nothing is in a file; raises StartError where what is in it is not for us."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and connection.execute("PRAGMA application_id").fetchone() == (0,):
        return True
    reason = not_ours(connection, file)
    if reason is not None:
        raise StartError(reason)
    return False


def make_tables(connection: sqlite3.Connection, number: int | None = None) -> None:
    """Make the tables of an empty file; with a number, the one of a space."""
    if number is not None:
        connection.execute(
            f"CREATE TABLE items_{number}"
            " (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body BLOB, crc INTEGER NOT NULL)"
        )
        return
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute(
        "CREATE TABLE catalog (only_one INTEGER PRIMARY KEY,"
        " version INTEGER NOT NULL, document BLOB NOT NULL, crc INTEGER NOT NULL)"
    )
    connection.execute("CREATE TABLE spaces (number INTEGER PRIMARY KEY, uid TEXT UNIQUE)")
    connection.execute("INSERT INTO catalog VALUES (1, 0, x'', ?)", (zlib.crc32(b""),))
