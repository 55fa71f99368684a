"""Streamed answers on real sockets: flat memory, slow, leaving and unlucky readers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.curl import fresh, header, ids, refused, session, update, upsert
from tests.serving import Server, serving
from tests.waiting import until

LARGE, SMALL = 30_000, 1_500
FEW_DEAD = 1_000
"""So many dead rows may lie about."""
PADS = {LARGE: "p" * 1_000, SMALL: "p" * 8_000}
SECONDS = 20
CUT = (http.client.IncompleteRead, ConnectionResetError)


class Reader:
    """A client that takes an answer as slowly as it likes, with little room in its socket."""

    def __init__(self, server: Server, store: str, accept: str = "*/*", **parameters: Any) -> None:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        plug = socket.socket()
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        plug.settimeout(SECONDS)
        plug.connect((host, int(port)))
        self._connection = http.client.HTTPConnection(host, int(port))
        self._connection.sock = plug
        form = urlencode({"store": store, "q": "*", "rows": LARGE, **parameters})
        sent = {"m1-auth-token": server.token, "Accept": accept}
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request("POST", "/session/query", form, sent)
        self.answer = self._connection.getresponse()
        assert self.answer.status == 200
        self.text = b""

    def take(self, size: int) -> None:
        """Read so much more."""
        self.text += self.answer.read(size)

    def rest(self) -> Any:
        """Read to the end, and give the answer; raises one of CUT where it breaks off."""
        self.text += self.answer.read()
        return json.loads(self.text)

    def leave(self) -> None:
        """Close the connection, whatever was read."""
        self.answer.close()
        self._connection.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def items(count: int, of: int = SMALL, **values: Any) -> list[dict[str, Any]]:
    """Give items with the keys 00000, 00001, ..., as a store of so many has them."""
    return [session(f"{n:05}", pad=PADS[of], **values) for n in range(count)]


def fill(server: Server, count: int) -> str:
    """Make a store of so many items."""
    store = fresh(server)
    made = items(count, count, v=1)
    for begin in range(0, count, 10_000):
        upsert(server, store, *made[begin : begin + 10_000])
    return store


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the server."""
    return tmp_path_factory.mktemp("stream")


@pytest.fixture(scope="module")
def own(data: Path) -> Iterator[Server]:
    """A server of our own, since we look into its process and its file."""
    with serving(data) as started:
        started.log_in()
        yield started


@pytest.fixture(scope="module")
def large(own: Server) -> str:
    """A store of 30,000 items, some 30 MB."""
    return fill(own, LARGE)


@pytest.fixture
def small(own: Server) -> str:
    """A store of 1,500 items, some 12 MB: more than the sockets between us hold."""
    return fill(own, SMALL)


def peak_bytes(server: Server, reset: bool = False) -> int:
    """Give the peak of the server's resident memory since it was reset."""
    process = Path(f"/proc/{server.process.pid}")
    if reset:
        (process / "clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def sockets(server: Server) -> int:
    """Count the sockets that the server has open."""
    count = 0
    for entry in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(entry).startswith("socket:")
    return count


@contextlib.contextmanager
def database(data: Path) -> Iterator[sqlite3.Connection]:
    """Open the server's file beside it."""
    with contextlib.closing(
        sqlite3.connect(data / "data" / "items.db", isolation_level=None, timeout=SECONDS)
    ) as opened:
        yield opened


def table_of(data: Path, store: str) -> str:
    """Give the table that a store's items are in."""
    with database(data) as db:
        (document,) = db.execute("SELECT document FROM catalog").fetchone()
        uid = json.loads(document)["stores"][store]["uid"]
        (number,) = db.execute("SELECT number FROM spaces WHERE uid = ?", (uid,)).fetchone()
    return f"items_{number}"


def has_table(data: Path, table: str) -> bool:
    """Tell whether a table is there."""
    with database(data) as db:
        query = "SELECT count(*) FROM sqlite_master WHERE name = ?"
        return bool(db.execute(query, (table,)).fetchone()[0])


def check_whole(answer: Any, count: int) -> None:
    """Check that an answer holds all items as `fill` made them, in order."""
    assert answer["count"] == count
    names = [item["session"]["id"] for item in answer["items"]]
    assert names == [f"{n:05}" for n in range(count)]
    assert all(item["v"] == 1 and item["pad"] == PADS[count] for item in answer["items"])


# --- memory, and others ---


def test_memory_stays_flat_while_slow_readers_take_a_large_answer(own: Server, large: str) -> None:
    before = peak_bytes(own, reset=True)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Reader(own, large)) for _ in range(4)]
        for reader in readers:
            reader.take(1_000)
            assert reader.text.startswith(b'{"count":30000,"items":[{"session": {"id": "00000"}')
        for _ in range(20):
            for reader in readers:
                reader.take(10_000)
        for reader in readers:
            check_whole(reader.rest(), LARGE)
            reader.text = b""
    assert peak_bytes(own) - before < 32 * 2**20


