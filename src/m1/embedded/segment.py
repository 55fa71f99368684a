"""A segment: items that no longer change, and their index, in one mapped file.

Docids follow the order of the ids. Every path has its texts in order, so that the number
of a text is its rank, and a stretch of texts has a stretch of postings:

    texts       b"xyyz", text_ends [1, 3, 4]    the texts x, yy, z
    postings    [0, 3, 1, 2, 5], ends [2, 3, 5]  x: 0, 3;  yy: 1;  z: 2, 5
    large       texts with many docids: a Roaring bitmap each, and no postings
    text_pairs, number_pairs, date_pairs        (docid, value), ascending by docid
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from m1.embedded.bitmaps import Ascending, Docids, bitmap_of, mask_of
from m1.embedded.columns import Number, Pairs
from m1.embedded.matching import Pattern, matcher, pieces, pieces_of_texts
from m1.embedded.part import Entry, TextOrder
from m1.embedded.sections import Section, SectionFile
from m1.embedded.texts import Texts
from m1.query.facets import LONGEST
from m1.query.plan import Hole, Wildcard
from m1.terms import SORTED_CHARACTERS

_HASH_BYTES = 8
_END_BYTES = 8
_FEW = 32
_COLD = 20_000
_COUNTED_AT_ONCE = 5_000
"""Of so many items a path is read in a few milliseconds."""
_NO_DOCIDS = np.empty(0, np.uint32)


class PairSections(msgspec.Struct, array_like=True, frozen=True):
    """Where pairs are; without docids, each docid from 0 on has one value."""

    docids: Section | None
    values: Section


class PathSections(msgspec.Struct, array_like=True, frozen=True):
    """Where all of one path is."""

    texts: Section
    text_ends: Section
    postings: Section
    ends: Section
    large: Section
    large_ends: Section
    large_maps: Section
    text_pairs: PairSections
    number_pairs: PairSections
    date_pairs: PairSections


class Directory(msgspec.Struct, array_like=True, frozen=True):
    """Where everything in a segment is."""

    ids: Section
    id_ends: Section
    hashes: Section
    hashed: Section
    """The docids in the order of the hashes of their ids."""
    seqs: Section
    sizes: Section
    existing: dict[str, Section]
    paths: dict[str, PathSections]


def hash_of(id: bytes) -> int:
    """Give the hash by which a segment finds an id."""
    return int.from_bytes(blake2b(id, digest_size=_HASH_BYTES).digest(), "little")


class SegmentTerms:
    """All that a segment has at one path."""

    def __init__(self, file: SectionFile, sections: PathSections, items: int) -> None:
        self._file = file
        self._items = items
        self._sections = sections
        self.texts = Texts(file, sections.texts, sections.text_ends)

    def _pairs(self, sections: PairSections, number: Number) -> Pairs:
        docids = sections.docids
        return Pairs(
            None if docids is None else self._file.array(docids, np.uint32),
            self._file.array(sections.values, number),
        )

    @cached_property
    def text_pairs(self) -> Pairs:
        """Pairs of docids and numbers of texts."""
        return self._pairs(self._sections.text_pairs, np.uint32)

    @cached_property
    def numbers(self) -> Pairs:
        """See Terms."""
        return self._pairs(self._sections.number_pairs, np.float64)

    @cached_property
    def dates(self) -> Pairs:
        """See Terms."""
        return self._pairs(self._sections.date_pairs, np.float64)

    @cached_property
    def _postings(self) -> Docids:
        return self._file.array(self._sections.postings, np.uint32)

    @cached_property
    def _ends(self) -> memoryview:
        return self._file.view(self._sections.ends).cast("I")

    @cached_property
    def _large(self) -> memoryview:
        return self._file.view(self._sections.large).cast("I")

    @cached_property
    def _large_ends(self) -> memoryview:
        return self._file.view(self._sections.large_ends).cast("q")

    @cached_property
    def _large_maps(self) -> memoryview:
        return self._file.view(self._sections.large_maps)

    def number_of(self, text: str) -> int | None:
        """See Terms."""
        sought = text.encode()
        number = self.texts.place_of(sought)
        return number if number < len(self.texts) and self.texts[number] == sought else None

    def starting(self, head: str) -> Sequence[int]:
        """See Terms."""
        begin, end = head.encode(), head.encode() + b"\xff"
        return range(self.texts.place_of(begin), self.texts.place_of(end))

    def between(
        self, low: str | None, high: str | None, include_low: bool, include_high: bool
    ) -> Sequence[int]:
        """See Terms."""
        begin = 0 if low is None else self._edge(low, not include_low)
        end = len(self.texts) if high is None else self._edge(high, include_high)
        return range(begin, end)

    def _edge(self, text: str, behind: bool) -> int:
        return self.texts.place_of(text.encode() + b"\0" * behind)

    def matching(self, pattern: Pattern) -> Iterator[Sequence[int]]:
        """See Terms."""
        match pattern:
            case Wildcard(_, (Hole.MANY, str(tail))):
                yield from self.texts.ending(tail.encode())
            case Wildcard(_, (Hole.MANY, str(middle), Hole.MANY)):
                yield from self.texts.holding(middle.encode())
            case _:
                matches, texts = matcher(pattern), self.texts
                for some in pieces_of_texts(len(texts), texts.length_of):
                    named = zip(some, texts.stretch(some), strict=True)
                    yield [number for number, text in named if matches(text.decode())]

    def having(self, numbers: Sequence[int]) -> BitMap:
        """See Terms."""
        if isinstance(numbers, range):
            stretches, large = self._of_range(numbers)
        else:
            stretches = [self._stretch(number) for number in numbers]
            large = [number for number, few in zip(numbers, stretches, strict=True) if not len(few)]
        maps = [self._large_map(number) for number in large]
        if len(maps) == 1 and len(numbers) == 1:
            return maps[0]
        return BitMap.union(bitmap_of(np.concatenate((_NO_DOCIDS, *stretches))), *maps)

    def _stretch(self, number: int) -> Docids:
        """Give the docids of a text, none where it has many."""
        return self._postings[self._end(number - 1) : self._end(number)]

    def _end(self, number: int) -> int:
        return self._ends[number] if number >= 0 else 0

    def _of_range(self, numbers: range) -> tuple[list[Docids], Sequence[int]]:
        if not numbers:
            return [], []
        stretch = self._postings[self._end(numbers[0] - 1) : self._end(numbers[-1])]
        first = bisect_left(self._large, numbers.start)
        return [stretch], self._large[first : bisect_left(self._large, numbers.stop)]

    def _large_map(self, number: int) -> BitMap:
        place = bisect_left(self._large, number)
        begin = self._large_ends[place - 1] if place else 0
        return BitMap.deserialize(bytes(self._large_maps[begin : self._large_ends[place]]))

    def counts(self, found: BitMap, head: str) -> Iterator[list[tuple[str, int]]]:
        """See Terms."""
        numbers = self.starting(head)
        assert isinstance(numbers, range)
        mask = mask_of(found, self._items)
        for piece in pieces(len(numbers), _COUNTED_AT_ONCE):
            some = numbers[piece.start : piece.stop]
            counts = self._counts(some, mask)
            _, large = self._of_range(some)
            for number in large:
                map_of_it = self._large_map(number)
                counts[number - some.start] = map_of_it.intersection_cardinality(found)
            there = np.flatnonzero(counts)
            texts = map(bytes.decode, self.texts.some((there + some.start).astype(np.uint32)))
            named = zip(texts, counts[there].tolist(), strict=True)
            yield [(text, count) for text, count in named if len(text) <= LONGEST]

    def _counts(self, numbers: range, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Give how many of a mask have each text, as far as it has postings."""
        (stretch,), _ = self._of_range(numbers)
        begin = self._end(numbers[0] - 1)
        ends = np.asarray(self._ends)[numbers.start : numbers.stop].astype(np.int64) - begin
        hits = np.concatenate(([0], np.cumsum(mask[stretch])))
        return np.diff(hits[ends], prepend=0)

    def text_order(self, docids: Docids, greatest: bool) -> TextOrder:
        """See Terms."""
        return TextOrder(
            self.text_pairs.extremes(docids, greatest),
            lambda rank: self.texts[rank].decode()[:SORTED_CHARACTERS],
        )


