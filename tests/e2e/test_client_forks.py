"""A client in a process that forks: parent and child never share a connection or a lock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.curl import fresh, ids
from tests.e2e.gateway import gateway
from tests.serving import Server

_START = """
import asyncio, os, sys, threading
from m1 import AsyncClient, Client
from m1.client import UpdatesFailed
from m1.errors import Misuse

url, store = sys.argv[1:]
login = {"username": "admin", "password": "password"}
def session(id): return {"session": {"id": id}}

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

def sockets():
    links = (f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.islink(link)
            and os.readlink(link).startswith("socket:")}
"""

_CALLS = """
client = Client(url, **login)
client.session.update(store, upsert=[session("parent")])
client._edge._login_lock.acquire()  # as another thread of the parent may
before = sockets()

def work():
    assert not sockets(), "the child holds a connection of its parent's"
    client._edge._login.token = "ended"
    client.session.update(store, upsert=[session("child")])
    assert not sockets() & before

in_child(work)
client._edge._login_lock.release()
assert sockets() == before
client.session.update(store, upsert=[session("parent again")])
client.close()
"""

_STREAM = """
client = Client(url, **login)
client.session.update(store, upsert=[session(n) | {"pad": "p" * 9_000} for n in range(2_000)])
with client.session.query(store, "*", rows=2_000) as result:
    next(result)
    in_child(lambda: client.session.update(store, upsert=[session("child")]))
    assert len(list(result)) == 1_999
client.session.update(store, delete=[n for n in range(2_000)])
client.close()
"""

_UPDATES = """
client = Client(url, **login)
with client.updates(store, seconds=60) as updates:
    updates.upsert(session("parent"))

    def work():
        try:
            updates.upsert(session("stolen"))
        except Misuse as error:
            assert "process" in str(error)
        else:
            raise AssertionError("a child used its parent's batch")
        updates.__exit__(None, None, None)
        with client.updates(store) as mine:
            mine.upsert(session("child"))

    in_child(work)
client.close()
"""

_ASYNC = """
client = AsyncClient(url, **login)

async def update(id):
    await client.session.update(store, upsert=[session(id)])

async def main():
    await update("parent")
    await client.close()

asyncio.run(main())
client = AsyncClient(url, **login)
in_child(lambda: asyncio.run(update("child")))
"""


@pytest.mark.parametrize(
    ("story", "left"),
    [
        (_CALLS, ["child", "parent", "parent again"]),
        (_STREAM, ["child"]),
        (_UPDATES, ["child", "parent"]),
        (_ASYNC, ["child", "parent"]),
    ],
    ids=["calls", "stream", "updates", "async"],
)
def test_a_child_process_speaks_for_itself(server: Server, story: str, left: list[str]) -> None:
    store = fresh(server)
    strict = (
        "-W",
        "error",
        "-W",
        "ignore::ResourceWarning",
    )  # the child's, of the parent's sockets
    with gateway(server.port) as way:
        ran = subprocess.run(
            [sys.executable, *strict, "-c", _START + story, way.url, store],
            capture_output=True,
            timeout=60,
        )
    assert (ran.returncode, ran.stderr.decode()) == (0, "")
    assert ids(server, store) == left
