"""The embedded engine with tiny segments, so that small stories go through all of it.

Three changes make a segment, four segments are merged, and an update returns when all
that was due is done: so stories stay the same from run to run. Segments are made in this
process here; that a process of its own does it is tested with the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from m1.embedded import index, upkeep
from m1.embedded.build import Job, build
from m1.embedded.engine import EmbeddedEngine
from m1.engine import Change


class SegmentedEngine(EmbeddedEngine):
    """Keeps the Engine protocol; everything but the last changes is in segments."""

    async def update(self, uid: str, changes: Sequence[Change]) -> None:
        await super().update(uid, changes)
        if uid in self._upkeep:
            await settled(self._upkeep[uid])


async def settled(kept: upkeep.Upkeep) -> None:
    """Wait until nothing is due."""
    while tasks := [task for task in (kept._flushing, kept._merging) if task and not task.done()]:
        await asyncio.wait(tasks)
    assert kept.problem is None


@contextmanager
def tiny_segments() -> Iterator[pytest.MonkeyPatch]:
    """Make segments of three changes, in this process, within the block; more may be patched."""

    async def build_here(job: Job) -> None:
        await asyncio.to_thread(build, job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "FULL_CHANGES", 3)
        patch.setattr(upkeep, "_build", build_here)
        yield patch


def segments_of(engine: EmbeddedEngine, uid: str) -> list[Path]:
    """Give the files of a space's segments."""
    return [segment.path for segment in engine._spaces[uid].index.segments]
