"""`m1` with a fault: it takes no notice of a commit that failed. For a negative control."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from m1.cli import main
from m1.embedded.disk import Disk

_transaction = Disk.transaction


@contextmanager
def _whatever_comes(disk: Disk, **how: Any) -> Iterator[None]:
    with suppress(sqlite3.OperationalError), _transaction(disk, **how):
        yield


def take_no_notice() -> None:
    """Put the fault into this process."""
    setattr(Disk, "transaction", _whatever_comes)  # noqa: B010


if __name__ == "__main__":
    take_no_notice()
    sys.exit(main())
