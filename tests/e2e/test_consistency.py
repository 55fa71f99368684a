"""What one client was told is what every other sees next, and a query is one moment."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.crash.tier import rounds
from tests.e2e.curl import fresh, ids, refused, session, upsert
from tests.serving import Server, serving

CLIENTS = 8
HOUR, YEAR = 3_600, 365 * 86_400


class Client:
    """One connection that is kept."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.url)
        assert address.hostname
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        self._headers = {
            "m1-auth-token": server.token,
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def call(self, endpoint: str, **parameters: Any) -> http.client.HTTPResponse:
        """Call an endpoint; the answer is to be read."""
        self._connection.request("POST", f"/{endpoint}", urlencode(parameters), self._headers)
        return self._connection.getresponse()

    def upsert(self, store: str, *items: dict[str, Any]) -> None:
        """Upsert items in one update."""
        answer = self.call("session/update", store=store, ops=json.dumps([{"upsert": items}]))
        assert (answer.status, answer.read()) == (204, b"")

    def query(self, store: str, q: str, **more: Any) -> Any:
        """Query, and give the answer."""
        answer = self.call("session/query", store=store, q=q, **more)
        assert answer.status == 200
        return json.loads(answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def at_once(work: Callable[[int], None], count: int) -> None:
    """Do work by so many threads; raises what the first of them raised."""
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    if failures:
        raise failures[0]


# --- what was acknowledged is visible to everybody ---


def misses(server: Server, count: int) -> int:
    """Update by one connection, query by another right after, by many clients; count misses."""
    store = fresh(server)
    missed: list[str] = []

    def work(number: int) -> None:
        with closing(Client(server)) as writer, closing(Client(server)) as reader:
            for round in range(count // CLIENTS):
                writer.upsert(store, session(f"c{number}", n=round))
                found = reader.query(store, f"session.id:c{number} AND n:{round}")
                if found["count"] != 1 or found["items"][0]["n"] != round:
                    missed.append(f"client {number}, round {round}")

    at_once(work, CLIENTS)
    return len(missed)


def test_an_update_is_seen_by_the_next_query_of_any_client(server: Server) -> None:
    assert misses(server, rounds(commit=2_000, torture=100_000)) == 0


def test_a_server_that_answers_too_early_is_found_out(tmp_path: Path) -> None:
    hasty = Server(tmp_path / "data", home=tmp_path / "home", program="tests.crash.hasty")
    try:
        hasty.log_in()
        assert misses(hasty, 200) > 0
    finally:
        hasty.stop()


# --- a stream is of one moment ---


@contextmanager
def flipping(server: Server, store: str, first: str, last: str) -> Iterator[list[int]]:
    """Change two items in one update again and again, while the block lasts."""
    done, over = [0], threading.Event()

    def work() -> None:
        with closing(Client(server)) as client:
            while not over.is_set():
                done[0] += 1
                client.upsert(store, session(first, n=done[0]), session(last, n=done[0]))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join(60)


def test_the_ends_of_a_stream_are_of_one_moment(server: Server) -> None:
    store = fresh(server)
    names = [f"{n:04}" for n in range(600)]
    upsert(server, store, *[session(name, pad="p" * 3_000, n=0) for name in names])
    seen: set[int] = set()
    with (
        closing(Client(server)) as reader,
        flipping(server, store, names[0], names[-1]) as done,
    ):
        for _ in range(rounds(commit=40, torture=1_000)):
            answer = reader.call("session/query", store=store, q="*", rows=1_000)
            text = answer.read(100_000)
            begun = done[0]
            while done[0] < begun + 2:  # what is read later was changed meanwhile
                text += answer.read(10_000)
            page = json.loads(text + answer.read())
            assert page["count"] == len(page["items"]) == len(names)
            assert [item["session"]["id"] for item in page["items"]] == names
            ends = {page["items"][0]["n"], page["items"][-1]["n"]}
            assert len(ends) == 1, f"the ends are of two moments: {ends}"
            seen |= ends
    assert len(seen) > 10, "the writer hardly wrote"


# --- the wall clock jumps ---


@pytest.mark.parametrize("jump", [-HOUR, 10 * YEAR, -48 * HOUR])
def test_a_jump_of_the_clock_disturbs_neither_order_nor_timers(tmp_path: Path, jump: int) -> None:
    skew = tmp_path / "skew"
    skew.write_text("0")
    server = Server(
        tmp_path / "data",
        home=tmp_path / "home",
        program="tests.crash.skewed",
        env={"CLOCK_SKEW": str(skew)},
    )
    try:
        server.log_in()
        store = fresh(server)
        upsert(server, store, session("a", n=1), session("b", n=1))
        skew.write_text(str(jump))
        if jump > 0:
            assert "expired" in refused(server.call("session/list"), 401)
            server.log_in()
        upsert(server, store, session("a", n=2))
        assert ids(server, store, "n:2") == ["a"]
        assert ids(server, store, sort="_m1.session.lastUpdated desc")
        assert server.call("health").json["overall"]["status"] == "PASSED"
        kept = server.token
    finally:
        assert server.stop() == 0
    with serving(tmp_path) as again:  # the clock is right again
        again.token = kept
        if jump > 0:  # issued in what is the future now, and good until long after
            again.log_in()
        assert ids(again, store, "n:2") == ["a"]
        assert ids(again, store, "n:1") == ["b"]
