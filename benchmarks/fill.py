"""Fill a store of a running server with sessions, to try queries on many.

    python -m benchmarks.fill [--environment local] [--store stash] [--items 1000000]

The same items each time (`benchmarks.sessions`), in batches of 1,000, by two clients.
"""

from __future__ import annotations

import argparse
import json
import sys
from time import perf_counter
from urllib.parse import urlsplit

from benchmarks.load import form, post, run
from benchmarks.sessions import session
from m1.environments import Environments
from m1.errors import Misuse

_BATCH = 1_000
_SLAB = 20_000
_CLIENTS = 2
_SECONDS = 3_600


def fill(environment: str, store: str, items: int) -> None:
    """Upsert the sessions numbered 0 up to `items`, telling how far it is."""
    server = Environments().find(environment)
    address = urlsplit(server.url)
    if address.scheme != "http" or address.hostname != "127.0.0.1" or address.port is None:
        raise Misuse(f"{server.url}: this fills servers at http://127.0.0.1:PORT alone")
    begun = perf_counter()
    for low in range(0, items, _SLAB):
        numbers = range(low, min(low + _SLAB, items))
        requests = [
            post(
                "session/update",
                server.token,
                form(store=store, ops=_ops(numbers[at : at + _BATCH])),
            )
            for at in range(0, len(numbers), _BATCH)
        ]
        run(address.port, requests, _CLIENTS, _SECONDS)
        done, took = numbers.stop, perf_counter() - begun
        left = took / done * (items - done)
        print(
            f"{done:,} of {items:,} items, {done / took:,.0f} a second, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


def _ops(numbers: range) -> str:
    return json.dumps([{"upsert": list(map(session, numbers))}], separators=(",", ":"))


def main() -> None:
    """Read the flags, and fill."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fill", allow_abbrev=False)
    parser.add_argument("--environment", default="local")
    parser.add_argument("--store", default="stash")
    parser.add_argument("--items", type=int, default=1_000_000)
    given = parser.parse_args()
    fill(given.environment, given.store, given.items)


if __name__ == "__main__":
    main()
