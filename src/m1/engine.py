"""The Engine: where items live and are found. The one interface that all engines keep.

An engine knows *spaces* (a store's items, under an opaque uid) and one *catalog* (an
opaque document). It knows no store names, keys, users, rights or HTTP: those are written
once, above all engines. What every engine promises:

* visible     when `update` returns, every later `query` sees the changes, from anywhere
* durable     and no crash of process or machine undoes them
* ordered     a page follows its sort keys, then the id as text; so pages never overlap
* repeatable  one page is one moment: what is changed while it is read is not in it
* plain       whatever fails below is raised as an error of `m1.errors`, cause chained:
              Unavailable where the same call may succeed later
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from m1.query.facets import Facets
from m1.query.plan import Plan, SortKey
from m1.readings import Measure
from m1.terms import Flat


@dataclass(frozen=True, slots=True)
class Put:
    """Keep an item under its id in place of the one there; `body` is its JSON text."""

    id: str
    body: bytes
    flat: Flat


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget the item of this id; harmless where there is none."""

    id: str


Change = Put | Remove


@dataclass(frozen=True, slots=True)
class Saved:
    """The catalog as it was last saved; version 0 is "never"."""

    document: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Check:
    """One line of an engine's health: the part, and how it fares."""

    part: str
    passed: bool
    message: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items a query found, and how many of them have each facet, in its order.

    A facet is a path or a text, or the number with which a stretch begins.
    """

    count: int
    facets: Sequence[tuple[str | float, int]]


class Page:
    """What a query found: the exact count of all matches, and the asked items in batches.

    Use it as `async with page:` and iterate once; leaving the block frees what the page
    holds, read to the end or not. Iterating raises Unavailable where reading fails midway.
    A page with few items has them already, as `whole`.
    """

    def __init__(
        self,
        count: int,
        batches: AsyncIterator[Sequence[bytes]],
        release: Callable[[], None] = lambda: None,
        whole: Sequence[bytes] | None = None,
    ) -> None:
        self.count = count
        self.whole = whole
        self._batches = batches
        self._release = release

    @classmethod
    def at_once(cls, count: int, bodies: Sequence[bytes]) -> Self:
        """Make a page of items that were read already."""
        return cls(count, _one_batch(bodies), whole=bodies)

    def __aiter__(self) -> AsyncIterator[Sequence[bytes]]:
        return self._batches

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free what the page holds; harmless when done already."""
        self._release()


async def _one_batch(bodies: Sequence[bytes]) -> AsyncIterator[Sequence[bytes]]:
    yield bodies


class Engine(Protocol):
    """Items in spaces, found by plan; see the module for the promises."""

    async def load_catalog(self) -> Saved:
        """Give the catalog; cheap enough to be called for every request."""

    async def save_catalog(self, document: bytes, version: int) -> bool:
        """Replace the catalog if `version` is still the saved one; False if it is not."""

    async def create_space(self, uid: str, shards: int, replicas: int) -> None:
        """Make an empty space; one that is there stays as it is.

        Raises BadRequest where this engine cannot have so many shards or replicas.
        """

    async def remove_space(self, uid: str) -> None:
        """Forget a space and its items; harmless where there is none. Open pages finish."""

    async def fence_space(self, uid: str, closed: bool) -> None:
        """Close a space to updates, or open it again; queries go on.

        When closing returns, every update of before is visible; later ones raise Unavailable.
        Closing raises it too where the space is closed already, or is not there.
        """

    async def update(self, uid: str, changes: Sequence[Change]) -> None:
        """Apply changes, each id at most once among them; all or nothing.

        Returns when they are durable and visible. Raises Unavailable where the space is
        fenced or not there, or cannot be written just now.
        """

    async def query(
        self, uid: str, plan: Plan, order: Sequence[SortKey], start: int, rows: int
    ) -> Page:
        """Find items by plan, in order, skipping `start` and giving at most `rows`.

        Raises Unavailable where the space is not there or cannot be read just now.
        """

    async def count(self, uid: str, plan: Plan, facets: Facets) -> Counts:
        """Count what items that a plan finds have; paths and texts that none has are left out.

        Raises Unavailable where the space is not there or cannot be read just now.
        """

    async def check(self) -> list[Check]:
        """Tell how the engine's parts fare, each space's as `<uid> shard 0 replica 0`."""

    async def measure(self) -> list[Measure]:
        """Give what there is to be read of `m1.metrics`; what cannot be just now is left out."""

    async def close(self) -> None:
        """Finish what was begun and let go of everything; the last call."""
