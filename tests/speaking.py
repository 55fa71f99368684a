"""Short words for tests that speak to an engine."""

from __future__ import annotations

from typing import Any

import msgspec

from m1.engine import Change, Engine, Put, Remove
from m1.paths import identity
from m1.query import parse, parse_sort, resolve
from m1.query.facets import Facets
from m1.terms import flatten

NOW = 1_700_000_000_000


def put(item: dict[str, Any], key: str = "id") -> Put:
    """Give the change that keeps an item."""
    return Put(identity(item, key), msgspec.json.encode(item), flatten(item))


def changes(*items: dict[str, Any] | str) -> list[Change]:
    """Give changes: maps are put, texts are ids to remove."""
    return [Remove(item) if isinstance(item, str) else put(item) for item in items]


async def bodies(
    engine: Engine,
    q: str = "*",
    sort: str = "",
    start: int = 0,
    rows: int = 1_000,
    now: int = NOW,
    space: str = "s",
) -> tuple[int, list[bytes]]:
    """Query, and read the whole page."""
    order = parse_sort(sort) if sort else ()
    page = await engine.query(space, resolve(parse(q), now), order, start, rows)
    async with page:
        return page.count, [body async for batch in page for body in batch]


async def ids(
    engine: Engine,
    q: str = "*",
    sort: str = "",
    start: int = 0,
    rows: int = 1_000,
    now: int = NOW,
    space: str = "s",
    key: str = "id",
) -> list[str]:
    """Query, and give the ids in order."""
    _, found = await bodies(engine, q, sort, start, rows, now, space)
    return [identity(msgspec.json.decode(body), key) for body in found]


async def counted(
    engine: Engine, facets: Facets, q: str = "*", space: str = "s"
) -> tuple[int, list[tuple[str | float, int]]]:
    """Count facets of what a query finds."""
    counts = await engine.count(space, resolve(parse(q), NOW), facets)
    return counts.count, list(counts.facets)


async def count(engine: Engine, q: str = "*") -> int:
    """Query for the count alone."""
    return (await bodies(engine, q, rows=0))[0]
