"""Putting what was found into order, across the parts of a space.

Without keys the order is that of the ids. Every part has its own docids in that order, as
a *run*; runs are merged a block at a time, and a page from the middle begins where it
should without what comes before it being looked at.

A key sorts by number, then by text: so items with a number come before those with a text,
and those before the ones with neither, in both directions. One half of a key after
another refines the ranks of what was found, and what can no longer be among the first is
let go, so all but the first look at few. What ties in the end is ordered as runs are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from m1.embedded.bitmaps import Ascending, Docids, docids_of
from m1.embedded.columns import Values
from m1.embedded.part import Entry, Part, TextOrder
from m1.query.plan import SortKey
from m1.terms import SORTED_CHARACTERS

_FIRST_BLOCK = 200
_BLOCK = 2_000
_TRIED_FIRST = 100

Found = Sequence[tuple[Part, BitMap]]
"""What was found in each part."""


Place = tuple[int, int]
"""Where an item is: the seq of its row, and the bytes of its body."""


def arrange(found: Found, order: Sequence[SortKey], start: int, rows: int) -> Iterator[list[Place]]:
    """Yield blocks of what was found, in order; works on as it is asked for more.

    Later than the call it looks only at what the parts no longer change.
    """
    found = [(part, some) for part, some in found if some]
    end = min(start + rows, sum(len(some) for _, some in found))
    if start >= end:
        return iter(())
    if order:
        entries = _ranked(found, order, end)
        return _untied([part for part, _ in found], entries, start, end)
    return _merged([_Run(part, part.by_id(some, end)) for part, some in found], start, end)


# --- by id ---


class _Run(NamedTuple):
    """Docids of one part in the order of their ids."""

    part: Part
    docids: Ascending | Docids

    def id_at(self, place: int) -> bytes:
        return self.part.id_of(int(self.docids[place]))

    def count_before(self, id: bytes, low: int, high: int) -> int:
        """Tell how many ids are less than another, known to be between two counts."""
        return bisect_left(range(high), id, low, high, key=self.id_at)


def _merged(runs: Sequence[_Run], start: int, end: int) -> Iterator[list[Place]]:
    """Yield the places of runs merged, from the one numbered `start` up to `end`."""
    if len(runs) == 1:
        part, docids = runs[0]
        for begin, stop in _stretches(start, end):
            entries = part.entries_of(docids[begin:stop])
            yield [(seq, size) for _, seq, size in entries]
    elif sum(len(run.docids) for run in runs) <= _BLOCK:
        yield _block(runs, [0] * len(runs), [len(run.docids) for run in runs])[start:end]
    else:
        begins = _cut(runs, [0] * len(runs), start)
        for _, stop in _stretches(start, end):
            ends = _cut(runs, begins, stop)
            yield _block(runs, begins, ends)
            begins = ends


def _stretches(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a page into stretches; the first, for which everybody waits, is a short one."""
    return pairwise([start, *range(start + _FIRST_BLOCK, end, _BLOCK), end])


def _block(runs: Sequence[_Run], begins: Sequence[int], ends: Sequence[int]) -> list[Place]:
    """Give the places of a stretch of each run, merged."""
    block: list[Entry] = []
    for (part, docids), begin, end in zip(runs, begins, ends, strict=True):
        block += part.entries_of(docids[begin:end])
    block.sort()
    return [(seq, size) for _, seq, size in block]


def _cut(runs: Sequence[_Run], lows: Sequence[int], rank: int) -> list[int]:
    """Give how many of each run are among the first `rank` of all, at least `lows` of each.

    An id in the middle of the widest run that is still open cuts all of them; whether too
    many lie before it tells which half to go on with.
    """
    room = rank - sum(lows)
    lows = list(lows)
    highs = [min(len(run.docids), low + room) for run, low in zip(runs, lows, strict=True)]
    while sum(lows) < rank:
        widest = max(range(len(runs)), key=lambda number: highs[number] - lows[number])
        middle = (lows[widest] + highs[widest]) // 2
        id = runs[widest].id_at(middle)
        cuts = [
            middle if number == widest else run.count_before(id, lows[number], highs[number])
            for number, run in enumerate(runs)
        ]
        if sum(cuts) < rank:
            lows = cuts
            lows[widest] += 1
        else:
            highs = cuts
    return lows


