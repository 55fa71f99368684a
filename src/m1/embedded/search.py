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


def arrange(index: Index, found: BitMap, order: Sequence[SortKey], wanted: int) -> list[int]:
    """Give the first `wanted` of the docids found, in order; ties go by id.

    A key sorts by number, then by text: so items with a number come before those with a
    text, and those before the ones with neither, in both directions. One half of a key
    after another refines the ranks of the docids, and what can no longer be among the
    first is let go, so all but the first look at few.
    """
    if not order or len(found) < 2:
        return _by_id(index, found, wanted)
    docids: Docids = np.frombuffer(found.to_array(), np.uint32)
    ranks = np.zeros(len(docids), np.int64)
    for key in order:
        for numeric in (True, False):
            if len(docids) and ranks[-1] == len(docids) - 1:
                break  # nothing ties
            values = _sort_values(index, docids, key, numeric)
            docids, ranks = _refined(docids, ranks, values, wanted)
    return _ties_by_id(index, docids, ranks, wanted)


def _sort_values(index: Index, docids: Docids, key: SortKey, numeric: bool) -> Values:
    """Give a value a docid that ascends in the order of half a key; infinity for none."""
    values = np.full(len(index.ids), np.inf)
    terms = index.paths.get(key.path)
    if terms is not None:
        members = np.zeros(len(index.ids), bool)
        members[docids] = True
        if numeric:
            having, least = terms.numbers.extremes(members, key.descending)
        else:
            ranks = _text_ranks(terms, members)
            having, least = terms.texts.extremes(members, key.descending, ranks)
        values[having] = -least if key.descending else least
    return values[docids]


def _text_ranks(terms: PathTerms, members: Mask) -> Values:
    """Rank the texts that the members have; texts alike as far as is sorted share a rank."""
    numbers = np.unique(terms.texts.values[members[terms.texts.docids]])
    heads = [terms.words[number][:SORTED_CHARACTERS] for number in numbers]
    rank_of = {head: rank for rank, head in enumerate(sorted(set(heads)))}
    ranks = np.empty(len(terms.words), np.float64)
    ranks[numbers] = [rank_of[head] for head in heads]
    return ranks


def _refined(docids: Docids, ranks: Values, values: Values, wanted: int) -> tuple[Docids, Values]:
    """Order docids by rank, then value; give the first, ties at the end too, and their ranks."""
    if wanted < len(docids) and ranks[-1] == 0:  # the first half: select before sorting
        kept = values <= np.partition(values, wanted - 1)[wanted - 1]
        docids, ranks, values = docids[kept], ranks[kept], values[kept]
    order = np.lexsort((values, ranks))
    docids, ranks, values = docids[order], ranks[order], values[order]
    steps = (ranks[1:] != ranks[:-1]) | (values[1:] != values[:-1])
    ranks = np.concatenate(([0], np.cumsum(steps)))
    if wanted < len(docids):
        end = int(np.searchsorted(ranks, ranks[wanted - 1], side="right"))
        docids, ranks = docids[:end], ranks[:end]
    return docids, ranks


def _ties_by_id(index: Index, docids: Docids, ranks: Values, wanted: int) -> list[int]:
    """Give docids in the order of their ranks, those of one rank by id."""
    arranged: list[int] = []
    ends = np.append(np.flatnonzero(ranks[1:] != ranks[:-1]) + 1, len(docids)).tolist()
    begin = 0
    for end in ends:
        left = wanted - len(arranged)
        if end - begin == 1:
            arranged.append(int(docids[begin]))
        else:
            arranged += _by_id(index, _bitmap(docids[begin:end]), left)
        begin = end
    return arranged[:wanted]


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
