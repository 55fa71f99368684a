"""SIGTERM in the middle of things: what has begun is finished, what comes after is told so."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.clustered import flags_of
from tests.e2e.curl import session, upsert
from tests.e2e.plug import Plug, head
from tests.e2e.test_stream import CUT, Reader
from tests.opensearch import Cluster
from tests.serving import Server, serving
from tests.waiting import until

REQUESTS, STREAMS = 50, 4
ITEMS = 2_000
GRACE = 30
"""Seconds in which it ends, whatever has begun."""


@pytest.fixture(params=["embedded", "opensearch"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """The name of an engine that a server can have."""
    name: str = request.param
    return name


@pytest.fixture
def own(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of the test's own, with a store that takes a while to read."""
    with ExitStack() as stack:
        flags: list[str] = []
        if engine_name == "opensearch":
            nodes: Cluster = request.getfixturevalue("nodes")
            flags = flags_of(nodes.urls, stack.enter_context(nodes.own_prefix()))
        server = stack.enter_context(serving(tmp_path, *flags))
        fill(server)
        yield server


def fill(server: Server) -> None:
    """Make the store stash, larger than what sockets hold."""
    server.add_stash()
    for begin in range(0, ITEMS, 500):
        some = range(begin, begin + 500)
        upsert(server, "stash", *[session(f"{n:05}", pad="p" * 4_000) for n in some])


class Begun:
    """An update of which only the beginning was sent."""

    def __init__(self, server: Server, number: int) -> None:
        ops = json.dumps([{"upsert": [session(f"begun-{number}")]}])
        form = urlencode({"store": "stash", "ops": ops})
        text = head(server, "session/update", len(form)) + form.encode()
        cut = 1 if number % 2 else len(text) - 1  # in the head, or in the body
        self._rest = text[cut:]
        self._plug = Plug(server)
        self._plug.send(text[:cut])

    def finish(self) -> int | None:
        """Send the rest; gives the status of the answer."""
        with self._plug as plug:
            plug.send(self._rest)
            return plug.status()

    def leave(self) -> None:
        """Send no more."""
        self._plug.close()


def test_what_has_begun_is_finished_and_what_comes_then_is_told_so(own: Server) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(Reader(own, "stash")) for _ in range(STREAMS)]
        finish_all(own, streams)


def finish_all(own: Server, streams: Sequence[Reader]) -> None:
    """Begin all, have the server end, and finish all."""
    for stream in streams:
        stream.take(1_000)
    begun = [Begun(own, number) for number in range(REQUESTS)]
    own.call("ping")  # what was sent before it has arrived
    own.process.send_signal(signal.SIGTERM)
    until(lambda: own.call("health").status == 503, "its health is good", 1)
    late = own.call("ping")
    assert late.status == 503
    assert late.headers["retry-after"] == "1"
    assert [each.finish() for each in begun] == [204] * REQUESTS
    for stream in streams:
        whole = stream.rest()
        assert whole["count"] == len(whole["items"]) == ITEMS
    assert own.process.wait(GRACE) == 0


def test_a_reader_that_takes_nothing_does_not_hold_it_up(tmp_path: Path) -> None:
    with serving(tmp_path, "--send-seconds", "1") as server:
        fill(server)
        with Reader(server, "stash") as stalled:
            stalled.take(1_000)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(GRACE / 3) == 0
            with pytest.raises(CUT):
                stalled.rest()


def test_what_begins_too_late_does_not_hold_it_up(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        begun = Begun(server, 0)
        server.call("ping")  # what was sent before it has arrived
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.call("health").status == 503, "its health is good", 1)
        late = Begun(server, 1)
        server.call("ping")
        assert begun.finish() == 204
        assert server.process.wait(5) == 0
        late.leave()


def test_without_anything_to_finish_it_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.log_in()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 0
