"""A bitmap that is written container by container is the one that Roaring would make."""

from __future__ import annotations

import random

import numpy as np
import pytest

from m1.embedded.bitmaps import bitmap_of, bitmap_of_mask, docids_of


@pytest.mark.parametrize("size", [0, 1, 5, 65_535, 65_536, 65_537, 200_001])
@pytest.mark.parametrize("share", [0.0, 0.00002, 0.01, 0.0624, 0.0626, 0.5, 1.0])
def test_a_mask_gives_the_places_where_it_is_true(
    rand: random.Random, size: int, share: float
) -> None:
    mask = np.random.default_rng(rand.randrange(2**32)).random(size) < share
    made, listed = bitmap_of_mask(mask), bitmap_of(np.flatnonzero(mask).astype(np.uint32))
    assert made == listed
    assert len(made) == np.count_nonzero(mask)
    made.add(size)  # it can be changed as any other
    assert docids_of(made).tolist() == [*np.flatnonzero(mask).tolist(), size]


def test_containers_of_all_kinds_stand_side_by_side() -> None:
    mask = np.zeros(4 * 65_536, np.bool_)
    mask[10] = mask[65_536 : 65_536 + 4_096] = mask[3 * 65_536 : 3 * 65_536 + 4_097] = True
    assert docids_of(bitmap_of_mask(mask)).tolist() == np.flatnonzero(mask).tolist()
