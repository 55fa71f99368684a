"""Our server over OpenSearch, beside OpenSearch as it is: what the contract costs there.

The same node and the same items. OpenSearch is asked for updates in two ways: visible when
they are answered (`refresh=true`), as ours are, and visible some time later (`false`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import NamedTuple

from benchmarks.compare.opensearch import OpenSearch
from benchmarks.compare.ours import Ours, running
from benchmarks.compare.peer import Item, batches_of
from benchmarks.compare.questions import KINDS, Question
from benchmarks.load import Run
from benchmarks.sessions import session
from tests.clustered import flags_of

ITEMS = 50_000
CLIENTS = 32
ROUNDS = 3
SHARDS = (1, 2, 3)
LEAST_LOAD, LEAST_UNSEEN, LEAST_SEEN = 0.4, 0.5, 10
MOST_MS_MORE = 3
_UPDATES, _VISIBLE_UPDATES = 10_000, 500
_QUESTION_SECONDS = 1.5
_HEAD = f"{'':44} {'':8}{'m1':>13}{'OpenSearch':>13}"


class Line(NamedTuple):
    """One figure of ours beside OpenSearch's."""

    what: str
    unit: str
    ours: float
    theirs: float
    asked: str
    met: bool

    def __str__(self) -> str:
        missed = "" if self.met else "MISSED: "
        figures = f"{self.ours:13,.1f}{self.theirs:13,.1f}"
        ratio = f"x{self.ours / self.theirs:.2f}"
        return f"{self.what:44} {self.unit:8}{figures}  {ratio:>7}  {missed}{self.asked}"


class Beside:
    """Both with so many shards."""

    def __init__(self, raw: OpenSearch, ours: Ours, shards: int) -> None:
        self._raw = raw
        self._ours = ours
        self._shards = shards
        self._rng = Random(2002)
        self._revision = 0

    def lines(self) -> Iterator[str]:
        """Measure everything."""
        theirs, mine = self._load(self._raw), self._load(self._ours)
        yield self._rate("bulk load, all found, items", mine, theirs, LEAST_LOAD)
        yield self._query()
        mine, cost, unseen, seen = self._updates()
        what = f"updates, {CLIENTS} clients"
        yield self._rate(f"{what}, raw without refresh", mine, unseen, LEAST_UNSEEN)
        yield self._rate(f"{what}, raw with refresh", mine, seen, LEAST_SEEN)
        yield f"  an update costs our server {cost:.2f} ms of one processor"

    def _rate(self, what: str, mine: float, theirs: float, least: float) -> str:
        what = f"{self._shards} shards: {what}"
        met = mine >= least * theirs
        return str(Line(what, "a second", mine, theirs, f"at least x{least:g}", met))

    def _load(self, side: Ours | OpenSearch) -> float:
        """Give how many items a second were loaded and can be found."""
        batches = batches_of(session(number) for number in range(ITEMS))
        seconds = side.load(batches).seconds
        begun = perf_counter()
        if side is self._raw:  # what we loaded is found without
            side.settle()
        side.ask(self._questions(1), 60)
        return ITEMS / (seconds + perf_counter() - begun)

    def _questions(self, count: int) -> list[Question]:
        kind = next(kind for kind in KINDS if kind.name == "three ANDs")
        return [kind.draw(self._rng, ITEMS) for _ in range(count)]

    def _query(self) -> str:
        """Ask for three ANDs, with nothing to refresh."""
        questions = self._questions(300)
        sides = (self._ours, self._raw)
        counts = {side.ask(questions[:1], 60)[1] for side in sides}
        if len(counts) > 1:
            raise RuntimeError(f"the counts differ: {counts}")
        for side in sides:
            side.ask(questions, _QUESTION_SECONDS)  # to warm it
        mine, theirs = (
            median(side.ask(questions, _QUESTION_SECONDS)[0].median_ms for _ in range(ROUNDS))
            for side in sides
        )
        what, asked = f"{self._shards} shards: three ANDs", f"at most {MOST_MS_MORE} ms more"
        return str(Line(what, "ms", mine, theirs, asked, mine <= theirs + MOST_MS_MORE))

    def _updates(self) -> tuple[float, float, float, float]:
        """Update random items; gives our rate and cost, and theirs without and with refresh."""
        ways: tuple[Callable[[], Run], ...] = (
            lambda: self._ours.update(self._changed(_UPDATES), CLIENTS),
            lambda: self._raw.update(self._changed(_UPDATES), CLIENTS, "false"),
            lambda: self._raw.update(self._changed(_VISIBLE_UPDATES), CLIENTS),
        )
        runs = [[way() for way in ways] for _ in range(ROUNDS)]
        mine, unseen, seen = (median(run.rate for run in some) for some in zip(*runs, strict=True))
        return mine, median(some[0].busy_ms for some in runs), unseen, seen

    def _changed(self, count: int) -> Sequence[Item]:
        self._revision += 1
        numbers = self._rng.sample(range(ITEMS), count)
        return [session(number, self._revision) for number in numbers]


def beside(url: str, scratch: Path) -> Iterator[str]:
    """Measure on a node with one shard, with two and with three; yields a table's lines."""
    yield f"\nm1 --engine opensearch on the same node, {ITEMS:,} items\n{_HEAD}"
    for shards in SHARDS:
        raw = OpenSearch(url, f"raw-{shards}", shards)
        flags, place = flags_of([url], f"m{shards}"), scratch / f"{shards}-shards"
        with running(place, ITEMS, *flags, shards=shards) as ours:
            yield from Beside(raw, ours, shards).lines()
            ours.bench.server.call("session/drop", store="stash")
        raw.drop()
