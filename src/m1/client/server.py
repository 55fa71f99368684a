"""The server that a client speaks to: where it is, and how long things there may take."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TypeVar

import httpx
import msgspec

from m1.client.ask import Ask
from m1.client.page import ACCEPT
from m1.wire import server_url

Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)

IDLE_SECONDS = 3
"""A connection that rests longer is not used again: the server closes it after 5 s."""


@dataclass(frozen=True)
class Server:
    """A server by its URL; see Client for the rest."""

    url: str
    connect_seconds: float
    read_seconds: float
    retry_seconds: float
    connections: int
    tls: ssl.SSLContext

    def __post_init__(self) -> None:
        server_url(self.url)

    def connected(self, kind: type[Http], connections: int) -> Http:
        """Give a client with so many connections, none of which is made before it is needed."""
        return kind(
            base_url=self.url,
            headers={"Accept-Encoding": "identity"},  # what is packed has any size unpacked
            verify=self.tls,
            timeout=self._timeout(self.read_seconds),
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=IDLE_SECONDS),
        )

    def _timeout(self, read_seconds: float | None) -> httpx.Timeout:
        connect = self.connect_seconds
        return httpx.Timeout(
            connect=connect, pool=connect, write=self.read_seconds, read=read_seconds
        )

    def request(
        self, http: httpx.Client | httpx.AsyncClient, ask: Ask[object], token: str
    ) -> httpx.Request:
        """Write a call as HTTP."""
        headers = {"Accept": ACCEPT} if ask.streams else {}
        if token:
            headers["m1-auth-token"] = token
        timeout = self._timeout(None if ask.is_long else self.read_seconds)
        if ask.verb == "GET":
            return http.build_request(
                "GET", ask.path, params=ask.given, headers=headers, timeout=timeout
            )
        headers["Content-Type"] = "application/json"
        body = msgspec.json.encode(ask.given)
        return http.build_request(
            ask.verb, ask.path, content=body, headers=headers, timeout=timeout
        )
