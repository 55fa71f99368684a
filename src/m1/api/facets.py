"""Facets: what the items that match a query have, counted."""

from __future__ import annotations

import math

from m1.answers import FacetCount, FacetCounts
from m1.api.endpoint import Call, Natural, Positive, endpoint
from m1.api.plans import plan_of
from m1.api.services import Services
from m1.errors import BadQuery, BadRequest, NotFound
from m1.query import read_moment
from m1.query.facets import Facets, Paths, Stretches, Texts

_MOST_BUCKETS = 1_000
_MOST_ROWS = 10_000
"""An answer is written in one piece, for which all others wait."""


class FacetApi:
    """Count facets."""

    def __init__(self, services: Services) -> None:
        self._engine = services.engine

    @endpoint(
        "session/facets",
        verbs=("POST", "GET"),
        rights=("sessionQuery",),
        raises=(NotFound,),
        example={"store": "stash", "q": "user.name:*", "path": "user.name", "rows": 5},
    )
    async def facets(
        self,
        call: Call,
        store: str,
        q: str = "*",
        path: str | None = None,
        prefix: str = "",
        rows: Natural = 10,
        low: str | None = None,
        high: str | None = None,
        buckets: Positive | None = None,
    ) -> FacetCounts:
        """Count what the items that match a query have: paths, values, or a histogram.

        Without `path`: the paths with a value at or below them, in order. With `path`: its
        values by falling count, numbers as texts; those of 256 characters and more are left
        out. Of both, `rows` (10000 at most) that begin with `prefix`.

        With `low`, `high` and `buckets`: how many items have a number or a date at `path`, in
        so many stretches of one width from `low` to below `high`. Both are numbers, dates or
        date math as in `NOW-1HOUR`; a date counts as epoch milliseconds.

        The answer is `{"count": N, "facets": [{"value": ..., "count": n}, ...]}`: N items match,
        n of them have the value. Not in MinusOneDB.
        """
        found = call.catalog.store(store)
        if rows > _MOST_ROWS:
            raise BadRequest(f"rows: at most {_MOST_ROWS} are possible")
        plan = await plan_of(q, call.now)
        asked = _facets(path, prefix, rows, _edges(low, high, buckets, call.now))
        counts = await self._engine.count(found.uid, plan, asked)
        facets = [FacetCount(_shortest(value), count) for value, count in counts.facets]
        return FacetCounts(counts.count, facets)


def _edges(
    low: str | None, high: str | None, buckets: int | None, now: int
) -> tuple[float, ...] | None:
    """Give the edges of a histogram, None where none is asked for."""
    if low is None and high is None and buckets is None:
        return None
    if low is None or high is None or buckets is None:
        raise BadRequest("low, high, buckets: a histogram needs all three")
    if buckets > _MOST_BUCKETS:
        raise BadRequest(f"buckets: at most {_MOST_BUCKETS} are possible")
    first, last = _moment("low", low, now), _moment("high", high, now)
    if not first < last:
        raise BadRequest("high: it must be greater than low")
    width = (last - first) / buckets
    if not math.isfinite(width):
        raise BadRequest("high: it is too far from low")
    return (*(first + width * place for place in range(buckets)), last)


def _moment(name: str, text: str, now: int) -> float:
    try:
        return read_moment(text, now)
    except BadQuery as error:
        raise BadRequest(f"{name}: {error.message}") from None


def _facets(path: str | None, prefix: str, rows: int, edges: tuple[float, ...] | None) -> Facets:
    if edges is None:
        return Paths(prefix, rows) if path is None else Texts(path, prefix, rows)
    if path is None:
        raise BadRequest("path: a histogram needs one")
    return Stretches(path, edges)


def _shortest(value: str | float) -> str | int | float:
    return int(value) if isinstance(value, float) and value.is_integer() else value
