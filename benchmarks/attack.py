"""What eight normal clients notice while others do all they can to bring the server down.

    python -m benchmarks.attack [--seconds 600] [--items 20000] [--attacks queries,logins]

Measures first what each query made to hurt takes by itself (benchmarks/hostile.py). Then starts
another server with its defaults, measures the normal clients alone, then beside
the attack, then alone again, and prints what they saw and what memory the server had, least
and most: each part is long enough for the newest items to become a segment, before which they
take the most of it. The attackers are a process of their own; some of them have a good token.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from statistics import median, quantiles

from benchmarks.hostile import costs
from benchmarks.load import form, post
from benchmarks.machine import machine, resident, versions
from benchmarks.queries import three_ands
from benchmarks.sessions import session
from tests.serving import Server, serving

CLIENTS = 8
EVERY_SECONDS = 0.02
CALM_SECONDS = 200
"""The newest 16,384 items become a segment, which takes as many updates."""
SETTLING_SECONDS = 45
"""After the attack: its slowest connections are cut by then."""
SLOW = 120
READERS = 20
_MIB = 2**20


@dataclass
class Seen:
    """What normal clients saw; latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    """What the server had meanwhile, in bytes."""

    @property
    def p99_ms(self) -> float:
        """What 99 of 100 calls stayed below."""
        return quantiles(self.latencies, n=100)[98] * 1_000

    def __str__(self) -> str:
        middle, worst = median(self.latencies) * 1_000, max(self.latencies) * 1_000
        return (
            f"{len(self.latencies):,} calls, median {middle:.1f} ms, p99 {self.p99_ms:.1f}, "
            f"worst {worst:.0f}; {dict(self.statuses)}; "
            f"memory {min(self.memory) / _MIB:.0f} to {max(self.memory) / _MIB:.0f} MiB"
        )