def test_stalled_readers_hold_up_no_other_caller(own: Server, large: str) -> None:
    other = fresh(own)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Reader(own, large)) for _ in range(40)]
        for reader in readers:
            reader.take(1_000)
        begin = time.monotonic()
        for n in range(20):
            upsert(own, large, session("zzz", n=n))
            assert ids(own, large, f"n:{n}") == ["zzz"]
            upsert(own, other, session(n))
            assert own.call("health").status == 200
        with Reader(own, large, rows=2_000) as quick:
            assert len(quick.rest()["items"]) == 2_000
        assert update(own, large, {"delete": ["zzz"]}).status == 204
        assert time.monotonic() - begin < SECONDS / 2
        check_whole(readers[0].rest(), LARGE)


# --- readers who leave ---


def test_a_reader_who_leaves_frees_the_connection(own: Server, large: str) -> None:
    readers = [Reader(own, large) for _ in range(20)]
    for reader in readers:
        reader.take(1_000)
    assert sockets(own) > 20
    for reader in readers:
        reader.leave()
    until(lambda: sockets(own) < 10, "connections stay")
    assert own.call("ping").status == 200


def test_a_reader_who_leaves_lets_go_of_a_dropped_store(
    own: Server, data: Path, small: str
) -> None:
    table = table_of(data, small)
    with Reader(own, small) as reader, Reader(own, small, "application/x-ndjson") as other:
        reader.take(1_000)
        other.take(1_000)
        assert own.call("session/drop", store=small).status == 204
        assert own.call("ping").status == 200
        assert has_table(data, table)
        reader.leave()
        assert own.call("ping").status == 200
        assert has_table(data, table)
    until(lambda: not has_table(data, table), "the table stays")


def test_a_reader_who_leaves_lets_go_of_replaced_items(own: Server, data: Path, small: str) -> None:
    table = table_of(data, small)

    def rows() -> int:
        upsert(own, small, session("00000", v=2))  # some of the dead rows go with each update
        with database(data) as db:
            count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count

    with Reader(own, small) as reader:
        reader.take(1_000)
        upsert(own, small, *items(SMALL, v=2))
        assert rows() >= 2 * SMALL
    until(lambda: rows() <= SMALL + FEW_DEAD, "dead rows stay")


# --- one query is one moment ---


