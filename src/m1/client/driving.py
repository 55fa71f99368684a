"""Rules as generators: they yield what is to be done, and two loops here see it done.

What a call or a batch does is written once, without any waiting in it. `drive` carries it
out in a thread, `drive_async` in an event loop. What fails is thrown into the generator at
the place where it was asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import TypeVar

Effect = TypeVar("Effect")
Outcome = TypeVar("Outcome")
T = TypeVar("T")


def drive(
    steps: Generator[Effect, Outcome | None, T], perform: Callable[[Effect], Outcome | None]
) -> T:
    """Carry out what is yielded until there is a result."""
    step = partial(next, steps)
    try:
        while True:
            effect = step()
            try:
                outcome = perform(effect)
            except Exception as error:
                step = partial(steps.throw, error)
            else:
                step = partial(steps.send, outcome)
    except StopIteration as end:
        result: T = end.value
        return result


async def drive_async(
    steps: Generator[Effect, Outcome | None, T],
    perform: Callable[[Effect], Awaitable[Outcome | None]],
) -> T:
    """Do the same, awaiting each."""
    step = partial(next, steps)
    try:
        while True:
            effect = step()
            try:
                outcome = await perform(effect)
            except Exception as error:
                step = partial(steps.throw, error)
            else:
                step = partial(steps.send, outcome)
    except StopIteration as end:
        result: T = end.value
        return result