class Segment:
    """A part that no longer changes, but for which of its items are live."""

    def __init__(self, path: Path, live: BitMap | None = None) -> None:
        """Map the file; raises DamagedData. All its items are live unless told otherwise."""
        self.file = SectionFile(path)
        self._directory = directory = self.file.read(Directory)
        self.seqs = self.file.view(directory.seqs).cast("q")
        self.sizes = self.file.view(directory.sizes).cast("Q")
        self.live = BitMap(range(len(self.seqs))) if live is None else live
        self.ids = Texts(self.file, directory.ids, directory.id_ends)
        self._existing: dict[str, BitMap] = {}
        self._terms: dict[str, SegmentTerms] = {}
        self._warm: set[str] = set()

    @property
    def paths(self) -> Iterable[str]:
        """The paths with a value in some item."""
        return self._directory.paths

    @cached_property
    def term_count(self) -> int:
        """See Part."""
        lengths = (path.text_ends.length for path in self._directory.paths.values())
        return sum(lengths) // _END_BYTES

    @property
    def existing_paths(self) -> Iterable[str]:
        """The paths at or below which some item has a value."""
        return self._directory.existing

    def hashes_by_docid(self) -> NDArray[np.uint64]:
        """Give the hash of each id."""
        hashes = np.empty(len(self.seqs), np.uint64)
        hashes[np.asarray(self._hashed)] = np.asarray(self._hashes)
        return hashes

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    @cached_property
    def _hashes(self) -> memoryview:
        return self.file.view(self._directory.hashes).cast("Q")

    @cached_property
    def _hashed(self) -> memoryview:
        return self.file.view(self._directory.hashed).cast("I")

    def is_cold(self, path: str) -> bool:
        """Tell whether the first query of a path would read and check much."""
        sections = self._directory.paths.get(path)
        return sections is not None and path not in self._warm and len(self.seqs) > _COLD

    def warm(self, path: str) -> None:
        """Read and check all of a path, from any thread; raises DamagedData."""
        self.file.check(self._directory.paths[path])
        self._warm.add(path)

    def check(self) -> None:
        """Read all of it; raises DamagedData where something is not what was written."""
        self.file.check(self._directory)

    def docid_of(self, id: bytes, hash: int) -> int | None:
        """Give the docid of an id, live or not; `hash` is what `hash_of` gives for it."""
        hashes = self._hashes
        place = bisect_left(hashes, hash)
        while place < len(hashes) and hashes[place] == hash:
            docid: int = self._hashed[place]
            if self.ids[docid] == id:
                return docid
            place += 1
        return None

    def entries_of(self, docids: Docids) -> list[Entry]:
        """See Part."""
        if len(docids) <= _FEW:  # numpy would take most of the time to begin
            few: list[int] = docids.tolist()
            return [(self.ids[docid], self.seqs[docid], self.sizes[docid]) for docid in few]
        seqs, sizes = np.asarray(self.seqs)[docids], np.asarray(self.sizes)[docids]
        return list(zip(self.ids.some(docids), seqs.tolist(), sizes.tolist(), strict=True))

    def id_of(self, docid: int) -> bytes:
        """See Part."""
        return self.ids[docid]

    def existing(self, path: str) -> BitMap:
        """See Part."""
        found = self._existing.get(path)
        if found is None:
            section = self._directory.existing.get(path)
            if section is None:
                return BitMap()
            found = self._existing[path] = BitMap.deserialize(self.file.bytes(section))
        return found

    def terms_at(self, path: str) -> SegmentTerms | None:
        """See Part."""
        terms = self._terms.get(path)
        if terms is None:
            sections = self._directory.paths.get(path)
            if sections is None:
                return None
            terms = self._terms[path] = SegmentTerms(self.file, sections, len(self.seqs))
        return terms

    def by_id(self, found: BitMap, wanted: int) -> Ascending | Docids:
        """See Part; the docids of a segment are in the order of its ids."""
        if wanted < _FEW:
            return np.fromiter(islice(found, wanted), np.uint32)
        return Ascending(found)

    def in_id_order(self, docids: Docids) -> Docids:
        """See Part."""
        return docids