# --- by keys ---


def _ranked(found: Found, order: Sequence[SortKey], wanted: int) -> _Entries:
    """Rank what was found by some keys; the first `wanted`, and what ties with the last."""
    entries = _Entries.of([_foremost(part, some, order[0], wanted) for part, some in found])
    for key in order:
        for values_of in (_numbers, _texts):
            if entries.none_tie:
                break
            values = values_of(found, entries, key)
            if values is not None:
                entries = entries.refined(values, wanted)
    return entries


def _foremost(part: Part, some: BitMap, key: SortKey, wanted: int) -> Docids:
    """Give those of one part that can be among the first `wanted` by a key.

    That is told by the numbers where there are any, else by the texts.
    """
    docids = docids_of(some)
    terms = part.terms_at(key.path)
    if terms is None or len(docids) <= wanted:
        return docids
    if len(terms.numbers.values):
        values = _ascending(terms.numbers.extremes(docids, key.descending), key)
        last = _least(values, wanted)
    else:
        order = terms.text_order(docids, key.descending)
        values = _ascending(order.ranks, key)
        last = _last_alike(order, values, _least(values, wanted))
    first: Docids = docids[values <= last]
    return first


def _least(values: Values, wanted: int) -> float:
    """Give the value that so many are not greater than; some of them leave few of the others."""
    some = values[: _TRIED_FIRST * wanted]
    if len(some) < len(values):
        values = values[values <= np.partition(some, wanted - 1)[wanted - 1]]
    return float(np.partition(values, wanted - 1)[wanted - 1])


def _last_alike(order: TextOrder, values: Values, last: float) -> float:
    """Give the last rank that ties with another: texts are sorted by their beginnings."""
    if not np.isfinite(last):
        return last
    text = order.text_at(abs(int(last)))
    if len(text) < SORTED_CHARACTERS:
        return last
    farthest = np.max(values[np.isfinite(values)])
    while last < farthest and order.text_at(abs(int(last + 1))) == text:
        last += 1
    return last


class _Entries(NamedTuple):
    """What was found, by ascending rank: entries of one rank tie."""

    owners: NDArray[np.uint16]
    """Which part each is in."""
    docids: Docids
    ranks: NDArray[np.int64]

    @classmethod
    def of(cls, docids: Sequence[Docids]) -> _Entries:
        owners = np.repeat(np.arange(len(docids), dtype=np.uint16), [len(some) for some in docids])
        return cls(owners, np.concatenate(docids), np.zeros(len(owners), np.int64))

    @property
    def none_tie(self) -> bool:
        return bool(self.ranks[-1] == len(self.ranks) - 1)

    @property
    def all_tie(self) -> bool:
        return bool(self.ranks[-1] == 0)

    def at(self, places: NDArray[Any]) -> _Entries:
        return _Entries(self.owners[places], self.docids[places], self.ranks[places])

    def refined(self, values: Values, wanted: int) -> _Entries:
        """Order by rank, then value; keep the first, and what ties with the last of them."""
        kept = self
        if wanted < len(values) and self.all_tie:  # select before sorting
            first = values <= _least(values, wanted)
            values, kept = values[first], self.at(first)
        order = np.lexsort((values, kept.ranks))
        values, kept = values[order], kept.at(order)
        steps = (kept.ranks[1:] != kept.ranks[:-1]) | (values[1:] != values[:-1])
        ranks = np.concatenate(([0], np.cumsum(steps)))
        size = len(ranks)
        if wanted < size:
            size = int(np.searchsorted(ranks, ranks[wanted - 1], side="right"))
        return _Entries(kept.owners[:size], kept.docids[:size], ranks[:size])


