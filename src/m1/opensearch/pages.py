"""Reading what a query finds: at once where it is little, else at a point in time.

A point in time is OpenSearch's snapshot of an index. Pages of it are asked for one after
another, each beginning behind the last item of the one before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from m1.engine import Page
from m1.errors import Unavailable
from m1.opensearch.background import Background
from m1.opensearch.cluster import Cluster, Refused, refusals_told
from m1.opensearch.dsl import query_of, sort_of
from m1.query.plan import Plan, SortKey

_AT_ONCE = 100
"""So many items are read by the query itself; more are streamed."""
_WINDOW = 10_000
"""OpenSearch skips no further than so many, and gives no more in one page."""
_BATCH_BYTES = 1024 * 1024
PRIMARY = "_primary"
"""Which copy is read: another may have fallen behind without knowing, on a node that was frozen."""
_LOST_SECONDS = 15.0
"""After so long without the next page, the node with the point in time is taken for gone."""
_KEPT = "5m"
"""How long a point in time outlives the last page that was asked for."""


class _Stored(msgspec.Struct):
    body: tuple[str] = ("",)


class _Hit(msgspec.Struct):
    fields: _Stored = msgspec.field(default_factory=_Stored)
    sort: list[Any] = []


class _Total(msgspec.Struct):
    value: int = 0


class _Hits(msgspec.Struct):
    hits: list[_Hit] = []
    total: _Total = msgspec.field(default_factory=_Total)


def found_by(plan: Plan) -> dict[str, Any]:
    """Give the query that finds what a plan does, as a filter: it may be kept for the next one."""
    return {"bool": {"filter": [query_of(plan)]}}


async def search(cluster: Cluster, path: str, body: dict[str, Any], **params: Any) -> Any:
    """Search, and count all unless the body says otherwise; never an answer of some shards alone.

    Raises BadQuery or Unavailable.
    """
    with refusals_told():
        return await cluster.read(
            "POST",
            path,
            {"track_total_hits": True, **body},
            allow_partial_search_results="false",
            **params,
        )


class Reading:
    """One query on one index."""

    def __init__(
        self,
        cluster: Cluster,
        alias: str,
        plan: Plan,
        order: Sequence[SortKey],
        background: Background,
    ) -> None:
        self.background = background
        self._cluster = cluster
        self._alias = alias
        self._body: dict[str, Any] = {
            "query": found_by(plan),
            "sort": sort_of(order),
            "stored_fields": ["body"],
        }

    async def page(self, start: int, rows: int) -> Page:
        """Give the page; raises BadQuery or Unavailable."""
        if rows <= _AT_ONCE and start + rows <= _WINDOW:
            hits = await self.hits(
                f"/{self._alias}/_search", {"size": rows, "from": start}, preference=PRIMARY
            )
            return Page.at_once(hits.total.value, _bodies(hits))
        return await self._streamed(start, rows)

    async def hits(self, path: str, more: dict[str, Any], **params: Any) -> _Hits:
        """Ask for some; the count comes with the first page alone."""
        answer = await search(self._cluster, path, {**self._body, **more}, **params)
        return msgspec.convert(answer["hits"], _Hits)

    # --- at a point in time ---

    async def _streamed(self, start: int, rows: int) -> Page:
        with refusals_told():
            opened = await self._cluster.read(
                "POST",
                f"/{self._alias}/_search/point_in_time",
                keep_alive=_KEPT,
                allow_partial_pit_creation="false",
                preference=PRIMARY,
            )
        point = _Point(self, opened["pit_id"])
        try:
            first = await point.next(min(start, _WINDOW) or min(rows, _AT_ONCE), skip=start > 0)
        except BaseException:
            await self.let_go(point.id)
            raise
        return Page(first.total.value, self._batches(point, first, start, rows), point.release)

    async def _batches(
        self, point: _Point, first: _Hits, start: int, rows: int
    ) -> AsyncIterator[list[bytes]]:
        hits = first
        if start:
            left = start - len(hits.hits)
            while left > 0 and hits.hits:
                hits = await point.next(min(left, _WINDOW), skip=True)
                left -= len(hits.hits)
            if left > 0 or not hits.hits:
                return
            hits = await point.next(min(rows, _AT_ONCE))
        size = _AT_ONCE
        while rows > 0 and hits.hits:
            bodies = _bodies(hits)
            yield bodies
            rows -= len(bodies)
            average = sum(map(len, bodies)) // len(bodies) + 1
            size = max(10, min(2 * size, _WINDOW, _BATCH_BYTES // average))
            hits = await point.next(min(rows, size)) if rows > 0 else _Hits()

    async def let_go(self, point: str) -> None:
        """Free a point in time."""
        try:
            await self._cluster.change("DELETE", "/_search/point_in_time", {"pit_id": [point]})
        except (Refused, Unavailable):
            return  # it ends by itself after a while


class _Point:
    """A point in time, and how far it was read."""

    def __init__(self, reading: Reading, id: str) -> None:
        self.id = id
        self._reading = reading
        self._after: list[Any] | None = None

    async def next(self, size: int, *, skip: bool = False) -> _Hits:
        """Give the next items, or only go past them."""
        more: dict[str, Any] = {"size": size, "pit": {"id": self.id, "keep_alive": _KEPT}}
        if self._after is not None:
            more |= {"search_after": self._after, "track_total_hits": False}
        if skip:
            more["stored_fields"] = "_none_"
        hits = await self._reading.hits("/_search", more, seconds=_LOST_SECONDS)
        if hits.hits:
            self._after = hits.hits[-1].sort
        return hits

    def release(self) -> None:
        """Let go, without waiting for it."""
        self._reading.background.do(self._reading.let_go(self.id))


def _bodies(hits: _Hits) -> list[bytes]:
    return [hit.fields.body[0].encode() for hit in hits.hits]
