"""PostgreSQL as Debian has it: items as JSONB under a GIN index, over its Unix socket.

`synchronous_commit` is on, as shipped. More memory and log than shipped are allowed, so
that neither a small cache nor checkpoints are what is measured:
shared_buffers = 1 GB, max_wal_size = 8 GB. Statements are prepared. Many clients are
several processes of several threads, since psycopg under one interpreter lock would be
what is measured.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from benchmarks.compare.peer import Item, NotThere
from benchmarks.compare.questions import Question
from benchmarks.load import Run

_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "max_connections": "100",
}
_PROCESSES = 4
_GETTING_READY_SECONDS = 4
_UPSERT = (
    "INSERT INTO items VALUES (%s, %s::jsonb) ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body"
)
_MAKE = (
    'CREATE TABLE items (id text COLLATE "C" PRIMARY KEY, body jsonb NOT NULL)',
    "CREATE INDEX ON items USING gin (body jsonb_path_ops)",
)


class Postgres:
    """A server with one table, and the clients that call it."""

    name = "PostgreSQL"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection = connected(dsn)
        (said,) = self._connection.execute("SHOW server_version").fetchone() or ("",)
        self.version = str(said).partition(" ")[0]
        for statement in _MAKE:
            self._connection.execute(statement)

    def load(self, batches: Sequence[Sequence[Item]]) -> Run:
        """See Peer: by COPY, a transaction a batch."""
        rows = [[_row(item) for item in batch] for batch in batches]
        return _timed(rows, self._copy)

    def _copy(self, rows: Sequence[tuple[str, str]]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy("COPY items (id, body) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def settle(self) -> None:
        """See Peer."""
        self._connection.execute("VACUUM ANALYZE items")
        self._connection.execute("CHECKPOINT")

    def update(self, items: Sequence[Item], clients: int) -> Run:
        """See Peer."""
        rows = [_row(item) for item in items]
        if clients == 1:
            return _timed(rows, lambda row: _upsert(self._connection, row))
        processes = min(_PROCESSES, clients)
        begin = time.time() + _GETTING_READY_SECONDS
        shares = [
            (self._dsn, rows[number::processes], clients // processes, begin)
            for number in range(processes)
        ]
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            done = pool.starmap(_updates, shares)
        return Run(
            latencies=[latency for latencies, _ in done for latency in latencies],
            seconds=max(ended for _, ended in done) - begin,
        )

    def update_batches(self, batches: Sequence[Sequence[Item]]) -> Run:
        """See Peer."""
        rows = [[_row(item) for item in batch] for batch in batches]
        return _timed(rows, self._upsert_many)

    def _upsert_many(self, rows: Sequence[tuple[str, str]]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(_UPSERT, rows)

    def ask(self, questions: Sequence[Question], seconds: float) -> tuple[Run, int]:
        """See Peer."""
        count = 0

        def one(question: Question) -> None:
            nonlocal count
            count = self._answer(question)

        return _timed(questions, one, seconds), count

    def _answer(self, question: Question) -> int:
        where = f"FROM items WHERE {question.where}"
        page = f"SELECT body::text {where} ORDER BY {question.order} LIMIT 10"
        values: list[Any] = list(question.values)
        found = self._all(f"{page} OFFSET {question.start}" if question.start else page, values)
        if question.at_most_one:
            return len(found)
        return int(self._all(f"SELECT count(*) {where}", values)[0][0])

    def _all(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(statement.encode(), values, prepare=True)
        return cursor.fetchall()

    def export(self, count: int) -> Run:
        """See Peer."""

        def read(_: None) -> None:
            with (
                self._connection.cursor() as cursor,
                cursor.copy("COPY (SELECT body FROM items) TO STDOUT") as copy,
            ):
                lines = sum(bytes(data).count(b"\n") for data in copy)
            if lines != count:
                raise RuntimeError("not all items were exported")

        return _timed([None], read)


def connected(dsn: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect; each statement is a transaction of its own, prepared when it comes again."""
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=1)


def _row(item: Item) -> tuple[str, str]:
    return item["session"]["id"], json.dumps(item, separators=(",", ":"))


def _upsert(connection: psycopg.Connection[tuple[Any, ...]], row: tuple[str, str]) -> None:
    connection.execute(_UPSERT, row, prepare=True)


def _timed(calls: Sequence[Any], call: Any, seconds: float = 600) -> Run:
    """Make calls one after another, for so long at most."""
    run, begun = Run(), perf_counter()
    for each in calls:
        before = perf_counter()
        if before - begun > seconds:
            break
        call(each)
        run.latencies.append(perf_counter() - before)
    run.seconds = perf_counter() - begun
    return run


def _updates(
    dsn: str, rows: Sequence[tuple[str, str]], threads: int, begin: float
) -> tuple[list[float], float]:
    """Update by several threads, beginning at a moment; gives latencies and when it ended."""
    latencies: list[float] = []
    connections = [connected(dsn) for _ in range(threads)]
    if time.time() > begin:
        raise RuntimeError("the clients were not ready in time: the machine is too busy")

    def work(number: int) -> None:
        time.sleep(max(0, begin - time.time()))
        for row in rows[number::threads]:
            before = perf_counter()
            _upsert(connections[number], row)
            latencies.append(perf_counter() - before)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ended = time.time()
    for connection in connections:
        connection.close()
    return latencies, ended


@contextlib.contextmanager
def running(scratch: Path, items: int) -> Iterator[Postgres]:
    """Make a cluster, and run it for as long as the block lasts; raises NotThere."""
    programs = _programs()
    data, as_user = scratch / "postgres", {} if os.getuid() else {"user": "postgres"}
    data.mkdir()
    if as_user:
        scratch.chmod(0o755)
        shutil.chown(data, "postgres", "postgres")
    initdb = [programs / "initdb", "-D", data, "-A", "trust", "-U", "bench", "-E", "UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=data, **as_user)  # type: ignore[call-overload]
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    command = [programs / "postgres", "-D", data, "-k", data, *settings]
    with (scratch / "postgres.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=data, **as_user)  # type: ignore[call-overload]
    try:
        dsn = f"host={data} user=bench dbname=postgres"
        _wait_for(dsn, server, scratch / "postgres.log")
        yield Postgres(dsn)
    finally:
        server.send_signal(signal.SIGINT)  # SIGTERM would wait for the clients to leave
        server.wait(120)


def _programs() -> Path:
    """Find initdb and postgres, which Debian keeps off the PATH."""
    found = [
        shutil.which("postgres"),
        *map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres")),
    ]
    for program in sorted(filter(None, found), reverse=True):
        return Path(program).parent
    raise NotThere("PostgreSQL is not installed: apt-get install postgresql")


def _wait_for(dsn: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-500:]}") from None
            time.sleep(0.05)
