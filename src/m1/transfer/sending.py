"""Updates of about 384 KB on their way to a store, several at a time, in the order that counts.

A batch that holds an id of one under way waits for it, so of two items of one id the later
one stays. Where the server refuses a batch, it is halved until the items are found that it
does not take.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import NamedTuple, TypeVar

import msgspec

from m1.errors import BadRequest, TooLarge
from m1.jsontext import decode, read
from m1.paths import identity
from m1.patience import patiently
from m1.pretty import visible
from m1.progress import Tell
from m1.transfer.lines import Line
from m1.transfer.place import Place

LANES = 6
PATIENCE_SECONDS = 60.0
_BATCH_BYTES = 384 * 1024
_FIRST_ITEM = "op 0, item 0: "

T = TypeVar("T")


class Refusal(NamedTuple):
    """A line that is no item that the store can hold, and why."""

    line: Line
    reason: str


@dataclass(slots=True)
class Batch:
    """Lines that go together: those that can be sent, with their ids, and those that cannot."""

    lines: list[Line] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    refused: list[Refusal] = field(default_factory=list)
    size: int = 0

    def __len__(self) -> int:
        return len(self.lines) + len(self.refused)


def batches(lines: Iterable[Line], key: str) -> Iterator[Batch]:
    """Look at lines, and group them; without a key what the server would say is not foreseen."""
    batch = Batch()
    for line in lines:
        try:
            id = _id(line, key)
        except BadRequest as error:
            batch.refused.append(Refusal(line, error.message))
        else:
            batch.ids.update({id} if key else ())
            batch.lines.append(line)
        batch.size += len(line.source)
        if batch.size >= _BATCH_BYTES:
            yield batch
            batch = Batch()
    if len(batch):
        yield batch


def _id(line: Line, key: str) -> str:
    """Give the id of an item; raises BadRequest for what is none, in the server's words."""
    if line.problem:
        raise BadRequest(line.problem)
    try:
        item = decode(line.text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        item = read(line.text)  # which says what is wrong
    if not isinstance(item, dict):
        raise BadRequest("an item must be a map")
    return identity(item, key) if key else ""


class Sender:
    """Sends lines to one store; waits for a server that is away."""

    def __init__(self, target: Place, tell: Tell, patience: float = PATIENCE_SECONDS) -> None:
        self._target = target
        self._tell = tell
        self._patience = patience
        self._is_away = False
        self._store = json.dumps(target.store).encode()

    def send(self, lines: list[Line]) -> list[Refusal]:
        """Upsert lines; gives those that the server refuses.

        Raises its other refusals, and NoConnection where it was away for too long.
        """
        if not lines:
            return []
        try:
            patiently(lambda: self._update(lines), self._patience, self._say)
            self._is_away = False
        except (BadRequest, TooLarge) as error:
            if len(lines) == 1:
                return [Refusal(lines[0], error.message.removeprefix(_FIRST_ITEM))]
            middle = len(lines) // 2
            return self.send(lines[:middle]) + self.send(lines[middle:])
        return []

    def _update(self, lines: list[Line]) -> None:
        items = b",".join([line.text for line in lines])
        body = b'{"store":%b,"ops":[{"upsert":[%b]}]}' % (self._store, items)
        self._target.call("session/update", body, seconds=self._patience).whole()

    def _say(self, error: Exception, wait: float) -> None:
        if not self._is_away:
            self._is_away = True
            self._tell(f"m1: {visible(str(error))}; tried again for up to {self._patience:g} s")


def sent(
    all_batches: Iterator[Batch], send: Callable[[list[Line]], list[Refusal]], lanes: int
) -> Iterator[tuple[Batch, list[Refusal]]]:
    """Send batches, `lanes` at a time; gives each when it is in, in order, and what was refused."""
    under_way: deque[tuple[Batch, Future[list[Refusal]]]] = deque()
    for batch in all_batches:
        while under_way and (len(under_way) >= lanes or _meets(batch, under_way)):
            yield _finished(*under_way.popleft())
        under_way.append((batch, _begun(partial(send, batch.lines))))
    while under_way:
        yield _finished(*under_way.popleft())


def _meets(batch: Batch, under_way: Iterable[tuple[Batch, Future[list[Refusal]]]]) -> bool:
    return any(not batch.ids.isdisjoint(other.ids) for other, _ in under_way)


def _finished(batch: Batch, sending: Future[list[Refusal]]) -> tuple[Batch, list[Refusal]]:
    refused = [*batch.refused, *sending.result()]
    return batch, sorted(refused, key=lambda refusal: refusal.line.number)


def _begun(work: Callable[[], T]) -> Future[T]:
    """Begin work in a thread of its own, which holds up no end of the command."""
    future: Future[T] = Future()

    def to_the_end() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # whoever waits for it is told
            future.set_exception(error)

    Thread(target=to_the_end, daemon=True).start()
    return future
