"""Counting the facets of what a query finds, by aggregations.

What is asked for may be of several shards, each of which gives its own most frequent texts:
where those might not be the most frequent of all, every text is looked at instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from itertools import pairwise
from typing import Any

from m1.engine import Counts
from m1.opensearch.cluster import Cluster
from m1.opensearch.dsl import Dsl, plain_regex, query_of
from m1.opensearch.mapping import field_of, path_of
from m1.opensearch.pages import PRIMARY, found_by, search
from m1.opensearch.space import Space
from m1.query.facets import LONGEST, Facets, Largest, Paths, Stretches, Texts
from m1.query.plan import DateRange, Exists, Plan
from m1.terms import above

_OF_EACH_SHARD = 10_000
_PATHS_AT_ONCE = 200
_TEXTS_AT_ONCE = 10_000


class Counting:
    """One count on one space."""

    def __init__(self, cluster: Cluster, space: Space, plan: Plan) -> None:
        self._cluster = cluster
        self._space = space
        self._query = found_by(plan)

    async def count(self, facets: Facets) -> Counts:
        """Give the counts; raises Unavailable."""
        match facets:
            case Paths():
                return await self._paths(facets)
            case Texts():
                return await self._texts(facets)
            case Stretches(path, edges):
                ends = pairwise(edges)
                stretches = [DateRange(path, low, high, True, False) for low, high in ends]
                count, each = await self._filtered(map(query_of, stretches))
                return Counts(count, list(zip(edges, each, strict=False)))

    async def _paths(self, facets: Paths) -> Counts:
        """Count those that the mapping names: OpenSearch knows every path that ever was."""
        leaves = {path_of(field) for field in await self._space.settled_fields()}
        named = leaves.union(above(leaves))
        paths = sorted(path for path in named if path.startswith(facets.prefix))
        count, counted = (await self._filtered([]))[0], list[tuple[str, int]]()
        for begin in range(0, len(paths), _PATHS_AT_ONCE):
            if len(counted) >= facets.most:
                break
            some = paths[begin : begin + _PATHS_AT_ONCE]
            _, each = await self._filtered(query_of(Exists(path)) for path in some)
            counted += [(path, n) for path, n in zip(some, each, strict=True) if n]
        return Counts(count, counted[: facets.most])

    async def _filtered(self, filters: Iterable[Dsl]) -> tuple[int, list[int]]:
        """Give how many are found in all, and of each filter."""
        listed = list(filters)
        asked = {"facets": {"filters": {"filters": listed}}} if listed else {}
        count, said = await self._search(asked)
        return count, [bucket["doc_count"] for bucket in said["facets"]["buckets"]] if said else []

    # --- texts ---

    async def _texts(self, facets: Texts) -> Counts:
        if len(facets.prefix) > LONGEST:  # an expression of that length would be refused
            return Counts((await self._search({}))[0], [])
        field = f"s.{field_of(facets.path)}"
        most = min(facets.most, _OF_EACH_SHARD)
        terms: dict[str, Any] = {
            "field": field,
            "size": max(most, 1),
            "shard_size": _OF_EACH_SHARD,
            "order": [{"_count": "desc"}, {"_key": "asc"}],
            "exclude": f".{{{LONGEST + 1}}}",
        }
        if facets.prefix:
            terms["include"] = f"{plain_regex(facets.prefix)}@"
        count, said = await self._search({"facets": {"terms": terms}})
        found = said["facets"]
        if found.get("doc_count_error_upper_bound") or facets.most > _OF_EACH_SHARD:
            largest = Largest(facets.most)
            async for text, of_it in self._every_text(field, facets.prefix):
                largest.add(text, of_it)
            return Counts(count, largest.ranked())
        buckets = found["buckets"][:most]
        return Counts(count, [(bucket["key"], bucket["doc_count"]) for bucket in buckets])

    async def _every_text(self, field: str, prefix: str) -> AsyncIterator[tuple[str, int]]:
        source = {"sources": [{"text": {"terms": {"field": field}}}], "size": _TEXTS_AT_ONCE}
        after: dict[str, Any] = {"after": {"text": prefix[:-1]}} if prefix else {}
        while True:
            _, said = await self._search({"facets": {"composite": {**source, **after}}})
            for bucket in said["facets"]["buckets"]:
                text = bucket["key"]["text"]
                if text.startswith(prefix) and len(text) <= LONGEST:
                    yield text, bucket["doc_count"]
                elif text > prefix and not text.startswith(prefix):
                    return
            if "after_key" not in said["facets"]:
                return
            after = {"after": said["facets"]["after_key"]}

    async def _search(self, facets: Dsl) -> tuple[int, dict[str, Any]]:
        body = {"size": 0, "query": self._query, **({"aggs": facets} if facets else {})}
        path = f"/{self._space.alias}/_search"
        answer = await search(self._cluster, path, body, preference=PRIMARY)
        count: int = answer["hits"]["total"]["value"]
        return count, answer.get("aggregations", {})
