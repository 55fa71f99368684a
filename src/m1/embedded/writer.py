"""The one thread that writes: it takes all work that waits and commits it together.

A piece of work is two functions: `write` runs in the thread, inside the transaction;
`show` runs on the event loop after the COMMIT, in the order of the commits, and its
result is what the caller who waits gets. So a caller is answered when the change is both
on disk and visible, and while one group is being shown the next one is already being
written.

The thread is supervised: when a commit fails for want of space, what of it only removes is
tried once more, the callers of the others are told, and the next group is tried. Any other
failure is the end: who waits is told at once, every later call is refused, and `on_failure`
ends the process. A commit whose sync failed must not be tried again, since the system may
call lost pages written.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from m1.embedded.checkpoints import DiskFull
from m1.embedded.disk import Disk
from m1.errors import Unavailable
from m1.metrics import COMMIT_SECONDS, COMMIT_UPDATES

_GROUP = 512
_DISK_FULL_RETRY = 5


class _Work(NamedTuple):
    write: Callable[[Disk], None]
    show: Callable[[], Awaitable[Any]]
    undo: Callable[[], None] | None
    removes: bool
    done: asyncio.Future[Any]


class Writer:
    """Group commit for one Disk; made inside a running event loop."""

    def __init__(self, disk: Disk, on_failure: Callable[[BaseException], None]) -> None:
        self.failure: BaseException | None = None
        self._closed = False
        self._disk = disk
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._gathered: list[_Work] = []
        self._waiting: queue.SimpleQueue[list[_Work] | None] = queue.SimpleQueue()
        self._committed: asyncio.Queue[list[_Work] | None] = asyncio.Queue()
        self._thread = threading.Thread(target=self._run, name="m1-writer", daemon=True)
        self._thread.start()
        self._showing = asyncio.create_task(self._show())

    async def do(
        self,
        write: Callable[[Disk], None],
        show: Callable[[], Awaitable[Any]],
        undo: Callable[[], None] | None = None,
        *,
        removes: bool = False,
    ) -> Any:
        """Write, commit, show; give what `show` gives.

        What `removes`, and does nothing that needs much room, is written on a full disk too.
        Raises Unavailable where it could not be written, having called `undo`. A caller who
        is cancelled leaves the work going on.
        """
        if self.failure is not None:
            raise _broken(self.failure)
        if self._closed:
            raise Unavailable("the server is ending")
        done: asyncio.Future[Any] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Work(write, show, undo, removes, done))
        return await done

    def _hand_over(self) -> None:
        """Give the thread what came in one turn of the loop: it wakes once, and commits once."""
        gathered, self._gathered = self._gathered, []
        if self.failure is None:
            self._waiting.put(gathered)
        else:
            _refuse(gathered, _broken(self.failure))

    async def close(self) -> None:
        """Finish all work that waits, and end."""
        self._closed = True
        self._loop.call_soon(self._waiting.put, None)
        await asyncio.wait([self._showing])
        await asyncio.to_thread(self._thread.join)

    # --- in the thread ---

    def _run(self) -> None:
        last = False
        while not last:
            group, last = self._next_group()
            if not group:
                break
            try:
                self._commit_what_has_room(group)
            except BaseException as error:
                return self._tell(self._fail, error, group)
        return self._tell(self._committed.put_nowait, None)

    def _commit_what_has_room(self, group: list[_Work]) -> None:
        """Commit a group; where the disk has no room for it, what of it removes."""
        problem = self._commit(group)
        if problem is None:
            return self._tell(self._to_be_shown, group)
        removals = [work for work in group if work.removes]
        if removals and self._commit(removals) is None:
            self._tell(self._to_be_shown, removals)
            group = [work for work in group if not work.removes]
        return self._tell(_refuse, group, _disk_full(problem))

    def _commit(self, group: list[_Work]) -> DiskFull | None:
        try:
            with (
                COMMIT_SECONDS.time(),
                self._disk.transaction(removes=all(work.removes for work in group)),
            ):
                for work in group:
                    work.write(self._disk)
        except DiskFull as error:
            return error
        COMMIT_UPDATES.observe(len(group))
        return None

    def _next_group(self) -> tuple[list[_Work], bool]:
        """Wait for work, then take all there is; True with it when there will be no more."""
        group: list[_Work] = []
        while (gathered := self._waiting.get()) is not None:
            group += gathered
            if len(group) >= _GROUP or self._waiting.empty():
                return group, False
        return group, True

    def _tell(self, what: Callable[..., object], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(what, *arguments)

    # --- on the event loop ---

    def _to_be_shown(self, group: list[_Work]) -> None:
        if self.failure is None:
            self._committed.put_nowait(group)
        else:
            _refuse(group, _broken(self.failure))

    async def _show(self) -> None:
        group: list[_Work] = []
        try:
            while group_or_end := await self._committed.get():
                group = group_or_end
                while group:
                    result = await group[0].show()
                    work = group.pop(0)
                    if not work.done.done():
                        work.done.set_result(result)
        except Exception as error:  # disk and index are no longer the same: only a restart helps
            self._fail(error, group)

    def _fail(self, error: BaseException, group: list[_Work]) -> None:
        self.failure = error
        _refuse(group, _broken(error))
        while not self._committed.empty():
            _refuse(self._committed.get_nowait() or [], _broken(error))
        with contextlib.suppress(queue.Empty):  # the thread may be faster at taking them
            while True:
                _refuse(self._waiting.get_nowait() or [], _broken(error))
        self._waiting.put(None)
        self._committed.put_nowait(None)
        self._on_failure(error)


def _refuse(group: list[_Work], error: Unavailable) -> None:
    for work in group:
        if work.undo is not None:
            work.undo()
        if not work.done.done():
            work.done.set_exception(error)


def _broken(cause: BaseException) -> Unavailable:
    error = Unavailable("the data can no longer be written; the server is ending")
    error.__cause__ = cause
    return error


def _disk_full(cause: BaseException) -> Unavailable:
    error = Unavailable("the disk is full; nothing was changed", retry_after=_DISK_FULL_RETRY)
    error.__cause__ = cause
    return error
