"""Long work on the event loop, cut into slices between which everybody else has a turn.

A thread would not do: it and the loop would take the interpreter from each other for 5 ms
at a time. All long work of an engine takes turns, so that others wait for one slice and no
longer, however much of it there is; and it can be given up between two slices.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

_SECONDS = 0.002


class Slices:
    """The slices of one piece of work; `turn` is shared by all there is."""

    def __init__(self, turn: asyncio.Lock) -> None:
        self._turn = turn
        self._end = perf_counter() + _SECONDS

    @property
    def are_due(self) -> bool:
        """Whether it is time to rest."""
        return perf_counter() > self._end

    async def rest(self) -> None:
        """Let others run."""
        async with self._turn:
            await asyncio.sleep(0)
        self._end = perf_counter() + _SECONDS
