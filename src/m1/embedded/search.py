"""Carrying out a plan on the index: which items match, and in which order.

`find` gives a BitMap of docids; `arrange` gives the first of them in order. Both are
plain functions of the index at one moment.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

import numpy as np
from pyroaring import BitMap

from m1.embedded.columns import Docids, Mask, Values
from m1.embedded.index import Index, PathTerms
from m1.embedded.matching import Pattern, matching
from m1.query.plan import (
    All,
    And,
    DateRange,
    Exists,
    Fuzzy,
    Not,
    NumberRange,
    Or,
    Plan,
    Prefix,
    Regex,
    SortKey,
    Terms,
    TextRange,
    Wildcard,
)

SORTED_CHARACTERS = 256
"""Texts are put in order by so many of their first characters."""

Matched = Mapping[Pattern, list[str]]
"""The texts that a pattern matches, where that was found out beforehand."""


def patterns_of(plan: Plan) -> Iterator[Pattern]:
    """Yield the patterns of a plan: the leaves whose cost grows with a path's texts."""
    match plan:
        case Wildcard() | Regex() | Fuzzy():
            yield plan
        case And(plans) | Or(plans):
            for inner in plans:
                yield from patterns_of(inner)
        case Not(inner):
            yield from patterns_of(inner)


def find(index: Index, plan: Plan, live: BitMap, matched: Matched) -> BitMap:
    """Give the docids among `live` that match a plan; the answer must not be changed."""
    return _Search(index, live, matched).find(plan) & live


@dataclass(frozen=True, slots=True)
class _Search:
    index: Index
    live: BitMap
    matched: Matched

    def find(self, plan: Plan) -> BitMap:
        """Give the docids that match, perhaps with dead ones among them."""
        match plan:
            case All():
                return self.live
            case And(plans):
                return self._all_of(plans)
            case Or(plans):
                return BitMap.union(*map(self.find, plans))
            case Not(inner):
                return self.live - self.find(inner)
            case Exists(path):
                return self.index.existing.get(path, _NONE)
            case Terms(terms):
                return _union([self._posting(path, text) for path, text in terms])
            case _:
                terms_there = self.index.paths.get(plan.path)
                return _NONE if terms_there is None else self._at_path(terms_there, plan)

    def _all_of(self, plans: Iterable[Plan]) -> BitMap:
        found: BitMap | None = None
        for plan in sorted(plans, key=_cost):
            inner = self.find(plan)
            found = inner if found is None else found & inner
            if not found:
                break
        return _NONE if found is None else found

    def _posting(self, path: str, text: str) -> int | BitMap | None:
        terms = self.index.paths.get(path)
        return None if terms is None else terms.posting(text)

    def _at_path(self, terms: PathTerms, plan: Plan) -> BitMap:
        match plan:
            case NumberRange(_, low, high, with_low, with_high):
                return _bitmap(terms.numbers.between(low, high, with_low, with_high))
            case DateRange(_, low, high, with_low, with_high):
                return _bitmap(terms.numbers.between(low, high, with_low, with_high)) | _bitmap(
                    terms.dates.between(low, high, with_low, with_high)
                )
            case TextRange(_, low, high, with_low, with_high):
                texts = terms.ordered.irange(low, high, inclusive=(with_low, with_high))
            case Prefix(_, head):
                texts = takewhile(lambda text: text.startswith(head), terms.ordered.irange(head))
            case Wildcard() | Regex() | Fuzzy():
                texts = self.matched[plan] if plan in self.matched else _matching(terms, plan)
            case _:
                raise AssertionError(plan)
        return _union([terms.posting(text) for text in texts])


def _matching(terms: PathTerms, pattern: Pattern) -> list[str]:
    return matching(pattern, terms.numbered)


_NONE = BitMap()


def _cost(plan: Plan) -> int:
    """Rank a plan for `And`, the cheap and the choosy first."""
    match plan:
        case Terms() | Exists() | All():
            return 0
        case Not(inner):
            return _cost(inner)
        case NumberRange() | DateRange():
            return 1
        case And(plans) | Or(plans):
            return max(map(_cost, plans))
        case _:
            return 2


