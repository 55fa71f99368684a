"""Folding SQLite's log into its file beside the writing, not in the middle of a commit.

Left to itself, SQLite does it within whatever commit makes the log too long, and everyone
waits. Here a thread of its own does most of it; what was written meanwhile, a few pages,
is folded in between two commits, after which the log begins anew.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor

_BEGIN_BYTES = 4 * 1024 * 1024
PAGE = 4_096
_FOLD = "PRAGMA wal_checkpoint(PASSIVE)"


class DiskFull(Exception):
    """There is no room on the disk for a change; nothing of it was made."""


def is_full(error: sqlite3.Error) -> bool:
    """Tell whether room is all that is missing.

    SHMSIZE is about the index of the log, which is in memory that a file lends its name,
    and for which the disk must have room all the same.
    """
    return error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


class Checkpoints:
    """The checkpoints of one file; `after_commit` is for the thread that writes."""

    def __init__(self, writing: sqlite3.Connection, aside: sqlite3.Connection) -> None:
        """Take over from SQLite; `aside` is a second connection, ours from now on."""
        self._logged = 0
        self._writing = writing
        self._aside = aside
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="m1-checkpoint")
        self._running: Future[None] | None = None
        writing.execute("PRAGMA wal_autocheckpoint = 0")

    def after_commit(self, added: int, changed: int) -> None:
        """Begin or end a checkpoint where it is time; raises what it failed by.

        The length of the log is reckoned from the bytes that were added and the rows, each
        on a page of its own, that were changed: the file itself stays as long as it ever was.
        """
        self._logged += added + changed * PAGE + PAGE
        if self._running is None:
            if self._logged >= _BEGIN_BYTES:
                self._logged = 0
                self._running = self._thread.submit(_fold, self._aside)
        elif self._running.done():
            self._running.result()
            self._running = None
            _fold(self._writing)

    def fold(self) -> None:
        """Fold all there is, now; the log begins anew with the next commit."""
        if self._running is not None:
            self._running.result()
            self._running = None
        self._logged = 0
        _fold(self._writing)

    def close(self) -> None:
        """Wait for what is under way, and let go."""
        self._thread.shutdown()
        self._aside.close()


def _fold(connection: sqlite3.Connection) -> None:
    """Write pages of the log into the file; a full disk only means that the log stays long."""
    try:
        connection.execute(_FOLD).fetchall()
    except sqlite3.OperationalError as error:
        if not is_full(error):
            raise
