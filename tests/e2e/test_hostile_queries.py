"""Queries made to hurt: each is answered or refused, others go on meanwhile, and it can end."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from benchmarks.machine import processor_seconds
from benchmarks.ping import pinging
from m1.values import canonical_number
from tests.e2e.curl import fresh, refused, session, upsert
from tests.e2e.plug import Kept, Plug, head
from tests.serving import Reply, Server, serving
from tests.waiting import until

ITEMS = 20_000
TERMS = 60_000
MOST_PATTERNS = 990
SOON = 10.0
"""Seconds on a machine that does much else; alone it is 0.25, a second for the longest lists."""
OTHERS_WAIT = 1_000.0
"""Milliseconds; one list of patterns took the server some 5,000 for itself once."""
PATIENCE = 5.0
VALUES = 10_000
ALPHABET = "\"\\*?~^/[]{}():+-!&| abANDORTO01.,;%_$#@'`<>=\u00e9\u4e2d\U0001f600\t\n\r\0\x7f\u2028"
"""Of which values are made: whatever means something in a query, a URL, a form or a script."""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """What the items hold, each its own."""
    rand = random.Random(21)
    return [f"{rand.randrange(10**12):012}@mail.example.net" for _ in range(ITEMS)]


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Iterator[Server]:
    """A server with many texts at `v`, that gives a query five seconds."""
    flags = ("--query-seconds", f"{PATIENCE}")
    with serving(tmp_path_factory.mktemp("impatient"), *flags) as started:
        started.add_stash()
        upsert(started, "stash", *(session(n, v=text) for n, text in enumerate(texts)))
        assert started.call("session/query", store="stash", q="v:0*").status == 200
        yield started


def asked(server: Server, q: str, store: str = "stash") -> Reply:
    """Ask in a body."""
    return server.call("session/query", "POST", store=store, q=q, rows=1)


def patterns(count: int = MOST_PATTERNS) -> str:
    """A query that takes half a minute."""
    return " OR ".join(f"v:*1{n}*3*" for n in range(count))


# --- much at once ---


@pytest.mark.parametrize(
    ("q", "status"),
    [
        ("v:(" + " ".join(f"a{n}" for n in range(TERMS)) + ")", 200),
        (" OR ".join(f"p{n}:a" for n in range(TERMS)), 200),
        (" OR ".join(f"p{n}:a" for n in range(100_000)), 400),
        ("v:(" + " ".join(f"a{n}" for n in range(100_001)) + ")", 400),
        ("(" * 100_000 + "v:a" + ")" * 100_000, 400),
        ("(" * 100_000, 400),
        ("NOT " * 100_000 + "v:a", 400),
        ("v:" + "a" * 2**20, 400),
        ("v:" + "\\a" * 2**19, 400),
        ("v:" + "*a" * 499 + "b", 200),
        ("v:" + "*a" * 500 + "b", 400),
        ("v:/(a+)+/", 200),
        ("v:/(a+)+$/", 400),
        ("v:/((a{1,99}){1,99}){1,99}/", 400),
        ("v:/(x|a|aa|aaa)*b/", 200),
        ("v:/" + "(" * 5_000 + ")" * 5_000 + "/", 400),
        (" OR ".join(f"p{n}:*" for n in range(10_000)), 400),
        (" OR ".join(f"v:a{n}~2" for n in range(10_000)), 400),
        (" AND ".join(f"v:[{n} TO *]" for n in range(MOST_PATTERNS)), 200),
        (" AND ".join(f"v:[0{n} TO zz]" for n in range(MOST_PATTERNS)), 200),
        ("v:[" + "1" * 100_000 + " TO *]", 400),
        ("v:[NOW" + "+1DAY" * 100 + " TO *]", 200),
        ("v:[NOW" + "+1DAY" * 190_000 + " TO *]", 400),
    ],
    ids=lambda value: str(value)[:20],
)
def test_it_is_answered_or_refused_soon(impatient: Server, q: str, status: int) -> None:
    begun = time.monotonic()
    reply = asked(impatient, q)
    assert time.monotonic() - begun < SOON
    if status == 200:
        assert reply.status == 200, reply.text
    else:
        message = refused(reply, status)
        assert len(message) < 500
    assert asked(impatient, "v:0*").status == 200


def test_others_are_answered_meanwhile(impatient: Server) -> None:
    with pinging(impatient.port) as pings:
        for q in (
            "v:(" + " ".join(f"a{n}" for n in range(TERMS)) + ")",
            " AND ".join(f"v:[0{n} TO zz]" for n in range(MOST_PATTERNS)),
            patterns(),
        ):
            asked(impatient, q)
    print(pings[0])  # noqa: T201
    assert pings[0].worst < OTHERS_WAIT


def test_long_texts_and_long_lists_hold_nobody_up(tmp_path: Path, rand: random.Random) -> None:
    with serving(tmp_path, "--query-seconds", "5") as server:
        server.log_in()
        store, long = fresh(server), ["".join(rand.choices("ab", k=7_000)) for _ in range(15)]
        upsert(server, store, *(session(n, v=text) for n, text in enumerate(long)))
        upsert(server, store, *(session(f"w{n}", w=list(range(n, 10**6, 5))) for n in range(5)))
        with pinging(server.port) as pings:
            for q in ("v:/.*a.{900}/", "v:*a" + "?" * 900, f"v:{long[0][:-1]}b~2", "w:5"):
                assert asked(server, q, store).status == 200
            refused(asked(server, "v:/.*(" + ".?" * 300 + "){30}c/", store), 503)
        print(pings[0])  # noqa: T201
        assert pings[0].worst < OTHERS_WAIT


def test_a_value_is_never_read_as_part_of_a_query(server: Server, rand: random.Random) -> None:
    each_value_finds_its_item(server, fresh(server), rand, VALUES)


def each_value_finds_its_item(server: Server, store: str, rand: random.Random, count: int) -> None:
    """Keep items with random values, and ask for each value."""
    values: set[str] = set()
    while len(values) < count:
        text = "".join(rand.choices(ALPHABET, k=rand.randrange(1, 9)))
        if canonical_number(text) in (None, text):  # another spelling finds this one too
            values.add(text)
    upsert(server, store, *(session(number, v=text) for number, text in enumerate(values)))
    with Kept(server) as plug:
        for number, text in enumerate(values):
            quoted = re.sub(r'(["\\])', r"\\\1", text)
            form = {"store": store, "q": f'v:"{quoted}"', "rows": "2"}
            reply = plug.call("session/query", server.token, **form)
            assert reply.status == 200, (text, reply.text)
            found = [item["session"]["id"] for item in reply.json["items"]]
            assert (reply.json["count"], found) == (1, [number]), text


# --- an end ---


def test_a_query_that_takes_too_long_is_a_503(impatient: Server) -> None:
    begun = time.monotonic()
    message = refused(asked(impatient, patterns()), 503)
    assert PATIENCE <= time.monotonic() - begun < PATIENCE + SOON
    assert f"{PATIENCE:g} s" in message
    assert is_idle(impatient)


def test_the_work_stops_once_the_caller_has_left(tmp_path: Path, texts: list[str]) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        upsert(server, "stash", *(session(n, v=text) for n, text in enumerate(texts)))
        body = urlencode({"store": "stash", "q": patterns()}).encode()
        request = head(server, "session/query", len(body)) + body
        with Plug(server) as plug:
            plug.send(request)
            until(lambda: not is_idle(server), "the query does not begin")
            time.sleep(0.5)
            assert not is_idle(server), "the query takes no time, and so shows nothing"
        until(lambda: is_idle(server), "the work goes on for nobody", 1.0 + SOON)
        for _ in range(20):  # who has left before the query is begun
            with Plug(server) as plug:
                plug.send(request)
        until(lambda: is_idle(server), "work begins for nobody", 1.0 + SOON)


def is_idle(server: Server) -> bool:
    """Look for a moment at whether the server works."""
    before = processor_seconds(server.process.pid)
    time.sleep(0.2)
    return processor_seconds(server.process.pid) - before < 0.05
