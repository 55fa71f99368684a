"""The newest items of a space, in memory until a segment holds them.

An item is kept flattened as it came, which costs next to nothing; a path is indexed when
a query first asks for it, and from then on whenever it is asked for again:

    terms_at("a.b").numbers_of   {"x": 0, "y": 1}      text -> its number at this path
    terms_at("a.b").postings     [7, array([3, 9])]    by that number; one docid is a plain int
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from pyroaring import BitMap
from sortedcontainers import SortedList

from m1.embedded.bitmaps import Docids, bitmap_of
from m1.embedded.columns import Column, Pairs
from m1.embedded.matching import Pattern, matcher, pieces, pieces_of_texts
from m1.embedded.part import Entry, TextOrder
from m1.query.facets import LONGEST
from m1.terms import SORTED_CHARACTERS, Flat, Shape, leaf_of
from m1.values import Scalar

Values = tuple[Scalar, ...]

REMOVED = -1
"""The docid of an id whose item was removed."""

_LOOKED_AT_ONCE = 1_000
_MANY = 500
"""Of so many texts, postings are slower than a look at all docids."""
_NEXT = "\0"
"""Behind a text, it makes the least that is greater."""


class DeltaTerms:
    """All that the delta's items have at one path, as far as they were looked at."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.numbers: Column = Column(np.float64)
        self.dates: Column = Column(np.float64)
        self._number_of: dict[str, int] = {}
        self._postings: list[int | array[int]] = []
        self._texts = Column(np.uint32)
        self._looked_at = 0
        self._within = 0

    def look_at(
        self, path: str, shapes: Sequence[Shape], values: Sequence[Values], most: int
    ) -> bool:
        """Take in what came since the last look, so many items or values; True where more are left.

        An item may have millions of values there, so that it is taken in piece by piece.
        """
        docid, within = self._looked_at, self._within
        while docid < len(shapes) and most > 0:
            places = shapes[docid].places.get(path, ())
            some = places[within : within + most] if within or len(places) > most else places
            for place in some:
                self._add(docid, values[docid][place])
            most -= max(len(some), 1)
            within += len(some)
            if within == len(places):
                docid, within = docid + 1, 0
        self._looked_at, self._within = docid, within
        return docid < len(shapes)

    def _add(self, docid: int, value: Scalar) -> None:
        text, number, instant = leaf_of(value)
        if text is None:
            return
        place = self._number_of.get(text)
        if place is None:
            place = self._number_of[text] = len(self.words)
            self.words.append(text)
            self._postings.append(docid)
        else:
            posting = self._postings[place]
            if isinstance(posting, int):
                self._postings[place] = array("I", (posting, docid))
            else:
                posting.append(docid)
        self._texts.append(docid, place)
        if number is not None:
            self.numbers.append(docid, number)
        elif instant is not None:
            self.dates.append(docid, instant)

    def number_of(self, text: str) -> int | None:
        """See Terms."""
        return self._number_of.get(text)

    def starting(self, head: str) -> Sequence[int]:
        """See Terms."""
        return [n for n, text in enumerate(self.words) if text.startswith(head)]

    def between(
        self, low: str | None, high: str | None, include_low: bool, include_high: bool
    ) -> Sequence[int]:
        """See Terms."""
        least = "" if low is None else low if include_low else low + _NEXT
        if high is None:
            return [n for n, word in enumerate(self.words) if least <= word]
        end = high + _NEXT if include_high else high
        return [n for n, word in enumerate(self.words) if least <= word < end]

    def matching(self, pattern: Pattern) -> Iterator[Sequence[int]]:
        """See Terms; texts that come meanwhile are left out."""
        matches, words = matcher(pattern), self.words

        def length_of(some: range) -> int:
            return sum(map(len, words[some.start : some.stop]))

        for some in pieces_of_texts(len(words), length_of):
            yield [n for n in some if matches(words[n])]

    def having(self, numbers: Sequence[int]) -> BitMap:
        """See Terms."""
        if len(numbers) > _MANY:
            return self._having_many(numbers)
        postings = [self._postings[number] for number in numbers]
        found = BitMap([posting for posting in postings if isinstance(posting, int)])
        for posting in postings:
            if not isinstance(posting, int):
                found.update(BitMap(posting))
        return found

    def _having_many(self, numbers: Sequence[int]) -> BitMap:
        """Look at what each docid has, instead of who has each text."""
        wanted = np.zeros(len(self.words), np.bool_)
        wanted[np.array(numbers, np.uint32)] = True
        docids, values = self._texts.docids, self._texts.values
        assert docids is not None
        return bitmap_of(docids[wanted[values]])

    def counts(self, found: BitMap, head: str) -> Iterator[list[tuple[str, int]]]:
        """See Terms."""
        numbers = [n for n in self.starting(head) if len(self.words[n]) <= LONGEST]
        numbers.sort(key=self.words.__getitem__)
        for piece in pieces(len(numbers), _LOOKED_AT_ONCE):
            some = numbers[piece.start : piece.stop]
            counts = [found.intersection_cardinality(self.having([number])) for number in some]
            named = zip(some, counts, strict=True)
            yield [(self.words[number], count) for number, count in named if count]

    def text_order(self, docids: Docids, greatest: bool) -> TextOrder:
        """See Terms."""
        mine = self._texts.docids
        assert mine is not None
        wanted = np.isin(mine, docids)
        used = np.unique(self._texts.values[wanted]).tolist()
        used.sort(key=self.words.__getitem__)
        rank_of = np.zeros(len(self.words), np.uint32)
        rank_of[used] = np.arange(len(used), dtype=np.uint32)
        ranked = Pairs(mine[wanted], rank_of[self._texts.values[wanted]])
        return TextOrder(
            ranked.extremes(docids, greatest),
            lambda rank: self.words[used[rank]][:SORTED_CHARACTERS],
        )


