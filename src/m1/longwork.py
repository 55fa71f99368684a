"""Long work that holds nobody up: in slices on the event loop, or in a thread aside.

Work in Python goes in slices, between which everything else has its turn; all of it takes
turns, so that others wait for one slice and no longer, however much of it there is, and it
can be given up between two slices. Who had the fewest is next: what takes two or three is
soon done, whatever takes thousands. What waits for the disk, or is one long call into a
library, goes into a thread, one a kind: more would only take the interpreter from the loop
more often.

Python lets a thread keep the interpreter for 5 ms while another asks for it, and both a
commit and the reading of ten rows ask a dozen times. While there is long work, it is handed
on fifty times as often.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush
from itertools import count
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import ParamSpec, Self, TypeVar
from weakref import WeakKeyDictionary

from m1.steps import Steps

_SLICE_SECONDS = 0.001
_SWITCH_SECONDS = 0.0001
_ROUNDS = 3
"""So often the event loop goes round between two slices: a short call takes some rounds."""

P = ParamSpec("P")
T = TypeVar("T")


class _Turns:
    """Whose slice is next, of all that rest on one event loop."""

    def __init__(self) -> None:
        self._resting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._came = count()

    async def wait(self, had: int) -> None:
        """Wait for a turn; who `had` fewer slices goes first, then who came first."""
        turn = asyncio.get_running_loop().create_future()
        heappush(self._resting, (had, next(self._came), turn))
        if len(self._resting) == 1:  # else the loop goes round for others already
            self._pass(_ROUNDS)
        await turn

    def _pass(self, rounds: int) -> None:
        """Let the loop go round, and give a turn."""
        if rounds == 0:
            *_, turn = heappop(self._resting)
            if not turn.done():  # else it was given up
                turn.set_result(None)
            rounds = _ROUNDS
        if self._resting:
            asyncio.get_running_loop().call_soon(self._pass, rounds - 1)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


class _Switching:
    """How often the interpreter is handed on, while so much long work is going on."""

    def __init__(self) -> None:
        self._usual = sys.getswitchinterval()
        self._lock = Lock()
        self._works = 0

    def change(self, works: int) -> None:
        """Take note of work that begins (1) or ends (-1)."""
        with self._lock:
            self._works += works
            sys.setswitchinterval(_SWITCH_SECONDS if self._works else self._usual)


_switching = _Switching()


class Slices:
    """The slices of one piece of work, the first of which begins now; use it with `with`."""

    def __init__(self) -> None:
        self._end = perf_counter() + _SLICE_SECONDS
        self._had = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._had:
            _switching.change(-1)

    @property
    def are_due(self) -> bool:
        """Whether it is time to rest."""
        return perf_counter() > self._end

    async def rest(self) -> None:
        """Let others run."""
        if not self._had:
            _switching.change(1)
        self._had += 1
        await _turns.setdefault(asyncio.get_running_loop(), _Turns()).wait(self._had)
        self._end = perf_counter() + _SLICE_SECONDS

    async def finish(self, steps: Steps[T]) -> T:
        """Carry out work of many steps, and give what it comes to; raises what it raises."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            if self.are_due:
                await self.rest()


class Aside:
    """A thread for one kind of long work, one piece of it after another."""

    def __init__(self, kind: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"m1-{kind}")

    async def do(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do work when it is its turn; raises what the work raises."""

        def at_its_turn() -> T:
            _switching.change(1)
            try:
                return work(*arguments, **named)
            finally:
                _switching.change(-1)

        return await asyncio.get_running_loop().run_in_executor(self._thread, at_its_turn)

    def close(self) -> None:
        """Finish what was begun, and let go of the thread."""
        self._thread.shutdown(cancel_futures=True)


large_bodies = Aside("bodies")
"""Reads what comes in and is large."""
