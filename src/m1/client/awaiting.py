"""The thin edge of AsyncClient: calls are carried out while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Self

import httpx

from m1.client.ask import Ask, Id, Item, T
from m1.client.batch import Batch, Report, Step, Steps, Tell, Wait
from m1.client.driving import drive_async
from m1.client.edge import Edge, Home
from m1.client.page import Page
from m1.client.rules import Answer, Effect, LogIn, Send, read
from m1.wire import Whole


class Awaiting(Edge):
    """Makes calls in the event loop that awaits them; it is of one loop."""

    def begin(self) -> None:
        """Have no connection, as at first."""
        self._http = self._server.connected(httpx.AsyncClient, self._server.connections)
        self._login_lock = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def answer(self, ask: Ask[T]) -> T:
        """Make a call; gives what is answered."""
        return read(ask, (await self._answer(ask)).body, self._server.url)

    async def _answer(self, ask: Ask[T]) -> Answer:
        return await drive_async(self._steps(ask), self._perform)

    async def _perform(self, effect: Effect) -> Answer | None:
        match effect:
            case Send(ask, token):
                return await self._send(ask, token)
            case LogIn(stale):
                async with self._login_lock:
                    if self._login.token == stale:
                        self._login.token = await self.answer(self._login.ask())
            case _:
                await asyncio.sleep(effect.seconds)
        return None

    async def _send(self, ask: Ask[object], token: str) -> Answer:
        request = self._server.request(self._http, ask, token)
        response = await self._http.send(request, stream=True)
        self._note(response)
        if ask.streams and response.is_success:
            return Answer(response)
        whole = Whole()
        async with aclosing(response):
            async for piece in response.aiter_raw():
                whole.add(piece)
        return Answer(response, whole.joined())

    @asynccontextmanager
    async def stream(self, ask: Ask[None]) -> AsyncIterator[AsyncResult]:
        """Open the answer of a query for as long as the block lasts."""
        response = (await self._answer(ask)).response
        try:
            yield AsyncResult(response, Page(ask, response, self._server.url))
        finally:
            await response.aclose()

    def gather(self, batch: Batch) -> AsyncUpdates:
        """Give what takes changes for a batch."""
        return AsyncUpdates(self, batch)


class AsyncResult(AsyncIterator[dict[str, Any]]):
    """What a query found: `count` items match, and those that were asked for come one by one.

    They are read once, as they arrive.
    """

    def __init__(self, response: httpx.Response, page: Page) -> None:
        self.count = page.count
        self._items = _items(response, page)

    async def __anext__(self) -> dict[str, Any]:
        """Give the next item; raises NoConnection where the answer breaks off."""
        return await anext(self._items)


async def _items(response: httpx.Response, page: Page) -> AsyncIterator[dict[str, Any]]:
    with page.to_its_end():
        async for chunk in response.aiter_raw():
            for item in page.items(chunk):
                yield item


class AsyncUpdates:
    """Takes changes, of any number of tasks, and sends them in a task of its own."""

    def __init__(self, edge: Awaiting, batch: Batch) -> None:
        self._edge = edge
        self._batch = batch
        self._news = asyncio.Event()
        self._home = Home("these updates")

    async def __aenter__(self) -> Self:
        await self._do(self._batch.opening())
        self._sender = asyncio.create_task(self._send_all())
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self._home.is_here():
            return
        try:
            await self._do(self._batch.closing(error))
        finally:
            self._sender.cancel()
            await asyncio.wait([self._sender])

    async def upsert(self, item: Item) -> None:
        """Add an upsert, as the item is now; waits while too much waits to be sent."""
        await self._do(self._batch.upserting(item))

    async def delete(self, id: Id) -> None:
        """Add a delete, by the value at the store's key."""
        await self._do(self._batch.deleting(id))

    async def flush(self) -> None:
        """Wait until all that was added before is applied; raises UpdatesFailed."""
        await self._do(self._batch.flushing())

    async def _do(self, steps: Steps) -> None:
        self._home.check()
        await drive_async(steps, self._perform)

    async def _send_all(self) -> None:
        problem = None
        try:
            await drive_async(self._batch.sending(), self._perform)
        except BaseException as error:
            problem = error
        self._batch.end(problem)
        self._news.set()

    async def _perform(self, step: Step) -> None:
        match step:
            case Wait(seconds):
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._news.wait()
            case Tell():
                self._news.set()
                await asyncio.sleep(0)  # who only brings changes lets the others have a turn
            case Report(on_failure, failure):
                on_failure(failure)
            case ask:
                await self._edge.answer(ask)