class Delta:
    """A part that grows; docids are given as items come."""

    def __init__(self, covered: int) -> None:
        self.covered = covered
        """The seq of the last row before those of this delta."""
        self.last_seq = covered
        self.live = BitMap()
        self.ids: list[str] = []
        self.seqs = array("q")
        self.sizes = array("Q")
        self.docid_of: dict[str, int] = {}
        """The newest docid of each id that came, or REMOVED."""
        self.changes = 0
        self.bytes = 0
        self._shapes: list[Shape] = []
        self._values: list[Values] = []  # tuples: Python's collector need not look into them
        self._by_shape: dict[Shape, array[int]] = {}
        self._terms: dict[str, DeltaTerms] = {}
        self._ordered: SortedList[tuple[str, int]] = SortedList()

    def stage(self, id: str, seq: int, size: int, flat: Flat) -> int:
        """Put an item in, not yet live; give its docid."""
        docid = len(self.ids)
        self.ids.append(id)
        self.seqs.append(seq)
        self.sizes.append(size)
        self._shapes.append(flat.shape)
        self._values.append(tuple(flat.values))
        self.bytes += size
        docids = self._by_shape.get(flat.shape)
        if docids is None:
            docids = self._by_shape[flat.shape] = array("I")
        docids.append(docid)
        return docid

    def contents(self) -> list[list[Any]]:
        """Give what takes long to free, as lists to be emptied once nobody uses the delta."""
        return [self._values, self._shapes, self.ids, *([each] for each in self._terms.values())]

    def entries_of(self, docids: Docids) -> list[Entry]:
        """See Part."""
        ids, seqs, sizes = self.ids, self.seqs, self.sizes
        return [(ids[docid].encode(), seqs[docid], sizes[docid]) for docid in docids.tolist()]

    def id_of(self, docid: int) -> bytes:
        """See Part."""
        return self.ids[docid].encode()

    @property
    def term_count(self) -> int:
        """See Part; of the paths that were asked for."""
        return sum(len(terms.words) for terms in self._terms.values())

    @property
    def existing_paths(self) -> Iterable[str]:
        """See Part."""
        return frozenset[str]().union(*(shape.existing for shape in self._by_shape))

    def existing(self, path: str) -> BitMap:
        """See Part."""
        found = BitMap()
        for shape, docids in self._by_shape.items():
            if path in shape.existing:
                found.update(BitMap(docids))
        return found

    def terms_at(self, path: str) -> DeltaTerms | None:
        """See Part."""
        for _ in self.look_further(path):
            pass
        return self._terms.get(path)

    def look_further(self, path: str) -> Iterator[None]:
        """Index what came at a path since it was last asked for, some items at each step."""
        terms = self._terms.get(path)
        if terms is None:
            if not any(path in shape.places for shape in self._by_shape):
                return
            terms = self._terms[path] = DeltaTerms()
        while terms.look_at(path, self._shapes, self._values, _LOOKED_AT_ONCE):
            yield

    def by_id(self, found: BitMap, wanted: int) -> Docids:
        """See Part; looks at the found, or walks the ids where many are found."""
        count = len(found)
        if count * count < len(self.ids) * min(wanted, count):
            first = heapq.nsmallest(wanted, found, key=self.ids.__getitem__)
            return np.array(first, np.uint32)
        for docid in range(len(self._ordered), len(self.ids)):
            self._ordered.add((self.ids[docid], docid))
        arranged: list[int] = []
        ordered = iter(self._ordered)
        while len(arranged) < wanted and (some := list(islice(ordered, 2 * wanted))):
            arranged += [docid for _, docid in some if docid in found]
        return np.array(arranged[:wanted], np.uint32)

    def in_id_order(self, docids: Docids) -> Docids:
        """See Part."""
        return np.array(sorted(docids.tolist(), key=self.ids.__getitem__), np.uint32)
