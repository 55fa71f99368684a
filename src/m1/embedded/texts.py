"""The texts of a segment, in order, and what finds some of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from m1.embedded.bitmaps import Docids
from m1.embedded.matching import pieces
from m1.embedded.sections import Section, SectionFile

_ALL_SAMPLED = 2_000
_SAMPLED = 64
_ENDED_AT_ONCE = 50_000
_SEARCHED_AT_ONCE = 5_000


class Texts(Sequence[bytes]):
    """Texts one after another, as UTF-8."""

    def __init__(self, file: SectionFile, texts: Section, ends: Section) -> None:
        self._texts = file.view(texts)
        self._ends = file.view(ends).cast("q")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> bytes:  # type: ignore[override]
        return bytes(self._texts[self._begin(number) : self._ends[number]])

    def __iter__(self) -> Iterator[bytes]:
        return self.stretch(range(len(self)))

    def length_of(self, numbers: range) -> int:
        """Give the bytes of the texts of numbers that follow each other."""
        return self._begin(numbers.stop) - self._begin(numbers.start)

    def stretch(self, numbers: range) -> Iterator[bytes]:
        """Yield the texts of numbers that follow each other."""
        first = begin = self._begin(numbers.start)
        texts = bytes(self._texts[first : self._begin(numbers.stop)])
        for end in self._ends[numbers.start : numbers.stop]:
            yield texts[begin - first : end - first]
            begin = end

    def some(self, numbers: Docids) -> list[bytes]:
        """Give the texts of some numbers."""
        texts, ends = self._texts, np.asarray(self._ends)
        begins = np.where(numbers == 0, 0, ends[numbers.astype(np.int64) - 1])
        edges = zip(begins.tolist(), ends[numbers].tolist(), strict=True)
        return [texts[begin:end].tobytes() for begin, end in edges]

    def ending(self, sought: bytes) -> Iterator[list[int]]:
        """Yield the numbers of the texts that end by another (that is not empty).

        One byte after another lets go of most.
        """
        texts, ends = np.asarray(self._texts), np.asarray(self._ends)
        for some in pieces(len(ends), _ENDED_AT_ONCE):
            begin = self._begin(some.start)
            lengths = np.diff(ends[some.start : some.stop], prepend=begin)
            numbers = np.flatnonzero(lengths >= len(sought)) + some.start
            for back, byte in enumerate(reversed(sought), 1):
                numbers = numbers[texts[ends[numbers] - back] == byte]
            yield numbers.tolist()

    def holding(self, sought: bytes) -> Iterator[list[int]]:
        """Yield the numbers of the texts that hold another (that is not empty).

        Many texts are searched as one, which takes a hundredth of the time of one by one.
        """
        ends = np.asarray(self._ends)
        for some in pieces(len(ends), _SEARCHED_AT_ONCE):
            begin = self._begin(some.start)
            texts = bytes(self._texts[begin : self._begin(some.stop)])
            places: list[int] = []
            at = texts.find(sought)
            while at >= 0:
                places.append(at)
                at = texts.find(sought, at + 1)
            begins = np.array(places, np.int64) + begin
            numbers = np.searchsorted(ends, begins, side="right")
            yield np.unique(numbers[begins + len(sought) <= ends[numbers]]).tolist()

    def _begin(self, number: int) -> int:
        return self._ends[number - 1] if number else 0

    def place_of(self, text: bytes) -> int:
        """Give the number of the first text that is not before another."""
        at = bisect_left(self._samples, text)
        if self._step == 1 or not at:
            return at
        return bisect_left(self, text, (at - 1) * self._step + 1, min(at * self._step, len(self)))

    @cached_property
    def _samples(self) -> list[bytes]:
        """Some texts in memory: to look among them first takes a tenth of the time."""
        return [self[number] for number in range(0, len(self), self._step)]

    @property
    def _step(self) -> int:
        return 1 if len(self) <= _ALL_SAMPLED else _SAMPLED
