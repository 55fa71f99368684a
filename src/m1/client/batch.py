"""Changes gathered into updates: in order, and bounded in time, size and memory.

    upsert, delete -> waiting changes -> an update at a time -> done, or a failure

Nothing here waits or sends. Everything that would is a generator that yields what is to be
done: `Wait` until there is news, `Tell` that there is, send an `Ask`, `Report` a failure.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Literal, NamedTuple

import msgspec

from m1.client.ask import Ask, Id, Item, Op, text_of, update
from m1.counts import counted
from m1.errors import BadRequest, M1Error, Misuse, NoConnection, TooLarge

_UPDATES_HELD = 8
"""So many updates' bytes may wait or have failed, before whoever brings more waits."""
_CHANGE_BYTES = 100
"""What a change takes in memory beside its text."""


class Change(NamedTuple):
    """An upsert or a delete, written as JSON when it came."""

    kind: Literal["upsert", "delete"]
    text: bytes

    @property
    def size(self) -> int:
        """What it takes in memory, in bytes."""
        return len(self.text) + _CHANGE_BYTES


class FailedUpdate(NamedTuple):
    """Changes that were not applied, as ops to be sent again, and why.

    After NoConnection they may have been.
    """

    ops: list[Op]
    error: M1Error | NoConnection


class UpdatesFailed(Exception):
    """Some changes of a batch were not applied; `failures` has them all."""

    def __init__(self, failures: list[FailedUpdate]) -> None:
        count = sum(
            len(op.get("upsert", ())) + len(op.get("delete", ()))
            for each in failures
            for op in each.ops
        )
        what = counted(count, "change was", "changes were")
        super().__init__(f"{what} not applied: {failures[0].error}")
        self.failures = failures


OnFailure = Callable[[FailedUpdate], None]


class Wait(NamedTuple):
    """To wait for news, so many seconds at most."""

    seconds: float | None = None


class Tell(NamedTuple):
    """To tell all who wait that there is news."""


class Report(NamedTuple):
    """To give a failure to the caller's function."""

    on_failure: OnFailure
    failure: FailedUpdate


Step = Wait | Tell | Report | Ask[None]
Steps = Generator[Step, None, None]


def ops_of(changes: Iterable[Change]) -> bytes:
    """Write changes as ops that apply them in their order: a delete ends its op's upserts."""
    ops: list[dict[str, list[bytes]]] = []
    for change in changes:
        if not ops or (change.kind == "upsert" and ops[-1]["delete"]):
            ops.append({"upsert": [], "delete": []})
        ops[-1][change.kind].append(change.text)
    written = [
        b",".join(b'"%s":[%s]' % (kind.encode(), b",".join(op[kind])) for kind in op if op[kind])
        for op in ops
    ]
    return b"[{%s}]" % b"},{".join(written)


