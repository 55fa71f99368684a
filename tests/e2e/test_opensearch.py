"""`m1 serve --engine opensearch`: two servers over one real cluster, and the loss of a node."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.clustered import SEEN_SECONDS, Two, flags_of
from tests.e2e.curl import found, fresh, ids, refused, session, update, upsert
from tests.e2e.test_hostile_queries import each_value_finds_its_item
from tests.e2e.test_seed import CURL, M1, in_shell, live, make_known
from tests.opensearch import Cluster, call
from tests.scraped import scrape
from tests.serving import Server
from tests.waiting import until

RESUMED_SECONDS = 10.0
VALUES = 300


def test_what_one_server_acknowledged_the_other_finds_next(two: Two) -> None:
    store = "seen"
    two.add_store(store, 1, 1)
    for n in range(30):
        writer, reader = (two.one, two.other) if n % 2 else (two.other, two.one)
        upsert(writer, store, session("a", n=n))
        assert ids(reader, store, f"n:{n}") == ["a"]
        assert ids(reader, store, f"n:{n - 1}") == []


def test_a_new_store_has_all_its_copies(two: Two, nodes: Cluster) -> None:
    for number in range(5):
        made = two.one.call("session/add", store=f"whole-{number}", shards=3, replicas=2)
        assert made.status == 204
        shards = call(nodes.urls[0], "GET", "/_cat/shards?format=json")
        missing = [each for each in shards if each["state"] in ("UNASSIGNED", "INITIALIZING")]
        assert missing == []


def test_a_value_is_never_read_as_part_of_a_query(two: Two, rand: random.Random) -> None:
    each_value_finds_its_item(two.one, fresh(two.one), rand, VALUES)


def test_names_are_no_names_of_indices(two: Two, nodes: Cluster) -> None:
    two.add_store("named-5cc1", 1, 1)
    upsert(two.one, "named-5cc1", session("named-5cc1"))
    names = [each["index"] for each in call(nodes.urls[0], "GET", "/_cat/indices?format=json")]
    assert len(names) > 1
    assert not [name for name in names if "5cc1" in name]


def test_a_server_measures_what_the_cluster_keeps_and_how_long_it_waits_for_it(two: Two) -> None:
    store = "measured"
    two.add_store(store, 1, 1)
    upsert(two.one, store, *(session(n) for n in range(3)))
    assert len(ids(two.other, store)) == 3
    until(lambda: scrape(two.one).value("m1_items", store=store) == 3, "no items")
    found = scrape(two.other)
    assert found.value("m1_items", store=store) == 3
    assert found.value("m1_segment_bytes", store=store) > 0
    assert found.value("m1_refresh_wait_seconds_count") >= 1
    assert scrape(two.one).value("m1_commit_updates_count") >= 1
    assert not any(name in found.names for name in ("m1_wal_bytes", "m1_terms"))


def test_users_and_settings_of_one_server_are_seen_on_the_other(two: Two) -> None:
    user: dict[str, Any] = {"username": "guest", "password": "a-password"}
    assert two.one.call("user/add", **user, rights="get").status == 204
    until(lambda: "guest" in two.other.call("user/list").text, "no user", SEEN_SECONDS)
    token = two.other.call("auth", **user).text
    assert two.one.call("session/list", token=token).status == 200
    assert two.one.call("user/remove", username="guest").status == 204
    until(lambda: two.other.call("session/list", token=token).status == 401, "in", SEEN_SECONDS)
    assert two.other.call("system/password-min-length", value="9").status == 204
    until(lambda: two.one.call("system/password-min-length").text == "9", "not 9", SEEN_SECONDS)
    assert two.one.call("system/password-min-length", value="8").status == 204


def test_of_many_who_initialise_at_once_on_two_servers_one_does(
    nodes: Cluster, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        servers = Two(stack, tmp_path, nodes)

        def one(number: int) -> int:
            server = servers.one if number % 2 else servers.other
            return server.call("init", username=f"u{number}", password="a-password").status

        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(one, range(40)))
        assert answers.count(204) == 1
        assert set(answers) <= {204, 409, 429}


def test_a_store_is_re_keyed_renamed_and_dropped(two: Two) -> None:
    store = fresh(two.one)
    upsert(two.one, store, *[{**session(f"s{n}"), "k": f"k{n}"} for n in range(300)])
    assert two.one.call("session/key", store=store, key="k").status == 204
    assert len(found(two.one, store, rows=1_000)) == 300
    assert update(two.one, store, {"delete": ["k7"]}).status == 204
    assert len(found(two.one, store, rows=1_000)) == 299
    assert two.one.call("session/rename", store=store, name=f"{store}-new").status == 204
    assert len(found(two.one, f"{store}-new", rows=1_000)) == 299
    assert two.one.call("session/drop", store=f"{store}-new").status == 204
    refused(two.one.call("session/query", store=f"{store}-new", q="*"), 404)


LINES = [
    {
        verb: line.replace("shards=1&replicas=1", "shards=2&replicas=2").replace(
            "-shards 1 -replicas 1", "-shards 2 -replicas 2"
        )
        for verb, line in lines.items()
    }
    for lines in (CURL, M1)
]
"""The user's own lines, with stores of two shards, each kept twice."""


