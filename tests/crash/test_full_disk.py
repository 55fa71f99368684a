"""A disk that is really full: removals go on, and so does everything once there is room.

That of `test_faults` is full because SQLite is told so. Here the disk is a small one, and
all that a server does on it can fail: its log, its file, and the files of the index.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.crash.places import resize, small_disk
from tests.serving import Reply, Server

TEXT = "x" * 2_000
AT_ONCE = 50
Items = dict[str, int]
"""What was acknowledged: the number that each item holds."""


@contextmanager
def running(data: Path, program: str = "m1") -> Iterator[Server]:
    """Run a server with the store stash."""
    server = Server(data, home=data.parent.parent / "home", program=program)
    try:
        server.log_in()
        assert server.call("session/add", store="stash", shards=1, replicas=1).status in (204, 409)
        yield server
    finally:
        server.stop()


def update(server: Server, *ops: dict[str, Any]) -> Reply:
    """Send ops; they are answered within a second."""
    begin = time.monotonic()
    reply = server.call("session/update", store="stash", ops=json.dumps(ops))
    assert time.monotonic() - begin < 1, reply
    if reply.status != 204:
        assert reply.status == 503, reply
        assert int(reply.headers["retry-after"]) > 0
    return reply


def put(server: Server, kept: Items, number: int, count: int = AT_ONCE) -> bool:
    """Put some items; tells whether they were taken, which `kept` is told too."""
    ids = [f"i{number + each}" for each in range(count)]
    items = [{"session": {"id": id}, "n": number, "t": TEXT} for id in ids]
    taken = update(server, {"upsert": items}).status == 204
    if taken:
        kept.update(dict.fromkeys(ids, number))
    return taken


def remove(server: Server, kept: Items, *ids: str) -> None:
    """Remove items, which must be possible."""
    reply = update(server, {"delete": list(ids)})
    assert reply.status == 204, reply
    for id in ids:
        del kept[id]


def fill(server: Server, kept: Items, begin: int = 0) -> None:
    """Put items until they are refused."""
    for number in range(begin, begin + 1_000_000, AT_ONCE):
        if not put(server, kept, number):
            return


def stored(server: Server) -> Items:
    """Ask for all that there is."""
    found = server.call("session/query", store="stash", q="*", rows=100_000)
    assert found.status == 200
    return {item["session"]["id"]: item["n"] for item in found.json["items"]}


@pytest.mark.parametrize("program", ["m1", "tests.crash.tiny"])
def test_removals_go_on_and_more_room_is_all_that_updates_need(
    tmp_path: Path, program: str
) -> None:
    """With `tiny`, segments are made and merged on the full disk too."""
    kept: Items = {}
    with small_disk(tmp_path / "disk", "8m") as disk:
        with running(disk / "data", program) as server:
            fill(server, kept)
            assert len(kept) > 100
            assert stored(server) == kept
            for id in list(kept)[:200]:
                remove(server, kept, id)
            remove(server, kept, *list(kept)[:100])
            assert stored(server) == kept
            resize(disk, "64m")
            assert all(put(server, kept, number) for number in range(10_000, 11_000, AT_ONCE))
            assert stored(server) == kept
            server.kill()
        with running(disk / "data", program) as server:
            assert stored(server) == kept


def test_a_server_starts_on_a_full_disk_and_takes_removals(tmp_path: Path) -> None:
    kept: Items = {}
    with small_disk(tmp_path / "disk", "8m") as disk:
        for begin in range(0, 3_000_000, 1_000_000):
            with running(disk / "data") as server:
                assert stored(server) == kept
                for id in list(kept)[:50]:
                    remove(server, kept, id)
                fill(server, kept, begin)
                server.kill()
        with running(disk / "data") as server:
            assert stored(server) == kept


def test_where_enough_was_removed_updates_go_on_without_more_room(tmp_path: Path) -> None:
    kept: Items = {}
    with small_disk(tmp_path / "disk", "8m") as disk, running(disk / "data") as server:
        fill(server, kept)
        count = len(kept)
        remove(server, kept, *list(kept)[: count * 3 // 4])
        for number in range(10_000_000, 10_000_100):
            if put(server, kept, number, 1):
                break
        else:
            pytest.fail("nothing can be put, though little is left")
        assert stored(server) == kept


def test_what_others_write_takes_no_room_from_removals(tmp_path: Path) -> None:
    """The disk is filled by somebody else, who then lets go."""
    kept: Items = {}
    with small_disk(tmp_path / "disk", "32m") as disk, running(disk / "data") as server:
        for number in range(0, 600, AT_ONCE):
            assert put(server, kept, number)
        occupy(disk / "other")
        for id in list(kept)[:50]:
            remove(server, kept, id)
        occupy(disk / "more")
        assert not all(put(server, kept, number) for number in range(10_000, 20_000, AT_ONCE))
        for id in list(kept):
            remove(server, kept, id)
        (disk / "other").unlink()
        (disk / "more").unlink()
        assert put(server, kept, 20_000)
        assert stored(server) == kept


def occupy(file: Path) -> None:
    """Write a file until no byte is left."""
    with suppress(OSError), file.open("wb", buffering=0) as other:
        while other.write(bytes(4_096)):
            pass


def test_a_server_that_sets_no_room_aside_is_found_out(tmp_path: Path) -> None:
    kept: Items = {}
    with (
        small_disk(tmp_path / "disk", "8m") as disk,
        running(disk / "data", "tests.crash.wasteful") as server,
    ):
        fill(server, kept)
        with pytest.raises(AssertionError, match="the disk is full"):
            put_and_remove(server, kept)


def put_and_remove(server: Server, kept: Items) -> None:
    for _ in range(20):
        fill(server, kept, 10_000_000)
        remove(server, kept, *list(kept)[:10])