class Batch:
    """The changes for one store that have not been applied, and those that failed."""

    def __init__(
        self, store: str, seconds: float, changes: int, size: int, on_failure: OnFailure | None
    ) -> None:
        if seconds < 0 or changes < 1 or size < 1:
            raise Misuse("updates have at least one change and one byte, and wait at least 0 s")
        self._store = store
        self._seconds, self._changes, self._size = seconds, changes, size
        self._on_failure = on_failure
        self.is_over = False
        """Whether nothing is sent any more."""
        self._is_open = self._is_closing = False
        self._broken: BaseException | None = None
        """What ended it before its time."""
        self._waiting: deque[Change] = deque()
        self._oldest = 0.0
        """When the first of those that wait came."""
        self._waiting_bytes = self._sending_bytes = self._failed_bytes = 0
        self._failures: list[FailedUpdate] = []
        self._added = self._done = self._wanted = 0
        """How many changes came, were sent, and are not to wait for more."""

    # --- for those who bring changes ---

    def upserting(self, item: Item) -> Steps:
        """Add an upsert; raises TypeError or ValueError for what JSON cannot say."""
        return self._adding(Change("upsert", text_of(item)))

    def deleting(self, id: Id) -> Steps:
        """Add a delete."""
        return self._adding(Change("delete", text_of(id)))

    def _adding(self, change: Change) -> Steps:
        self._check_open()
        most = _UPDATES_HELD * self._size
        while self._waiting_bytes + self._sending_bytes + self._failed_bytes >= most:
            if self._failed_bytes >= most:
                raise self._reported()
            yield Wait()
            self._check_open()
        if not self._waiting:
            self._oldest = time.monotonic()
        self._waiting.append(change)
        self._waiting_bytes += change.size
        self._added += 1
        if len(self._waiting) == 1 or self._is_due():
            yield Tell()

    def opening(self) -> Steps:
        """Take changes from now on."""
        self._is_open = True
        yield Tell()

    def flushing(self) -> Steps:
        """Wait until all that was added before has been sent; raises UpdatesFailed."""
        self._wanted = goal = self._added
        yield Tell()
        while self._done < goal and not self.is_over:
            yield Wait()
        if problem := self._problem():
            raise problem

    def closing(self, error: BaseException | None) -> Steps:
        """Send all there is; raises UpdatesFailed, or notes it on the error of the block."""
        self._is_open, self._is_closing = False, True
        yield Tell()
        while not self.is_over:
            yield Wait()
        problem = self._problem()
        if error is None and problem is not None:
            raise problem
        if error is not None and problem not in (None, error):
            error.add_note(str(problem))

    def _check_open(self) -> None:
        if self._broken is not None:
            raise self._broken
        if not self._is_open:
            raise RuntimeError("these updates are not open: add to them in their with block")

    def _problem(self) -> BaseException | None:
        """Give what went wrong and was not told before."""
        return self._broken or (self._reported() if self._failures else None)

    def _reported(self) -> UpdatesFailed:
        failures, self._failures, self._failed_bytes = self._failures, [], 0
        return UpdatesFailed(failures)

    # --- for the one who sends ---

    def sending(self) -> Steps:
        """Send update after update, until the batch is closed and nothing waits."""
        while self._waiting or not self._is_closing:
            if not self._is_due():
                left = self._oldest + self._seconds - time.monotonic()
                yield Wait(left if self._waiting else None)
                continue
            changes = self._taken()
            yield from self._applying(changes)
            self._sending_bytes = 0
            self._done += len(changes)
            yield Tell()

    def _is_due(self) -> bool:
        """Tell whether what waits is to be sent now."""
        return bool(self._waiting) and (
            len(self._waiting) >= self._changes
            or self._waiting_bytes >= self._size
            or self._is_closing
            or self._done < self._wanted
            or time.monotonic() - self._oldest >= self._seconds
        )

    def _taken(self) -> list[Change]:
        """Take as many changes as make one update."""
        taken: list[Change] = []
        while self._waiting and len(taken) < self._changes and self._sending_bytes < self._size:
            taken.append(self._waiting.popleft())
            self._waiting_bytes -= taken[-1].size
            self._sending_bytes += taken[-1].size
        return taken

    def _applying(self, changes: list[Change]) -> Steps:
        """Send an update; of one that is refused each half, so that the bad change fails alone."""
        try:
            yield update(self._store, ops_of(changes))
            return
        except (M1Error, NoConnection) as error:
            failed = error
        if isinstance(failed, BadRequest | TooLarge) and len(changes) > 1:
            middle = len(changes) // 2
            yield from self._applying(changes[:middle])
            yield from self._applying(changes[middle:])
        else:
            yield from self._failing(changes, failed)

    def _failing(self, changes: list[Change], error: M1Error | NoConnection) -> Steps:
        failure = FailedUpdate(msgspec.json.decode(ops_of(changes), type=list[Op]), error)
        if self._on_failure is not None:
            yield Report(self._on_failure, failure)
        else:
            self._failures.append(failure)
            self._failed_bytes += sum(change.size for change in changes)

    def end(self, error: BaseException | None) -> None:
        """Take note that nothing is sent any more, and of what was the reason, if there was one."""
        self.is_over, self._broken = True, error
        if error is not None and self._done < self._added:
            error.add_note(f"of the changes, the last {self._added - self._done} are not applied")
