"""Whether the end of SQLite's log is what was written there.

After a crash SQLite takes from its log what has the right checksums, up to the first frame
that has not, and forgets the rest without a word. A commit that was cut short by the crash
ends that way, and nobody was told that it is durable: a kill may come between the head of a
frame and its page, a loss of power leave any of its frames behind. But where more of this log
stands behind a commit with a bad frame, that commit was synced before, and damaged later;
then nothing must be forgotten silently. Nor where one bit alone is wrong: a write that was
cut short leaves more.

That holds for a log that was begun anew after each crash: otherwise, what is written next
over a commit cut short may leave the end of that one standing behind itself.

The format is described at https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct(">8I")
_FRAME = 24
_MAGIC = 0x377F0682
_AT_ONCE = 2_000
_MODULUS = 2**32

Words = NDArray[np.uint32]


def damage_in(log: Path) -> str | None:
    """Tell what is wrong with a log; None where nothing is, or where there is no log."""
    try:
        with log.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return None
            if not any(header) and not any(file.read()):
                return None  # made longer, and never written
            magic, _, page, *_ = _HEADER.unpack(header)
            if magic & ~1 != _MAGIC or page < 512 or page & (page - 1):
                return "its header is none"
            order = ">u4" if magic & 1 else "<u4"
            words = np.frombuffer(header[:24], order).astype(np.uint32)
            state = _after(_sums(words[None, :])[0], (0, 0), len(words))
            if state != _HEADER.unpack(header)[6:]:
                return "its header fails its checksum"
            return _damage_behind(file, page, order, header[16:24], state)
    except FileNotFoundError:
        return None


def _damage_behind(
    frames: IO[bytes], page: int, order: str, salts: bytes, state: tuple[int, int]
) -> str | None:
    """Look for the first bad frame, and whether its commit was synced."""
    size = _FRAME + page
    bad: int | None = None
    ended, begin = False, 0
    while len(read := frames.read(_AT_ONCE * size)) >= size:
        some = np.frombuffer(read, np.uint8)
        lines = some[: len(some) // size * size].reshape(-1, size)
        summed = np.concatenate((lines[:, :8], lines[:, _FRAME:]), axis=1)
        words = np.ascontiguousarray(summed).view(order).astype(np.uint32)
        sums = _sums(words)
        heads = np.ascontiguousarray(lines[:, :_FRAME]).view(">u4")
        for number, (head, each) in enumerate(zip(heads.tolist(), sums, strict=True)):
            ours = lines[number, 8:16].tobytes() == salts
            if bad is None:
                state = _after(each, state, size // 4 - 4)
                said = (head[4], head[5])
                if not ours and state != said:
                    return None  # of an older log, or never written
                if not ours or _is_one_bit_off(state, said, words.shape[1]):
                    return f"one bit of frame {begin + number} is another than was written"
                if state != said:
                    bad = begin + number
            elif not ours:
                return None
            elif ended:
                return f"frame {bad} fails its checksum, and more stands behind its commit"
            ended = bad is not None and (ended or head[1] > 0)
        begin += len(lines)
    return None


def _is_one_bit_off(state: tuple[int, int], said: tuple[int, int], count: int) -> bool:
    """Tell whether a line would have the sums that it says, if one bit were another.

    That may be a bit of its words, or of what it says.
    """
    if state == said:
        return False
    if (
        sum((is_so ^ should_be).bit_count() for is_so, should_be in zip(state, said, strict=True))
        == 1
    ):
        return True
    bits = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    off = [
        np.uint32((should_be - is_so) % _MODULUS)
        for is_so, should_be in zip(state, said, strict=True)
    ]
    first, second = (weights[:, None] * bits for weights in _weights(count))
    more = (first == off[0]) & (second == off[1])
    less = (np.negative(first) == off[0]) & (np.negative(second) == off[1])
    return bool((more | less).any())


def _sums(words: Words) -> list[tuple[int, int]]:
    """Give what the words of each line add to the two running sums."""
    weights = _weights(words.shape[1])
    first = (words * weights[0]).sum(axis=1, dtype=np.uint32)
    second = (words * weights[1]).sum(axis=1, dtype=np.uint32)
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _after(sums: tuple[int, int], state: tuple[int, int], count: int) -> tuple[int, int]:
    """Give the running sums after a line of so many words."""
    (a, b), (c, d) = _powers(count // 2)
    first, second = state
    return (
        (a * first + b * second + sums[0]) % _MODULUS,
        (c * first + d * second + sums[1]) % _MODULUS,
    )


@lru_cache
def _weights(count: int) -> tuple[Words, Words]:
    """Give by what each word counts in the two sums at the end of a line.

    A step takes two words: first += word + second, then second += next word + first.
    """
    first, second = np.zeros(count, np.uint32), np.zeros(count, np.uint32)
    for step in range(count // 2):
        (a, b), (c, d) = _powers(count // 2 - step - 1)
        first[2 * step], second[2 * step] = (a + b) % _MODULUS, (c + d) % _MODULUS
        first[2 * step + 1], second[2 * step + 1] = b, d
    return first, second


@cache
def _powers(steps: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give what a number of steps without words makes of the two sums, as a matrix."""
    a, b, c, d = 1, 0, 0, 1
    for _ in range(steps):
        a, b = (a + c) % _MODULUS, (b + d) % _MODULUS
        c, d = (a + c) % _MODULUS, (b + d) % _MODULUS
    return (a, b), (c, d)
