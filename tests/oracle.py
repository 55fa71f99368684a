"""The oracle: the Engine as a dict and a loop, so plain that it is right by reading it.

plan -> for every item: does one of its leaves match? -> sort what is left, key by key
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise

from m1 import readings
from m1.engine import Change, Check, Counts, Page, Put, Saved
from m1.errors import BadRequest, Unavailable
from m1.query import plan as p
from m1.query.facets import Facets, Paths, Stretches, Texts
from m1.readings import Measure
from m1.terms import Flat, Leaf


class Oracle:
    """Keeps the Engine protocol in memory; durable as long as the object lives."""

    def __init__(self) -> None:
        self.saved = Saved(b"", 0)
        self.spaces: dict[str, dict[str, Put]] = {}
        self.fenced: set[str] = set()

    async def load_catalog(self) -> Saved:
        return self.saved

    async def save_catalog(self, document: bytes, version: int) -> bool:
        if version != self.saved.version:
            return False
        self.saved = Saved(document, version + 1)
        return True

    async def create_space(self, uid: str, shards: int, replicas: int) -> None:
        if (shards, replicas) != (1, 1):
            raise BadRequest("1 and 1, or --engine opensearch")
        self.spaces.setdefault(uid, {})

    async def remove_space(self, uid: str) -> None:
        self.spaces.pop(uid, None)

    async def fence_space(self, uid: str, closed: bool) -> None:
        if closed and (uid in self.fenced or uid not in self.spaces):
            raise Unavailable("closed already, or not there")
        (self.fenced.add if closed else self.fenced.discard)(uid)

    async def update(self, uid: str, changes: Sequence[Change]) -> None:
        if uid not in self.spaces or uid in self.fenced:
            raise Unavailable("no such space, or fenced")
        for change in changes:
            self.spaces[uid].pop(change.id, None)
            if isinstance(change, Put):
                self.spaces[uid][change.id] = change

    async def query(
        self, uid: str, plan: p.Plan, order: Sequence[p.SortKey], start: int, rows: int
    ) -> Page:
        if uid not in self.spaces:
            raise Unavailable("no such space")
        found = [put for put in self.spaces[uid].values() if matches(plan, put.flat)]
        found.sort(key=lambda put: put.id)
        for key in reversed(order):
            found = _sorted(_sorted(found, key, "text"), key, "number")
        return Page.at_once(len(found), [put.body for put in found[start : start + rows]])

    async def count(self, uid: str, plan: p.Plan, facets: Facets) -> Counts:
        if uid not in self.spaces:
            raise Unavailable("no such space")
        found = [put.flat for put in self.spaces[uid].values() if matches(plan, put.flat)]
        counter = Counter(chain.from_iterable(_facets_of(flat, facets) for flat in found))
        match facets:
            case Paths(_, most):
                counted = sorted(counter.items())[:most]
            case Texts(_, _, most):
                counted = sorted(counter.items(), key=lambda each: (-each[1], each[0]))[:most]
            case Stretches(_, edges):
                counted = [(edge, counter[edge]) for edge in edges[:-1]]
        return Counts(len(found), counted)

    async def check(self) -> list[Check]:
        spaces = [Check(f"{uid} shard 0 replica 0", True, "") for uid in self.spaces]
        return [Check("db", True, ""), *spaces]

    async def measure(self) -> list[Measure]:
        items = [Measure(readings.ITEMS, len(space), uid) for uid, space in self.spaces.items()]
        return [Measure(readings.PARTS_FAILING, 0), *items]

    async def close(self) -> None:
        pass


def _sorted(found: list[Put], key: p.SortKey, what: str) -> list[Put]:
    def value(put: Put) -> object:
        values = [getattr(leaf, what) for path, leaf in put.flat.leaves() if path == key.path]
        values = [each[:256] if what == "text" else each for each in values if each is not None]
        return (max if key.descending else min)(values, default=None)

    having = [put for put in found if value(put) is not None]
    return sorted(having, key=value, reverse=key.descending) + [  # type: ignore[arg-type]
        put for put in found if value(put) is None
    ]


def _facets_of(flat: Flat, facets: Facets) -> set[str | float]:
    match facets:
        case Paths(prefix):
            return {path for path in flat.shape.existing if path.startswith(prefix)}
        case Texts(path, prefix):
            texts = {leaf.text for where, leaf in flat.leaves() if where == path}
            return {t for t in texts if t is not None and len(t) < 256 and t.startswith(prefix)}
        case Stretches(path, edges):
            stretches = [p.DateRange(path, *ends, True, False) for ends in pairwise(edges)]
            return {each.low for each in stretches if matches(each, flat) and each.low is not None}


def matches(plan: p.Plan, flat: Flat) -> bool:
    """Tell whether an item matches."""
    match plan:
        case p.All():
            return True
        case p.And(plans):
            return all(matches(each, flat) for each in plans)
        case p.Or(plans):
            return any(matches(each, flat) for each in plans)
        case p.Not(inner):
            return not matches(inner, flat)
        case p.Exists(path):
            return path in flat.shape.existing
        case p.Terms(terms):
            return any((path, leaf.text) in terms for path, leaf in flat.leaves())
    return any(path == plan.path and _hits(plan, leaf) for path, leaf in flat.leaves())


def _hits(plan: p.Leaf, leaf: Leaf) -> bool:
    match plan:
        case p.NumberRange():
            return _between(plan, leaf.number)
        case p.DateRange():
            return _between(plan, leaf.instant if leaf.number is None else leaf.number)
        case p.TextRange():
            return _between(plan, leaf.text)
    if leaf.text is None:
        return False
    match plan:
        case p.Prefix(_, head):
            return leaf.text.startswith(head)
        case p.Wildcard(_, parts):
            holes = {p.Hole.ONE: ".", p.Hole.MANY: ".*"}
            pattern = "".join(re.escape(x) if isinstance(x, str) else holes[x] for x in parts)
            return re.fullmatch(pattern, leaf.text, re.DOTALL) is not None
        case p.Regex(_, regular):
            spelled = re.sub(r"\\x\{(\w+)\}", lambda c: f"\\U{c[1]:>08}", regular.to_re2())
            return re.fullmatch(spelled, leaf.text) is not None
        case p.Fuzzy(_, word, edits):
            return distance(word, leaf.text) <= edits
    raise AssertionError(plan)


def _between(plan: p.NumberRange | p.DateRange | p.TextRange, value: object) -> bool:
    low, high = plan.low, plan.high
    return (
        value is not None
        and (low is None or low < value or (plan.include_low and low == value))  # type: ignore[operator]
        and (high is None or value < high or (plan.include_high and high == value))  # type: ignore[operator]
    )


def distance(a: str, b: str) -> int:
    """Give the optimal string alignment distance: edits, a swap of neighbours being one."""
    rows = [[i + j if not i * j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            change = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, change)
            if i > 1 and j > 1 and a[i - 2 : i] == b[j - 1] + b[j - 2]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]
