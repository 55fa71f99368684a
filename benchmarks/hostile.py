"""Queries made to hurt, each with a size, and what each costs a server that does nothing else.

`make attack` prints for each how long its answer takes, and how many times as long for twice the
size, which is the cube root of what eight times the size takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from time import perf_counter
from typing import NamedTuple

from tests.serving import Reply, Server

SOON, LONG = 0.25, 1.0
"""Seconds: what a query may take, and what the longest may."""
EIGHTH = 8
MOST_PATTERNS = 990
"""More than a thousand conditions of such kinds are refused."""
_ITEMS = 20_000
_TRIES = 3


class Hostile(NamedTuple):
    """A kind of query, the size at which it hurts most, how it is answered, and within what."""

    name: str
    text: Callable[[int], str]
    size: int
    status: int
    seconds: float = SOON


def _joined(word: str, piece: str) -> Callable[[int], str]:
    return lambda size: word.join(piece.format(n) for n in range(size))


HOSTILE = (
    Hostile("terms", lambda n: "v:(" + _joined(" ", "a{}")(n) + ")", 60_000, 200, LONG),
    Hostile("ORs", _joined(" OR ", "p{}:a"), 60_000, 200, LONG),
    Hostile("too many ORs", _joined(" OR ", "p{}:a"), 100_000, 400),
    Hostile("too many terms", lambda n: "v:(" + _joined(" ", "a{}")(n) + ")", 100_000, 400),
    Hostile("parentheses", lambda n: "(" * n + "v:a" + ")" * n, 100_000, 400),
    Hostile("open parentheses", lambda n: "(" * n, 100_000, 400),
    Hostile("NOTs", lambda n: "NOT " * n + "v:a", 100_000, 400),
    Hostile("a long word", lambda n: "v:" + "a" * n, 999_998, 200),
    Hostile("too long a word", lambda n: "v:" + "a" * n, 2**20, 400),
    Hostile("a long quote", lambda n: 'v:"' + "a" * n, 900_000, 400),
    Hostile("escapes", lambda n: "v:" + "\\a" * n, 2**19, 400),
    Hostile("wildcards", lambda n: "v:" + "*a" * n + "b", 499, 200),
    Hostile("too many wildcards", lambda n: "v:" + "*a" * n + "b", 500, 400),
    Hostile("an end in an expression", lambda n: "v:/(a+)+$/", 1, 400),
    Hostile("nested repeats", lambda n: "v:/" + "(" * n + "a" + "+)" * n + "b/", 40, 200),
    Hostile("choices", lambda n: "v:/(" + "|".join("a" * k for k in range(1, n)) + ")*b/", 40, 200),
    Hostile("repeats of repeats", lambda n: f"v:/((a{{1,{n}}}){{1,{n}}}){{1,{n}}}/", 99, 400),
    Hostile("groups", lambda n: "v:/" + "(" * n + ")" * n + "/", 5_000, 400),
    Hostile("exists", _joined(" OR ", "p{}:*"), 10_000, 400),
    Hostile("fuzzy words", _joined(" OR ", "v:a{}~2"), 10_000, 400),
    Hostile("ranges of numbers", _joined(" AND ", "v:[{} TO *]"), MOST_PATTERNS, 200),
    Hostile("ranges of texts", _joined(" AND ", "v:[0{} TO zz]"), MOST_PATTERNS, 200),
    Hostile("a long number", lambda n: "v:[" + "1" * n + " TO *]", 100_000, 400),
    Hostile("a little date math", lambda n: "v:[NOW" + "+1DAY" * n + " TO *]", 100, 200),
    Hostile("much date math", lambda n: "v:[NOW" + "+1DAY" * n + " TO *]", 190_000, 400),
)


def texts() -> list[str]:
    """Give what items hold at `v`, each its own: addresses, and texts that patterns get lost in."""
    rng = Random(21)
    mails = [f"{rng.randrange(10**12):012}@mail.example.net" for _ in range(_ITEMS)]
    return mails + ["a" * 1_000 + str(n) for n in range(20)]


def fill(server: Server) -> None:
    """Make the store stash, with an item for each text, all of them indexed."""
    server.add_stash()
    items = [{"session": {"id": n}, "v": text} for n, text in enumerate(texts())]
    ops = json.dumps([{"upsert": items}])
    assert server.call("session/update", store="stash", ops=ops).status == 204
    assert ask(server, "v:0*").status == 200


def ask(server: Server, q: str, store: str = "stash") -> Reply:
    """Query for one item, in a body."""
    return server.call("session/query", "POST", store=store, q=q, rows=1)


def costs(server: Server) -> Iterator[str]:
    """Yield a line for each query."""
    fill(server)
    for each in HOSTILE:
        whole, eighth = (_seconds(server, each.text(n)) for n in (each.size, each.size // EIGHTH))
        yield (
            f"{each.name:>24} x {each.size:<9,} {each.status}: {whole * 1_000:6.1f} ms "
            f"(of {each.seconds * 1_000:,.0f}), {(whole / eighth) ** (1 / 3):.2f} times for twice"
        )


def _seconds(server: Server, q: str) -> float:
    """Ask some times, and give how long the shortest took."""
    times = []
    for _ in range(_TRIES):
        begun = perf_counter()
        ask(server, q)
        times.append(perf_counter() - begun)
    return min(times)
