"""From the text of `q` to its plan, while others are answered."""

from __future__ import annotations

from m1.longwork import Slices
from m1.query import CACHED_LENGTH, parse, planning, resolve
from m1.query.plan import Plan


async def plan_of(q: str, now: int) -> Plan:
    """Parse and resolve; raises BadQuery."""
    if len(q) <= CACHED_LENGTH:
        return resolve(parse(q), now)
    with Slices() as slices:
        return await slices.finish(planning(q, now))
