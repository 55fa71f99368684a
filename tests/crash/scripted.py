"""A short life of the engine, always the same: it says what it tries, and what was done.

Every second a few changes are folded into the file, every third become a segment. For runs
in which one call to the kernel after another fails.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from m1.embedded import checkpoints, index, upkeep
from m1.embedded.build import Job, build
from m1.embedded.engine import EmbeddedEngine
from m1.embedded.upkeep import Upkeep
from m1.errors import Failure, M1Error
from tests.crash.stubborn import take_no_notice
from tests.speaking import changes

NAMES = ("p0", "p1", "p2")


def value_of(step: int) -> int | None:
    """Give the number that a step puts into both items of its pair; None where it removes."""
    return None if step % 5 == 0 else step


def name_of(step: int) -> str:
    """Give the pair of a step."""
    return NAMES[step % len(NAMES)]


async def live(data: Path, first: int, last: int) -> None:
    """Go through the steps, as far as the disk lets."""
    engine = EmbeddedEngine(data)
    try:
        await engine.create_space("s", 1, 1)
        for step in range(first, last + 1):
            await _take(engine, step)
    except M1Error as error:
        _say("refused", str(error))
    finally:
        await engine.close()


async def _take(engine: EmbeddedEngine, step: int) -> None:
    value, ids = value_of(step), [f"{name_of(step)}-{half}" for half in "ab"]
    items = [{"id": id, "n": value, "t": "x" * 3_000} for id in ids]
    _say("tries", str(step))
    try:
        await engine.update("s", changes(*(ids if value is None else items)))
    except M1Error as error:
        _say("refused", str(error))
    else:
        _say("did", str(step))
    await _settled(engine._upkeep["s"])


async def _settled(kept: Upkeep) -> None:
    """Wait until nothing is due, or what is due has failed."""
    while kept.problem is None and (
        tasks := [task for task in (kept._flushing, kept._merging) if task and not task.done()]
    ):
        await asyncio.wait(tasks, timeout=0.01)


def _say(*words: str) -> None:
    """Say something by a call that nothing else here makes, and that never fails."""
    os.writev(1, [" ".join(words).encode() + b"\n"])


async def _build_here(job: Job) -> None:
    await asyncio.to_thread(build, job)


if __name__ == "__main__":
    logging.disable()  # it would write
    checkpoints._BEGIN_BYTES = 40_000
    index.FULL_CHANGES = 3
    setattr(upkeep, "_build", _build_here)  # noqa: B010
    setattr(upkeep, "_PAUSE_SECONDS", 0.05)  # noqa: B010
    data, first, last, how = sys.argv[1:]
    if how == "stubborn":
        take_no_notice()
    try:
        asyncio.run(live(Path(data), int(first), int(last)))
    except Failure as failure:
        _say("ends", str(failure))
