"""What could make one request of two, or two of one, in the eyes of a proxy and in ours."""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.machine import resident
from benchmarks.ping import pinging
from tests.e2e.curl import ids
from tests.e2e.plug import Plug, head, refused
from tests.e2e.test_audit import audits
from tests.serving import Server, serving

UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
SMUGGLED = b"GET /init HTTP/1.1\r\nHost: smuggled\r\n\r\n"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server behind a proxy that it trusts, whose log is ours."""
    flags = ("--trusted-proxies", "127.0.0.0/8", "--receive-seconds", "2")
    with serving(tmp_path, *flags) as started:
        started.add_stash()
        yield started


def statuses(plug: Plug) -> list[int]:
    """Read to the end, and give the status of each answer."""
    said = b""
    while piece := plug.socket.recv(2**16):
        said += piece
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", said)]


@pytest.mark.parametrize("split", [None, 40, -1])
def test_an_offer_to_upgrade_makes_no_request_of_a_body(own: Server, split: int | None) -> None:
    """In one piece, and with the head in two, so that the offer cannot be left out."""
    whole = b"POST /ping HTTP/1.1\r\nHost: m1\r\n" + UPGRADE
    whole += b"Content-Length: %d\r\n\r\n" % len(SMUGGLED)
    with Plug(own) as plug:
        pieces = [whole[:split], whole[split:]] if split else [whole]
        for piece in pieces:
            plug.send(piece)
            time.sleep(0.1)
        plug.send(SMUGGLED)
        assert statuses(plug) in ([400], [405])


def test_a_client_that_offers_http2_is_served(own: Server) -> None:
    curl = ["curl", "-sS", "--http2", "--noproxy", "*", "-H", f"m1-auth-token: {own.token}"]
    ops = json.dumps([{"upsert": [{"session": {"id": "a"}}]}])
    subprocess.run(
        [*curl, f"{own.url}/session/update", "-d", "store=stash", "--data-urlencode", f"ops={ops}"],
        check=True,
    )
    assert ids(own, "stash") == ["a"]


def test_behind_a_get_that_offers_an_upgrade_nothing_is_read(own: Server) -> None:
    with Plug(own) as plug:
        plug.send(b"GET /ping HTTP/1.1\r\nHost: m1\r\n")
        time.sleep(0.1)
        plug.send(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert plug.status() == 200
        plug.send(SMUGGLED)
        assert plug.is_closed()


def test_what_comes_behind_a_body_is_no_header(own: Server) -> None:
    trailer = b"X-Forwarded-For: 7.7.7.7\r\nm1-auth-token: " + own.token.encode() + b"\r\n"
    form = b"username=admin&password=password"
    for path, body, status in ((b"auth", form, 200), (b"session/drop", b"store=stash", 401)):
        with Plug(own) as plug:
            plug.send(
                b"POST /%b HTTP/1.1\r\nHost: m1\r\nX-Forwarded-For: 5.5.5.5\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n"
                % (path, len(body), body, trailer)
            )
            assert plug.status() == status
    assert audits(own)[-1]["address"] == "5.5.5.5"


def test_a_trailer_without_an_end_is_refused(own: Server) -> None:
    before = resident(own.process.pid)
    with pinging(own.port) as pings, Plug(own) as plug:
        plug.send(b"POST /ping HTTP/1.1\r\nHost: m1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ")
        for _ in range(100):
            plug.send(b"a" * 2**16)
        assert plug.status() in (405, 431, None)
    assert resident(own.process.pid) - before < 16 * 2**20
    assert pings[0].worst < 1_000


def test_rubbish_behind_a_request_does_not_undo_its_answer(own: Server) -> None:
    body = b'store=stash&ops=[{"upsert":[{"session":{"id":"b"}}]}]'
    with Plug(own) as plug:
        plug.send(head(own, "session/update", len(body)) + body + b"\0\0")
        assert plug.status() == 204
        assert plug.is_closed()
    with Plug(own) as plug:
        plug.send(b"GET /ping HTTP/1.1\r\nHost: m1\r\n\r\n" * 3 + b"\0\0")
        assert statuses(plug) == [200, 200, 200]
    with Plug(own) as plug:
        plug.send(b"\0\0")
        refused(plug.answer(), 400)


def test_who_is_gone_before_we_look_leaves_no_trace(own: Server) -> None:
    before = own.logged()
    for _ in range(50):
        plug = Plug(own)
        plug.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        plug.send(b"GET /ping HTTP/1.1\r\nHost: m1\r\n\r\n" * 3)
        plug.close()
    query = head(own, "session/query", 17) + b"store=stash&q=*:*"
    for _ in range(20):
        with Plug(own) as plug:
            plug.send(query * 5)
    assert own.call("ping").status == 200
    assert own.logged() == before