async def _exchange(
    port: int, request: bytes, reading: bool = True, address: str = "127.0.0.1"
) -> bytes:
    """Send bytes on a connection of its own, and give what comes until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read() if reading else b""
    finally:
        writer.close()


# --- normal clients ---


async def _normal(server: Server, items: int, seconds: float) -> Seen:
    seen, end = Seen(), time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            rng = Random(number)
            group.create_task(_client(server.port, server.token, items, end, rng, seen))
        while time.monotonic() < end:
            seen.memory.append(resident(server.process.pid))
            await asyncio.sleep(0.5)
    return seen


async def _client(port: int, token: str, items: int, end: float, rng: Random, seen: Seen) -> None:
    """Ask and update by turns, on one connection, some fifty times a second."""
    await asyncio.sleep(rng.random() * EVERY_SECONDS)  # not all at one moment
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in count():
        if time.monotonic() > end:
            break
        begun = time.perf_counter()
        writer.write(_usual(token, items, rng, number))
        head = await reader.readuntil(b"\r\n\r\n")
        length = _length(head)
        await reader.readexactly(length)
        took = time.perf_counter() - begun
        seen.latencies.append(took)
        seen.statuses[int(head.split()[1])] += 1
        await asyncio.sleep(max(0.0, EVERY_SECONDS - took))
    writer.close()


def _usual(token: str, items: int, rng: Random, number: int) -> bytes:
    if number % 4:
        return post("session/query", token, form(store="stash", q=three_ands(rng, items)))
    ops = json.dumps([{"upsert": [session(rng.randrange(items), number)]}])
    return post("session/update", token, form(store="stash", ops=ops))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


# --- attackers ---

Attack = Callable[[int, str, Random], Awaitable[None]]


async def _slow_head(port: int, token: str, rng: Random) -> None:
    await _drip(port, b"GET /ping HTTP/1.1\r\nX-Slow: " + b"x" * 1_000)


async def _slow_body(port: int, token: str, rng: Random) -> None:
    head = post("session/update", token, b"x" * 10_000)[:-10_000]
    await _drip(port, head + b"x" * 1_000, len(head))


async def _drip(port: int, data: bytes, at_once: int = 0) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data[:at_once])
        for byte in data[at_once:]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.5)
            if writer.transport.is_closing():
                break
    finally:
        writer.close()


async def _stopped_body(port: int, token: str, rng: Random) -> None:
    await _exchange(port, post("session/update", token, b"x" * 10_000)[:-10_000])


async def _silent(port: int, token: str, rng: Random) -> None:
    await _exchange(port, b"")


async def _half_closed(port: int, token: str, rng: Random) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /ping HTTP/1.1\r\n")
        writer.write_eof()
        await reader.read()
    finally:
        writer.close()


async def _deaf_reader(port: int, token: str, rng: Random) -> None:
    request = post("session/query", token, form(store="stash", q="*", rows=1_000_000))
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
    writer.write(request)
    with contextlib.suppress(ConnectionError):
        await asyncio.sleep(40)
    writer.close()


async def _leaver(port: int, token: str, rng: Random) -> None:
    await _exchange(port, _query(token, rng.choice(_HOSTILE)), reading=False)


async def _hostile_query(port: int, token: str, rng: Random) -> None:
    await _exchange(port, _query(token, rng.choice(_HOSTILE)))


def _query(token: str, body: bytes) -> bytes:
    return _closing(post("session/query", token, body))


def _hostile(rng: Random) -> str:
    words = range(rng.randrange(1, 900))
    return rng.choice(
        [
            "user.email:(" + " ".join(f"a{n}" for n in range(30_000)) + ")",
            " OR ".join(f"p{n}:a" for n in range(20_000)),
            " OR ".join(f"user.email:*{n}*{rng.randrange(9)}*" for n in words),
            " OR ".join(f"event.data.url:/.*{n}[0-9]+x/" for n in words),
            " AND ".join(f"user.email:[u{n} TO z]" for n in words),
            " OR ".join(f"device.agent:mozila{n}~2" for n in words),
            "(" * 50_000,
            "user.id:" + "*1" * 400,
            "NOT " * 50 + "device.type:phone",
        ]
    )


_HOSTILE = [form(store="stash", q=_hostile(Random(number))) for number in range(100)]
"""Made beforehand: an attacker who is busy making them would take the server's processor."""


async def _wrong_login(port: int, token: str, rng: Random) -> None:
    body = form(username=rng.choice(["admin", "nobody"]), password=f"guess {rng.random()}")
    await _exchange(port, _closing(post("auth", "", body)))


async def _logins_at_once(port: int, token: str, rng: Random) -> None:
    """Log in with the right password, two hundred at a time, each from an address of its own."""
    body = _closing(post("auth", "", form(username="admin", password="password")))
    addresses = [f"127.0.{rng.randrange(1, 256)}.{number}" for number in range(1, 201)]
    logins = (_exchange(port, body, address=address) for address in addresses)
    await asyncio.gather(*logins)


