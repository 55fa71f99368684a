"""A request's id: on every answer, and on every line that the log has about it."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.curl import header, post, refused, session, update, upsert
from tests.e2e.plug import Plug
from tests.e2e.test_stream import CUT, SMALL, Reader, damage, fill, table_of
from tests.scraped import scrape
from tests.serving import Reply, Server, serving
from tests.waiting import until

ID = re.compile("[0-9a-f]{16}")
JSON_LOG = ("--log-format", "json")


def id_of(reply: Reply) -> str:
    """Give the id on an answer."""
    id = header(reply, "m1-request-id") or ""
    assert ID.fullmatch(id), reply.headers
    return id


def lines(server: Server, **wanted: Any) -> list[dict[str, Any]]:
    """Give the events of a JSON log that have some members."""
    events = map(json.loads, server.logged().splitlines())
    return [event for event in events if wanted.items() <= event.items()]


def slow_line(server: Server, reply: Reply) -> dict[str, Any]:
    """Give the line about a slow request, which is written when all of it has ended."""
    id = id_of(reply)
    until(lambda: lines(server, request=id), "it is not in the log")
    (event,) = lines(server, request=id)
    return event


def test_every_answer_has_an_id_of_its_own(server: Server) -> None:
    upsert(server, "stash", session("id", pad="x"))
    with Plug(server) as plug:
        plug.send(b"GET /%b HTTP/1.1\r\nHost: m1\r\n\r\n" % (b"x" * 100_000))
        too_long = plug.answer()
    assert too_long is not None
    replies = [
        too_long,
        server.call("ping"),
        server.call("ping"),
        update(server, "stash"),
        server.call("session/query", store="stash", q="*"),
        server.call("session/query", store="stash", q="a:["),
        server.call("nothing"),
        server.call("session/list", token=""),
        post(server, "session/list", b"", verb="DELETE"),
        server.call("openapi.json"),
    ]
    assert len({id_of(reply) for reply in replies}) == len(replies)


def test_an_id_that_a_client_sends_is_not_believed(tmp_path: Path) -> None:
    own = {"m1-request-id": "0123456789abcdef", "x-request-id": "0123456789abcdef"}
    with serving(tmp_path) as server:
        reply = server.call("init", headers=own, username="admin", password="password")
        assert id_of(reply) != own["m1-request-id"]
        assert own["m1-request-id"] not in server.logged()


def test_the_audit_log_names_the_request(tmp_path: Path) -> None:
    with serving(tmp_path, *JSON_LOG) as server:
        server.log_in()
        reply = server.call("session/add", store="stash", shards=1, replicas=1)
        (event,) = lines(server, request=id_of(reply))
        assert event.pop("time")
        assert event == {
            "level": "AUDIT",
            "message": "session/add",
            "request": id_of(reply),
            "call": "session/add",
            "user": "admin",
            "address": "127.0.0.1",
            "parameters": {"store": "stash", "shards": 1, "replicas": 1, "key": None},
            "status": 204,
        }


def test_errors_on_our_side_are_in_the_log_under_the_id_that_the_client_got(tmp_path: Path) -> None:
    with serving(tmp_path, *JSON_LOG) as server:
        server.add_stash()
        store = fill(server, SMALL)
        damage(tmp_path, table_of(tmp_path, store), "flipped")
        reply = server.call("session/query", store=store, q="*", start=SMALL - 1)
        assert id_of(reply) in refused(reply, 500)
        (event,) = lines(server, request=id_of(reply))
        assert event["level"] == "ERROR"
        assert event["message"] == "POST /session/query"
        assert "damaged" in event["exception"]
        with Reader(server, store) as reader, pytest.raises(CUT):
            reader.rest()
        (event,) = lines(server, request=reader.answer.headers["m1-request-id"])
        assert event["level"] == "ERROR"
        assert "a stream broke" in event["message"]
        assert scrape(server).value("m1_streams_broken_total") == 1


def test_a_slow_request_is_in_the_log_without_what_was_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path, *JSON_LOG, "--slow-seconds", "0.00001") as server:
        server.add_stash()
        reply = server.call("session/query", store="stash", q="name:marked-5cc1")
        event = slow_line(server, reply)
        assert event.pop("time")
        assert 0 <= event.pop("slow_seconds") < 10
        assert event == {
            "level": "WARNING",
            "message": "a slow request",
            "request": id_of(reply),
            "call": "session/query",
            "user": "admin",
            "address": "127.0.0.1",
            "store": "stash",
            "status": 200,
        }
        unknown = server.call("session/query", store="marked-5cc1", q="*")
        assert "store" not in slow_line(server, unknown)
        assert "marked-5cc1" not in server.logged()


def test_quick_requests_are_not_in_the_log(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        before = server.logged()
        server.call("session/query", store="stash", q="*")
        assert server.logged() == before


def test_a_client_that_gives_up_on_a_slow_request_is_told_of(tmp_path: Path) -> None:
    """A query that nobody waits for any more is the slowest of all."""
    with serving(tmp_path, *JSON_LOG, "--slow-seconds", "0.00001") as server:
        server.add_stash()
        upsert(server, "stash", *(session(n, v=f"{n}" * 50) for n in range(5_000)))
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        patterns = " OR ".join(f"v:/.*{n}.*x/" for n in range(500))
        form = json.dumps({"store": "stash", "q": patterns})
        sent = {"m1-auth-token": server.token, "Content-Type": "application/json"}
        connection.request("POST", "/session/query", form, sent)
        connection.close()
        gone = {"call": "session/query", "status": "gone"}
        until(lambda: lines(server, **gone), "nothing is told")
        after = scrape(server)
        assert after.value("m1_requests_total", endpoint="session/query", status="gone") == 1
