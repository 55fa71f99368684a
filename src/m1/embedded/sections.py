"""A file of named stretches of bytes, written once and then mapped into memory.

    magic | section | section | ... | directory | offset, length and checksum of it | magic

What the sections are, the directory says, in the words of whoever writes it. Each section
has a checksum, which is looked at when the section is first used: so a file of any size
opens at once, and a flipped bit is never taken for data.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from m1.errors import DamagedData

_MAGIC = b"m1segm\x00\x01"  # the last byte is the version of the format
_END = struct.Struct("<QQI4x8s")
_ALIGNED = 8
_SYNCED_AT_ONCE = 1024 * 1024
"""The commits of others wait for what the disk was given before: so it gets little at once."""
_Read = TypeVar("_Read")


class Section(msgspec.Struct, array_like=True, frozen=True):
    """Where a stretch of bytes is, and its checksum."""

    offset: int
    length: int
    crc: int


class SectionWriter:
    """Writes a file of sections; use it as `with SectionWriter(path) as writer:`."""

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._file.write(_MAGIC)
        self._size = self._synced = len(_MAGIC)

    def add(self, data: bytes | NDArray[Any]) -> Section:
        """Write a section."""
        stretch = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
        section = Section(self._size, len(stretch), zlib.crc32(stretch))
        padding = bytes(-len(stretch) % _ALIGNED)
        self._file.write(stretch)
        self._file.write(padding)
        self._size += len(stretch) + len(padding)
        if self._size - self._synced >= _SYNCED_AT_ONCE:
            self._sync()
        return section

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = self._size

    def finish(self, directory: msgspec.Struct) -> None:
        """Write the directory, and make all of it durable."""
        section = self.add(msgspec.msgpack.encode(directory))
        self._file.write(_END.pack(section.offset, section.length, section.crc, _MAGIC))
        self._sync()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class SectionFile:
    """A file of sections, mapped; raises DamagedData where it is not what was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checked: set[tuple[int, int]] = set()
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._damaged(f"it cannot be read: {error}") from error
        if len(self._bytes) < len(_MAGIC) + _END.size or self._bytes[: len(_MAGIC)] != _MAGIC:
            raise self._damaged("it does not begin as it should")
        offset, length, crc, magic = _END.unpack(self._bytes[-_END.size :])
        if magic != _MAGIC or offset + length > len(self._bytes):
            raise self._damaged("its end is missing")
        self._directory = Section(offset, length, crc)

    def _damaged(self, reason: str) -> DamagedData:
        return DamagedData(
            f"{self.path} is damaged ({reason}): stop the server and remove this file; "
            "the next start makes the index anew from the items"
        )

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self._bytes)

    def read(self, kind: type[_Read]) -> _Read:
        """Give the directory, as what it was written as."""
        return msgspec.msgpack.decode(self.view(self._directory), type=kind)

    def check(self, directory: msgspec.Struct) -> None:
        """Look at the checksum of every section that a directory tells of."""
        for section in _sections_in(directory):
            self.view(section)

    def view(self, section: Section) -> memoryview:
        """Give a section as it lies in the file."""
        view = memoryview(self._bytes)[section.offset : section.offset + section.length]
        place = (section.offset, section.length)  # an empty section begins where the next does
        if place not in self._checked:
            if len(view) != section.length or zlib.crc32(view) != section.crc:
                raise self._damaged(f"bytes {section.offset:,} on fail their checksum")
            self._checked.add(place)
        return view

    def bytes(self, section: Section) -> bytes:
        """Give a copy of a section."""
        return bytes(self.view(section))

    def array(self, section: Section, dtype: type[np.generic]) -> NDArray[Any]:
        """Give a section as an array that lies in the file."""
        if not section.length:
            return np.empty(0, dtype)
        return np.frombuffer(self.view(section), dtype)


def _sections_in(told: object) -> Iterator[Section]:
    """Yield the sections in a directory, however deep they stand."""
    if isinstance(told, Section):
        yield told
    elif isinstance(told, dict):
        for each in told.values():
            yield from _sections_in(each)
    elif isinstance(told, msgspec.Struct):
        for name in told.__struct_fields__:
            yield from _sections_in(getattr(told, name))
