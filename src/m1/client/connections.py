"""The connections of a Client: each is lent to one thread, until it has its whole answer.

The pool in httpx takes an answer that arrives for a call which another thread has just
begun for the end of a connection that rests, and closes it. So each of ours is a client of
httpx that has one connection and, while it is lent, one thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import httpx

from m1.client.ask import Ask
from m1.client.server import IDLE_SECONDS, Server


class Connections:
    """Lends as many as the server may have, those that rest the shortest first."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._free = threading.BoundedSemaphore(server.connections)
        self._resting: deque[tuple[float, httpx.Client]] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def send(self, ask: Ask[object], token: str) -> httpx.Response:
        """Send a call; its connection is lent until the response is closed.

        Raises httpx.PoolTimeout where none becomes free in time, RuntimeError after `close`.
        """
        lent = self._take()
        try:
            response = lent.send(self._server.request(lent, ask, token), stream=True)
        except BaseException:
            self._give_back(lent)
            raise
        response.stream = _Lent(response, lambda: self._give_back(lent))
        return response

    def close(self) -> None:
        """Close those that rest, and each that is lent when it is given back."""
        with self._lock:
            self._closed = True
            ended = self._rested_until(time.monotonic())
        _close(ended)

    def _take(self) -> httpx.Client:
        if not self._free.acquire(timeout=self._server.connect_seconds):
            raise httpx.PoolTimeout("all are lent")
        try:
            with self._lock:
                if self._closed:
                    raise RuntimeError("this client was closed")
                if self._resting:
                    return self._resting.pop()[1]
            return self._server.connected(httpx.Client, 1)
        except BaseException:
            self._free.release()
            raise

    def _give_back(self, lent: httpx.Client) -> None:
        now = time.monotonic()
        with self._lock:
            ended = self._rested_until(now - IDLE_SECONDS)
            if self._closed:
                ended.append(lent)
            else:
                self._resting.append((now, lent))
        self._free.release()
        _close(ended)

    def _rested_until(self, then: float) -> list[httpx.Client]:
        """Take out those that have rested since a time or longer."""
        ended = []
        while self._resting and self._resting[0][0] <= then:
            ended.append(self._resting.popleft()[1])
        return ended


def _close(ended: list[httpx.Client]) -> None:
    for one in ended:
        one.close()


class _Lent(httpx.SyncByteStream):
    """The body of a response, which tells when it is closed."""

    def __init__(self, response: httpx.Response, then: Callable[[], None]) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)
        self._stream = response.stream
        self._then = then

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._then()
