"""`m1 import`: items from a file, a pipe or another store into a store that is there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import RawIOBase
from itertools import dropwhile
from pathlib import Path

from m1.counts import counted
from m1.errors import Failure, Forbidden, M1Error, Stopped
from m1.progress import Live
from m1.transfer.formats import named, read
from m1.transfer.ledger import Ledger, Rejected
from m1.transfer.lines import Broken, Line, cannot
from m1.transfer.packing import unpacked
from m1.transfer.place import Place
from m1.transfer.sending import LANES, PATIENCE_SECONDS, Sender, batches, sent
from m1.transfer.stopping import ENDINGS, reason_of

_CHUNK_BYTES = 256 * 1024


@dataclass
class Input:
    """Where items come from: its name, its lines, and how many those are, if that is known."""

    name: str
    lines: Iterator[Line]
    rejected: Rejected
    ledger: Ledger | None = None
    whole: int = 0
    share: Callable[[], float] = field(default=lambda: 0.0)
    """How much of it was read, from 0 to 1, where it is a file."""


def import_items(
    target: Place, given: Input, live: Live, patience: float = PATIENCE_SECONDS
) -> None:
    """Import all items; raises Stopped, with the way on, where not all of them are in."""
    work = _Import(target, given, live)
    sender = Sender(target, live.tell, patience)
    try:
        work.carry_out(sender, _key(target, live))
    except ENDINGS as error:
        raise work.stopped(error) from error
    finally:
        live.end()
    work.finish()


def _key(target: Place, live: Live) -> str:
    """Give the key of a store; "" where who imports may not see it."""
    try:
        return target.shape().key
    except Forbidden:
        live.tell("m1: without the right get the key is not known: one update at a time is sent")
        return ""


class _Import:
    """One import on its way."""

    def __init__(self, target: Place, given: Input, live: Live) -> None:
        self._target = target
        self._input = given
        self._live = live
        self._lines = given.ledger.lines if given.ledger else 0
        self._broken: Broken | None = None

    def carry_out(self, sender: Sender, key: str) -> None:
        """Send all lines, and take note of each batch when it is in."""
        given = self._input
        lines = self._readable()
        if given.ledger and given.ledger.is_anew:
            self._live.tell(f"m1: {given.name} has changed since it was begun: from its start")
        if self._lines:
            self._live.tell(f"m1: {given.name}: on behind the first {counted(self._lines, 'item')}")
            lines = _behind(lines, self._lines)
        progress = self._live.progress(given.whole, "item", "imported", self._lines)
        for batch, refused in sent(batches(lines, key), sender.send, LANES if key else 1):
            given.rejected.add(refused)
            self._lines += len(batch)
            if given.ledger:
                given.ledger.note(len(batch))
            progress.at(self._lines, given.share())

    def stopped(self, error: BaseException) -> Stopped:
        """Say what ended the import, how much is in, and how to go on."""
        reason, code = reason_of(error, self._input.name)
        ledger, anew = self._input.ledger, "the same command begins anew, which does no harm"
        if not self._lines and not self._input.rejected.is_there:  # nothing is known to be in
            if ledger:
                ledger.end()
            return Stopped(reason if isinstance(error, M1Error) else f"{reason}; {anew}", code)
        return Stopped(f"{reason}; {self._so_far()}; {_kept(ledger) if ledger else anew}", code)

    def finish(self) -> None:
        """Say how much is in; raises Stopped where something is not."""
        if self._input.ledger:
            self._input.ledger.end()
        if self._broken:
            raise Stopped(
                f"{self._input.name}: {self._broken}; {self._so_far()}, and what stands behind "
                "was not read: mend it, and import it anew, which does no harm",
                self._broken.exit_code,
            )
        if self._input.rejected.count:
            raise Stopped(self._so_far(), 1)
        self._live.tell(f"m1: {self._so_far()}")

    def _so_far(self) -> str:
        refused = self._input.rejected.count
        text = counted(self._lines - refused, "item is", "items are") + f" in {self._target}"
        if refused:
            text += ", " + counted(refused, "was refused", "were refused")
            text += f": {self._input.rejected.file} has each, and why"
        return text

    def _readable(self) -> Iterator[Line]:
        """Give lines up to where the input cannot be read on: they are sound."""
        try:
            yield from self._input.lines
        except Broken as error:
            self._broken = error


def _kept(ledger: Ledger) -> str:
    """Write down how far an import is; says how it goes on."""
    try:
        ledger.save()
    except Failure as failure:
        return f"{failure}, so the same command goes on a little before that"
    return "the same command goes on from there"


def _behind(lines: Iterator[Line], count: int) -> Iterator[Line]:
    numbered = enumerate(lines)
    return (line for _, line in dropwhile(lambda each: each[0] < count, numbered))


def from_file(stack: ExitStack, file: Path, form: str, target: Place) -> Input:
    """Read a file; one that is no plain file is read like a pipe."""
    try:
        opened = stack.enter_context(file.open("rb", buffering=0))
        status = os.fstat(opened.fileno())
    except OSError as error:
        raise cannot("read", file, error) from None
    if not stat.S_ISREG(status.st_mode):
        return from_pipe(opened, str(file), form, target)
    rejected = Rejected(file.with_name(f"{file.name}.rejected"))
    size = max(status.st_size, 1)
    return Input(
        str(file),
        _lines(opened, str(file), form or named(file.name)[0]),
        rejected,
        Ledger(file, target, rejected),
        share=lambda: opened.tell() / size,
    )


def from_pipe(stream: RawIOBase, name: str, form: str, target: Place) -> Input:
    """Read a pipe; what is refused goes into the working folder."""
    return Input(name, _lines(stream, name, form), _rejected_here(target))


def from_store(source: Place, target: Place, q: str) -> Input:
    """Read the items that a query finds in a store, at one moment."""
    count, items = source.items(q)
    lines = (Line(number, item, item) for number, item in enumerate(items, 1))
    return Input(str(source), lines, _rejected_here(target), whole=count)


def _rejected_here(target: Place) -> Rejected:
    rejected = Rejected(Path(f"{target.store}.rejected"))
    rejected.begin()
    return rejected


def _lines(stream: RawIOBase, name: str, form: str) -> Iterator[Line]:
    """Read lines; raises Broken where there is not even a beginning."""
    try:
        return read(unpacked(_chunks(stream)), form)
    except Broken as error:
        raise Broken(f"{name}: {error}") from None


def _chunks(stream: RawIOBase) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk
