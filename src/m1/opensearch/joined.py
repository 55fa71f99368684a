"""What many wait for at once is done once: a refresh before queries, a bulk of updates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Shared:
    """Work that all who ask share: each waits for a run that begins after that."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def after_now(self) -> None:
        """Wait for a run that begins after this call; raises what it raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._one(self._running))
        await asyncio.shield(self._next)

    async def _one(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        await self._work()


class _Waiting(NamedTuple, Generic[T]):
    what: T
    size: int
    done: asyncio.Future[None]


class Joined(Generic[T]):
    """Work of many callers: what comes while other work is under way goes together.

    Once there is enough of it, it goes beside the other.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[Exception | None]]],
        enough: int,
    ) -> None:
        """`work` gives an outcome for each; `enough` is a size."""
        self._work = work
        self._enough = enough
        self._waiting: list[_Waiting[T]] = []
        self._size = 0
        self._under_way = 0
        self._untold: set[asyncio.Task[None]] = set()

    async def do(self, what: T, size: int) -> None:
        """Have something done; raises what it failed by."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(what, size, done))
        self._size += size
        self._begin()
        await done

    def _begin(self) -> None:
        while self._waiting and (not self._under_way or self._size >= self._enough):
            self._under_way += 1
            task = asyncio.create_task(self._run(self._some()))
            self._untold.add(task)
            task.add_done_callback(self._untold.discard)

    async def _run(self, some: Sequence[_Waiting[T]]) -> None:
        try:
            outcomes = await self._work([each.what for each in some])
        except Exception as error:
            outcomes = [error] * len(some)
        finally:
            self._under_way -= 1
            self._begin()
        for each, failure in zip(some, outcomes, strict=True):
            await asyncio.sleep(0)  # what was just begun is on its way before all are told
            if each.done.done():
                continue
            if failure is None:
                each.done.set_result(None)
            else:
                each.done.set_exception(failure)

    def _some(self) -> list[_Waiting[T]]:
        """Take what waits, but no more than enough."""
        count = total = 0
        for each in self._waiting:
            if count and total + each.size > self._enough:
                break
            count, total = count + 1, total + each.size
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        self._size -= total
        return some

    async def idle(self) -> None:
        """Wait until nothing is under way, and all were told."""
        while self._untold:
            await asyncio.wait(self._untold)
