"""One kind of value of one path, for many items at once: pairs of (docid, value).

Pairs stand in the order in which they came, in two arrays that grow by doubling, so an
item may have any number of values, or none, at no cost:

    docids  uint32   [ 0,   1,   1,   4 ]
    values  float64  [ 2.5, 1.0, 7.0, 2.5 ]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Docids = NDArray[np.uint32]
Mask = NDArray[np.bool_]
Values = NDArray[Any]


class Column:
    """Pairs of docid and value; docids that died stay until `drop`."""

    __slots__ = ("_docids", "_last", "_size", "_values", "multiple")

    def __init__(self, dtype: type[np.float64] | type[np.uint32]) -> None:
        self._docids: Docids = np.empty(4, np.uint32)
        self._values: Values = np.empty(4, dtype)
        self._size = 0
        self._last = -1
        self.multiple = False
        """Whether some docid may have more than one value."""

    def append(self, docid: int, value: float) -> None:
        """Add a pair; the pairs of one docid come in a row."""
        size = self._size
        if size == len(self._docids):
            self._docids = np.resize(self._docids, size * 2)
            self._values = np.resize(self._values, size * 2)
        if docid == self._last:
            self.multiple = True
        self._last = docid
        self._docids[size] = docid
        self._values[size] = value
        self._size = size + 1

    @property
    def docids(self) -> Docids:
        """The docids, as a view."""
        return self._docids[: self._size]

    @property
    def values(self) -> Values:
        """The values, as a view."""
        return self._values[: self._size]

    def drop(self, dying: Mask) -> None:
        """Forget the pairs of dying docids; `dying` is indexed by docid."""
        known = self.docids < len(dying)
        kept = ~(known & dying[np.where(known, self.docids, 0)])
        self._docids = self.docids[kept]
        self._values = self.values[kept]
        self._size = len(self._docids)
        if not self._size:
            self._docids = np.empty(4, np.uint32)
            self._values = np.empty(4, self._values.dtype)

    def between(
        self, low: float | None, high: float | None, include_low: bool, include_high: bool
    ) -> Docids:
        """Give the docids with a value between two others; None is open."""
        values = self.values
        kept: Mask = np.ones(len(values), bool)
        if low is not None:
            kept &= values >= low if include_low else values > low
        if high is not None:
            kept &= values <= high if include_high else values < high
        return self.docids[kept]

    def extremes(
        self, members: Mask, greatest: bool, ranks: Values | None = None
    ) -> tuple[Docids, Values]:
        """Give each member's least (or greatest) value, or rank of a value, and whose it is.

        `members` is indexed by docid, `ranks` by value.
        """
        kept = members[self.docids]
        docids, values = self.docids[kept], self.values[kept]
        if ranks is not None:
            values = ranks[values]
        if not self.multiple or len(docids) < 2:
            return docids, values
        order = np.lexsort((values, docids))
        docids, values = docids[order], values[order]
        edge = docids[1:] != docids[:-1]
        wanted = np.append(edge, True) if greatest else np.insert(edge, 0, True)
        return docids[wanted], values[wanted]
