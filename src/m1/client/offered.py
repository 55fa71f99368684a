"""What a client offers is declared once, for both flavours: as functions that give values.

    @asked
    def drop(self, store: str) -> Ask[None]: ...

`client.session.drop("stash")` makes the call that the function gives. The type of the
method follows the client's: with Client it gives `None`, with AsyncClient what is awaited
for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from m1.client.ask import Ask
from m1.client.awaiting import AsyncResult, AsyncUpdates, Awaiting
from m1.client.batch import Batch
from m1.client.blocking import Blocking, Result, Updates
from m1.client.edge import Edge

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=Edge)


class Room(Generic[E]):
    """What is offered under one name."""

    def __init__(self, edge: E) -> None:
        self._edge = edge


class Asked(Protocol[P, T_co]):
    """A method that makes a call."""

    @overload
    def __get__(self, room: Room[Blocking], kind: type) -> Callable[P, T_co]: ...
    @overload
    def __get__(self, room: Room[Awaiting], kind: type) -> Callable[P, Awaitable[T_co]]: ...


class Streamed(Protocol[P]):
    """A method that opens the answer of a query."""

    @overload
    def __get__(
        self, room: Room[Blocking], kind: type
    ) -> Callable[P, AbstractContextManager[Result]]: ...
    @overload
    def __get__(
        self, room: Room[Awaiting], kind: type
    ) -> Callable[P, AbstractAsyncContextManager[AsyncResult]]: ...


class Gathered(Protocol[P]):
    """A method that opens a batch."""

    @overload
    def __get__(self, room: Room[Blocking], kind: type) -> Callable[P, Updates]: ...
    @overload
    def __get__(self, room: Room[Awaiting], kind: type) -> Callable[P, AsyncUpdates]: ...


def asked(given: Callable[Concatenate[Any, P], Ask[T]]) -> Asked[P, T]:
    """Declare a method that makes the call which the function gives."""
    return cast(Asked[P, T], _method(given, "answer"))


def streamed(given: Callable[Concatenate[Any, P], Ask[None]]) -> Streamed[P]:
    """Declare a method that opens the answer of the query which the function gives."""
    return cast(Streamed[P], _method(given, "stream"))


def gathered(given: Callable[Concatenate[Any, P], Batch]) -> Gathered[P]:
    """Declare a method that opens the batch which the function gives."""
    return cast(Gathered[P], _method(given, "gather"))


def _method(given: Callable[..., object], way: str) -> Callable[..., object]:
    """Give what a function gives to the client's edge, by the name of the method there."""

    @wraps(given)
    def method(room: Room[Any], *args: object, **kwargs: object) -> object:
        return getattr(room._edge, way)(given(room, *args, **kwargs))

    return method
