"""What the embedded engine says about its size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from m1 import readings
from m1.embedded.layout import LOG
from m1.embedded.space import Space
from m1.readings import Measure


def of_disk(file: Path) -> list[Measure]:
    """Measure the file of all items, and what is around it; asks the disk."""
    log = file.with_name(file.name + LOG)
    return [
        Measure(readings.DATA_BYTES, file.stat().st_size),
        Measure(readings.WAL_BYTES, log.stat().st_size if log.exists() else 0),
        Measure(readings.DISK_FREE_BYTES, shutil.disk_usage(file.parent).free),
    ]


def of_space(space: Space) -> Iterator[Measure]:
    """Measure the index of a space."""
    uid, index = space.place.uid, space.index
    size = sum(segment.file.size for segment in index.segments)
    yield Measure(readings.ITEMS, len(index), uid)
    yield Measure(readings.TERMS, sum(part.term_count for part in index.parts), uid)
    yield Measure(readings.SEGMENTS, len(index.segments), uid)
    yield Measure(readings.SEGMENT_BYTES, size, uid)
