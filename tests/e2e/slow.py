"""Five hundred clients, each slow in a way of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlencode

from tests.e2e.plug import Plug, head
from tests.serving import Server

DEAF = "deaf"
"""The kind that reads nothing of a long answer."""
_HALF_CLOSED = "half-closed"


class Slow(Plug):
    """One of them, with little room for an answer: it sends `first`, and then again and again."""

    def __init__(self, server: Server, kind: str, first: bytes, then: bytes) -> None:
        super().__init__(server)
        self.kind = kind
        self._then = then
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.send(first)
        if kind == _HALF_CLOSED:
            self.socket.shutdown(socket.SHUT_WR)

    def trickle(self) -> None:
        """Send a little more."""
        if self._then:
            self.send(self._then)


def slow_clients(server: Server) -> Iterator[Slow]:
    """Connect 50 that are deaf to all of the store stash, then 90 of each other kind."""
    update = head(server, "session/update", 10_000)
    form = urlencode({"store": "stash", "q": "*", "rows": 1_000}).encode()
    query = head(server, "session/query", len(form)) + form
    for count, kind, first, then in (
        (50, DEAF, query, b""),
        (90, "a slow head", b"GET /ping HTTP/1.1\r\nX-Slow: ", b"x"),
        (90, "a slow body", update, b" "),
        (90, "a body that stops", update, b""),
        (90, "silent", b"", b""),
        (90, _HALF_CLOSED, b"GET /ping HTTP/1.1\r\n", b""),
    ):
        for _ in range(count):
            yield Slow(server, kind, first, then)