def _numbers(found: Found, entries: _Entries, key: SortKey) -> Values | None:
    """Give each entry a number that ascends in the order of the key; infinity for none.

    Gives None where no entry can have any.
    """
    terms_of = [part.terms_at(key.path) for part, _ in found]
    if not any(terms is not None and len(terms.numbers.values) for terms in terms_of):
        return None
    values = np.full(len(entries.docids), np.inf)
    for owner, terms in enumerate(terms_of):
        if terms is not None:
            mine = entries.owners == owner
            values[mine] = terms.numbers.extremes(entries.docids[mine], key.descending)
    return _ascending(values, key)


def _ascending(values: Values, key: SortKey) -> Values:
    values = -values if key.descending else values
    values[~np.isfinite(values)] = np.inf
    return values


def _texts(found: Found, entries: _Entries, key: SortKey) -> Values:
    """Give each entry a rank by text, alike in all parts; infinity for none."""
    values = np.full(len(entries.docids), np.inf)
    head_of: dict[int, dict[int, str]] = {}
    for owner, (part, _) in enumerate(found):
        terms = part.terms_at(key.path)
        if terms is None:
            continue
        mine = np.flatnonzero(entries.owners == owner)
        order = terms.text_order(entries.docids[mine], key.descending)
        values[mine] = order.ranks
        there = np.unique(order.ranks[~np.isnan(order.ranks)])
        head_of[owner] = {int(rank): order.text_at(int(rank)) for rank in there}
    heads = sorted({head for heads in head_of.values() for head in heads.values()})
    rank_of = {head: rank for rank, head in enumerate(heads)}
    for owner, known in head_of.items():
        mine = np.flatnonzero((entries.owners == owner) & np.isfinite(values))
        local = np.array(list(known), np.float64)
        common = np.array([rank_of[head] for head in known.values()], np.float64)
        if len(local):
            values[mine] = common[np.searchsorted(local, values[mine])]
    return _ascending(values, key)


def _untied(
    parts: Sequence[Part], entries: _Entries, start: int, end: int
) -> Iterator[list[Place]]:
    """Yield places by rank, those of one rank by id; begin where the page does."""
    ranks = entries.ranks
    edges = np.append(np.flatnonzero(ranks[1:] != ranks[:-1]) + 1, len(ranks))
    group = int(np.searchsorted(edges, start, side="right"))
    begin = int(edges[group - 1]) if group else 0
    while begin < end:
        fitting = int(np.searchsorted(edges, begin + _BLOCK, side="right")) - 1
        enough = int(np.searchsorted(edges, end))
        last = max(min(fitting, enough), group)
        stop = int(edges[last])
        first, most = max(start - begin, 0), min(end, stop) - begin
        if stop - begin > _BLOCK:
            yield from _merged(_tied(parts, entries, begin, stop), first, most)
        else:
            yield _few(parts, entries, begin, stop)[first:most]
        group, begin = last + 1, stop


def _few(parts: Sequence[Part], entries: _Entries, begin: int, end: int) -> list[Place]:
    """Give a stretch in order; it begins and ends where ranks do."""
    lines: list[tuple[int, Entry]] = []
    for owner in np.unique(entries.owners[begin:end]).tolist():
        mine = begin + np.flatnonzero(entries.owners[begin:end] == owner)
        some = parts[owner].entries_of(entries.docids[mine])
        lines += zip(entries.ranks[mine].tolist(), some, strict=True)
    lines.sort()
    return [(seq, size) for _, (_, seq, size) in lines]


def _tied(parts: Sequence[Part], entries: _Entries, begin: int, end: int) -> list[_Run]:
    """Give a stretch that ties as runs; the docids of one part ascend."""
    owners, docids = entries.owners[begin:end], entries.docids[begin:end]
    return [
        _Run(parts[owner], parts[owner].in_id_order(docids[owners == owner]))
        for owner in np.unique(owners).tolist()
    ]
