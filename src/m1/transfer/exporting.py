"""`m1 export`: what a query finds into a file or a pipe; a file is there only when it is whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from m1.counts import counted
from m1.errors import Misuse, NoConnection, Stopped
from m1.patience import patiently
from m1.pretty import visible
from m1.progress import Live
from m1.transfer.formats import written
from m1.transfer.packing import packed
from m1.transfer.place import Place
from m1.transfer.sending import PATIENCE_SECONDS
from m1.transfer.stopping import ENDINGS, reason_of

_PIECE_BYTES = 256 * 1024


class Wanted(NamedTuple):
    """What to export, by a query and its order, and how to write it."""

    source: Place
    q: str
    sort: str
    form: str
    packing: str


def to_file(wanted: Wanted, file: Path, live: Live) -> None:
    """Export into a new file; raises Stopped, and leaves none, where it cannot be whole."""
    if file.exists():
        raise Misuse(f"{file} is there already: name another file, or remove it first")
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)  # of an export that was killed; or a link of somebody else
        with part.open("xb") as out:
            count = _write(wanted, out, file.parent, live)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, file)
    except ENDINGS as error:
        reason, code = reason_of(error, str(file))
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise Stopped(
            f"{reason}; {file} was not made: the same command begins anew", code
        ) from error
    finally:
        live.end()
    live.tell(f"m1: {counted(count, 'item')} of {wanted.source} written to {file}")


def to_pipe(wanted: Wanted, out: IO[bytes], live: Live) -> None:
    """Export to a pipe; raises Stopped where what was written is not all of it."""
    try:
        _write(wanted, out, Path(tempfile.gettempdir()), live)
        out.flush()
    except BrokenPipeError:
        raise
    except ENDINGS as error:
        reason, code = reason_of(error, "standard output")
        raise Stopped(f"{reason}; what was written is not all of it", code) from error
    finally:
        live.end()


def _write(wanted: Wanted, out: IO[bytes], folder: Path, live: Live) -> int:
    """Write all items; gives how many they are."""

    def say(error: Exception, wait: float) -> None:
        if isinstance(error, NoConnection):  # nothing has begun that would be worth the waiting
            raise error
        live.tell(f"m1: {visible(str(error))}; again in {wait:g} s")

    count, items = patiently(
        lambda: wanted.source.items(wanted.q, wanted.sort), PATIENCE_SECONDS, say
    )
    watched = _watched(items, count, live)
    pieces = _pieces(written(watched, wanted.form, folder))
    for piece in packed(pieces, wanted.packing):
        out.write(piece)
    return count


def _watched(items: Iterator[bytes], count: int, live: Live) -> Iterator[bytes]:
    progress = live.progress(count, "item", "exported")
    for done, item in enumerate(items, 1):
        yield item
        progress.at(done)


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts: each piece is one call to write or to pack."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