def _union(postings: Sequence[int | BitMap | None]) -> BitMap:
    if len(postings) == 1 and isinstance(postings[0], BitMap):
        return postings[0]
    maps = [posting for posting in postings if isinstance(posting, BitMap)]
    singles = BitMap([posting for posting in postings if isinstance(posting, int)])
    return BitMap.union(singles, *maps)


def _bitmap(docids: Docids) -> BitMap:
    return BitMap(array("I", docids.tobytes()))  # a BitMap of an ndarray takes ten times as long


# --- order -------------------------------------------------------------------------------


class _Half(NamedTuple):
    """Half a sort key: the numbers at a path, or the texts; items without stand last."""

    path: str
    numeric: bool
    descending: bool


def arrange(index: Index, found: BitMap, order: Sequence[SortKey], wanted: int) -> list[int]:
    """Give the first `wanted` of the docids found, in order; ties go by id.

    A key sorts by number, then by text: so items with a number come before those with a
    text, and those before the ones with neither, in both directions.
    """
    halves = [
        _Half(key.path, numeric, key.descending) for key in order for numeric in (True, False)
    ]
    return _arranged(index, found, halves, wanted)


def _arranged(index: Index, found: BitMap, halves: list[_Half], wanted: int) -> list[int]:
    if not halves or len(found) < 2:
        return _by_id(index, found, wanted)
    docids, values = _sort_values(index, found, halves[0])
    arranged: list[int] = []
    for run in _runs(docids, values, wanted):
        if len(run) == 1:
            arranged.append(int(run[0]))
        else:
            left = wanted - len(arranged)
            arranged += _arranged(index, _bitmap(run), halves[1:], left)
    if len(arranged) < wanted and len(docids) < len(found):
        rest = found - _bitmap(docids)
        arranged += _arranged(index, rest, halves[1:], wanted - len(arranged))
    return arranged


def _sort_values(index: Index, found: BitMap, half: _Half) -> tuple[Docids, Values]:
    """Give the docids that have something to sort by, and a value that ascends in order."""
    terms = index.paths.get(half.path)
    if terms is None:
        return np.empty(0, np.uint32), np.empty(0)
    members = _members(index, found)
    if half.numeric:
        docids, values = terms.numbers.extremes(members, half.descending)
        return docids, -values if half.descending else values
    return _text_values(terms, members, half.descending)


def _members(index: Index, found: BitMap) -> Mask:
    members = np.zeros(len(index.ids), bool)
    members[np.frombuffer(found.to_array(), np.uint32)] = True
    return members


def _text_values(terms: PathTerms, members: Mask, descending: bool) -> tuple[Docids, Values]:
    """Rank the texts that the members have; texts alike as far as is sorted share a rank."""
    numbers = np.unique(terms.texts.values[members[terms.texts.docids]])
    heads = [terms.words[number][:SORTED_CHARACTERS] for number in numbers]
    rank_of = {head: rank for rank, head in enumerate(sorted(set(heads)))}
    ranks = np.empty(len(terms.words), np.float64)
    ranks[numbers] = [rank_of[head] for head in heads]
    docids, values = terms.texts.extremes(members, descending, ranks)
    return docids, -values if descending else values


def _runs(docids: Docids, values: Values, wanted: int) -> Iterator[Docids]:
    """Yield the docids by ascending value, those of one value together, up to `wanted`."""
    if 0 < wanted < len(values):
        kept = values <= np.partition(values, wanted - 1)[wanted - 1]
        docids, values = docids[kept], values[kept]
    order = np.argsort(values, kind="stable")
    docids, values = docids[order], values[order]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]) + 1, len(values))
    begin = 0
    for end in ends.tolist():
        if begin >= wanted or end == 0:
            return
        yield docids[begin:end]
        begin = end


def _by_id(index: Index, found: BitMap, wanted: int) -> list[int]:
    """Give the first docids by id: look at the found, or walk the ids where many are found."""
    count = len(found)
    if count * count < len(index) * min(wanted, count):
        ids = index.ids
        return heapq.nsmallest(wanted, found, key=ids.__getitem__)
    arranged: list[int] = []
    for id in index.ordered_ids:
        docid = index.by_id[id]
        if docid in found:
            arranged.append(docid)
            if len(arranged) >= wanted:
                break
    return arranged
