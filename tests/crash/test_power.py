"""The power is cut at any moment, under four writers: what was acknowledged is there.

All is as in `test_kill`, but the data is on a disk of its own, which forgets with its power
what was not synced; and answers that came after that do not count.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.places import CutDisk, cut_disk
from tests.crash.test_kill import Crashes, crash_again_and_again
from tests.crash.tier import rounds

CUTS = rounds(commit=5, torture=100)
STARTS = rounds(commit=3, torture=50)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[CutDisk]:
    """A disk whose power can be cut."""
    with cut_disk(tmp_path) as disk:
        yield disk


@pytest.mark.parametrize("program", ["m1", "tests.crash.tiny"])
def test_no_acknowledged_update_is_lost_or_torn_with_the_power(
    disk: CutDisk, tmp_path: Path, rand: random.Random, program: str
) -> None:
    crashes = Crashes(tmp_path, rand, disk)
    assert crash_again_and_again(crashes, rand, CUTS, program) == []


def test_none_is_lost_when_the_power_is_cut_while_a_server_starts(
    disk: CutDisk, tmp_path: Path, rand: random.Random
) -> None:
    crashes = Crashes(tmp_path, rand, disk, starts=2)
    assert crash_again_and_again(crashes, rand, STARTS, "tests.crash.tiny") == []


@pytest.mark.parametrize("program", ["tests.crash.careless", "tests.crash.hasty"])
def test_a_server_that_does_not_sync_before_it_answers_is_found_out(
    disk: CutDisk, tmp_path: Path, rand: random.Random, program: str
) -> None:
    wrong = crash_again_and_again(Crashes(tmp_path, rand, disk), rand, 30, program)
    assert any("acknowledged" in fault for fault in wrong)
