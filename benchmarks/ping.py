"""How long the server's shortest answer takes, or another, while others keep it busy.

`python -m benchmarks.ping PORT [REQUEST]` asks for `/ping`, or sends the request that stands
there in hexadecimal digits, every 5 ms until its input ends. It prints how often (once at least),
the median, what 99 and 99.9 of 100 stayed below, and the worst, in ms.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import NamedTuple

_EVERY_SECONDS = 0.005
PING = b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Pings(NamedTuple):
    """What some pings took, in ms."""

    calls: int = 0
    median: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    worst: float = 0.0


@contextlib.contextmanager
def pinging(port: int, request: bytes = PING) -> Iterator[list[Pings]]:
    """Ping from a process of its own while the block lasts; the list then holds one result."""
    result: list[Pings] = []
    command = [sys.executable, "-m", "benchmarks.ping", str(port), request.hex()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        yield result
        said, _ = process.communicate()
    calls, *times = said.split()
    result.append(Pings(int(calls), *map(float, times)))


def _ping(port: int, request: bytes) -> None:
    times: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("begun", flush=True)
        while not times or not select.select([sys.stdin], [], [], _EVERY_SECONDS)[0]:
            begun = perf_counter()
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200
            answer.read()
            times.append((perf_counter() - begun) * 1_000)
    times.sort()
    p99, p999 = (times[int(len(times) * part)] for part in (0.99, 0.999))
    print(len(times), median(times), p99, p999, times[-1])


if __name__ == "__main__":
    _ping(int(sys.argv[1]), bytes.fromhex(sys.argv[2]) if sys.argv[2:] else PING)
