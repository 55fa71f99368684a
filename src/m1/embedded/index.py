"""The parts of one space: its newest items in memory, all others in segments.

    delta      takes every change
    frozen     a delta of before, while a segment is made of it
    segments   mapped files

An id is live in one part at most. An update never touches what is there: new items are
*staged* in the delta, and then all *shown* in a single step, in which those that they
replace die. A copy of every `live` is a snapshot, since nothing else that was there changes.

No file is written, nothing waits, and one thread calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from pyroaring import BitMap

from m1.embedded.bitmaps import bitmap_of, docids_of
from m1.embedded.delta import REMOVED, Delta
from m1.embedded.part import Part
from m1.embedded.segment import Segment, hash_of
from m1.terms import Flat

FULL_CHANGES = 16_384
FULL_BYTES = 64 * 1024 * 1024


class Spot(NamedTuple):
    """Where an item is."""

    part: Part
    docid: int


class View(NamedTuple):
    """A part at one moment."""

    part: Part
    live: BitMap


class Index:
    """Everything that can be found in one space."""

    def __init__(self, covered: int = 0, segments: Iterable[Segment] = ()) -> None:
        self.segments = list(segments)
        self.frozen: Delta | None = None
        self.delta = Delta(covered)

    def __len__(self) -> int:
        return sum(len(part.live) for part in self.parts)

    @property
    def parts(self) -> Sequence[Part]:
        """All parts, the newest last."""
        frozen = () if self.frozen is None else (self.frozen,)
        return (*self.segments, *frozen, self.delta)

    def views(self) -> list[View]:
        """Give a snapshot."""
        return [View(part, part.live.copy()) for part in self.parts if part.live]

    # --- changes ---

    def stage(self, id: str, seq: int, size: int, flat: Flat) -> tuple[int, Spot | None]:
        """Put an item in, not yet visible; give its docid, and where the one before is."""
        return self.delta.stage(id, seq, size, flat), self.locate(id)

    def locate(self, id: str) -> Spot | None:
        """Find the item of an id."""
        for delta in (self.delta, self.frozen):
            docid = None if delta is None else delta.docid_of.get(id)
            if delta is not None and docid is not None:
                return None if docid == REMOVED else Spot(delta, docid)
        if self.segments:
            key = id.encode()
            hash = hash_of(key)
            for segment in self.segments:
                docid = segment.docid_of(key, hash)
                if docid is not None and docid in segment.live:
                    return Spot(segment, docid)
        return None

    def show(
        self,
        staged: Sequence[int],
        removed: Sequence[str],
        replaced: Iterable[Spot | None],
        last_seq: int,
    ) -> list[int]:
        """Make staged items visible, and removed and replaced ones not.

        Gives the rows that are now dead; `last_seq` is that of the last row of all.
        """
        dead: list[int] = []
        for spot in replaced:
            if spot is not None:
                spot.part.live.remove(spot.docid)
                dead.append(spot.part.seqs[spot.docid])
        delta = self.delta
        for docid in staged:
            delta.docid_of[delta.ids[docid]] = docid
            delta.live.add(docid)
        for id in removed:
            delta.docid_of[id] = REMOVED
        delta.changes += len(staged) + len(removed)
        delta.last_seq = last_seq
        return dead

    # --- parts that take the place of others ---

    @property
    def full(self) -> bool:
        """Whether the delta should become a segment."""
        return self.delta.changes >= FULL_CHANGES or self.delta.bytes >= FULL_BYTES

    def freeze(self) -> Delta:
        """Begin a new delta; the one of before waits to become a segment."""
        assert self.frozen is None
        self.frozen = self.delta
        self.delta = Delta(self.frozen.last_seq)
        return self.frozen

    def thaw(self, segment: Segment | None) -> None:
        """Put the segment that was made of the frozen delta in its place."""
        assert self.frozen is not None
        if segment is not None:
            seqs = np.asarray(self.frozen.seqs)[docids_of(self.frozen.live)]
            live = np.flatnonzero(np.isin(np.asarray(segment.seqs), seqs))
            segment.live = bitmap_of(live.astype(np.uint32))
            self.segments.append(segment)
        self.frozen = None

    def merge(self, sources: Sequence[Segment], merged: Segment | None) -> None:
        """Put a segment in the place of those that it was made of."""
        self.segments = [segment for segment in self.segments if segment not in sources]
        if merged is not None:
            self.segments.append(merged)


def bury_again(died: BitMap, source: Segment, merged: Segment) -> None:
    """Let items die in a merged segment that died in a source meanwhile."""
    for docid in died:
        id = source.id_of(docid)
        there = merged.docid_of(id, hash_of(id))
        if there is not None:
            merged.live.discard(there)
