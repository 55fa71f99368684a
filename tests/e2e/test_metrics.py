"""`/metrics`: the figures are true, named as declared, few, and for those who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from m1.api.rooms import endpoints
from m1.metrics import declared
from tests.e2e.curl import add_store, header, post, refused, session, update, upsert
from tests.e2e.plug import Plug
from tests.e2e.test_stream import Reader
from tests.scraped import scrape
from tests.serving import Server, serving
from tests.test_monitoring import rows
from tests.waiting import until

FORWARDED = {"X-Forwarded-For": "9.9.9.9"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server whose figures are ours alone, with the store stash."""
    with serving(tmp_path) as started:
        started.add_stash()
        yield started


def test_every_metric_of_the_page_is_in_a_scrape_after_some_calls(own: Server) -> None:
    upsert(own, "stash", *(session(n, v=n) for n in range(3)))
    own.call("session/query", store="stash", q="v:1")
    own.call("auth", token="", username="admin", password="wrong")
    reply = own.call("metrics")
    assert header(reply, "content-type") == "text/plain; version=0.0.4; charset=utf-8"
    found = scrape(own)
    for name, kind, labels, _ in rows("(?:m1|process)_"):
        sample = f"{name}_count" if kind == "histogram" else name
        assert sample in found.names
        assert found.labels_of(sample) == set(labels.split(", ")) - {""}, name


def test_names_follow_the_conventions() -> None:
    for name, kind, said in declared():
        assert name.startswith(("m1_", "process_"))
        assert name.endswith("_total") == (kind == "counter"), name
        assert said.endswith("."), name


def test_requests_are_counted_by_endpoint_and_status(own: Server) -> None:
    before = scrape(own)
    for n in range(5):
        assert update(own, "stash", {"upsert": [session(n)]}).status == 204
    refused(own.call("session/query", store="stash", q="a:["), 400)
    refused(own.call("session/query", token="no.token", store="stash", q="*"), 401)
    refused(own.call("session/list", "POST", a="b"), 405)
    assert own.call("system/geo").status == 200
    after = scrape(own)

    def more(endpoint: str, status: int) -> float:
        labels = {"endpoint": endpoint, "status": str(status)}
        name = "m1_requests_total"
        return after.value(name, **labels) - before.value(name, **labels)

    assert more("session/update", 204) == 5
    assert more("session/query", 400) == 1
    assert more("session/query", 401) == 1
    assert more("session/list", 405) == 1
    assert more("system/{name}", 200) == 1
    assert more("metrics", 200) == 1
    assert after.value("m1_request_seconds_count", endpoint="session/update") == 5
    assert 0 < after.value("m1_request_seconds_sum", endpoint="session/update") < 5


def test_what_clients_send_makes_no_label(own: Server) -> None:
    for n in range(30):
        refused(own.call(f"nothing/{n}"), 404)
        refused(own.call(f"system/{n}"), 404)
        refused(post(own, f"{n}", b"", verb=f"VERB{n}"), 400)
        own.call("session/query", store=f"store{n}", q="*")
    with Plug(own) as plug:
        plug.send(b"GET /%b HTTP/1.1\r\nHost: m1\r\n\r\n" % (b"x" * 100_000))
        assert plug.status() == 414
    after = scrape(own)
    declared_paths = {endpoint.path for endpoint in endpoints()}
    assert after.values_of("m1_requests_total", "endpoint") == declared_paths | {"none"}
    assert after.value("m1_requests_total", endpoint="none", status="404") == 30
    assert after.value("m1_requests_total", endpoint="none", status="400") == 30
    assert after.value("m1_requests_total", endpoint="none", status="414") == 1
    assert after.values_of("m1_items", "store") == {"stash"}


def test_a_store_is_measured_under_the_name_it_has(own: Server) -> None:
    add_store(own, "visits")
    upsert(own, "stash", *(session(n, v="x" * 100) for n in range(50)))
    own.call("session/query", store="stash", q="v:x*")
    after = scrape(own)
    assert after.value("m1_items", store="stash") == 50
    assert after.value("m1_items", store="visits") == 0
    assert after.value("m1_terms", store="stash") == 1
    assert after.value("m1_wal_bytes") > 5_000
    assert after.value("m1_data_bytes") > 0
    assert after.value("m1_disk_free_bytes") > 0
    assert after.value("m1_parts_failing") == 0
    assert after.value("m1_commit_updates_count") >= 3
    assert after.value("process_resident_memory_bytes") > 10_000_000
    own.call("session/rename", store="stash", name="kept")
    own.call("session/drop", store="visits")
    assert scrape(own).values_of("m1_items", "store") == {"kept"}


def test_the_index_on_disk_is_measured(own: Server) -> None:
    for begin in range(0, 17_000, 1_000):
        upsert(own, "stash", *(session(n, v=n) for n in range(begin, begin + 1_000)))
    until(lambda: scrape(own).value("m1_segments", store="stash") == 1, "no segment")
    after = scrape(own)
    assert after.value("m1_items", store="stash") == 17_000
    assert after.value("m1_segment_bytes", store="stash") > 100_000
    assert after.value("m1_terms", store="stash") > 2 * 16_000


def test_streams_and_connections_are_counted_while_they_are_open(own: Server) -> None:
    upsert(own, "stash", *(session(n, pad="p" * 8_000) for n in range(1_500)))
    assert scrape(own).value("m1_streams_open") == 0
    reader = Reader(own, "stash")
    assert scrape(own).value("m1_streams_open") == 1
    with Plug(own):
        until(lambda: scrape(own).value("m1_connections_open") >= 2, "they are not counted")
    reader.leave()
    until(lambda: scrape(own).value("m1_streams_open") == 0, "it is still open")
    assert scrape(own).value("m1_streams_broken_total") == 0


def test_refused_logins_are_counted_by_their_reason(own: Server) -> None:
    statuses = [
        own.call("auth", token="", username="ada", password="wrong").status for _ in range(12)
    ]
    after = scrape(own)
    assert after.value("m1_logins_refused_total", reason="wrong") == statuses.count(401) > 0
    assert after.value("m1_logins_refused_total", reason="delayed") == statuses.count(429) > 0


def test_without_the_flag_only_an_admin_sees_them(own: Server) -> None:
    refused(own.call("metrics", token=""), 401)
    own.call("user/add", username="ada", password="password", rights="sessionQuery,get")
    refused(own.call("metrics", token=own.call("auth", username="ada").text), 403)
    assert own.call("metrics").status == 200


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_with_the_flag_this_machine_sees_them_and_nothing_else(tmp_path: Path, way: str) -> None:
    flags = ["--trusted-proxies", "127.0.0.1/32", *["--local-metrics"] * (way == "flag")]
    variables = {"M1_LOCAL_METRICS": "true"} if way == "environment" else {}
    with serving(tmp_path, *flags, env=variables) as server:
        assert "m1_build_info" in server.call("metrics").text
        assert server.call("metrics", token="no.token").status == 200
        refused(server.call("metrics", headers=FORWARDED), 401)
        for path in ("health", "system", "user/list", "session/list"):
            refused(server.call(path), 401)
