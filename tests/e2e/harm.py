"""What hostile input may do: cost a little, and nothing that stays."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from benchmarks.machine import processor_seconds
from tests.e2e.test_stream import peak_bytes
from tests.serving import Server

SOON = 0.25
"""Seconds of a processor, which others' work changes little; where there is none, of the clock."""
SOON_ANYHOW = 25.0
"""Seconds of the clock, on a machine that does much else."""


def stored(server: Server, store: str = "stash") -> int:
    """Count the items of a store."""
    count: int = server.call("session/query", store=store, q="*", rows=0).json["count"]
    return count


@contextlib.contextmanager
def harmless(server: Server, seconds: float = SOON) -> Iterator[None]:
    """Assert of what is sent in the block that it does no harm.

    It is dealt with in `seconds`, none of it stays in the store stash, the log has no traceback of
    it, and the next request is fine.
    """
    before, logged = stored(server), len(server.logged())
    begun, used = time.monotonic(), processor_seconds(server.process.pid)
    yield
    cost, took = processor_seconds(server.process.pid) - used, time.monotonic() - begun
    assert cost <= seconds, f"it took the server {cost:.2f} s"
    assert took <= SOON_ANYHOW, f"it took {took:.2f} s"
    assert server.call("ping").text == "true"
    assert stored(server) == before, "some of it was stored"
    assert "Traceback" not in server.logged()[logged:], "the log has a traceback"


@contextlib.contextmanager
def remembering(server: Server, most: int) -> Iterator[None]:
    """Assert that the block has the server take at most so many bytes more of memory."""
    before = peak_bytes(server, reset=True)
    yield
    taken = peak_bytes(server) - before
    print(f"took {taken / 2**20:.1f} MiB of {most / 2**20:.1f}")  # noqa: T201
    assert taken <= most, f"it took {taken / 2**20:.1f} MiB"
