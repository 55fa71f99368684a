"""The gauges that are looked up when somebody asks: engines give their `Measure`s.

They are apart from `metrics` so that who only declares or builds needs no library for them.
"""

from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    """A gauge that is looked up."""

    name: str
    help: str
    labels: tuple[str, ...] = ("store",)


class Measure(NamedTuple):
    """What a reading came to; of a store, or (in engines) of the space with that uid."""

    reading: Reading
    value: float
    store: str | None = None


ITEMS = Reading("m1_items", "Items kept.")
TERMS = Reading(
    "m1_terms",
    "Terms in the index, each counted once a segment; of the newest items those at paths that "
    "were asked for. Embedded engine.",
)
SEGMENTS = Reading("m1_segments", "Segments of the index.")
SEGMENT_BYTES = Reading("m1_segment_bytes", "Bytes of all segments.")
DATA_BYTES = Reading("m1_data_bytes", "Bytes of items.db. Embedded engine.", ())
WAL_BYTES = Reading("m1_wal_bytes", "Bytes of SQLite's log beside it. Embedded engine.", ())
DISK_FREE_BYTES = Reading(
    "m1_disk_free_bytes", "Bytes left on the disk that the data is on. Embedded engine.", ()
)
PARTS_FAILING = Reading("m1_parts_failing", "Parts of the engine that /health calls FAILED.", ())
READINGS = (
    ITEMS,
    TERMS,
    SEGMENTS,
    SEGMENT_BYTES,
    DATA_BYTES,
    WAL_BYTES,
    DISK_FREE_BYTES,
    PARTS_FAILING,
)
