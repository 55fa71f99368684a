"""Items as they are read, one by one: what stood there, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from m1.errors import Misuse

MAX_BYTES = 64 * 1024 * 1024
"""A line or an item may be so long; what is longer is no list of items."""


class Line(NamedTuple):
    """An item on its way.

    `number`, counted from 1, is that of its line, in a JSON array that of the item; `text` is
    its JSON, `source` what stood in the input, in one line. Where no item could be made of it,
    `problem` says why.
    """

    number: int
    text: bytes
    source: bytes
    problem: str = ""


class Broken(Misuse):
    """The input cannot be read on; what came before is sound."""


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes into lines; the last one may lack its line end.

    Raises Broken for a line that is longer than any item.
    """
    pieces: list[bytes] = []
    size = number = 0
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        pieces.append(first)
        size += len(first)
        if size > MAX_BYTES:
            raise Broken(f"line {number + 1} is longer than {MAX_BYTES >> 20} MiB")
        if more:
            yield b"".join(pieces)
            yield from more[:-1]
            number += len(more)
            pieces, size = [more[-1]], len(more[-1])
    if size:
        yield b"".join(pieces)


def cannot(what: str, file: Path | str, error: OSError) -> Misuse:
    """Say that a file cannot be read or written."""
    return Misuse(f"{file} cannot be {what}: {error.strerror}")
