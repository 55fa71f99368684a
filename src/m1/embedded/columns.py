"""One kind of value of one path, for many items at once: pairs of (docid, value).

Pairs ascend by docid, in two arrays, so an item may have any number of values, or none,
at no cost:

    docids  uint32   [ 0,   1,   1,   4 ]
    values  float64  [ 2.5, 1.0, 7.0, 2.5 ]
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from m1.embedded.bitmaps import Docids, bitmap_of, bitmap_of_mask

Values = NDArray[Any]
Number = type[np.float64] | type[np.uint32]

_WAITING = 1_000


class Pairs:
    """Pairs that stay as they are; without docids, the docid is the place of the value."""

    def __init__(self, docids: Docids | None, values: Values) -> None:
        self._docids = docids
        self._values = values

    @property
    def docids(self) -> Docids | None:
        """The docids, None where each from 0 on has one value."""
        return self._docids

    @property
    def values(self) -> Values:
        """The values."""
        return self._values

    @cached_property
    def multiple(self) -> bool:
        """Whether some docid has more than one value."""
        docids = self.docids
        return docids is not None and bool((docids[1:] == docids[:-1]).any())

    def between(
        self, low: float | None, high: float | None, include_low: bool, include_high: bool
    ) -> BitMap:
        """Give the docids with a value between two others; None is open."""
        values, docids = self.values, self.docids
        kept = np.ones(len(values), bool) if low is None else _above(values, low, include_low)
        if high is not None:
            kept &= ~_above(values, high, not include_high)
        return bitmap_of_mask(kept) if docids is None else bitmap_of(docids[kept])

    def extremes(self, docids: Docids, greatest: bool) -> Values:
        """Give the least (or greatest) value of each of some docids as a double, NaN for none."""
        mine, values = self.docids, self.values
        if mine is None:
            return values[docids].astype(np.float64, copy=False)
        found = np.full(len(docids), np.nan)
        if not len(values):
            return found
        begins = np.searchsorted(mine, docids)
        having = mine[np.minimum(begins, len(mine) - 1)] == docids
        begins = begins[having]
        if self.multiple:
            ends = np.searchsorted(mine, docids[having], side="right")
            found[having] = _reduced(values, begins, ends, greatest)
        else:
            found[having] = values[begins]
        return found


def _above(values: Values, least: float, included: bool) -> NDArray[np.bool_]:
    return values >= least if included else values > least


def _reduced(values: Values, begins: Values, ends: Values, greatest: bool) -> Values:
    """Give the least (or greatest) of each slice; none of them is empty."""
    reduce = np.maximum if greatest else np.minimum
    edges = np.column_stack((begins, ends)).ravel()
    padded = np.append(values, values[-1:])  # an edge may be the end of all
    return reduce.reduceat(padded, edges)[::2] if len(edges) else values[:0]


class Column(Pairs):
    """Pairs that grow: new ones wait in a list, which takes one in a tenth of the time."""

    def __init__(self, dtype: Number) -> None:
        super().__init__(np.empty(0, np.uint32), np.empty(0, dtype))
        self._new_docids: list[int] = []
        self._new_values: list[float] = []
        self._multiple = False

    def append(self, docid: int, value: float) -> None:
        """Add a pair whose docid is not less than any there."""
        if self._new_docids and self._new_docids[-1] == docid:
            self._multiple = True
        elif len(self._new_docids) >= _WAITING:
            self._take_new()
        self._new_docids.append(docid)
        self._new_values.append(value)

    def _take_new(self) -> None:
        assert self._docids is not None
        if self._new_docids:
            self._docids = np.append(self._docids, np.array(self._new_docids, np.uint32))
            self._values = np.append(self._values, np.array(self._new_values, self._values.dtype))
            self._new_docids.clear()
            self._new_values.clear()

    @property
    def docids(self) -> Docids | None:
        """The docids."""
        self._take_new()
        return self._docids

    @property
    def values(self) -> Values:
        """The values."""
        self._take_new()
        return self._values

    @property
    def multiple(self) -> bool:
        """Whether some docid may have more than one value."""
        return self._multiple
