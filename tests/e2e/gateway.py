"""An HTTP gateway in front of a real server, to which mishaps happen when told."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Mishap = Callable[["_Handler"], None]


class Passed(NamedTuple):
    """A request that came, when it did, and from which port."""

    path: str
    body: bytes
    at: float
    port: int


class Gateway(ThreadingHTTPServer):
    """Passes requests on; each of the `mishaps` befalls one, in their order."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self.to = port
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.mishaps: deque[Mishap] = deque()
        self.calls: list[Passed] = []
        self.open = threading.Event()
        """While it is not set, requests wait."""
        self.open.set()
        self._listening: threading.Thread | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who left."""

    def listen(self) -> None:
        """Take connections from now on; before, they are refused."""
        self.server_activate()
        self._listening = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._listening.start()

    def end(self) -> None:
        """Let go of what waits, and take no more."""
        self.open.set()
        if self._listening is not None:
            self.shutdown()
            self._listening.join()
        self.server_close()

    def paths(self) -> list[str]:
        """Give what was called so far."""
        return [call.path for call in self.calls]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        self.asked = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.strip("/")
        self.server.calls.append(Passed(path, self.asked, time.monotonic(), self.client_address[1]))
        self.server.open.wait(20)
        mishap = self.server.mishaps.popleft() if self.server.mishaps else passed_on
        mishap(self)

    def forwarded(self) -> tuple[int, dict[str, str], bytes]:
        """Ask the real server; gives status, headers and the whole body."""
        onward = http.client.HTTPConnection("127.0.0.1", self.server.to, timeout=20)
        headers = {name: self.headers[name] for name in self.headers}
        onward.request(self.command, self.path, self.asked, headers)
        answer = onward.getresponse()
        body = answer.read()
        onward.close()
        kept = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() in ("content-type", "m1-count", "retry-after")
        }
        return answer.status, kept, body

    def tell(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """End the connection."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def passed_on(handler: _Handler) -> None:
    """No mishap."""
    status, headers, body = handler.forwarded()
    length = {} if status == 204 else {"Content-Length": str(len(body))}
    handler.tell(status, headers | length, body)


def lost(handler: _Handler) -> None:
    """The server does it, and its answer never arrives."""
    handler.forwarded()
    handler.hang_up()


def refused(status: int, retry_after: int | None = None) -> Mishap:
    """It is answered with a status instead."""

    def answer(handler: _Handler) -> None:
        wait = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = b'{"message": "not now", "status": %d}' % status
        handler.tell(status, {**wait, "Content-Length": str(len(body))}, body)

    return answer


def answered(headers: dict[str, str], body: bytes) -> Mishap:
    """It is answered well, with this instead."""

    def answer(handler: _Handler) -> None:
        handler.tell(200, {**headers, "Content-Length": str(len(body))}, body)

    return answer


def sent_to(url: str, status: int) -> Mishap:
    """It is told that what it asks for is elsewhere."""

    def answer(handler: _Handler) -> None:
        handler.tell(status, {"Location": url + handler.path, "Content-Length": "0"}, b"")

    return answer


def endless(status: int) -> Mishap:
    """It is answered with spaces until it leaves."""

    def answer(handler: _Handler) -> None:
        handler.tell(status, {"Connection": "close", "m1-count": "1"}, b"")
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b" " * 2**20)

    return answer


def cut(after: int) -> Mishap:
    """The connection ends in the middle of the answer's body."""

    def answer(handler: _Handler) -> None:
        status, headers, body = handler.forwarded()
        handler.tell(status, {**headers, "Content-Length": str(len(body))}, body[:after])
        handler.hang_up()

    return answer


def shortened(lines: int) -> Mishap:
    """The answer ends early, and what is on the way makes it look whole."""

    def answer(handler: _Handler) -> None:
        status, headers, body = handler.forwarded()
        some = b"".join(body.splitlines(keepends=True)[:lines])
        handler.tell(status, {**headers, "Content-Length": str(len(some))}, some)

    return answer


@contextmanager
def gateway(port: int, listening: bool = True) -> Iterator[Gateway]:
    """Have a gateway to a port for as long as the block lasts."""
    made = Gateway(port)
    if listening:
        made.listen()
    try:
        yield made
    finally:
        made.end()
