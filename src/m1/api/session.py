"""The session stores themselves: `/session/*`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any
from uuid import uuid4

from m1.answers import StoreInfo
from m1.api.endpoint import Call, Natural, Positive, endpoint
from m1.api.metadata import ROOT, Stamp
from m1.api.ops import Ops, changes_of
from m1.api.plans import plan_of
from m1.api.rekey import rekey
from m1.api.services import Services
from m1.catalog import Catalog, Store
from m1.engine import Page
from m1.errors import BadRequest, Conflict, NotFound
from m1.longwork import large_bodies
from m1.paths import MAX_PATH_BYTES
from m1.query import parse_sort

_LARGE_OPS = 256 * 1024
"""Larger updates are read in a thread, so that others are answered meanwhile."""


_unfinished: set[asyncio.Task[None]] = set()


class SessionApi:
    """Update, query and administer session stores."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._engine = services.engine
        self._catalog = services.catalog

    @endpoint(
        "session/update",
        rights=("sessionUpdate",),
        audited=False,
        raises=(NotFound,),
        example={
            "store": "stash",
            "ops": [{"upsert": [{"session": {"id": "s1"}, "user": {"name": "Ada"}}]}],
        },
    )
    async def update(self, call: Call, store: str, ops: Ops) -> None:
        """Upsert and delete items of a store.

        `ops` is a list of maps, each with `upsert` (a list of items, each with a value at
        the store's key) and/or `delete` (a list of key values). Ops apply in order, within
        one op upserts before deletes. All of the call is applied, or nothing.

        When the answer is there, the change is durable and the next query sees it.
        """
        found = call.catalog.store(store)
        stamp = self._stamp(call)
        if len(ops.text) > _LARGE_OPS:
            changes = await large_bodies.do(changes_of, ops, found.key, stamp)
        else:
            changes = changes_of(ops, found.key, stamp)
        await self._engine.update(found.uid, changes)

    def _stamp(self, call: Call) -> Stamp:
        setting = call.catalog.setting
        return Stamp(
            ip_path=setting("property-ip"),
            ip=call.address,
            received_path=setting("property-received"),
            received=call.now,
            updated=time.time_ns() // 1_000_000,
            geo=self._services.geo if setting("geo") == "true" else None,
        )

    @endpoint(
        "session/query",
        verbs=("POST", "GET"),
        rights=("sessionQuery",),
        raises=(NotFound,),
        example={"store": "stash", "q": "user.name:Ada", "sort": "session.id asc", "rows": 100},
    )
    async def query(
        self,
        call: Call,
        store: str,
        q: str,
        sort: str | None = None,
        start: Natural = 0,
        rows: Natural = 10,
    ) -> Page:
        """Find the items of a store that match a query.

        `q` is written in the syntax of Lucene and Solr, a property by its dotted path:
        `_m1.ip:64.150.5.135`, `cart.items.sku:(a OR b) AND NOT user.id:*`, `*` for all.
        `sort` is `path asc` or `path desc`, several with commas; ties go by key.

        The answer is `{"count": N, "items": [...]}`, streamed: the exact number of matches,
        and `rows` of them from the one numbered `start` on. `rows=0` asks for the count.
        """
        found = call.catalog.store(store)
        plan = await plan_of(q, call.now)
        order = () if sort is None else parse_sort(sort)
        return await self._engine.query(found.uid, plan, order, start, rows)

    @endpoint("session/list", verbs=("GET",), rights=("get", "admin"))
    async def list(self, call: Call) -> list[StoreInfo]:
        """List the stores by name, with their keys, shards and replicas."""
        return [
            StoreInfo(name, store.key, store.shards, store.replicas)
            for name, store in sorted(call.catalog.stores.items())
        ]

    @endpoint(
        "session/key",
        rights=("admin",),
        raises=(NotFound, Conflict),
        example={"store": "stash", "key": "session.id"},
    )
    async def key(self, call: Call, store: str, key: str) -> None:
        """Set the key of a store: the path whose value tells one session from another.

        The items that are stored must all have a value there, each its own; otherwise
        nothing changes, and the answer names some that do not.
        """
        call.catalog.store(store)
        _check_key(key)
        await _to_its_end(rekey(call, self._engine, self._catalog, store, key))

    @endpoint(
        "session/add",
        rights=("admin",),
        raises=(Conflict,),
        example={"store": "visits", "shards": 1, "replicas": 1, "key": "visit.id"},
    )
    async def add(
        self,
        call: Call,
        store: str,
        shards: Positive,
        replicas: Positive,
        key: str | None = None,
    ) -> None:
        """Add a store: make room for it and take it into the configuration.

        `key` defaults to the setting `property-session-id` (`session.id`). `replicas` counts
        all copies of a shard. The embedded engine has one shard and one replica.
        """
        key = call.catalog.setting("property-session-id") if key is None else key
        _check_key(key)
        call.catalog.check_free(store)
        await _to_its_end(self._add(call, store, Store(uuid4().hex, key, shards, replicas)))

    async def _add(self, call: Call, name: str, added: Store) -> None:
        await self._catalog.change(call.guarded(lambda catalog: catalog.with_doomed(added.uid)))
        try:
            await self._engine.create_space(added.uid, added.shards, added.replicas)
            await self._catalog.change(lambda catalog: catalog.with_store(name, added))
        except BaseException:
            await self._catalog.remove_doomed(added.uid)
            raise

    @endpoint(
        "session/rename",
        rights=("admin",),
        raises=(NotFound, Conflict),
        example={"store": "stash", "name": "sessions"},
    )
    async def rename(self, call: Call, store: str, name: str) -> None:
        """Change the name of a store. Nothing is moved, running queries finish."""
        await self._catalog.change(
            call.guarded(lambda catalog: catalog.with_renamed_store(store, name))
        )

    @endpoint("session/drop", rights=("admin",), raises=(NotFound,), example={"store": "stash"})
    async def drop(self, call: Call, store: str) -> None:
        """Remove a store, its configuration and its items, for good."""
        await _to_its_end(self._drop(call, store))

    async def _drop(self, call: Call, name: str) -> None:
        uid = ""

        def without(catalog: Catalog) -> Catalog:
            nonlocal uid
            uid = catalog.store(name).uid
            return catalog.without_store(name)

        await self._catalog.change(call.guarded(without))
        await self._catalog.remove_doomed(uid)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do work of several steps as a whole, even where nobody waits for it any more."""
    task = asyncio.create_task(work)
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    await asyncio.shield(task)


def _check_key(key: str) -> None:
    if not key or "\0" in key or len(key.encode()) > MAX_PATH_BYTES:
        raise BadRequest(f"key: a path of 1 to {MAX_PATH_BYTES} bytes is needed")
    if key == ROOT or key.startswith(f"{ROOT}."):
        raise BadRequest(f"key: it cannot lie under {ROOT}, which the server writes")
