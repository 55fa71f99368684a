"""How fast the server is, over HTTP, as a client sees it.

    python -m benchmarks.http [--items 100000] [--clients 32] [--json FILE] [--scratch DIR]

Starts a server of its own on a scratch folder, loads it, and prints one table. This
process is the client; server and null endpoint are processes of their own. Every update
is an upsert of a stored item, durable and visible when its answer comes. On a machine
that does other things the figures are noisy: repeat, compare medians, and look at the
server's processor time, which others' work changes little.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

from benchmarks.load import FORM, JSON, Run, form, post, run
from benchmarks.machine import machine, on_disk, processor_seconds, resident, sync_times, versions
from benchmarks.null import null_endpoint
from benchmarks.queries import QUERIES, Query, deep, item_of, three_ands
from benchmarks.sessions import session
from benchmarks.table import Row, as_text, row_of, save
from tests import serving

BATCH = 1_000
LOADERS = 2
RUNS = 5
WARMING = 30
MOST_QUERIES = 1_000
QUERY_SECONDS = 3.0
_STORE = "stash"
_SLAB = 20


class Bench:
    """A running server and what was asked of it so far."""

    def __init__(self, server: serving.Server, data: Path, items: int, clients: int) -> None:
        self.server = server
        self.data = data
        self.items = items
        self.clients = clients
        self.rows: list[Row] = []
        self._rng = Random(2002)
        self._revision = 0
        self.port = server.port

    def say(self, text: str) -> None:
        """Tell whoever waits how far it is."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def add(self, row: Row) -> None:
        """Take a line into the table."""
        self.rows.append(row)
        self.say(as_text((), [row]).splitlines()[-1])

    def run(
        self,
        requests: Sequence[bytes],
        clients: int = 1,
        seconds: float = 60,
        most: int = 1_000_000,
    ) -> Run:
        """Send requests to the server, and look at its processor time too."""
        before = processor_seconds(self.server.process.pid)
        result = run(self.port, requests, clients, seconds, most)
        result.busy = processor_seconds(self.server.process.pid) - before
        return result

    # --- requests ---

    def update(self, items: list[dict[str, Any]], kind: bytes = FORM) -> bytes:
        """Give the request that upserts items."""
        ops = [{"upsert": items}]
        if kind == JSON:
            body = _json({"store": _STORE, "ops": ops}).encode()
        else:
            body = form(store=_STORE, ops=_json(ops))
        return post("session/update", self.server.token, body, kind)

    def updates(self, count: int, batch: int = 1, kind: bytes = FORM) -> list[bytes]:
        """Give requests that upsert random stored sessions, no session twice in them."""
        self._revision += 1
        numbers = self._rng.sample(range(self.items), min(count * batch, self.items))
        return [
            self.update([session(number, self._revision) for number in some], kind)
            for some in _cut(numbers, batch)
        ]

    def ask(self, parameters: Mapping[str, object], accept: bytes = b"*/*") -> bytes:
        """Give the request that queries."""
        return post("session/query", self.server.token, form(**parameters), accept=accept)

    # --- measurements ---

    def load(self) -> None:
        """Fill the store; what it takes to make the items is not counted."""
        runs: list[Run] = []
        for slab in _cut(list(range(self.items)), BATCH * _SLAB):
            requests = [self.update([session(n) for n in some]) for some in _cut(slab, BATCH)]
            runs.append(self.run(requests, LOADERS, seconds=600))
            self.say(f"loaded {slab[-1] + 1:,}: {runs[-1].rate * BATCH:,.0f} items/s")
        whole = Run(
            latencies=[latency for each in runs for latency in each.latencies],
            seconds=sum(each.seconds for each in runs),
            busy=sum(each.busy for each in runs),
        )
        self.add(row_of(f"bulk load, {LOADERS} clients, batches of {BATCH:,}", [whole], each=BATCH))

    def measure_query(self, query: Query, name: str | None = None) -> None:
        """Warm up, repeat, and tell how many items the last answer counted."""
        parameters = [query.parameters(self._rng, self.items) for _ in range(MOST_QUERIES)]
        requests = [self.ask(each) for each in parameters]
        self.run(requests, seconds=QUERY_SECONDS / 4, most=WARMING)
        measured = self.run(requests, seconds=QUERY_SECONDS)
        count = json.loads(measured.last)["count"]
        self.add(row_of(name or query.name, [measured], f"{count:,} found"))

    def measure_export(self) -> None:
        """Read everything, three times."""
        whole = {"store": _STORE, "q": "*", "rows": self.items}
        request = self.ask(whole, accept=b"application/x-ndjson")
        runs = [self.run([request], seconds=600) for _ in range(3)]
        lines = runs[-1].last.count(b"\n")
        if lines != self.items:
            raise RuntimeError(f"{lines} of {self.items} items were exported")
        megabytes = len(runs[-1].last) / runs[-1].seconds / 1e6
        note = f"items; {megabytes:,.0f} MB/s"
        self.add(row_of("full export", runs, note, each=self.items))

    def measure_updates(self, clients: int, count: int, kind: bytes = FORM) -> None:
        """Update random sessions, one a call, and look whether the last are there."""
        kind_name = "" if kind == FORM else ", JSON bodies"
        runs = []
        for _ in range(RUNS):
            requests = self.updates(count // RUNS, kind=kind)
            runs.append(self.run(requests, clients))
            self._check_visible(requests[len(runs[-1].latencies) - 1])
        who = "1 client" if clients == 1 else f"{clients} clients"
        self.add(row_of(f"updates, {who}{kind_name}", runs))

    def _check_visible(self, request: bytes) -> None:
        """Raise RuntimeError unless an update's item is found as it was sent."""
        sent = _item_in(request)
        found = self._answer(item_of(sent["session"]["id"]))["items"]
        if len(found) != 1 or {**found[0], "_m1": 0} != {**sent, "_m1": 0}:
            raise RuntimeError(f"an update is not visible: {sent['session']['id']}")

    def measure_batches(self, count: int) -> None:
        """Update in batches, by one client."""
        measured = self.run(self.updates(count, BATCH), seconds=60)
        self.add(row_of(f"updates, 1 client, batches of {BATCH:,}", [measured], each=BATCH))

    def measure_space(self, when: str, empty: int) -> None:
        """Tell what an item takes, in memory and on disk."""
        memory = (resident(self.server.process.pid) - empty) / self.items
        disk = on_disk(self.data) / self.items
        self.add(
            Row(f"bytes an item, {when}", note=f"{memory:,.0f} in memory, {disk:,.0f} on disk")
        )

    def measure_null(self) -> None:
        """Measure what this client costs alone."""
        with null_endpoint() as port:
            for clients in (1, self.clients):
                requests = self.updates(5_000)
                runs = [run(port, requests, clients) for _ in range(3)]
                who = "1 client" if clients == 1 else f"{clients} clients"
                self.add(row_of(f"null endpoint, the same updates, {who}", runs))
            requests = [self.ask(Query("", three_ands).parameters(self._rng, self.items))] * 5_000
            self.add(row_of("null endpoint, a query, 1 client", [run(port, requests)]))

    def measure_restart(self) -> None:
        """Stop, start, and ask until the answer is right."""
        asked = {"store": _STORE, "q": three_ands(Random(1), self.items)}
        before = self._answer(asked)
        self.server.stop()
        begun = perf_counter()
        again = serving.Server(self.data, home=self.server.home)
        again.token, self.server, self.port = self.server.token, again, again.port
        if self._answer(asked) != before:
            raise RuntimeError("the answer is another one after the restart")
        took = perf_counter() - begun
        note = f"{took:.1f} s, {self.items / took:,.0f} items/s"
        self.add(Row("restart to the first right answer", note=note))

    def _answer(self, parameters: Mapping[str, object]) -> Any:
        return json.loads(self.run([self.ask(parameters)]).last)


def _item_in(request: bytes) -> Any:
    body = request.partition(b"\r\n\r\n")[2]
    ops = json.loads(body)["ops"] if body[:1] == b"{" else json.loads(parse_qs(body)[b"ops"][0])
    return ops[0]["upsert"][0]


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _cut(numbers: list[int], size: int) -> Iterator[list[int]]:
    return (numbers[begin : begin + size] for begin in range(0, len(numbers), size))


def measure(scratch: Path, items: int, clients: int) -> list[Row]:
    """Run the whole benchmark in a folder; gives the lines of the table."""
    syncs = sync_times(scratch)
    with serving.serving(scratch) as server:
        server.log_in()
        added = server.call("session/add", store=_STORE, shards=1, replicas=1)
        assert added.status == 204, added.text
        bench = Bench(server, scratch / "data", items, clients)
        bench.add(
            Row(
                "4 KB appended and synced, no server",
                median_ms=median(syncs) * 1_000,
                p99_ms=quantiles(syncs, n=100)[98] * 1_000,
                calls=len(syncs),
            )
        )
        try:
            _measure(bench)
        finally:
            if bench.server is not server:
                bench.server.stop()
    return bench.rows


def _measure(bench: Bench) -> None:
    bench.measure_null()
    empty = resident(bench.server.process.pid)
    bench.load()
    bench.measure_space("loaded", empty)
    for query in (*QUERIES, deep(bench.items)):
        bench.measure_query(query)
    bench.measure_export()
    bench.measure_updates(1, 5_000)
    bench.measure_updates(bench.clients, bench.items // 2)
    bench.measure_space("after N/2 updates", empty)
    bench.measure_query(Query("", three_ands), "three ANDs, after the updates")
    bench.measure_updates(bench.clients, 10_000, JSON)
    bench.measure_batches(20)
    bench.measure_restart()


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", allow_abbrev=False)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON too")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where to make the folder")
    given = parser.parse_args()
    serving.START_SECONDS = 600  # a restart is measured, not judged
    heads = [machine(), versions(), f"{given.items:,} items of about 1 KB (benchmarks.sessions)"]
    with tempfile.TemporaryDirectory(prefix="m1-bench-", dir=given.scratch) as scratch:
        rows = measure(Path(scratch), given.items, given.clients)
    print(as_text(heads, rows))
    if given.json is not None:
        save(given.json, heads, rows)


if __name__ == "__main__":
    main()
