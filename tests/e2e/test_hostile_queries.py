"""Queries made to hurt: each is answered or refused, others go on meanwhile, and it can end."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from benchmarks.hostile import EIGHTH, HOSTILE, MOST_PATTERNS, Hostile, ask, fill
from benchmarks.machine import processor_seconds
from benchmarks.ping import pinging
from m1.values import canonical_number
from tests.e2e.curl import fresh, header, refused, session, upsert
from tests.e2e.harm import harmless
from tests.e2e.plug import Kept, Plug, head
from tests.serving import Server, serving
from tests.waiting import until

OTHERS_WAIT = 2_500.0
"""Milliseconds; one list of patterns took the server some 5,000 for itself once."""
NOISE = 250.0
"""Milliseconds that others' work on the machine may cost; `make attack` shows the ratio."""
NEAR = ("terms", "ORs", "too many terms", "fuzzy words", "ranges of texts")
"""They come near their figure, and get twice; `make attack` shows what they take."""
TICKS = 0.03
"""Seconds; processor time is counted in hundredths."""
PATIENCE = 1.0
"""Seconds that a query may take, in place of 30."""
ENDS, ENDS_ANYHOW = 1.0, 20.0
"""Seconds in which work for nobody ends: of a processor, and where others take much of it."""
WHOLE = 0.5
"""Seconds of a processor after which a query is surely being carried out."""
LOOKS = 20
HEAVY = "w:/.*(" + ".?" * 300 + "){30}c/"
"""An expression that is matched in a thread, since one text may take it long."""
VALUES = 10_000
ALPHABET = "\"\\*?~^/[]{}():+-!&| abANDORTO01.,;%_$#@'`<>=\u00e9\u4e2d\U0001f600\t\n\r\0\x7f\u2028"
"""Of which values are made: whatever means something in a query, a URL, a form or a script."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with many texts at `v`, and with long ones at `w`."""
    with filled_server(tmp_path_factory.mktemp("filled")) as started:
        yield started


@contextlib.contextmanager
def filled_server(directory: Path, *flags: str) -> Iterator[Server]:
    """Run one like it with other flags."""
    with serving(directory, *flags) as started:
        fill(started)
        upsert(started, "stash", *(session(f"w{n}", w="ab" * 1_500 + str(n)) for n in range(500)))
        yield started


def patterns(count: int = MOST_PATTERNS) -> str:
    """A query that takes half a minute."""
    return " OR ".join(f"v:*1{n}*3*" for n in range(count))


# --- much at once ---

each_hostile = pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.name)


@each_hostile
def test_it_is_answered_or_refused_soon(filled: Server, hostile: Hostile) -> None:
    q = hostile.text(hostile.size)
    with harmless(filled, hostile.seconds * (2 if hostile.name in NEAR else 1)):
        reply = ask(filled, q)
    if hostile.status == 200:
        assert reply.status == 200, reply.text
    else:
        assert len(refused(reply, hostile.status)) < 500


@each_hostile
def test_twice_the_size_takes_at_most_two_and_a_half_times_as_long(
    filled: Server, hostile: Hostile
) -> None:
    """Eight of an eighth take at least 8 / 2.5 ** 3 of what the whole takes: half of it."""
    whole = cost(filled, hostile.text(hostile.size))
    eighths = cost(filled, *[hostile.text(hostile.size // EIGHTH)] * EIGHTH)
    assert whole <= eighths * 2.5**3 / EIGHTH + TICKS


def cost(server: Server, *queries: str) -> float:
    """Ask, and give how many seconds of a processor it took."""
    before = processor_seconds(server.process.pid)
    for q in queries:
        ask(server, q)
    return processor_seconds(server.process.pid) - before


def test_others_are_answered_meanwhile(filled: Server) -> None:
    with pinging(filled.port) as alone:
        time.sleep(1)  # so long it is measured
    with pinging(filled.port) as beside:
        for each in HOSTILE:
            ask(filled, each.text(each.size))
        ask(filled, patterns(100))
    print(alone[0], beside[0])  # noqa: T201
    assert beside[0].p99 < 2 * alone[0].p99 + NOISE
    assert beside[0].worst < OTHERS_WAIT


def test_long_texts_and_long_lists_hold_nobody_up(tmp_path: Path, rand: random.Random) -> None:
    with serving(tmp_path) as server:
        server.log_in()
        store, long = fresh(server), ["".join(rand.choices("ab", k=7_000)) for _ in range(15)]
        upsert(server, store, *(session(n, v=text) for n, text in enumerate(long)))
        upsert(server, store, *(session(f"w{n}", w=list(range(n, 10**6, 5))) for n in range(5)))
        with pinging(server.port) as pings:
            for q in ("v:/.*a.{900}/", "v:*a" + "?" * 900, f"v:{long[0][:-1]}b~2", "w:5"):
                assert ask(server, q, store).status == 200
            with Plug(server) as plug:
                plug.send(asking(server, "v" + HEAVY[1:], store))
                time.sleep(3)  # so long others are watched
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

each_endless = pytest.mark.parametrize(
    "q", [patterns(), HEAVY], ids=["on the event loop", "in a thread"]
)


@each_endless
def test_a_query_that_takes_too_long_is_a_503(tmp_path: Path, q: str) -> None:
    with filled_server(tmp_path, "--query-seconds", f"{PATIENCE}") as server:
        begun = time.monotonic()
        reply = ask(server, q)
        seconds = time.monotonic() - begun
        assert f"{PATIENCE:g} s" in refused(reply, 503)  # and not a byte of another answer before
        assert header(reply, "retry-after") is not None
        assert PATIENCE <= seconds < PATIENCE + ENDS_ANYHOW
        assert_it_ends(server)


@each_endless
def test_the_work_stops_once_the_caller_has_left(filled: Server, q: str) -> None:
    with Plug(filled) as plug:
        before = processor_seconds(filled.process.pid)
        plug.send(asking(filled, q))
        until(lambda: used_since(filled, before) > WHOLE, "the query takes no time")
        assert not is_idle(filled)
    assert_it_ends(filled)
    for _ in range(20):  # who has left before the query is begun
        with Plug(filled) as plug:
            plug.send(asking(filled, q, more="x" * 2**20))  # which is read in a thread
    assert_it_ends(filled)


def asking(server: Server, q: str, store: str = "stash", **more: str) -> bytes:
    """Give the request of a query."""
    body = urlencode({"store": store, "q": q, **more}).encode()
    return head(server, "session/query", len(body)) + body


def assert_it_ends(server: Server) -> None:
    """Assert that the server does nothing any more within a second, which nobody gets."""
    left, before = time.monotonic(), processor_seconds(server.process.pid)
    until(lambda: is_idle(server), "the work goes on for nobody", ENDS_ANYHOW)
    print(f"idle after {time.monotonic() - left:.2f} s")  # noqa: T201
    assert used_since(server, before) < ENDS


def used_since(server: Server, before: float) -> float:
    """Give how many seconds of a processor were used since so many had been."""
    return processor_seconds(server.process.pid) - before


def is_idle(server: Server) -> bool:
    """Look for a moment whether all threads of the server wait for something.

    One that has work is seen to be running, even where the machine has no processor for it.
    """
    running = 0
    for _ in range(LOOKS):
        time.sleep(0.01)
        running += "R" in states(server)
    return running < LOOKS / 2


def states(server: Server) -> set[str]:
    """Give the states of all threads of the server: R runs or could, S waits."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/stat")
    return {task.read_text().rpartition(")")[2].split()[0] for task in tasks}
