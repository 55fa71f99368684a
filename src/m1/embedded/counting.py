"""Counting the facets of what was found, across the parts of a space, step by step."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from m1.embedded.bitmaps import mask_of
from m1.embedded.columns import Pairs
from m1.embedded.matching import pieces
from m1.embedded.order import Found
from m1.embedded.part import Part
from m1.query.facets import Facets, Largest, Paths, Stretches, Texts
from m1.steps import Steps

Counted = Sequence[tuple[str | float, int]]

_PAIRS_AT_ONCE = 50_000


def counting(found: Found, facets: Facets) -> Steps[Counted]:
    """Count facets; the parts may grow meanwhile, what was found of them does not."""
    match facets:
        case Paths():
            return _paths(found, facets)
        case Texts():
            return _texts(found, facets)
        case Stretches():
            return _stretches(found, facets)


def _paths(found: Found, facets: Paths) -> Steps[Counted]:
    beginning = {
        path for part, _ in found for path in part.existing_paths if path.startswith(facets.prefix)
    }
    counted: list[tuple[str, int]] = []
    for path in sorted(beginning):
        if len(counted) == facets.most:
            break
        count = sum(some.intersection_cardinality(part.existing(path)) for part, some in found)
        if count:
            counted.append((path, count))
        yield
    return counted


def _texts(found: Found, facets: Texts) -> Steps[Counted]:
    """Merge the parts' counts in the order of the texts, and keep the largest."""
    streams: list[Iterator[tuple[str, int]]] = []
    for part, some in found:
        terms = part.terms_at(facets.path)
        if terms is not None and some:
            streams.append(chain.from_iterable(terms.counts(some, facets.prefix)))
    largest = Largest(facets.most)
    for text, same in groupby(heapq.merge(*streams), itemgetter(0)):
        largest.add(text, sum(count for _, count in same))
        yield
    return largest.ranked()


def _stretches(found: Found, facets: Stretches) -> Steps[Counted]:
    edges = np.array(facets.edges, np.float64)
    total = np.zeros(len(edges) - 1, np.int64)
    for part, some in found:
        total += yield from _in_part(part, some, facets.path, edges)
    return list(zip(facets.edges, total.tolist(), strict=False))


def _in_part(
    part: Part, some: BitMap, path: str, edges: NDArray[np.float64]
) -> Steps[NDArray[np.int64]]:
    """Give how many items of one part are in each stretch, each item once."""
    width = len(edges) - 1
    terms = part.terms_at(path)
    if terms is None:
        return np.zeros(width, np.int64)
    mask = mask_of(some, len(part.seqs))
    kinds = [pairs for pairs in (terms.numbers, terms.dates) if len(pairs.values)]
    cells: list[NDArray[np.int64]] = []
    for pairs in kinds:
        for piece in pieces(len(pairs.values), _PAIRS_AT_ONCE):
            cells.append(_cells(pairs, piece, mask, edges))
            yield
    all_cells = np.concatenate([np.empty(0, np.int64), *cells])
    if len(kinds) > 1 or any(pairs.multiple for pairs in kinds):
        all_cells = np.unique(all_cells)
    return np.bincount(all_cells % width, minlength=width)


def _cells(
    pairs: Pairs, piece: range, mask: NDArray[np.bool_], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Give a number for each item that is in a stretch: one for both."""
    values = pairs.values[piece.start : piece.stop]
    if pairs.docids is None:
        docids = np.arange(piece.start, piece.start + len(values), dtype=np.int64)
    else:
        docids = pairs.docids[piece.start : piece.stop].astype(np.int64)
    stretch = np.searchsorted(edges, values, side="right") - 1
    kept = (stretch >= 0) & (stretch < len(edges) - 1) & (docids < len(mask))
    docids, stretch = docids[kept], stretch[kept]
    kept = mask[docids]
    cells: NDArray[np.int64] = docids[kept] * (len(edges) - 1) + stretch[kept]
    return cells