def test_the_users_lines_go_on_when_a_node_is_killed(two: Two, nodes: Cluster) -> None:
    make_known(two.one)
    for lines in LINES:
        live(two.one, lines)
    for store in ("stash", "kept"):
        two.add_store(store, 2, 2)
    until(lambda: len(healthy(two.one, "stash")) == 4, "copies are missing", 30)
    until(lambda: len(healthy(two.one, "kept")) == 4, "copies are missing", 30)
    upsert(two.one, "kept", *[session(f"s{n}", n=n) for n in range(500)])
    lost = nodes.nodes[2]
    lost.kill()
    try:
        until(lambda: update(two.one, "kept", new(1)).status == 204, "no update", RESUMED_SECONDS)
        until(lambda: update(two.other, "kept", new(2)).status == 204, "none", RESUMED_SECONDS)
        assert len(found(two.other, "kept", rows=1_000)) == 502
        for line in (each[verb] for each in LINES for verb in ("update", "query", "list")):
            in_shell(two.one, line)
        assert ids(two.one, "stash", "event.type:heartbeat") == []  # as the second line left it
        assert len(found(two.other, "stash")) == 1
        for lines in LINES:
            live(two.one, lines)
    finally:
        nodes.restart(lost)
        nodes.wait_for(3, "green")
    assert len(found(two.one, "kept", rows=1_000)) == 502


def new(number: int) -> dict[str, Any]:
    """Give the op that upserts one more item."""
    return {"upsert": [session(f"new{number}", n=number)]}


def healthy(server: Server, store: str) -> list[str]:
    """Give the copies of shards of a store that are well."""
    parts = server.call("health").json["sessions"]["details"]
    return [
        name
        for name, part in parts.items()
        if name.startswith(f"Node {store} shard") and part["status"] == "PASSED"
    ]


def test_a_cluster_with_indices_of_somebody_else_is_refused_by_name(
    nodes: Cluster, tmp_path: Path
) -> None:
    with nodes.own_prefix() as prefix:
        call(nodes.urls[0], "PUT", f"/{prefix}-theirs", {})
        started = start(tmp_path, nodes.urls[0], prefix)
        assert started.returncode == 2
        assert f"{prefix}-theirs" in started.stderr
        assert len(started.stderr.splitlines()) == 1


def test_indices_of_another_format_are_refused_by_name(nodes: Cluster, tmp_path: Path) -> None:
    with nodes.own_prefix() as prefix:
        older = {"mappings": {"_meta": {"m1": {"format": 1}}}}
        call(nodes.urls[0], "PUT", f"/{prefix}-catalog", older)
        started = start(tmp_path, nodes.urls[0], prefix)
        assert started.returncode == 2
        said = f"m1: the index {prefix}-catalog has format 1, this version of m1 reads format 4"
        assert started.stderr.startswith(said)
        assert len(started.stderr.splitlines()) == 1


def test_where_no_cluster_answers_a_start_gives_up_after_a_while(tmp_path: Path) -> None:
    started = start(tmp_path, "http://127.0.0.1:9", "m1", "tests.crash.hurried")
    assert started.returncode == 2
    assert "no cluster answers at http://127.0.0.1:9 yet: trying for 30 s" in started.stderr
    last = started.stderr.splitlines()[-1]
    assert last.startswith("m1: no cluster answered at http://127.0.0.1:9 for 30 s: start it")


def start(
    directory: Path, url: str, prefix: str, program: str = "m1"
) -> subprocess.CompletedProcess[str]:
    """Run the command until it gives up."""
    flags = ["--data", str(directory), "--port", "0", *flags_of([url], prefix)]
    command = [sys.executable, "-m", program, "serve", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