async def _garbage(port: int, token: str, rng: Random) -> None:
    bad = [
        b"\x16\x03\x01" + rng.randbytes(500),
        b"GET /" + b"a" * _MIB + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        _closing(post("session/update", "no.token", b"x" * _MIB)),
        _closing(post("session/update", token, b"store=stash&ops=" + b"[" * 200_000)),
        _closing(post("session/update", token, gzip.compress(b"0" * 10 * _MIB))),
        _closing(
            post("session/update", token, "&".join(f"f{n}=" for n in range(100_000)).encode())
        ),
        b"POST /auth HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ]
    await _exchange(port, rng.choice(bad))


async def _crowd(port: int, token: str, rng: Random) -> None:
    """Come with many at once, and stay a second."""
    async with asyncio.timeout(5):
        plugs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    await asyncio.sleep(1)
    for _, writer in plugs:
        writer.close()


def _closing(request: bytes) -> bytes:
    return request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


ATTACKS: dict[str, tuple[Attack, int, float]] = {
    "slow-heads": (_slow_head, SLOW, 0.0),
    "slow-bodies": (_slow_body, SLOW, 0.0),
    "stopped-bodies": (_stopped_body, SLOW, 0.0),
    "silent": (_silent, SLOW, 0.0),
    "half-closed": (_half_closed, READERS, 0.1),
    "deaf-readers": (_deaf_reader, READERS, 0.0),
    "queries": (_hostile_query, 4, 0.0),
    "leavers": (_leaver, 2, 0.2),
    "logins": (_wrong_login, 4, 0.02),
    "logins-at-once": (_logins_at_once, 1, 5.0),
    "garbage": (_garbage, 4, 0.1),
    "crowds": (_crowd, 1, 1.0),
}
"""How many do it at once, and how long each rests between two times, in seconds."""


async def _attack(port: int, token: str, names: Sequence[str], seconds: float) -> Counter[str]:
    done: Counter[str] = Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for name in names:
                for number in range(ATTACKS[name][1]):
                    group.create_task(_again(name, port, token, Random(number), done))
    return done


async def _again(name: str, port: int, token: str, rng: Random, done: Counter[str]) -> None:
    attack, _, rest = ATTACKS[name]
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            await attack(port, token, rng)
        done[name] += 1
        await asyncio.sleep(rest + 0.001)


def _attack_from_here(port: int, token: str, names: Sequence[str], seconds: float) -> None:
    os.nice(19)  # attackers have machines of their own: here they take what the others leave
    done = asyncio.run(_attack(port, token, names, seconds))
    print(f"  attacks: {dict(done)}", file=sys.stderr)


# --- the whole ---


def measure(server: Server, items: int, names: Sequence[str], seconds: float) -> list[str]:
    """Run the three parts; gives the lines to print."""
    arguments = (server.port, server.token, names, seconds)
    attacker = multiprocessing.Process(target=_attack_from_here, args=arguments)
    parts: dict[str, Seen] = {}
    for part, lasts in (
        ("warming", 5.0),
        ("alone", CALM_SECONDS),
        ("attacked", seconds),
        ("after", CALM_SECONDS),
    ):
        if part == "attacked":
            attacker.start()
        parts[part] = asyncio.run(_normal(server, items, lasts))
        print(f"  {part}: {parts[part]}", file=sys.stderr, flush=True)
        if part == "attacked":
            attacker.join()
            time.sleep(SETTLING_SECONDS)
    lines = [f"{part:>9}: {parts[part]}" for part in ("alone", "attacked", "after")]
    ratio = parts["attacked"].p99_ms / parts["alone"].p99_ms
    lines.append(f"the p99 beside the attack is {ratio:.1f} times that alone (2 are aimed at)")
    return lines


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attack", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=600, help="how long (%(default)s)")
    parser.add_argument("--items", type=int, default=20_000, help="(%(default)s)")
    parser.add_argument("--attacks", default=",".join(ATTACKS), help="(%(default)s)")
    given = parser.parse_args()
    print(machine(), versions(), sep="\n")
    with (
        tempfile.TemporaryDirectory(prefix="m1-hostile-") as scratch,
        serving(Path(scratch)) as server,
    ):
        print("one after another, alone:", *costs(server), sep="\n")
    with (
        tempfile.TemporaryDirectory(prefix="m1-attack-") as scratch,
        serving(Path(scratch)) as server,
    ):
        server.log_in()
        server.call("session/add", store="stash", shards=1, replicas=1)
        for begin in range(0, given.items, 1_000):
            some = [session(n) for n in range(begin, min(begin + 1_000, given.items))]
            ops = json.dumps([{"upsert": some}])
            assert server.call("session/update", store="stash", ops=ops).status == 204
        print("\n".join(measure(server, given.items, given.attacks.split(","), given.seconds)))


if __name__ == "__main__":
    main()
