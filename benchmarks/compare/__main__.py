"""Run all sides that there are, and print what each took and how the figures compare."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.compare import opensearch, ours, postgres
from benchmarks.compare.clustered import beside
from benchmarks.compare.peer import BATCH, Item, NotThere, Peer, batches_of
from benchmarks.compare.questions import KINDS, Kind
from benchmarks.load import Run
from benchmarks.machine import machine, versions
from benchmarks.ping import pinging
from benchmarks.sessions import session

CLIENTS = 32
ROUNDS = 3
SLAB = 50_000
QUESTIONS = 300
QUESTION_SECONDS = 1.5
WARMING_SECONDS = 0.5
MOST_PING_MS = 50
LEAST_EXPORT = 200_000


@dataclass
class Line:
    """One thing that was measured on each side, and the ratios that are aimed at."""

    what: str
    unit: str
    targets: dict[str, float]
    by_peer: dict[str, float] = field(default_factory=dict)
    note: str = ""

    def ratio(self, peer: str) -> float | None:
        """How many times better than a peer we are; None where it was not measured."""
        mine, its = self.by_peer.get("m1"), self.by_peer.get(peer)
        if mine is None or its is None:
            return None
        return mine / its if self.unit == "a second" else its / mine

    def verdict(self) -> str:
        """Say which ratios fall short of what is aimed at."""
        missed = [
            f"{peer} {ratio:.2f} of {target:g}"
            for peer, target in self.targets.items()
            if (ratio := self.ratio(peer)) is not None and ratio < target
        ]
        return f"MISSED: {', '.join(missed)}" if missed else ""


class Comparison:
    """All sides, and the lines measured so far."""

    def __init__(self, peers: Sequence[Peer], items: int) -> None:
        self.lines: list[Line] = []
        self._peers = peers
        self._items = items
        self._rng = Random(2002)
        self._revision = 0

    def run(self) -> None:
        """Measure everything."""
        self.load()
        for kind in KINDS:
            self.ask(kind)
        slow = {"OpenSearch": 20}  # so many times fewer calls, or it would take an hour
        self.update("updates, 1 client, median", 1, 2_000, {"PostgreSQL": 1}, slow)
        self.update(
            f"updates, {CLIENTS} clients",
            CLIENTS,
            10_000,
            {"PostgreSQL": 1.5, "OpenSearch": 50},
            slow,
        )
        self.update_batches()
        self.export()
        self.ping()

    def _say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self._say(table([line], self._peers).splitlines()[-1])

    def _changed(self, count: int) -> Iterator[Item]:
        """Give random stored items at a new revision, none twice."""
        self._revision += 1
        for number in self._rng.sample(range(self._items), min(count, self._items)):
            yield session(number, self._revision)

    def load(self) -> None:
        """Fill all sides."""
        runs: dict[str, list[Run]] = {peer.name: [] for peer in self._peers}
        for begin in range(0, self._items, SLAB):
            numbers = range(begin, min(begin + SLAB, self._items))
            batches = batches_of(session(number) for number in numbers)
            for peer in self._peers:
                runs[peer.name].append(peer.load(batches))
            self._say(f"loaded {numbers[-1] + 1:,}")
        line = Line("bulk load, items", "a second", {"PostgreSQL": 1})
        for name, some in runs.items():
            line.by_peer[name] = self._items / sum(each.seconds for each in some)
        for peer in self._peers:
            peer.settle()
        self._add(line)

    def ask(self, kind: Kind) -> None:
        """Ask questions of one kind, the same of all sides."""
        targets = {"PostgreSQL": kind.postgres, "OpenSearch": kind.opensearch}
        line = Line(kind.name, "ms", targets)
        questions = [kind.draw(self._rng, self._items) for _ in range(QUESTIONS)]
        for peer in self._peers:
            peer.ask(questions, WARMING_SECONDS)

        def one(peer: Peer, _: int) -> float:
            run, _count = peer.ask(questions, QUESTION_SECONDS)
            return run.median_ms

        self._in_rounds(line, one)
        last = {peer.ask(questions[:1], 60)[1] for peer in self._peers}
        if len(last) > 1:
            raise RuntimeError(f"{kind.name}: the counts differ: {last}")
        line.note = f"{last.pop():,} found"
        self._add(line)

    def _in_rounds(self, line: Line, measure: Callable[[Peer, int], float]) -> None:
        """Measure all sides in turns, several times over; the medians count."""
        figures: dict[str, list[float]] = {peer.name: [] for peer in self._peers}
        for number in range(ROUNDS):
            for peer in self._peers:
                figures[peer.name].append(measure(peer, number))
        line.by_peer = {name: median(some) for name, some in figures.items()}

    def update(
        self, what: str, clients: int, count: int, targets: dict[str, float], fewer: dict[str, int]
    ) -> None:
        """Update random items, one a call."""
        line = Line(what, "ms" if clients == 1 else "a second", targets)

        def one(peer: Peer, _: int) -> float:
            some = list(self._changed(count // fewer.get(peer.name, 1)))
            run = peer.update(some, clients)
            return run.median_ms if clients == 1 else run.rate

        self._in_rounds(line, one)
        self._add(line)

    def update_batches(self) -> None:
        """Update random items, many a call."""
        line = Line(
            f"updates, 1 client, batches of {BATCH:,}, items", "a second", {"PostgreSQL": 1}
        )

        def one(peer: Peer, _: int) -> float:
            batches = batches_of(self._changed(5 * BATCH))
            return sum(map(len, batches)) / peer.update_batches(batches).seconds

        self._in_rounds(line, one)
        self._add(line)

    def export(self) -> None:
        """Read everything."""
        line = Line("full export, items", "a second", {})
        for peer in self._peers:  # once: it takes a minute where it takes long
            line.by_peer[peer.name] = self._items / peer.export(self._items).seconds
        if line.by_peer["m1"] < LEAST_EXPORT:
            line.note = f"MISSED: {LEAST_EXPORT:,}"
        self._add(line)

    def ping(self) -> None:
        """Ping us while others update, export, and sort everything by text."""
        mine = next(peer for peer in self._peers if isinstance(peer, ours.Ours))
        sorting = {"store": "stash", "q": "*", "sort": "user.email asc"}
        loads: tuple[tuple[str, Callable[[], object]], ...] = (
            ("32 clients' updates", lambda: mine.update(list(self._changed(10_000)), CLIENTS)),
            ("a full export", lambda: mine.export(self._items)),
            ("sorts of all by text", lambda: mine.bench.run([mine.bench.ask(sorting)] * 20)),
            ("bulk updates", lambda: mine.update_batches(batches_of(self._changed(20 * BATCH)))),
        )
        for what, load in loads:
            with pinging(mine.bench.port) as pings:
                load()
            (found,) = pings
            missed = f"; MISSED: {MOST_PING_MS}" if found.worst > MOST_PING_MS else ""
            note = f"p99.9 {found.p999:.1f}, worst {found.worst:.1f} of {found.calls:,}{missed}"
            self._add(Line(f"/ping beside {what}, median", "ms", {}, {"m1": found.median}, note))


def table(lines: Sequence[Line], peers: Sequence[Peer]) -> str:
    """Give what was measured as text: a column a side, then how many times better we are."""
    names = [peer.name for peer in peers]
    width = max(50, *(len(line.what) for line in lines))
    head = "".join(f"{name:>13}" for name in names) + "".join(
        f" x {name:<11}" for name in names[1:]
    )
    rows = [f"{'':{width}} {'':8}{head}"]
    for line in lines:
        figures = "".join(_cell(line.by_peer.get(name)) for name in names)
        ratios = "".join(_ratio(line.ratio(name)) for name in names[1:])
        says = "; ".join(filter(None, (line.note, line.verdict())))
        rows.append(f"{line.what:{width}} {line.unit:8}{figures}{ratios} {says}".rstrip())
    return "\n".join(rows)


def _cell(figure: float | None) -> str:
    if figure is None:
        return f"{'-':>13}"
    return f"{figure:13,.0f}" if figure >= 1_000 else f"{figure:13,.3f}"


def _ratio(ratio: float | None) -> str:
    return f"{'-':>13} " if ratio is None else f"{ratio:13,.2f} "


def _sides(
    stack: contextlib.ExitStack, scratch: Path, items: int, wanted: Sequence[str]
) -> list[Peer]:
    """Start all sides; one that is missing is said so, and left out."""
    peers: list[Peer] = []
    for name, module in (("m1", ours), ("postgres", postgres), ("opensearch", opensearch)):
        if name != "m1" and name not in wanted:
            continue
        place = scratch / name
        place.mkdir()
        try:
            peers.append(stack.enter_context(module.running(place, items)))
        except NotThere as error:
            print(f"left out: {error}", file=sys.stderr)
    return peers


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", allow_abbrev=False)
    parser.add_argument(
        "--items", type=int, default=100_000, help="0: our server over OpenSearch alone is measured"
    )
    parser.add_argument(
        "--peers",
        default="postgres,opensearch",
        help="which to compare with (default: %(default)s)",
    )
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="m1-compare-") as scratch,
        contextlib.ExitStack() as stack,
    ):
        Path(scratch).chmod(0o755)  # peers run as users of their own
        peers = _sides(stack, Path(scratch), given.items, given.peers.split(","))
        comparison = Comparison(peers, given.items)
        head = f"{machine()}\n{versions()}\n" + ", ".join(
            f"{peer.name} {peer.version}" for peer in peers
        )
        if given.items:
            comparison.run()
            print(f"{head}\n{given.items:,} items of about 1 KB (benchmarks.sessions)")
            print(table(comparison.lines, peers))
        for peer in peers:
            if isinstance(peer, opensearch.OpenSearch):
                peer.drop()
                for line in beside(peer.url, Path(scratch)):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
