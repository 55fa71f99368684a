"""The engine on an OpenSearch cluster; any number of servers may use one cluster.

A space is an index, the catalog one document that is saved by compare-and-swap. An update
is written and not refreshed; a query first waits for one refresh that begins after it
came, shared by all who wait, on whichever server. So what was acknowledged is found.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from m1.engine import Change, Check, Counts, Page, Saved
from m1.errors import BadRequest, StartError, Unavailable
from m1.metrics import REFRESH_WAIT_SECONDS
from m1.opensearch.background import Background
from m1.opensearch.cluster import Cluster, Refused
from m1.opensearch.copies import checks_of, copies_on, measures_of
from m1.opensearch.counting import Counting
from m1.opensearch.joined import Shared
from m1.opensearch.mapping import FORMAT, META, index_of
from m1.opensearch.pages import Reading
from m1.opensearch.space import Space
from m1.opensearch.versions import Versions
from m1.query.facets import Facets
from m1.query.plan import Plan, SortKey
from m1.readings import PARTS_FAILING, Measure

T = TypeVar("T")

_log = logging.getLogger("m1")

_MAJORS = ("2", "3")
_START_SECONDS = 30
_CALL_SECONDS = 18.0
_CATALOG_CALL_SECONDS = 5.0
"""Who waits for longer, for others too, is told to try again: one request asks for the catalog,
once more where it changes something, and is answered within half a minute."""
_COPIES_SECONDS = "5s"
"""So long all copies of a new space are waited for; fewer nodes than copies may well be meant."""
_MEASURE_SECONDS = 5.0
"""Prometheus waits for ten."""
_CHANGES_A_SECOND = 500
"""An update with many changes may take a second more for so many."""
_CATALOG_SECONDS = 0.5
"""How old the catalog may be that is used."""
_CATALOG_INDEX = {
    "settings": {"index.number_of_shards": 1, "index.auto_expand_replicas": "0-2"},
    "mappings": {"_meta": META, "dynamic": False, "properties": {}},
}


class OpenSearchEngine:
    """Keeps the Engine protocol on a cluster."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        """Use `open`."""
        self._cluster = cluster
        self._prefix = prefix
        self._versions = Versions()
        self._spaces: dict[str, Space] = {}
        self._background = Background()
        self._saved = Saved(b"", 0)
        self._place: dict[str, str] | None = None
        """Which version of the catalog's document was read, in OpenSearch's terms."""
        self._read_at = float("-inf")
        self._catalog_reads = Shared(self._read_catalog)

    @classmethod
    async def open(
        cls, urls: Sequence[str], user: tuple[str, str] | None, prefix: str
    ) -> OpenSearchEngine:
        """Make what is missing on the cluster; raises StartError."""
        engine = cls(Cluster(urls, user), prefix)
        try:
            await engine._check_cluster(await engine._introduction(urls))
            await engine._make(engine._catalog_index, _CATALOG_INDEX)
        except (Refused, Unavailable) as error:
            await engine.close()
            raise StartError(f"the cluster at {', '.join(urls)} cannot be used: {error}") from error
        except BaseException:
            await engine.close()
            raise
        return engine

    async def _introduction(self, urls: Sequence[str]) -> Any:
        """Give how the cluster introduces itself; it may be starting just as we are."""
        with suppress(Unavailable):
            return await self._cluster.read("GET", "/", seconds=1)
        where = ", ".join(urls)
        _log.warning("no cluster answers at %s yet: trying for %d s", where, _START_SECONDS)
        try:
            return await self._cluster.read("GET", "/", seconds=_START_SECONDS)
        except Unavailable:
            raise StartError(
                f"no cluster answered at {where} for {_START_SECONDS} s: "
                "start it, or correct --opensearch"
            ) from None

    async def _check_cluster(self, said: Any) -> None:
        """Raise StartError for a cluster that is not ours to use."""
        version = said["version"]
        major = str(version["number"]).partition(".")[0]
        if version.get("distribution") != "opensearch" or major not in _MAJORS:
            raise StartError(
                f"this is {version.get('distribution', 'no OpenSearch')} {version['number']}: "
                f"OpenSearch {' or '.join(_MAJORS)} is needed"
            )
        found = await self._cluster.read("GET", f"/{self._prefix}-*/_mapping")
        metas = {name: index["mappings"].get("_meta", {}) for name, index in found.items()}
        foreign = sorted(name for name, meta in metas.items() if "m1" not in meta)
        if foreign:
            raise StartError(
                f"the cluster has indices that are not of m1: {', '.join(foreign[:3])}; "
                "choose another prefix with --opensearch-prefix"
            )
        for name, meta in metas.items():
            if meta != META:
                raise StartError(
                    f"the index {name} has format {meta['m1'].get('format')}, this version of m1 "
                    f"reads format {FORMAT}: move its stores with m1 copy, from a server of the "
                    "version that made them"
                )

    async def _make(self, index: str, made_with: dict[str, Any], **params: str) -> None:
        try:
            await self._cluster.change("PUT", f"/{index}", made_with, **params)
        except Refused as error:
            if error.kind != "resource_already_exists_exception":
                raise

    @property
    def _catalog_index(self) -> str:
        return f"{self._prefix}-catalog"

    # --- the catalog ---

    async def load_catalog(self) -> Saved:
        """See Engine; what another server saved is seen within half a second."""
        if time.monotonic() - self._read_at > _CATALOG_SECONDS:
            async with _in_time(_CATALOG_CALL_SECONDS):
                await self._catalog_reads.after_now()
        return self._saved

    async def _read_catalog(self) -> None:
        begun = time.monotonic()
        try:
            found = await self._cluster.read(
                "GET",
                f"/{self._catalog_index}/_doc/catalog",
                seconds=_CATALOG_CALL_SECONDS,
                preference="_local",  # a node that answers, whatever became of the others
            )
        except Refused as error:
            if error.status != 404:
                raise Unavailable("the catalog cannot be read just now") from error
            self._saved, self._place = Saved(b"", 0), None
        else:
            source = found["_source"]
            self._saved = Saved(base64.b64decode(source["document"]), source["version"])
            self._place = {
                "if_seq_no": str(found["_seq_no"]),
                "if_primary_term": str(found["_primary_term"]),
            }
        self._read_at = begun

    async def save_catalog(self, document: bytes, version: int) -> bool:
        """See Engine."""
        await self._read_catalog()
        if version != self._saved.version:
            return False
        said = {"version": version + 1, "document": base64.b64encode(document).decode()}
        condition = self._place or {"op_type": "create"}
        self._read_at = float("-inf")
        try:
            await self._cluster.change(
                "PUT", f"/{self._catalog_index}/_doc/catalog", said, **condition
            )
        except Refused as error:
            if error.status == 409:
                return False
            raise Unavailable("the catalog cannot be saved just now") from error
        await self._read_catalog()
        return True

    # --- spaces ---

    def _space(self, uid: str) -> Space:
        space = self._spaces.get(uid)
        if space is None:
            index = f"{self._prefix}-items-{uid}"
            alias = f"{self._prefix}-space-{uid}"
            space = self._spaces[uid] = Space(self._cluster, self._versions, index, alias)
        return space

    async def create_space(self, uid: str, shards: int, replicas: int) -> None:
        """See Engine; a while is waited for all copies: until then one node's end ends a shard."""
        space = self._space(uid)
        made_with = index_of(shards, replicas, space.alias)
        try:
            await self._make(
                space.index, made_with, wait_for_active_shards="all", timeout=_COPIES_SECONDS
            )
        except Refused as error:
            raise BadRequest(f"the cluster cannot keep a store so: {error.reason}") from error

    async def remove_space(self, uid: str) -> None:
        """See Engine; open pages break off visibly."""
        space = self._space(uid)
        del self._spaces[uid]
        await space.idle()
        try:
            await self._cluster.change("DELETE", f"/{space.index}")
        except Refused as error:
            if error.status != 404:
                raise Unavailable("the store cannot be removed just now") from error

    async def fence_space(self, uid: str, closed: bool) -> None:
        """See Engine."""
        await self._space(uid).fence(closed)

    # --- items ---

    async def update(self, uid: str, changes: Sequence[Change]) -> None:
        """See Engine, but not all or nothing: what failed half way says how far it came."""
        async with _in_time(_CALL_SECONDS + len(changes) / _CHANGES_A_SECOND):
            if changes:
                await self._space(uid).update(changes)

    async def query(
        self, uid: str, plan: Plan, order: Sequence[SortKey], start: int, rows: int
    ) -> Page:
        """See Engine."""
        space = self._space(uid)
        reading = Reading(self._cluster, space.alias, plan, order, self._background)
        return await self._refreshed(space, lambda: reading.page(start, rows), Page.close)

    async def count(self, uid: str, plan: Plan, facets: Facets) -> Counts:
        """See Engine; where a store has many texts, they may be of moments after each other."""
        space = self._space(uid)
        counting = Counting(self._cluster, space, plan)
        return await self._refreshed(space, lambda: counting.count(facets), lambda counts: None)

    async def _refreshed(
        self, space: Space, read: Callable[[], Awaitable[T]], let_go: Callable[[T], None]
    ) -> T:
        """Read when all of before is visible; again where another node was read meanwhile."""
        async with _in_time(_CALL_SECONDS):
            while True:
                moves = self._cluster.moves
                with REFRESH_WAIT_SECONDS.time():
                    await space.refreshes.after_now()
                found = await read()
                if moves == self._cluster.moves:  # else a node was read that did not refresh
                    return found
                let_go(found)

    # --- health and end ---

    async def check(self) -> list[Check]:
        """See Engine."""
        try:
            copies = await copies_on(self._cluster, self._prefix, _CALL_SECONDS)
        except (Refused, Unavailable) as error:
            return [Check("db", False, f"the cluster does not answer: {error}")]
        return [Check("db", True, "the cluster answers"), *checks_of(copies)]

    async def measure(self) -> list[Measure]:
        """See Engine."""
        try:
            copies = await copies_on(self._cluster, self._prefix, _MEASURE_SECONDS)
        except (Refused, Unavailable):
            return [Measure(PARTS_FAILING, 1)]
        return list(measures_of(copies))

    async def close(self) -> None:
        """See Engine."""
        for space in self._spaces.values():
            await space.idle()
        await self._background.close()
        await self._cluster.close()


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Unavailable("the cluster does not answer just now: try again") from None
