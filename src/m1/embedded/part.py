"""What a query may ask of a part of a space: of its newest items in memory, or of a segment.

A part knows its items by docids, 0 on. It answers for all that it ever held; which of
them are still `live` is a bitmap beside it, and the only thing of a part that changes.
A *number* stands for a text of one path within one part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from pyroaring import BitMap

from m1.embedded.bitmaps import Ascending, Docids
from m1.embedded.columns import Pairs, Values
from m1.embedded.matching import Pattern

Entry = tuple[bytes, int, int]
"""An item's id in UTF-8, the seq of its row, and the bytes of its body."""


class TextOrder(NamedTuple):
    """Ranks by text within one part: one for each docid asked, NaN for none."""

    ranks: Values
    text_at: Callable[[int], str]
    """Give the text of a rank, as far as it is sorted by."""


class Terms(Protocol):
    """All that a part has at one path."""

    @property
    def numbers(self) -> Pairs:
        """The numbers, as doubles."""

    @property
    def dates(self) -> Pairs:
        """The instants that texts name, in epoch ms."""

    def number_of(self, text: str) -> int | None:
        """Give the number of a text."""

    def starting(self, head: str) -> Sequence[int]:
        """Give the numbers of the texts with a beginning."""

    def between(
        self, low: str | None, high: str | None, include_low: bool, include_high: bool
    ) -> Sequence[int]:
        """Give the numbers of the texts between two others; None is open."""

    def matching(self, pattern: Pattern) -> Iterator[Sequence[int]]:
        """Yield the numbers of the texts that a pattern matches, a few milliseconds' at a time."""

    def having(self, numbers: Sequence[int]) -> BitMap:
        """Give the docids with one of these texts."""

    def counts(self, found: BitMap, head: str) -> Iterator[list[tuple[str, int]]]:
        """Yield how many of some docids have each text with a beginning, texts in order.

        Those that none has are left out, as are too long ones; a few milliseconds' at a time.
        """

    def text_order(self, docids: Docids, greatest: bool) -> TextOrder:
        """Rank docids by their least (or greatest) text."""


class Part(Protocol):
    """Items under docids; `live` is changed by the event loop's thread alone."""

    live: BitMap

    @property
    def seqs(self) -> Sequence[int]:
        """The row of each docid."""

    def entries_of(self, docids: Docids) -> list[Entry]:
        """Give where some items are, with their ids; from any thread."""

    def id_of(self, docid: int) -> bytes:
        """Give the id of an item, in UTF-8."""

    @property
    def term_count(self) -> int:
        """How many terms it knows, of live items or not."""

    @property
    def existing_paths(self) -> Iterable[str]:
        """The paths at or below which some item has a value."""

    def existing(self, path: str) -> BitMap:
        """Give the docids with a value at or below a path; not to be changed."""

    def terms_at(self, path: str) -> Terms | None:
        """Give what is at a path."""

    def by_id(self, found: BitMap, wanted: int) -> Ascending | Docids:
        """Give the first of some docids, or all, in the order of their ids."""

    def in_id_order(self, docids: Docids) -> Docids:
        """Give ascending docids in the order of their ids; from any thread."""
