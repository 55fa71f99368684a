"""The copies of all shards on the cluster: how they fare, and how large they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from m1 import readings
from m1.counts import counted
from m1.engine import Check
from m1.opensearch.cluster import Cluster
from m1.readings import Measure

_COLUMNS = "index,shard,prirep,state,docs,store,segments.count,node"


class Copy(msgspec.Struct):
    """One copy of a shard, as the cluster tells of it; it has no size where it is nowhere."""

    index: str
    shard: int
    prirep: str
    state: str
    docs: int | None
    store: int | None
    segments: int | None = msgspec.field(name="segments.count")
    node: str | None
    uid: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is where it should be."""
        return self.state == "STARTED"

    @property
    def is_primary(self) -> bool:
        """Whether updates go to it first."""
        return self.prirep == "p"


async def copies_on(cluster: Cluster, prefix: str, seconds: float) -> list[Copy]:
    """Give the copies of all spaces, those of a shard together; raises Refused or Unavailable."""
    head = f"{prefix}-items-"
    said = await cluster.read(
        "GET", f"/_cat/shards/{head}*", seconds=seconds, format="json", bytes="b", h=_COLUMNS
    )
    copies = msgspec.convert(said, list[Copy], strict=False)
    for copy in copies:
        copy.uid = copy.index.removeprefix(head)
    return sorted(copies, key=lambda each: (each.uid, each.shard, each.prirep))


def checks_of(copies: Sequence[Copy]) -> Iterator[Check]:
    """Tell how each fares."""
    number, last = 0, ("", 0)
    for copy in copies:
        place = (copy.uid, copy.shard)
        number, last = (number + 1 if place == last else 0), place
        where = f" on {copy.node}" if copy.node else ""
        message = counted(copy.docs or 0, "item") if copy.passed else copy.state.lower()
        part = f"{copy.uid} shard {copy.shard} replica {number}"
        yield Check(part, copy.passed, message + where)


def measures_of(copies: Sequence[Copy]) -> Iterator[Measure]:
    """Measure each space: its items once, its segments in all copies."""
    spaces: defaultdict[str, list[Copy]] = defaultdict(list)
    for copy in copies:
        spaces[copy.uid].append(copy)
    for uid, some in spaces.items():
        yield Measure(readings.ITEMS, sum(each.docs or 0 for each in some if each.is_primary), uid)
        yield Measure(readings.SEGMENTS, sum(each.segments or 0 for each in some), uid)
        yield Measure(readings.SEGMENT_BYTES, sum(each.store or 0 for each in some), uid)
    yield Measure(readings.PARTS_FAILING, sum(not each.passed for each in copies))
