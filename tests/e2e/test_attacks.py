"""What an outsider who knows the code would try, beyond what other files hold of it."""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from benchmarks.ping import pinging
from tests.e2e.curl import fresh, ids, post, refused, session, upsert
from tests.e2e.harm import harmless, remembering
from tests.serving import Reply, Server, serving

FORM = "application/x-www-form-urlencoded"
MIB = 2**20


def all_at_once(count: int, call: Callable[[int], Reply]) -> list[Reply]:
    """Make many calls, each by a thread of its own."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def statuses(replies: list[Reply]) -> Counter[int]:
    """Count the answers by status."""
    return Counter(reply.status for reply in replies)


# --- races ---


def test_of_a_hundred_who_initialise_at_once_one_does(tmp_path: Path) -> None:
    with serving(tmp_path) as server:

        def init(number: int) -> Reply:
            return server.call("init", username=f"user{number}", password=f"password {number}")

        found = statuses(all_at_once(100, init))
        assert found.pop(204) == 1
        assert found.keys() <= {409, 429}, found


def test_of_many_new_passwords_at_once_one_ends_the_token_of_the_others(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.log_in()
        mine: dict[str, Any] = {"username": "ada", "password": "password"}
        assert server.call("user/add", **mine, rights="get").status == 204
        token = server.call("auth", token="", **mine).text

        def change(number: int) -> Reply:
            return server.call("user/password", token=token, password=f"password {number}")

        found = statuses(all_at_once(20, change))
        assert found[204] == 1
        assert found.keys() <= {204, 401, 429}, found


def test_many_logins_at_once_hold_nobody_up(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.log_in()

        def log_in(number: int) -> Reply:
            return server.call("auth", username="admin", password="password")

        with pinging(server.port) as pings:
            replies = all_at_once(200, log_in)
        found = statuses(replies)
        print(found, pings[0])  # noqa: T201
        assert found.keys() <= {200, 429}
        assert found[200] > 2
        assert all("retry-after" in reply.headers for reply in replies if reply.status == 429)
        assert pings[0].worst < 1_000


def test_administering_beside_updates_and_streams_breaks_nothing(
    tmp_path: Path, rand: random.Random
) -> None:
    """Stores are added, renamed, re-keyed and dropped under those who use them."""
    names, allowed = ("one", "two"), {200, 204, 404, 409, 503}
    with serving(tmp_path) as server:
        server.log_in()
        end = time.monotonic() + 3

        def administer(number: int) -> Counter[int]:
            chance, done = random.Random(rand.random() + number), Counter[int]()
            calls: list[tuple[str, Callable[[], dict[str, Any]]]] = [
                ("session/add", lambda: {"shards": 1, "replicas": 1}),
                ("session/rename", lambda: {"name": chance.choice(names)}),
                ("session/key", lambda: {"key": chance.choice(["session.id", "other.id"])}),
                ("session/drop", dict),
            ]
            while time.monotonic() < end:
                path, more = chance.choice(calls)
                done[server.call(path, store=chance.choice(names), **more()).status] += 1
            return done

        def use(number: int) -> Counter[int]:
            chance, done = random.Random(number), Counter[int]()
            while time.monotonic() < end:
                name, id = chance.choice(names), f"{number}-{chance.randrange(500)}"
                item = {**session(id), "other": {"id": f"o{id}"}}
                ops = json.dumps([{"upsert": [item]}])
                done[server.call("session/update", store=name, ops=ops).status] += 1
                done[server.call("session/query", store=name, q="*", rows=1_000).status] += 1
            return done

        with ThreadPoolExecutor(8) as pool:
            work = [pool.submit(administer, n) for n in range(3)]
            work += [pool.submit(use, n) for n in range(5)]
            done = sum((each.result() for each in work), Counter[int]())
        print(done)  # noqa: T201
        assert done.keys() <= allowed, done
        assert min(done[200], done[204]) > 10
        assert "Traceback" not in server.logged()
        before = {name: server.call("session/query", store=name, q="*").text for name in names}
        server.stop()
    with serving(tmp_path) as server:
        server.log_in()
        assert server.call("health").json["overall"]["status"] == "PASSED"
        for name in names:
            assert server.call("session/query", store=name, q="*").text == before[name]


# --- bodies ---


@pytest.mark.parametrize(
    "encoding", ["gzip", "GZIP", "deflate", "br", "gzip, gzip", "identity, gzip"]
)
def test_a_compressed_body_is_refused_and_not_unpacked(server: Server, encoding: str) -> None:
    bomb = gzip.compress(b"store=stash&q=" + b"a" * 10 * MIB)
    reply = post(server, "session/query", bomb, FORM, **{"Content-Encoding": encoding})
    assert "Content-Encoding" in refused(reply, 400)
    body = urlencode({"store": "stash", "q": "*"}).encode()
    plain = post(server, "session/query", body, FORM, **{"Content-Encoding": "identity"})
    assert plain.status == 200


def test_a_body_just_within_the_limit_works_by_default(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.log_in()
        store = fresh(server)
        items = [session(n, v="x" * (MIB - 100)) for n in range(64)]
        whole = json.dumps({"store": store, "ops": [{"upsert": items}]}).encode().ljust(64 * MIB)
        assert len(whole) == 64 * MIB
        assert post(server, "session/update", whole).status == 204
        assert len(ids(server, store, rows=100)) == 64
        for more in (1, 32 * MIB):  # who looks for an answer behind it all finds it there
            refused(post(server, "session/update", whole + b" " * more), 413)


def test_a_hundred_thousand_fields_are_refused_soon(server: Server) -> None:
    encoded = "&".join(f"f{n}={n}" for n in range(100_000)).encode()
    part = b'--X\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n*\r\n'
    parts = b"".join(part % n for n in range(100_000)) + b"--X--\r\n"
    members = json.dumps({f"f{n}": n for n in range(100_000)}).encode()
    for body, kind in (
        (encoded, FORM),
        (parts, "multipart/form-data; boundary=X"),
        (members, "application/json"),
    ):
        with harmless(server), remembering(server, 64 * MIB + 16 * MIB):
            refused(post(server, "session/query?store=stash&q=*", body, kind), 400)


# --- names ---


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../x",
            "..",
            ".",
            "_all/x",
            "*",
            "a/b",
            "a\\b",
            "a\0",
            "a\n",
            "\na",
            "a b",
            "",
            "a" * 65,
        ),
        *("%2e%2e", "stash\u200b", "st\u0430sh", "\uff53tash", "nul.", "con:", "-\u2028", "{name}"),
    ],
)
def test_a_name_reaches_no_file_and_no_other_store(server: Server, name: str) -> None:
    there = sorted(os.listdir(server.home.parent))
    for path in ("session/add", "session/drop", "session/update", "session/query", "session/key"):
        form: dict[str, Any] = {"shards": 1, "replicas": 1, "ops": "[]", "q": "*", "key": "a"}
        assert server.call(path, store=name, **form).status in (400, 404), path
    assert server.call("session/rename", store="stash", name=name).status == 400
    assert sorted(os.listdir(server.home.parent)) == there
    assert server.call("session/query", store="stash", q="*").status == 200


def test_a_name_with_a_meaning_elsewhere_has_none_here(server: Server) -> None:
    upsert(server, fresh(server), session("a"))
    stores = server.call("session/list").json
    assert server.call("session/add", store="_all", shards=1, replicas=1).status == 204
    assert ids(server, "_all") == []
    assert server.call("session/drop", store="_all").status == 204
    assert server.call("session/list").json == stores


@pytest.mark.parametrize(
    "origin", ["https://a.example\r\nX-Evil: 1", "https://a b", "https://a\tb", "https://", "null"]
)
def test_an_origin_that_is_none_is_refused(server: Server, origin: str) -> None:
    refused(server.call("system/cors", value=origin), 400)
