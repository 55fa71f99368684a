"""Between Roaring bitmaps and arrays of docids."""

from __future__ import annotations

from array import array

import numpy as np
from pyroaring import BitMap

from m1.embedded.columns import Docids


def bitmap_of(docids: Docids) -> BitMap:
    """Give a bitmap of docids in any order; of an array it is made in a tenth of the time."""
    return BitMap(array("I", docids.tobytes()))


def docids_of(found: BitMap) -> Docids:
    """Give the docids of a bitmap, ascending."""
    return np.frombuffer(found.to_array(), np.uint32)
