"""The thin edge of Client: calls are carried out while the calling thread waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Self

import httpx

from m1.client.ask import Ask, Id, Item, T
from m1.client.batch import Batch, Report, Step, Steps, Tell, Wait
from m1.client.connections import Connections
from m1.client.driving import drive
from m1.client.edge import Edge, Home
from m1.client.page import Page
from m1.client.rules import Answer, Effect, LogIn, Send, read
from m1.wire import Whole


class Blocking(Edge):
    """Makes calls in the thread that asks for them; any number of threads may."""

    def begin(self) -> None:
        """Have no connection, as at first."""
        self._connections = Connections(self._server)
        self._login_lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def answer(self, ask: Ask[T]) -> T:
        """Make a call; gives what is answered."""
        return read(ask, self._answer(ask).body, self._server.url)

    def _answer(self, ask: Ask[T]) -> Answer:
        return drive(self._steps(ask), self._perform)

    def _perform(self, effect: Effect) -> Answer | None:
        match effect:
            case Send(ask, token):
                return self._send(ask, token)
            case LogIn(stale):
                with self._login_lock:
                    if self._login.token == stale:
                        self._login.token = self.answer(self._login.ask())
            case _:
                time.sleep(effect.seconds)
        return None

    def _send(self, ask: Ask[object], token: str) -> Answer:
        response = self._connections.send(ask, token)
        self._note(response)
        if ask.streams and response.is_success:
            return Answer(response)
        whole = Whole()
        with closing(response):
            for piece in response.iter_raw():
                whole.add(piece)
        return Answer(response, whole.joined())

    @contextmanager
    def stream(self, ask: Ask[None]) -> Iterator[Result]:
        """Open the answer of a query for as long as the block lasts."""
        response = self._answer(ask).response
        try:
            yield Result(response, Page(ask, response, self._server.url))
        finally:
            response.close()

    def gather(self, batch: Batch) -> Updates:
        """Give what takes changes for a batch."""
        return Updates(self, batch)


class Result(Iterator[dict[str, Any]]):
    """What a query found: `count` items match, and those that were asked for come one by one.

    They are read once, in the thread that likes to, as they arrive.
    """

    def __init__(self, response: httpx.Response, page: Page) -> None:
        self.count = page.count
        self._items = _items(response, page)

    def __next__(self) -> dict[str, Any]:
        """Give the next item; raises NoConnection where the answer breaks off."""
        return next(self._items)


def _items(response: httpx.Response, page: Page) -> Iterator[dict[str, Any]]:
    with page.to_its_end():
        for chunk in response.iter_raw():
            yield from page.items(chunk)


class Updates:
    """Takes changes, of any number of threads, and sends them in a thread of its own."""

    def __init__(self, edge: Blocking, batch: Batch) -> None:
        self._edge = edge
        self._batch = batch
        self._news = threading.Condition()
        self._sender = threading.Thread(target=self._send_all, name="m1 updates", daemon=True)
        self._home = Home("these updates")

    def __enter__(self) -> Self:
        self._do(self._batch.opening())
        self._sender.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._home.is_here():
            self._do(self._batch.closing(error))
            self._sender.join()

    def upsert(self, item: Item) -> None:
        """Add an upsert, as the item is now; waits while too much waits to be sent."""
        self._do(self._batch.upserting(item))

    def delete(self, id: Id) -> None:
        """Add a delete, by the value at the store's key."""
        self._do(self._batch.deleting(id))

    def flush(self) -> None:
        """Wait until all that was added before is applied; raises UpdatesFailed."""
        self._do(self._batch.flushing())

    def _do(self, steps: Steps) -> None:
        self._home.check()
        if threading.current_thread() is self._sender:
            raise RuntimeError("on_failure cannot use the updates that call it: do it elsewhere")
        with self._news:
            drive(steps, self._perform)

    def _send_all(self) -> None:
        problem = None
        with self._news:
            try:
                drive(self._batch.sending(), self._perform)
            except BaseException as error:
                problem = error
            self._batch.end(problem)
            self._news.notify_all()

    def _perform(self, step: Step) -> None:
        """Do a step, having the lock before and after it."""
        match step:
            case Wait(seconds):
                self._news.wait(seconds)
            case Tell():
                self._news.notify_all()
            case _:
                self._news.release()
                try:
                    self._perform_freely(step)
                finally:
                    self._news.acquire()

    def _perform_freely(self, step: Report | Ask[None]) -> None:
        """Do what takes its time, while others bring changes."""
        if isinstance(step, Report):
            step.on_failure(step.failure)
        else:
            self._edge.answer(step)
