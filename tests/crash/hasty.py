"""`m1` with a fault: it answers updates before it commits them. For negative controls."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from m1.cli import main
from m1.embedded.disk import Disk
from m1.embedded.engine import EmbeddedEngine

_LATE_SECONDS = 0.05
_update = EmbeddedEngine.update
_transaction = Disk.transaction
_unfinished: set[asyncio.Task[Any]] = set()


async def _update_later(engine: EmbeddedEngine, *what: Any) -> None:
    _unfinished.add(asyncio.create_task(_update(engine, *what)))


@contextmanager
def _late_transaction(disk: Disk, **how: Any) -> Iterator[None]:
    with _transaction(disk, **how):
        yield
        time.sleep(_LATE_SECONDS)  # by the time of the commit the client has its answer


if __name__ == "__main__":
    setattr(EmbeddedEngine, "update", _update_later)  # noqa: B010
    setattr(Disk, "transaction", _late_transaction)  # noqa: B010
    sys.exit(main())
