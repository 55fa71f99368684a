"""Both clients spoken to in one way, so that a story is told once."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from m1 import AsyncClient, Client

both = pytest.mark.parametrize("flavour", ["sync", "async"])


@contextmanager
def connected(flavour: str, url: str, **options: Any) -> Iterator[Client]:
    """Give a client; an AsyncClient lives in a loop of its own and is awaited behind the scene."""
    if flavour == "sync":
        with Client(url, **options) as client:
            yield client
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with cast(Client, _Awaited(loop, AsyncClient(url, **options))) as client:
            yield client
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Awaited:
    """Something asynchronous, made to look as if it were not."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thing: Any) -> None:
        self._loop = loop
        self._thing = thing

    def _run(self, awaitable: Any) -> Any:
        async def awaited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(60)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._thing, name)
        if callable(value):
            return lambda *args, **kwargs: self._wrapped(value(*args, **kwargs))
        return self._wrapped(value)

    def _wrapped(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            return self._run(value)
        is_ours = type(value).__module__.startswith("m1.client") or hasattr(value, "__aenter__")
        return _Awaited(self._loop, value) if is_ours else value

    def __enter__(self) -> Any:
        return self._wrapped(self._run(self._thing.__aenter__()))

    def __exit__(self, *error: object) -> Any:
        return self._run(self._thing.__aexit__(*error))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._run(anext(self._thing))
        except StopAsyncIteration:
            raise StopIteration from None
