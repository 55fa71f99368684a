"""A page as an HTTP body: `{"count": N, "items": [...]}` or one item a line.

The bytes of the items go out as they are stored. Chunks of 64 to 256 KiB: with smaller
ones a stream would keep the event loop from everybody else, larger ones cost memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from m1.engine import Page

NDJSON = "application/x-ndjson"
COUNT_HEADER = "m1-count"

_TAIL = b"]}"
_CHUNK_BYTES = 128 * 1024


def json_of(count: int, bodies: Sequence[bytes]) -> bytes:
    """Give a whole page as one JSON map."""
    return _head(count) + b",".join(bodies) + _TAIL


async def as_json(page: Page) -> AsyncIterator[bytes]:
    """Yield a page as one JSON map; the closing bracket only when all went well."""
    before = _head(page.count)
    async for bodies in page:
        for some in _chunks(bodies):
            yield before + b",".join(some)
            before = b","
    yield _TAIL if before == b"," else before + _TAIL


def _head(count: int) -> bytes:
    return f'{{"count":{count},"items":['.encode()


def lines_of(bodies: Sequence[bytes]) -> bytes:
    """Give items one a line."""
    return b"".join([_one_line(body) + b"\n" for body in bodies])


async def as_lines(page: Page) -> AsyncIterator[bytes]:
    """Yield the items of the page, one a line."""
    async for bodies in page:
        for some in _chunks(bodies):
            yield lines_of(some)


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
