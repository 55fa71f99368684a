"""This product: `m1 serve` with its defaults, over HTTP."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.compare.peer import Item
from benchmarks.compare.questions import Question
from benchmarks.http import LOADERS, Bench
from benchmarks.load import JSON, Run
from benchmarks.machine import has_children
from m1 import __version__
from tests import serving

_RESTING_SECONDS = 2


class Ours:
    """A server with one store, and the clients that call it as the Python client does, by JSON."""

    name = "m1"
    version = __version__

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def load(self, batches: Sequence[Sequence[Item]]) -> Run:
        """See Peer."""
        return self.bench.run(
            [self.bench.update(list(batch), JSON) for batch in batches], LOADERS, 600
        )

    def settle(self) -> None:
        """See Peer: wait until no segment is being made, by a process of its own."""
        resting_since = perf_counter()
        while perf_counter() - resting_since < _RESTING_SECONDS:
            sleep(0.1)
            if has_children(self.bench.server.process.pid):
                resting_since = perf_counter()

    def update(self, items: Sequence[Item], clients: int) -> Run:
        """See Peer."""
        return self.bench.run([self.bench.update([item], JSON) for item in items], clients)

    def update_batches(self, batches: Sequence[Sequence[Item]]) -> Run:
        """See Peer."""
        return self.bench.run([self.bench.update(list(batch), JSON) for batch in batches])

    def ask(self, questions: Sequence[Question], seconds: float) -> tuple[Run, int]:
        """See Peer."""
        run = self.bench.run([self.bench.ask(_parameters(each)) for each in questions], 1, seconds)
        return run, json.loads(run.last)["count"]

    def export(self, count: int) -> Run:
        """See Peer."""
        whole = {"store": "stash", "q": "*", "rows": count}
        run = self.bench.run([self.bench.ask(whole, accept=b"application/x-ndjson")], 1, 600)
        if run.last.count(b"\n") != count:
            raise RuntimeError("not all items were exported")
        return run


def _parameters(question: Question) -> dict[str, object]:
    asked: dict[str, object] = {"store": "stash", "q": question.q, "start": question.start}
    return asked if question.sort is None else {**asked, "sort": question.sort}


@contextlib.contextmanager
def running(scratch: Path, items: int, *flags: str, shards: int = 1) -> Iterator[Ours]:
    """Run the server for as long as the block lasts."""
    with serving.serving(scratch, *flags) as server:
        server.log_in()
        added = server.call("session/add", store="stash", shards=shards, replicas=1)
        assert added.status == 204, added.text
        yield Ours(Bench(server, scratch / "data", items, 32))
