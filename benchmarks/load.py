"""A client that costs as little as it can: raw keep-alive connections to 127.0.0.1.

Each connection sends its next request from within the parser's call that ended the
answer before, so that no task is woken and no future made between two calls. What the
client costs all the same is measured by running it against `benchmarks.null`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from statistics import median, quantiles
from time import perf_counter
from typing import cast
from urllib.parse import urlencode

import httptools
import uvloop

_HANGING_SECONDS = 120

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"


@dataclass
class Run:
    """What a run took; `last` is the body of the answer that came last.

    `busy` is the processor time that the server used, where whoever runs it looked.
    """

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    busy: float = 0.0
    last: bytes = b""

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.latencies) / self.seconds

    @property
    def median_ms(self) -> float:
        """The middle latency."""
        return median(self.latencies) * 1_000

    @property
    def busy_ms(self) -> float:
        """The server's processor time a call; other work on the machine changes it little."""
        return self.busy / len(self.latencies) * 1_000

    @property
    def p99_ms(self) -> float:
        """The latency that 99 of 100 calls stayed below."""
        many = len(self.latencies) > 1
        return (quantiles(self.latencies, n=100)[98] if many else self.latencies[0]) * 1_000


def form(**parameters: object) -> bytes:
    """Give a form as the `m1` client and `curl --data-urlencode` send it."""
    return urlencode(parameters).encode()


def post(path: str, token: str, body: bytes, kind: bytes = FORM, accept: bytes = b"*/*") -> bytes:
    """Give a whole request."""
    return b"POST /%b HTTP/1.1\r\nHost: 127.0.0.1\r\nm1-auth-token: %b\r\nAccept: %b\r\n" % (
        path.encode(),
        token.encode(),
        accept,
    ) + b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind, len(body), body)


def run(
    port: int,
    requests: Iterable[bytes],
    clients: int = 1,
    seconds: float = 60,
    most: int = 1_000_000,
) -> Run:
    """Send requests from so many clients, each waiting for its answer before its next.

    Ends when the requests, `most` of them or the seconds are over; raises RuntimeError
    where an answer is no success or a connection breaks.
    """
    gc.collect()
    gc.disable()  # a pause of ours would count as the server's
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(port, islice(requests, most), clients, seconds))
    finally:
        gc.enable()


async def _run(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Run:
    loop, result = asyncio.get_running_loop(), Run()
    connections = [
        (await loop.create_connection(lambda: _Connection(requests, result), "127.0.0.1", port))[1]
        for _ in range(clients)
    ]
    begun = perf_counter()
    async with asyncio.timeout(seconds + _HANGING_SECONDS):
        for connection in connections:
            connection.begin(begun + seconds)
        await asyncio.gather(*(connection.done for connection in connections))
    result.seconds = perf_counter() - begun
    return result


class _Connection(asyncio.Protocol):
    """One client: send, wait for the whole answer, send."""

    def __init__(self, requests: Iterator[bytes], result: Run) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._result = result
        self._parser = httptools.HttpResponseParser(self)
        self._deadline = self._begun = 0.0
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def begin(self, deadline: float) -> None:
        """Send the first request; none after the deadline."""
        self._deadline = deadline
        self._next()

    def _next(self) -> None:
        self._begun = perf_counter()
        request = next(self._requests, None) if self._begun < self._deadline else None
        if request is None:
            self._finish()
        else:
            self._parts = []
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Take a piece of an answer's body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """Note how long the answer took, and go on."""
        self._result.latencies.append(perf_counter() - self._begun)
        status = self._parser.get_status_code()
        if status < 300:
            if self._parts:
                self._result.last = b"".join(self._parts)
            self._next()
        else:
            body = b"".join(self._parts)[:300].decode(errors="replace")
            self._finish(f"the server answered {status}: {body}")

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, where an answer is awaited."""
        self._finish(f"the connection broke: {error}")

    def _finish(self, failure: str | None = None) -> None:
        if not self.done.done():
            if failure is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(RuntimeError(failure))
        self._transport.close()
