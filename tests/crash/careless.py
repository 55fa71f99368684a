"""`m1` with a fault: commits are not synced. For negative controls."""

from __future__ import annotations

import sqlite3
import sys

from m1.cli import main
from m1.embedded import disk

_set_durable = disk._set_durable


def _set_careless(connection: sqlite3.Connection) -> None:
    _set_durable(connection)
    connection.execute("PRAGMA synchronous = NORMAL")


if __name__ == "__main__":
    setattr(disk, "_set_durable", _set_careless)  # noqa: B010
    sys.exit(main())
