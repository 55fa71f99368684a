"""A page as an HTTP body: `{"count": N, "items": [...]}` or one item a line.

The bytes of the items go out as they are stored. Chunks of 64 to 256 KiB: with smaller
ones a stream would keep the event loop from everybody else, larger ones cost memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from m1.engine import Page

NDJSON = "application/x-ndjson"
COUNT_HEADER = "m1-count"

_CHUNK_BYTES = 128 * 1024


async def as_json(page: Page) -> AsyncIterator[bytes]:
    """Yield the page as one JSON map; the closing bracket only when all went well."""
    before = f'{{"count":{page.count},"items":['.encode()
    async for bodies in page:
        for some in _chunks(bodies):
            yield before + b",".join(some)
            before = b","
    yield b"]}" if before == b"," else before + b"]}"


async def as_lines(page: Page) -> AsyncIterator[bytes]:
    """Yield the items of the page, one a line."""
    async for bodies in page:
        for some in _chunks(bodies):
            yield b"\n".join(map(_one_line, some)) + b"\n"


def _one_line(body: bytes) -> bytes:
    """Give an item on one line: line ends in JSON text stand between its parts alone."""
    if b"\n" in body or b"\r" in body:
        return body.replace(b"\n", b" ").replace(b"\r", b" ")
    return body


def _chunks(bodies: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Cut a batch into chunks of the right size, an item being whole always."""
    chunks: list[Sequence[bytes]] = []
    begin = size = 0
    for end, body in enumerate(bodies, 1):
        size += len(body)
        if size >= _CHUNK_BYTES or end == len(bodies):
            chunks.append(bodies[begin:end])
            begin, size = end, 0
    return chunks
