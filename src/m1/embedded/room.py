"""Room on the disk that is set aside, so that removals go on when no other is left.

A commit goes to SQLite's log, and is folded into the file later, which may have to grow
for it. Could it not, the log could not begin anew, and soon nothing could be written, not
even that something is removed. So before each commit, as many bytes as the file is still
to grow by are set aside in a file of their own, and `LAST` more unless all that it does is
to remove. When the disk is full, what was set aside is let go of, the log is folded, and
the removals alone are tried once more.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

FILE = "room"
LAST = 1024 * 1024
"""Room for removals alone: for a removal of some thousand items, and for many after it."""
_STEP = 1024 * 1024
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Room:
    """The room set aside in one data directory; for the thread that writes."""

    def __init__(self, directory: Path) -> None:
        """Begin with none: what was kept by a server of before is there for the start."""
        self._handle = os.open(directory / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        self._size = 0
        self._spare = 0
        """How much of what is kept was not needed yet, the last not counted."""
        self.let_go()

    def takes(self, size: int) -> bool:
        """Tell whether a commit that makes the file grow by so much at most finds all set aside.

        To reckon so takes nearly no time; to ask SQLite takes a third of that of a commit.
        """
        if size > self._spare:
            return False
        self._spare -= size
        return True

    def set_aside(self, size: int, last: int, *, removes: bool) -> bool:
        """Keep so many bytes, and the last; False where the disk has not as many.

        Who only removes needs the first alone, and takes nothing of the last away.
        """
        wanted = max(size, self._size) if removes else size + last
        wanted = -(-wanted // _STEP) * _STEP
        try:
            if wanted > self._size:
                _allocate(self._handle, wanted)
            elif wanted < self._size:
                os.ftruncate(self._handle, wanted)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            os.ftruncate(self._handle, self._size)
            return False
        self._size = wanted
        self._spare = max(wanted - size - last, 0)
        return True

    def let_go(self) -> None:
        """Keep nothing."""
        os.ftruncate(self._handle, 0)
        self._size = self._spare = 0

    def close(self) -> None:
        """Leave what is kept to the next start."""
        os.close(self._handle)


def _allocate(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    for begin in range(os.fstat(handle).st_size, size, _STEP):  # macOS
        os.pwrite(handle, bytes(_STEP), begin)
