"""One kind of value of one path, for many items at once: pairs of (docid, value).

Pairs stand in the order in which they came, in two arrays that grow by a quarter, so an
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


_WAITING = 1_000


class Column:
    """Pairs of docid and value; docids that died stay until `drop`."""

    __slots__ = ("_docids", "_new_docids", "_new_values", "_size", "_values", "multiple")

    def __init__(self, dtype: type[np.float64] | type[np.uint32]) -> None:
        self._docids: Docids = np.empty(4, np.uint32)
        self._values: Values = np.empty(4, dtype)
        self._size = 0
        self._new_docids: list[int] = []
        self._new_values: list[float] = []
        self.multiple = False
        """Whether some docid may have more than one value."""

    def append(self, docid: int, value: float) -> None:
        """Add a pair; the pairs of one docid come in a row.

        It waits in a list, since a list takes one in a tenth of the time of an array.
        """
        new = self._new_docids
        if new and new[-1] == docid:
            self.multiple = True
        elif len(new) >= _WAITING:
            self._take_new()
        new.append(docid)
        self._new_values.append(value)

    def _take_new(self) -> None:
        """Move what waits into the arrays."""
        size, more = self._size, len(self._new_docids)
        if size + more > len(self._docids):
            room = (size + more) * 5 // 4
            self._docids = np.resize(self._docids, room)
            self._values = np.resize(self._values, room)
        self._docids[size : size + more] = self._new_docids
        self._values[size : size + more] = self._new_values
        self._size = size + more
        self._new_docids.clear()
        self._new_values.clear()

    @property
    def docids(self) -> Docids:
        """The docids, as a view."""
        if self._new_docids:
            self._take_new()
        return self._docids[: self._size]

    @property
    def values(self) -> Values:
        """The values, as a view."""
        if self._new_docids:
            self._take_new()
        return self._values[: self._size]

    def drop(self, dying: Mask) -> Values:
        """Forget the pairs of dying docids, and give their values.

        `dying` is indexed by docid; one that it does not reach is not dying.
        """
        known = self.docids < len(dying)
        dropped = known & dying[np.where(known, self.docids, 0)]
        values = self.values[dropped]
        self._docids = self.docids[~dropped]
        self._values = self.values[~dropped]
        self._size = len(self._docids)
        if not self._size:
            self._docids = np.empty(4, np.uint32)
            self._values = np.empty(4, self._values.dtype)
        return values

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
