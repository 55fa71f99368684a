"""`m1` with a fault: it answers updates before the cluster has them. For negative controls."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

from m1.cli import main
from m1.errors import Unavailable
from m1.opensearch import OpenSearchEngine

_update = OpenSearchEngine.update
_unfinished: set[asyncio.Task[None]] = set()


async def _in_a_while(engine: OpenSearchEngine, *what: Any) -> None:
    with contextlib.suppress(Unavailable):
        await _update(engine, *what)


async def _update_later(engine: OpenSearchEngine, *what: Any) -> None:
    _unfinished.add(asyncio.create_task(_in_a_while(engine, *what)))


if __name__ == "__main__":
    setattr(OpenSearchEngine, "update", _update_later)  # noqa: B010
    sys.exit(main())
