"""A bitmap that is written container by container is the one that Roaring would make."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pyroaring import BitMap

from m1.embedded.bitmaps import bitmap_of, bitmap_of_mask, docids_of


@pytest.mark.parametrize("size", [0, 1, 5, 65_535, 65_536, 65_537, 200_001])
@pytest.mark.parametrize("share", [0.0, 0.00002, 0.01, 0.0624, 0.0626, 0.5, 1.0])
def test_a_mask_gives_the_places_where_it_is_true(
    rand: random.Random, size: int, share: float
) -> None:
    mask = np.random.default_rng(rand.randrange(2**32)).random(size) < share
    made, listed = bitmap_of_mask(mask), BitMap(np.flatnonzero(mask).tolist())
    assert made == listed
    assert len(made) == np.count_nonzero(mask)
    made.add(size)  # it can be changed as any other
    assert docids_of(made).tolist() == [*np.flatnonzero(mask).tolist(), size]


def test_containers_of_all_kinds_stand_side_by_side() -> None:
    mask = np.zeros(4 * 65_536, np.bool_)
    mask[10] = mask[65_536 : 65_536 + 4_096] = mask[3 * 65_536 : 3 * 65_536 + 4_097] = True
    assert docids_of(bitmap_of_mask(mask)).tolist() == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("count", [0, 1, 501, 5_000])
@pytest.mark.parametrize("below", [5_001, 70_000, 4_000_000_000])
def test_docids_in_any_order_make_the_bitmap_that_lists_them(count: int, below: int) -> None:
    places = np.random.default_rng(count).permutation(min(below, 300_000))[:count]
    docids = (places * (below // min(below, 300_000))).astype(np.uint32)
    assert bitmap_of(docids) == BitMap(docids.tolist())
