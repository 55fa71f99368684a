"""What the server takes of the machine stays within bounds, however long and by however many."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.load import Run, form, post, run
from benchmarks.machine import on_disk, resident
from benchmarks.ping import pinging
from benchmarks.sessions import session
from tests.crash.tier import rounds
from tests.e2e.test_stream import Reader, peak_bytes
from tests.serving import Server, serving

MIB = 2**20
STALLED = 50
KEYS = 1_000
LOG_BYTES = 14 * MIB
"""What SQLite's log, kept at its greatest length, and the room set aside take at most."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server of our own with an empty store, since we look into its process and its files."""
    with serving(tmp_path) as started:
        started.add_stash()
        yield started


def upsert(server: Server, batches: Iterator[list[dict[str, object]]], clients: int) -> Run:
    """Upsert batches, each in one call."""
    requests = (
        post(
            "session/update",
            server.token,
            form(store="stash", ops=json.dumps([{"upsert": batch}], separators=(",", ":"))),
        )
        for batch in batches
    )
    return run(server.port, requests, clients, seconds=3_600)


def test_a_fast_reader_among_stalled_ones_costs_little(own: Server) -> None:
    count = rounds(commit=10_000, torture=1_000_000)
    upsert(own, ([session(n) for n in range(at, at + 500)] for at in range(0, count, 500)), 2)
    before = resident(own.process.pid)
    peak_bytes(own, reset=True)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Reader(own, "stash", rows=count)) for _ in range(STALLED)]
        for reader in readers:
            reader.take(1_000)
        with pinging(own.port) as pings:
            lines = {"store": "stash", "q": "*", "rows": count}
            asked = post("session/query", own.token, form(**lines), accept=b"application/x-ndjson")
            assert run(own.port, [asked]).last.count(b"\n") == count
        taken = peak_bytes(own) - before
    print(  # noqa: T201
        f"{taken / MIB:.0f} MiB for {STALLED} stalled readers and a fast one; {pings[0]}"
    )
    assert taken < 64 * MIB + STALLED * 2 * MIB
    assert pings[0].worst < 1_000, "others were held up"


def test_updates_of_the_same_items_grow_neither_memory_nor_disk(
    own: Server, tmp_path: Path, rand: random.Random
) -> None:
    count = rounds(commit=30_000, torture=1_000_000)

    def some(revisions: range) -> Iterator[list[dict[str, object]]]:
        """Give so many updates, ten a call."""
        for revision in revisions[::10]:
            yield [session(number, revision) for number in rand.sample(range(KEYS), 10)]

    upsert(own, ([session(n)] for n in range(KEYS)), 8)
    upsert(own, some(range(20_000)), 8)  # a segment was made by now
    warm = resident(own.process.pid)
    upsert(own, some(range(20_000, 20_000 + count)), 8)
    grown = resident(own.process.pid) - warm
    live = sum(len(json.dumps(session(n), separators=(",", ":"))) for n in range(KEYS))
    disk = on_disk(tmp_path / "data")
    print(f"memory {grown / MIB:+.1f} MiB, disk {disk / live:.1f} x the live data")  # noqa: T201
    assert grown < 16 * MIB
    assert disk < 3 * live + LOG_BYTES
    assert own.call("session/query", store="stash", q="*", rows=0).json["count"] == KEYS
