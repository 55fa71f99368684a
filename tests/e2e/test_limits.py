"""What one client may take of the server: time, bytes, connections. Each limit has its answer."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.machine import processor_seconds
from benchmarks.ping import pinging
from m1.server.limits import LEAST_BYTES_A_SECOND, Limits
from m1.server.settings import read_settings
from tests.e2e.curl import header, session, upsert
from tests.e2e.harm import remembering
from tests.e2e.plug import Plug, head, refused
from tests.e2e.slow import DEAF, slow_clients
from tests.e2e.test_stream import CUT, Reader, sockets
from tests.serving import Reply, Server, serving
from tests.waiting import until

LIMIT = 2.0
"""Seconds, in place of 10 and 30, that a client of these tests may take."""
MOST = LIMIT + 2.5
"""Connections are looked at each second, on a busy machine a little later."""
CONNECTIONS = 20
HEAD = 16_384
MIB = 2**20
BODY = 64 * MIB
MANY = 300
FEW_FILES = 128
NOISE = 250.0
"""Milliseconds that others' work on the machine may cost; `make attack` shows the ratio."""
LITTLE = 16 * MIB
"""So much more memory than a limit allows may be taken for what is over it."""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with little patience."""
    flags = ["--receive-seconds", f"{LIMIT}", "--send-seconds", f"{LIMIT}"]
    flags += ["--max-connections", f"{CONNECTIONS}", "--max-head", f"{HEAD}"]
    with serving(tmp_path_factory.mktemp("strict"), *flags) as started:
        started.add_stash()
        yield started


@pytest.fixture
def plug(strict: Server) -> Iterator[Plug]:
    """A connection to it."""
    with Plug(strict) as plug:
        yield plug


def test_the_limits_of_these_tests_are_but_shorter_than_those_that_are_shipped() -> None:
    shipped = read_settings((), {})
    assert shipped.limits == Limits(
        connections=1_000, head=64 * 1024, receive_seconds=10.0, send_seconds=30.0, backlog=128
    )
    assert LEAST_BYTES_A_SECOND == 1_024
    assert shipped.max_body == BODY
    assert shipped.query_seconds == 30.0


# --- time ---


@pytest.mark.parametrize("sent", [b"GET /", b"GET /ping HTTP/1.1\r\nX-Slow: "])
def test_a_head_that_takes_too_long_is_a_408(plug: Plug, sent: bytes) -> None:
    plug.send(sent)
    plug.drip(b"x" * 100, 0.2)
    refused(plug.answer(), 408)
    assert LIMIT < plug.seconds < MOST


@pytest.mark.parametrize("sent", [b"", b"\r\n" * 100])
def test_who_begins_no_request_is_left(plug: Plug, sent: bytes) -> None:
    plug.drip(sent, 0.1)
    plug.answer()
    assert plug.is_closed()
    assert LIMIT < plug.seconds < MOST


def test_a_second_request_has_as_long_as_the_first_and_no_longer(plug: Plug) -> None:
    plug.send(b"GET /ping HTTP/1.1\r\n\r\n")
    assert plug.status() == 200
    plug.drip(b"GET /ping HTTP/1.1\r\nX-Slow: " + b"x" * 100, 0.1)
    refused(plug.answer(), 408)
    assert LIMIT < plug.seconds < MOST


@pytest.mark.parametrize("pause", [0.1, 60.0])
def test_a_body_that_comes_too_slowly_is_a_408(strict: Server, plug: Plug, pause: float) -> None:
    plug.send(head(strict, "session/update", 10_000))
    plug.drip(b"store=stash&ops=" + b" " * 1_000, pause)
    refused(plug.answer(), 408)
    assert LIMIT < plug.seconds < MOST


def test_a_body_that_nobody_waits_for_is_not_waited_for(strict: Server, plug: Plug) -> None:
    plug.send(head(strict, "no/such/path", 10_000))
    assert plug.status() == 404
    plug.drip(b" " * 1_000, 0.1)
    assert plug.is_closed()
    assert plug.seconds < MOST


def test_a_body_at_a_fair_pace_may_take_as_long_as_it_takes(strict: Server, plug: Plug) -> None:
    form = b"store=stash&ops=" + b" " * 10_000 + b"[]"
    plug.send(head(strict, "session/update", len(form)))
    while form:
        some, form = form[:1_000], form[1_000:]
        plug.send(some)
        time.sleep(0.4)  # that is its pace
    assert plug.status() == 204
    assert plug.seconds > LIMIT


def test_who_takes_nothing_of_an_answer_is_cut_off_and_who_takes_little_is_not(
    strict: Server,
) -> None:
    items = [session(f"{n:04}", pad="p" * 8_000) for n in range(2_000)]
    for begin in range(0, len(items), 500):
        upsert(strict, "stash", *items[begin : begin + 500])
    with Reader(strict, "stash") as stalled, Reader(strict, "stash") as slow:
        begun = time.monotonic()
        while time.monotonic() < begun + MOST:
            slow.take(50_000)
            time.sleep(0.1)  # that is its pace
        assert slow.rest()["count"] == len(items)
        with pytest.raises(CUT):
            stalled.rest()
    # an answer that is cut off is not what ends a whole one
    with Reader(strict, "stash") as whole:
        assert whole.rest()["count"] == len(items)


def test_a_half_closed_connection_is_closed(plug: Plug) -> None:
    plug.send(b"GET /ping HTTP/1.1\r\n")
    plug.socket.shutdown(socket.SHUT_WR)
    assert plug.is_closed()
    assert plug.seconds < 1


def test_five_hundred_slow_connections_are_cut_in_time_and_hold_nobody_up(tmp_path: Path) -> None:
    flags = ["--receive-seconds", f"{LIMIT}", "--send-seconds", f"{LIMIT}"]
    with serving(tmp_path, *flags) as server, ExitStack() as stack:
        server.add_stash()
        for begin in range(0, 1_000, 500):
            some = range(begin, begin + 500)
            upsert(server, "stash", *(session(n, pad="p" * 8_000) for n in some))
        with pinging(server.port) as alone:
            time.sleep(1)  # so long it is measured
        begun, used = time.monotonic(), processor_seconds(server.process.pid)
        there = sockets(server)
        crowd = [stack.enter_context(each) for each in slow_clients(server)]
        assert len(crowd) == 500
        with pinging(server.port) as beside:
            end = time.monotonic() + MOST
            while sockets(server) > there + 1:  # whoever pings
                assert time.monotonic() < end, "some are not cut"
                for each in crowd:
                    each.trickle()
                time.sleep(0.2)  # that is their pace
        used = processor_seconds(server.process.pid) - used
        print(f"{used:.2f} s of a processor", alone[0], beside[0])  # noqa: T201
        assert used < (time.monotonic() - begun) / 2
        assert beside[0].median < 2 * alone[0].median + NOISE / 20
        assert beside[0].p99 < 2 * alone[0].p99 + NOISE
        told = Counter((each.kind, each.status()) for each in crowd if each.kind != DEAF)
    assert told == {
        ("a slow head", 408): 90,
        ("a slow body", 408): 90,
        ("a body that stops", 408): 90,
        ("silent", None): 90,
        ("half-closed", None): 90,
    }


# --- bytes ---


def test_too_long_a_url_is_a_414(strict: Server, plug: Plug) -> None:
    with remembering(strict, HEAD + LITTLE):
        plug.send(b"GET /ping?" + b"x" * 2**20 + b" HTTP/1.1\r\n\r\n")
        refused(plug.answer(), 414)
        assert plug.seconds < 1


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"x" * 2**20 + b"\r\n",
        b"X: y\r\n" * 10_000,
        b"X: y\r\n" * 201,
        (b"X: " + b"x" * 999 + b"\r\n") * 20,
    ],
    ids=["one that is long", "very many", "many", "some that are long together"],
)
def test_too_many_or_too_long_headers_are_a_431(strict: Server, plug: Plug, headers: bytes) -> None:
    with remembering(strict, HEAD + LITTLE):
        plug.send(b"GET /ping HTTP/1.1\r\n" + headers + b"\r\n")
        refused(plug.answer(), 431)
        assert plug.seconds < 1


def test_a_head_without_an_end_is_refused_as_soon_as_it_is_too_long(plug: Plug) -> None:
    plug.send(b"GET /ping HTTP/1.1\r\nX: " + b"x" * 3 * HEAD)
    refused(plug.answer(), 431)
    assert plug.seconds < 1


def test_a_url_and_headers_just_within_the_limit_are_fine(plug: Plug) -> None:
    url = b"/ping?" + b"x" * (HEAD - 6)
    short = b"X: y\r\n" * 199
    long = b"X: " + b"x" * (HEAD - 199 * len("Xy") - len("X")) + b"\r\n"
    plug.send(b"GET " + url + b" HTTP/1.1\r\n" + short + long + b"\r\n")
    assert plug.status() == 200


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked", b"Content-Length: 209715200"])
def test_a_body_that_is_too_large_is_a_413_at_once_and_takes_no_memory(
    strict: Server, plug: Plug, framing: bytes
) -> None:
    piece = b"x" * MIB
    if b"chunked" in framing:
        piece = b"100000\r\n" + piece + b"\r\n"
    with remembering(strict, BODY + LITTLE):
        plug.send(head(strict, "session/update") + framing + b"\r\n\r\n")
        for _ in range(BODY // MIB + 1):
            plug.send(piece)
        crossed = time.monotonic()
        refused(plug.answer(), 413)
        assert time.monotonic() - crossed < 1
        for _ in range(BODY // MIB + 1):  # what comes behind it is read, and not kept
            plug.send(piece)
        assert plug.is_closed()


# --- what is not one request ---


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 4, 4\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: y\r\n folded: z\r\n",
        b"X: y\n\r\n",
        b"X: a\0b\r\n",
        b"X\r: y\r\n",
    ],
)
def test_a_request_that_two_servers_could_read_in_two_ways_is_a_400(
    plug: Plug, headers: bytes
) -> None:
    plug.send(b"POST /user/list HTTP/1.1\r\nHost: m1\r\n" + headers + b"\r\n0\r\n\r\nGET /ping")
    refused(plug.answer(), 400)  # 405 would be the answer to what was read
    assert plug.is_closed()


# --- connections ---


def test_one_connection_too_many_is_a_503_at_once(strict: Server) -> None:
    until(lambda: strict.call("ping").status == 200, "somebody is left", MOST)
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(Plug(strict)).send(b"GET /ping HTTP/1.1\r\nX: ")
        late = stack.enter_context(Plug(strict))
        late.send(b"GET /ping HTTP/1.1\r\n\r\n")
        assert header(refused(late.answer(), 503), "retry-after") == "1"
        assert late.seconds < 1
    until(lambda: strict.call("ping").status == 200, "nobody is let in", 10)


def test_with_few_descriptors_many_connections_do_no_harm(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", home=tmp_path / "home", program="tests.e2e.few_files")
    try:
        server.add_stash()
        with Plug(server) as inside, ExitStack() as stack, ThreadPoolExecutor(MANY) as pool:
            crowd = [pool.submit(come, server, stack) for _ in range(MANY)]
            while not all(each.done() for each in crowd):
                assert updated(inside, server) == 204  # the files of the data are open always
                time.sleep(0.05)
            refusals = [each for each in (each.result() for each in crowd) if each is not None]
            assert len(refusals) > MANY - FEW_FILES
            assert {header(reply, "retry-after") for reply, _ in refusals} == {"1"}
            # whom the kernel kept waiting, since its queue was full, it lets in after 1 s or 3
            assert sum(seconds < 1 for _, seconds in refusals) > 16
            assert updated(inside, server) == 204
        until(lambda: server.call("ping").status == 200, "nobody is let in", 10)
        upsert(server, "stash", session("after"))
        assert server.call("health").json["overall"]["status"] == "PASSED"
        lines = server.logged().splitlines()
    finally:
        assert server.stop() == 0
    assert max(Counter(line[: len("2026-11-25T19:50:16")] for line in lines).values()) <= 10


def come(server: Server, stack: ExitStack) -> tuple[Reply, float] | None:
    """Begin an update and stay; gives a refusal and after how long it was there, if it was."""
    plug = stack.enter_context(Plug(server, 5.0))
    plug.send(head(server, "session/update", 10))
    reply = plug.answer()
    return None if reply is None else (refused(reply, 503), plug.seconds)


def updated(plug: Plug, server: Server) -> int | None:
    """Update once, on a connection that stays; gives the status of the answer."""
    form = b'store=stash&ops=[{"upsert":[{"session":{"id":"a"}}]}]'
    plug.send(head(server, "session/update", len(form)) + form)
    return plug.status()
