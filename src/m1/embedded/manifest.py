"""Which segments a space has, and how far they go: one small file beside them.

Segments and manifest are made from the rows, and can be made from them again: a manifest
that is not there, or is of another format, means that no segment counts.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import msgspec

_FILE = "manifest"
_FORMAT = b"m1manif\x02"  # the last byte is the version of the format
_CRC_BYTES = 4


class Listed(msgspec.Struct, array_like=True, frozen=True):
    """A segment, and which of its items are live, as a Roaring bitmap."""

    name: str
    live: bytes


class Manifest(msgspec.Struct, array_like=True, frozen=True):
    """A space's segments at one moment."""

    covered: int = 0
    """The seq up to which rows are in segments, or need not be."""
    segments: list[Listed] = []
    garbage: bytes = b""
    """Rows up to there that nobody needs, and that may still be on disk, as a bitmap."""


def load(directory: Path) -> Manifest:
    """Give the manifest, an empty one where there is none that can be used."""
    try:
        text = (directory / _FILE).read_bytes()
    except FileNotFoundError:
        return Manifest()
    head, content = text[: len(_FORMAT) + _CRC_BYTES], text[len(_FORMAT) + _CRC_BYTES :]
    if head != _FORMAT + zlib.crc32(content).to_bytes(_CRC_BYTES, "little"):
        return Manifest()
    return msgspec.msgpack.decode(content, type=Manifest)


def save(directory: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one before, durably."""
    content = msgspec.msgpack.encode(manifest)
    new = directory / f"{_FILE}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_FORMAT + zlib.crc32(content).to_bytes(_CRC_BYTES, "little") + content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(directory / _FILE)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make what was made, renamed or removed in a directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
