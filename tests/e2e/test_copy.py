"""`m1 copy`: a store moves to another server or a cluster and back, and is the same there."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from m1.transfer.copying import comparable
from tests.clustered import Two
from tests.e2e.curl import session, upsert
from tests.e2e.test_cli import M1
from tests.opensearch import Cluster
from tests.serving import Server, serving
from tests.waiting import until

ODD: list[dict[str, Any]] = [
    session("numbers", n=[1, 1.0, -0.0, 10**18, 2**63, 1e-300, 0.1]),
    session("texts", t=["\u2028", "\U0001f600", "a\nb", "", "\\"], **{"a.b/c %": {"d": None}}),
    session("own", _m1={"ip": "10.1.2.3", "mine": [True, {"deep": []}]}),
]
MANY = 3_000


def m1(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command, with the home of a server."""
    command = [sys.executable, "-m", "m1", *arguments]
    return subprocess.run(
        command, env=server.environment, capture_output=True, text=True, timeout=120, check=False
    )


def log_in(home: Server, *servers: Server) -> list[str]:
    """Have environments at the home of one server, and give their names."""
    names = [f"e{number}" for number in range(len(servers))]
    for name, server in zip(names, servers, strict=True):
        assert m1(home, "environments", "add", name, server.url).returncode == 0
        who = ("-username", "admin", "-password", "password")
        assert m1(home, "auth", name, *who).returncode == 0
    return names


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Server]:
    """A server with a store that is worth copying."""
    with serving(tmp_path / "source") as server:
        server.log_in()
        made = server.call("session/add", store="stash", shards=1, replicas=1)
        assert made.status == 204
        upsert(server, "stash", *ODD, *[session(f"s{n}", n=n, pad="p" * 900) for n in range(MANY)])
        yield server


def items(server: Server, store: str) -> list[Any]:
    """Give all items with what the server added, when they were last updated left out."""
    page = server.call("session/query", store=store, q="*", rows=2 * MANY).json
    for item in page["items"]:
        del item["_m1"]["session"]["lastUpdated"]
    return [page["count"], *page["items"]]


def counted(server: Server, store: str) -> bool:
    """Tell whether a store has items by now."""
    reply = server.call("session/query", store=store, q="*", rows=0)
    return reply.status == 200 and bool(reply.json["count"])


def test_a_store_is_the_same_on_another_server(source: Server, tmp_path: Path) -> None:
    with serving(tmp_path / "target") as target:
        target.log_in()
        here, there = log_in(source, source, target)
        done = m1(source, "copy", here, "-store", "stash", "-to", there, "-as", "copied")
        assert done.returncode == 0, done.stderr
        assert f"{MANY + len(ODD):,} items with the sha256 " in done.stderr
        assert items(target, "copied") == items(source, "stash")
        again = m1(source, "copy", here, "-store", "stash", "-to", there, "-as", "copied")
        assert again.returncode == 1
        assert "409 there is a store copied already; to copy to another name: -as" in again.stderr


def test_a_store_moves_to_a_cluster_and_back(
    source: Server, nodes: Cluster, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        two = Two(stack, tmp_path, nodes)
        two.log_in()
        here, there = log_in(source, source, two.one)
        shape = ("-shards", "2", "-replicas", "2")
        done = m1(source, "copy", here, "-store", "stash", "-to", there, *shape)
        assert done.returncode == 0, done.stderr
        assert items(two.one, "stash") == items(source, "stash")
        back = ("-as", "back", "-shards", "1", "-replicas", "1")
        done = m1(source, "copy", there, "-store", "stash", "-to", here, *back)
        assert done.returncode == 0, done.stderr
        assert items(source, "back") == items(source, "stash")


def test_a_copy_that_is_ended_says_that_it_is_not_whole(source: Server, tmp_path: Path) -> None:
    with serving(tmp_path / "target") as target:
        target.log_in()
        here, there = log_in(source, source, target)
        command = ("copy", here, "-store", "stash", "-to", there)
        with M1(source.home).start(*command) as copying:
            until(lambda: counted(target, "stash"), "nothing is copied")
            copying.send_signal(signal.SIGINT)
            _, output = copying.communicate(timeout=120)
        said = output.decode()
        assert copying.returncode == 130, said
        assert "is not a whole copy" in said
        assert f"m1 {there} session/drop -store stash" in said


@pytest.mark.parametrize(
    "other",
    [
        b'{"n":1.0,"_m1":{"session":{"lastUpdated":2}}}',
        b'{"n":"1","_m1":{"session":{"lastUpdated":2}}}',
        b'{"n":1,"m":null,"_m1":{"session":{"lastUpdated":2}}}',
        b'{"n":1,"_m1":{"session":{"lastUpdated":2},"ip":"10.0.0.1"}}',
    ],
)
def test_nothing_but_the_time_of_the_copy_may_differ(other: bytes) -> None:
    item = b'{"n":1,"_m1":{"session":{"lastUpdated":1}}}'
    assert comparable(item) == comparable(item.replace(b":1}}", b":2}}"))
    assert comparable(item) != comparable(other)
