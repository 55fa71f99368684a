"""One HTTP request and its answer, over ASGI: what the server needs of both, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from time import perf_counter
from typing import Any

import msgspec

from m1.errors import TooLarge, Unavailable
from m1.metrics import NO_ENDPOINT, STREAMS_OPEN

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

NO_CONTENT = 204
NOT_MODIFIED = 304
REQUEST_HEADER = "m1-request-id"
_ALWAYS_TOLD = {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}
"""Whom an answer is for stands in a header of ours, which no cache on the way looks at."""
_names = Random()


def error_body(status: int, message: str) -> bytes:
    """Give the one body that every refusal has."""
    return msgspec.json.encode({"message": message, "status": status})


def new_request_id() -> str:
    """Give a name to a request; what a client calls it by itself could forge the log.

    It is no secret, so the system need not be asked for it each time.
    """
    return f"{_names.getrandbits(64):016x}"


class ClientGone(Exception):
    """The client left before the whole request was read or the whole answer sent."""


class Presence:
    """Whether the client of a request is still there, which may end before work on it begins."""

    def __init__(self) -> None:
        self.has_left = False
        self.when_left: Callable[[], None] | None = None

    def leave(self) -> None:
        """Take note that the client has left, and tell who wants to know."""
        self.has_left = True
        if self.when_left is not None:
            self.when_left()


class Exchange:
    """A request, and the answer to it; header names are written in lower case."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.peer: str = scope["client"][0]
        self.is_late: bool = scope["late"]
        """Whether it began after the server was told to end."""
        self.id = new_request_id()
        self.status: int | None = None
        """That of the answer once it has begun, so that it can no longer be another one."""
        self.endpoint = NO_ENDPOINT
        """The path of the endpoint, as it is declared, once it is known."""
        self.about: dict[str, object] = {}
        """What the log may say of the call."""
        self._asked: list[tuple[bytes, bytes]] = scope["headers"]
        self._told = {**_ALWAYS_TOLD, REQUEST_HEADER.encode(): self.id.encode()}
        self._receive = receive
        self._send = send
        self._client: Presence = scope["presence"]
        self._here_at = perf_counter()
        """When all of the request was there, as far as it was asked for."""
        self._answered_at: float | None = None
        self._read_on = 0
        """How much more of a refused body is read, so that a client may come to see the answer."""

    @property
    def seconds(self) -> float:
        """How long it took from when the request was there until its answer began, if it has."""
        return (self._answered_at or perf_counter()) - self._here_at

    # --- the request ---

    def header(self, name: str) -> str | None:
        """Give a header; one that came several times is joined with commas."""
        sought = name.encode()
        found = [value for key, value in self._asked if key == sought]
        return b",".join(found).decode("latin-1") if found else None

    async def body(self, most: int) -> bytes:
        """Read the whole body; raises TooLarge, and ClientGone where it stops before its end."""
        said = int(self.header("content-length") or 0)
        chunks: list[bytes] = []
        size, more = 0, True
        while more and max(said, size) <= most:
            event = await self._receive()
            self._here_at = perf_counter()
            if event["type"] == "http.disconnect":
                raise ClientGone
            chunk, more = event.get("body", b""), event.get("more_body", False)
            size += len(chunk)
            chunks.append(chunk)
        if max(said, size) > most:
            if more and not self.header("expect"):  # who expects a go-ahead sends nothing
                self._read_on = 2 * most - size
            self.set_header("connection", "close")
            raise TooLarge(f"the body is larger than {most} bytes")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @asynccontextmanager
    async def patience(self, seconds: float) -> AsyncIterator[None]:
        """Cut the block short after a time (Unavailable), or once the client left (ClientGone)."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                self._client.when_left = partial(limit.reschedule, 0.0)
                if self._client.has_left:
                    raise ClientGone
                yield
        except TimeoutError:
            if self._client.has_left:
                raise ClientGone from None
            if limit.expired():
                raise Unavailable(f"it took longer than {seconds:g} s: ask for less") from None
            raise
        finally:
            self._client.when_left = None

    # --- the answer ---

    def set_header(self, name: str, value: str) -> None:
        """Set a header of the answer."""
        self._told[name.encode()] = value.encode("latin-1")

    async def answer(self, status: int, kind: str | None = None, body: bytes = b"") -> None:
        """Send the whole answer, of a content type where it has a body."""
        if kind is not None:
            self.set_header("content-type", kind)
        if status not in (NO_CONTENT, NOT_MODIFIED):
            self.set_header("content-length", str(len(body)))
        await self._begin(status)
        if self._read_on > 0:  # all of the answer is sent, and its end is not yet told
            await self._tell({"type": "http.response.body", "body": body, "more_body": True})
            await self._read_to_its_end()
            body = b""
        await self._tell({"type": "http.response.body", "body": body})

    async def _read_to_its_end(self) -> None:
        """Read what else comes of a body that was refused: many look for an answer behind it."""
        more = True
        while more and self._read_on > 0:
            event = await self._receive()
            more = event.get("more_body", False)
            self._read_on -= len(event.get("body", b""))

    async def stream(self, kind: str, chunks: AsyncIterator[bytes]) -> None:
        """Send an answer in chunks; raises ClientGone once nobody is there any more.

        uvicorn drops what it cannot send: unless we look, the rest of a long page would be
        read for nobody.
        """
        self.set_header("content-type", kind)
        await self._begin(200)
        with STREAMS_OPEN.track_inprogress():
            async for chunk in chunks:
                await self._tell({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._tell({"type": "http.response.body", "body": b""})

    async def _begin(self, status: int) -> None:
        self.status, self._answered_at = status, perf_counter()
        headers = list(self._told.items())
        await self._tell({"type": "http.response.start", "status": status, "headers": headers})

    async def _tell(self, event: Event) -> None:
        """Send, where somebody is there; raises ClientGone."""
        if self._client.has_left:
            raise ClientGone
        try:
            await self._send(event)
        except RuntimeError:  # it left while we waited
            if self._client.has_left:
                raise ClientGone from None
            raise
