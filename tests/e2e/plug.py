"""A client that is a bare socket: it sends what it likes, as slowly as it likes."""

from __future__ import annotations

import http.client
import socket
import time
from typing import Self
from urllib.parse import urlencode, urlsplit

from tests.e2e import curl
from tests.serving import Reply, Server


class Plug:
    """One connection to a server."""

    def __init__(self, server: Server, seconds: float = 30.0) -> None:
        url = urlsplit(server.url)
        self.begun = time.monotonic()
        self._seconds = seconds
        """How long it waits for each thing."""
        self.socket = socket.create_connection((url.hostname or "", url.port or 0), seconds)

    def send(self, data: bytes) -> None:
        """Send bytes; where nobody takes them any more, that is as well."""
        try:
            self.socket.sendall(data)
        except OSError:
            return

    def drip(self, data: bytes, pause: float) -> None:
        """Send byte by byte, until there is something to read."""
        self.socket.settimeout(pause)
        for byte in data:
            self.send(bytes([byte]))
            try:
                self.socket.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            except OSError:
                pass
            break
        self.socket.settimeout(self._seconds)

    def answer(self) -> Reply | None:
        """Read an answer; None where the connection ends without one."""
        answer = http.client.HTTPResponse(self.socket)
        try:
            answer.begin()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        return Reply(answer.status, text, dict(answer.getheaders()))

    def status(self) -> int | None:
        """Read an answer, and give its status alone."""
        reply = self.answer()
        return None if reply is None else reply.status

    @property
    def seconds(self) -> float:
        """How long it has been there."""
        return time.monotonic() - self.begun

    def is_closed(self) -> bool:
        """Wait for the other side to close; False where something else comes."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Leave."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Kept(Plug):
    """One connection on which any number of calls are made, for many addresses if need be."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path: str, token: str = "", address: str = "", **parameters: str) -> None:
        """Send a call; `address` is what a trusted proxy says of the caller."""
        form = urlencode(parameters).encode()
        named = f"X-Forwarded-For: {address}\r\n" if address else ""
        self.send(
            f"POST /{path} HTTP/1.1\r\nHost: m1\r\nm1-auth-token: {token}\r\n{named}"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n".encode()
            + form
        )

    def call(self, path: str, token: str = "", address: str = "", **parameters: str) -> Reply:
        """Make a call."""
        self.ask(path, token, address, **parameters)
        reply = self.answer()
        assert reply is not None, "the connection has ended"
        return reply


def head(server: Server, path: str, length: int | None = None) -> bytes:
    """Give the head of a request, all but the empty line where no length is given."""
    text = (
        f"POST /{path} HTTP/1.1\r\nHost: m1\r\nm1-auth-token: {server.token}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
    )
    return (text if length is None else f"{text}Content-Length: {length}\r\n\r\n").encode()


def refused(reply: Reply | None, status: int) -> Reply:
    """Assert the one error body, on a connection that ends."""
    assert reply is not None
    curl.refused(reply, status)
    assert curl.header(reply, "connection") == "close"
    return reply
