"""gzip and zstd: recognised by their first bytes when read, by the file's name when written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

import zstandard

from m1.transfer.lines import Broken

_GZIP = zlib.MAX_WBITS + 16
_GZIP_LEVEL = 6
_SMALL_BYTES = 128
"""A byte of zstd may stand for 32 KiB, one of gzip for 1 KiB."""


class _Unpacking(Protocol):
    """What zlib and zstandard have in common: one stream, and what came behind its end."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Packing(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


_UNPACKINGS: dict[bytes, Callable[[], _Unpacking]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(_GZIP),
    b"\x28\xb5\x2f\xfd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
_PACKINGS: dict[str, Callable[[], _Packing]] = {
    ".gz": lambda: zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP),
    ".zst": lambda: zstandard.ZstdCompressor().compressobj(),
}
ENDINGS = tuple(_PACKINGS)
"""How the names of packed files end."""


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Give bytes as they were before they were packed, if they were.

    Raises Broken where they are damaged or end in the middle.
    """
    head = b""
    while len(head) < 4 and (chunk := next(chunks, b"")):
        head += chunk
    whole = chain([head], chunks)
    for magic, unpacking in _UNPACKINGS.items():
        if head.startswith(magic):
            return _unpacked(whole, unpacking)
    return whole


def _unpacked(chunks: Iterable[bytes], new: Callable[[], _Unpacking]) -> Iterator[bytes]:
    """Unpack one stream after another, as files joined by cat have them."""
    stream = new()
    for packed in _small(chunks):
        left = packed
        while left:
            stream = new() if stream.eof else stream
            try:
                data = stream.decompress(left)
            except (zlib.error, zstandard.ZstdError) as error:
                raise Broken(f"what is packed is damaged ({error})") from None
            if data:
                yield data
            left = stream.unused_data
    if not stream.eof:
        raise Broken("what is packed ends in the middle: it was cut off")


def _small(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes so small that none unpacks to more than memory has room for."""
    for chunk in chunks:
        for at in range(0, len(chunk), _SMALL_BYTES):
            yield chunk[at : at + _SMALL_BYTES]


def packed(chunks: Iterator[bytes], ending: str) -> Iterator[bytes]:
    """Pack bytes as the ending of a file's name says; any other leaves them as they are."""
    if ending not in _PACKINGS:
        yield from chunks
        return
    stream = _PACKINGS[ending]()
    for chunk in chunks:
        if done := stream.compress(chunk):
            yield done
    yield stream.flush()