@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson"])
def test_updates_made_while_it_streams_are_not_in_it(own: Server, small: str, accept: str) -> None:
    with Reader(own, small, accept) as reader:
        reader.take(1_000)
        upsert(own, small, *items(SMALL // 2, v=2))
        gone = [f"{n:05}" for n in range(SMALL // 2, SMALL)]
        assert update(own, small, {"delete": gone}).status == 204
        for n in range(3):
            upsert(own, small, session("00000-new", v=n), session("99999", v=n))
        assert len(ids(own, small, rows=LARGE)) == SMALL // 2 + 2
        if accept == "*/*":
            answer = reader.rest()
        else:
            assert reader.answer.headers["m1-count"] == str(SMALL)
            lines = (reader.text + reader.answer.read()).splitlines()
            answer = {"count": SMALL, "items": [json.loads(line) for line in lines]}
    check_whole(answer, SMALL)


def test_a_stream_finishes_though_the_store_is_renamed(own: Server, small: str) -> None:
    with Reader(own, small) as reader:
        reader.take(1_000)
        assert own.call("session/rename", store=small, name=f"{small}-new").status == 204
        assert ids(own, f"{small}-new", rows=1) == ["00000"]
        check_whole(reader.rest(), SMALL)


def test_a_stream_finishes_though_the_store_is_dropped(own: Server, data: Path, small: str) -> None:
    table = table_of(data, small)
    with Reader(own, small) as reader:
        reader.take(1_000)
        assert own.call("session/drop", store=small).status == 204
        refused(own.call("session/query", store=small, q="*"), 404)
        assert own.call("session/add", store=small, shards=1, replicas=1).status == 204
        upsert(own, small, session("new"))
        check_whole(reader.rest(), SMALL)
    until(lambda: not has_table(data, table), "the table stays")
    assert ids(own, small) == ["new"]


def test_a_stream_finishes_though_the_store_gets_another_key(own: Server, small: str) -> None:
    upsert(own, small, session("lone"))
    assert update(own, small, {"delete": ["lone"]}).status == 204
    with Reader(own, small) as reader:
        reader.take(1_000)
        message = refused(own.call("session/key", store=small, key="pad"), 409)
        assert f"{SMALL:,}" in message
        check_whole(reader.rest(), SMALL)
    upsert(own, small, *[{**item, "k": n} for n, item in enumerate(items(SMALL, v=1))])
    with Reader(own, small) as reader:
        reader.take(1_000)
        assert own.call("session/key", store=small, key="k").status == 204
        upsert(own, small, {"k": 5})
        check_whole(reader.rest(), SMALL)


# --- a failure midway ---


def damage(data: Path, table: str, how: str) -> None:
    """Change what stands in the last rows of a table, behind the server's back."""
    with database(data) as db:
        (last,) = db.execute(f"SELECT max(seq) FROM {table}").fetchone()
        if how == "gone":
            db.execute(f"DELETE FROM {table} WHERE seq > ?", (last - 10,))
        elif how == "flipped":
            body = "CAST(replace(body, 'ppp', 'ppq') AS BLOB)"
            db.execute(f"UPDATE {table} SET body = {body} WHERE seq = ?", (last,))
            assert db.execute("SELECT changes()").fetchone() == (1,)
        else:
            db.execute(f"ALTER TABLE {table} RENAME TO elsewhere_{table}")


@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson"])
@pytest.mark.parametrize("how", ["gone", "flipped", "unreadable"])
def test_a_failure_midway_visibly_breaks_the_stream(
    own: Server, data: Path, small: str, how: str, accept: str
) -> None:
    """It also shows that the first bytes left before the last item was read."""
    with Reader(own, small, accept) as reader:
        reader.take(1_000)
        damage(data, table_of(data, small), how)
        with pytest.raises(CUT):
            reader.rest()
    assert own.call("ping").status == 200
    assert "a stream broke" in own.logged()
    with Reader(own, small, accept) as again, pytest.raises(CUT):
        again.rest()


def test_bytes_flipped_on_the_disk_visibly_break_the_stream(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        first.log_in()
        store = fill(first, SMALL)
        upsert(first, store, session("99999", mark="a-mark-to-be-found"))
        token = first.token
    with serving(tmp_path) as second:
        second.token = token
        with Reader(second, store) as reader:
            reader.take(1_000)
            file = tmp_path / "data" / "items.db"
            at = file.read_bytes().rindex(b"a-mark-to-be-found")
            with file.open("r+b") as opened:
                opened.seek(at)
                opened.write(b"b")
            with pytest.raises(CUT):
                reader.rest()
        assert second.call("session/query", store=store, q="session.id:00000").status == 200
        reply = second.call("session/query", store=store, q="session.id:99999")
        assert "b-mark" not in reply.text
        id = header(reply, "m1-request-id")
        assert id
        assert id in refused(reply, 500)
        assert f"ERROR [{id}] POST /session/query\n    Traceback" in second.logged()
