"""Giving a store another key: check, copy at one moment, swap, let go of the old.

While it lasts the store is closed to updates (503) and open to queries, which see it as it
was until the swap. The new space is written down as doomed before it is made, and the old
one by the swap itself, so a crash at any point leaves one whole store and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from uuid import uuid4

from m1.api.endpoint import Call
from m1.catalog import SharedCatalog, Store
from m1.counts import counted
from m1.engine import Engine, Put
from m1.errors import BadRequest, Conflict
from m1.jsontext import read
from m1.paths import identity
from m1.query.plan import All
from m1.terms import flatten

_NAMED = 3
_EVERY = 2**62


async def rekey(call: Call, engine: Engine, catalog: SharedCatalog, name: str, key: str) -> None:
    """Make `key` the key of a store.

    Raises NotFound; Conflict where items lack a value there or share one; Unavailable
    where another re-keying is under way.
    """
    store = (await catalog.get()).store(name)
    if store.key == key:
        return
    uid = uuid4().hex
    await catalog.change(call.guarded(lambda catalog: catalog.with_doomed(uid)))
    try:
        await engine.fence_space(store.uid, True)
        try:
            await engine.create_space(uid, store.shards, store.replicas)
            await _copy(engine, store, uid, key)
            await catalog.change(lambda catalog: catalog.with_space(store.uid, uid, key))
        except BaseException:
            await engine.fence_space(store.uid, False)
            raise
    except BaseException:
        await catalog.remove_doomed(uid)
        raise
    await catalog.remove_doomed(store.uid)


async def _copy(engine: Engine, store: Store, uid: str, key: str) -> None:
    """Copy all items under their new ids; raises Conflict where they have none of their own."""
    problems = _Problems(key)
    async with await engine.query(store.uid, All(), (), 0, _EVERY) as page:
        async for bodies in page:
            puts = []
            for body in bodies:
                item = read(body)
                old = identity(item, store.key)
                try:
                    id = identity(item, key)
                except BadRequest:
                    problems.lacking.append(old)
                    continue
                problems.share(id, old)
                puts.append(Put(id, body, flatten(item)))
            if not problems.found:
                await engine.update(uid, puts)
    problems.refuse()


class _Problems:
    """The items that a new key does not fit."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.lacking: list[str] = []
        self._alike = False
        self.sharing: defaultdict[str, list[str]] = defaultdict(list)

    @property
    def found(self) -> bool:
        """Whether the copy is of no use any more."""
        return self._alike or bool(self.lacking)

    def share(self, id: str, old: str) -> None:
        """Note under which new id an item would be."""
        self.sharing[id].append(old)
        self._alike = self._alike or len(self.sharing[id]) > 1

    def refuse(self) -> None:
        """Raise Conflict that says how many there are and names some."""
        shared = [olds for olds in self.sharing.values() if len(olds) > 1]
        alike = [old for olds in shared for old in olds]
        reasons = []
        if self.lacking:
            reasons.append(f"{_count(self.lacking)} no usable value at {self.key}")
        if alike:
            reasons.append(f"{_count(alike)} a value at {self.key} that another item has too")
        if reasons:
            raise Conflict("; ".join(reasons) + "; nothing was changed")


def _count(olds: list[str]) -> str:
    named = ", ".join(repr(old) for old in olds[:_NAMED])
    more = ", ..." if len(olds) > _NAMED else ""
    return f"{counted(len(olds), 'item has', 'items have')} ({named}{more})"
