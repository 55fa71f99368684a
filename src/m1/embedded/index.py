"""The index of one space, in memory: from terms, numbers and instants to items.

    paths["a.b"].numbered   {"x": 0, "y": 1}       text -> its number at this path
    paths["a.b"].postings   [7, BitMap({3, 9})]    by that number; one docid is a plain int
    paths["a.b"].texts      (docid, number) pairs, .numbers and .dates (docid, double) pairs
    existing["a"]           BitMap of the docids with a value at or below `a`
    ids, seqs, sizes        docid -> id, row on disk, bytes of the body
    by_id, ordered_ids      id -> docid; the ids in order

A docid is a slot. An update never touches what is there: the new item is *staged* in a
free slot, invisible as long as the slot is not in `live`, and then *shown* in place of
the old one in a single step. Slots of dead items stay in the postings, masked by `live`,
until a sweep, a little with each update, has taken them out; then they are free again.
So whoever keeps a copy of `live`, and keeps the sweep waiting, has a snapshot.

No file, socket, clock or thread: one thread calls, and nothing here waits.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from pyroaring import BitMap
from sortedcontainers import SortedList

from m1.embedded.columns import Column, Mask
from m1.terms import Leaf, existing_paths

Posting = int | BitMap | None

_SWEEP_AT_LEAST = 1_000
_SWEEP_STEP = 64


class PathTerms:
    """All that the items have at one path."""

    __slots__ = ("_free", "_ordered", "dates", "numbered", "numbers", "postings", "texts", "words")

    def __init__(self) -> None:
        self.numbered: dict[str, int] = {}
        self.words: list[str] = []
        self.postings: list[Posting] = []
        self.texts = Column(np.uint32)
        self.numbers = Column(np.float64)
        self.dates = Column(np.float64)
        self._free: list[int] = []
        self._ordered: SortedList[str] | None = None

    def add(self, docid: int, text: str, number: float | None, instant: int | None) -> None:
        """Add a value of an item."""
        place = self.numbered.get(text)
        if place is None:
            place = self._new_number(text, docid)
        else:
            posting = self.postings[place]
            if isinstance(posting, BitMap):
                posting.add(docid)
            elif posting is not None and posting != docid:
                self.postings[place] = BitMap((posting, docid))
        self.texts.append(docid, place)
        if number is not None:
            self.numbers.append(docid, number)
        elif instant is not None:
            self.dates.append(docid, instant)

    def _new_number(self, text: str, docid: int) -> int:
        if self._free:
            number = self._free.pop()
            self.words[number] = text
            self.postings[number] = docid
        else:
            number = len(self.words)
            self.words.append(text)
            self.postings.append(docid)
        self.numbered[text] = number
        if self._ordered is not None:
            self._ordered.add(text)
        return number

    @property
    def ordered(self) -> SortedList[str]:
        """The texts in order; made when first asked for, kept in order from then on."""
        if self._ordered is None:
            self._ordered = SortedList(self.numbered)
        return self._ordered

    def posting(self, text: str) -> Posting:
        """Give the docids that have a text here, dead ones among them; None for none."""
        number = self.numbered.get(text)
        return None if number is None else self.postings[number]

    def sweep(self, dying: BitMap, mask: Mask) -> Iterator[None]:
        """Take dying docids out, some at each step."""
        self.numbers.drop(mask)
        self.dates.drop(mask)
        touched: list[int] = np.unique(self.texts.drop(mask)).tolist()
        yield
        for count, number in enumerate(touched):
            posting = self.postings[number]
            if isinstance(posting, BitMap):
                posting -= dying
                if len(posting) < 2:
                    self.postings[number] = posting.min() if posting else None
            elif posting is not None and posting in dying:
                self.postings[number] = None
            if posting is not None and self.postings[number] is None:
                self._forget(number)
            if count % _SWEEP_STEP == 0:
                yield

    def _forget(self, number: int) -> None:
        text = self.words[number]
        del self.numbered[text]
        if self._ordered is not None:
            self._ordered.remove(text)
        self.words[number] = ""
        self._free.append(number)

    @property
    def empty(self) -> bool:
        """Whether nothing is left here."""
        return not self.numbered


class Index:
    """Everything that can be found in one space."""

    def __init__(self) -> None:
        self.paths: dict[str, PathTerms] = {}
        self.existing: dict[str, BitMap] = {}
        self.live = BitMap()
        self.ids: list[str] = []
        self.seqs = array("q")
        self.sizes = array("L")
        self.by_id: dict[str, int] = {}
        self.ordered_ids: SortedList[str] = SortedList()
        self._free: list[int] = []
        self._dead = BitMap()
        self._sweep: Iterator[None] = iter(())
        self._pins = 0

    def __len__(self) -> int:
        return len(self.by_id)

    def stage(self, id: str, seq: int, size: int, leaves: Sequence[Leaf]) -> int:
        """Put an item in, not yet visible; give its docid."""
        docid = self._slot(id, seq, size)
        for path, text, number, instant in leaves:
            if text is None:
                continue
            terms = self.paths.get(path)
            if terms is None:
                terms = self.paths[path] = PathTerms()
            terms.add(docid, text, number, instant)
        for path in existing_paths(leaves):
            found = self.existing.get(path)
            if found is None:
                found = self.existing[path] = BitMap()
            found.add(docid)
        return docid

    def _slot(self, id: str, seq: int, size: int) -> int:
        if self._free:
            docid = self._free.pop()
            self.ids[docid] = id
            self.seqs[docid] = seq
            self.sizes[docid] = size
            return docid
        self.ids.append(id)
        self.seqs.append(seq)
        self.sizes.append(size)
        return len(self.ids) - 1

    def show(self, staged: Iterable[int], removed: Iterable[str]) -> list[int]:
        """Make staged items visible and removed ones not; give the rows that are now dead."""
        dead: list[int] = []
        for docid in staged:
            id = self.ids[docid]
            old = self.by_id.get(id)
            if old is None:
                self.ordered_ids.add(id)
            else:
                dead.append(self._bury(old))
            self.by_id[id] = docid
            self.live.add(docid)
        for id in removed:
            old = self.by_id.pop(id, None)
            if old is not None:
                self.ordered_ids.remove(id)
                dead.append(self._bury(old))
        return dead

    def _bury(self, docid: int) -> int:
        self.live.remove(docid)
        self._dead.add(docid)
        return self.seqs[docid]

    def pin(self) -> None:
        """Keep the sweep waiting, so that a copy of `live` stays a snapshot."""
        self._pins += 1

    def unpin(self) -> None:
        """Let the sweep go on."""
        self._pins -= 1

    def sweep(self, steps: int) -> None:
        """Go on with taking out the dead: begin where there are many, take some steps."""
        if self._pins:
            return
        for _ in range(steps):
            if next(self._sweep, self) is self:
                if len(self._dead) < max(_SWEEP_AT_LEAST, len(self.live) // 8):
                    return
                self._sweep = self._swept()

    def _swept(self) -> Iterator[None]:
        dying, self._dead = self._dead, BitMap()
        mask = np.zeros(len(self.ids), bool)
        mask[np.frombuffer(dying.to_array(), np.uint32)] = True
        for path in list(self.paths):
            terms = self.paths[path]
            yield from terms.sweep(dying, mask)
            if terms.empty:
                del self.paths[path]
        for path in list(self.existing):
            found = self.existing[path]
            found -= dying
            if not found:
                del self.existing[path]
            yield
        for docid in dying:
            self.ids[docid] = ""
        self._free.extend(dying)
