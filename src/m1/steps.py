"""Work that can be carried out step by step: a generator that yields nothing, many times."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work that gives a T in the end; a step takes well under a millisecond."""


def at_once(steps: Steps[T]) -> T:
    """Carry out all steps, and give what they come to; raises what they raise."""
    result: list[T] = []

    def to_the_end() -> Steps[None]:
        result.append((yield from steps))

    for _ in to_the_end():
        pass
    return result[0]
