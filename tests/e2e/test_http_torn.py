"""Requests that break off: nothing of them is done."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from tests.serving import Server


def send(server: Server, head: str, body: bytes, *, torn: bool) -> None:
    """Send a request or the beginning of one, and wait until the server ends the connection."""
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(
            "POST /session/drop HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"m1-auth-token: {server.token}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\n{head}\r\n\r\n".encode()
            + body
        )
        if torn:
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Length: 25", b"store=torn"),
        ("Transfer-Encoding: chunked", b"a\r\nstore=torn\r\n"),
    ],
)
def test_a_body_that_breaks_off_is_not_taken_for_a_shorter_one(
    server: Server, head: str, body: bytes
) -> None:
    server.call("session/add", store="torn", shards=1, replicas=1)
    send(server, head, body, torn=True)
    assert "torn" in {store["name"] for store in server.call("session/list").json}
    send(server, "Content-Length: 10", b"store=torn", torn=False)
    assert "torn" not in {store["name"] for store in server.call("session/list").json}
