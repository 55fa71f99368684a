"""What is asked of each side, and what it takes to ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from benchmarks.compare.questions import Question
from benchmarks.load import Run

Item = dict[str, Any]
BATCH = 1_000


class NotThere(Exception):
    """A peer cannot be run on this machine; the message says what is missing."""


class Peer(Protocol):
    """A store of items that is running. All changes are durable and visible when it answers."""

    name: str
    version: str

    def load(self, batches: Sequence[Sequence[Item]]) -> Run:
        """Put items in that are not there yet, in the fastest way there is."""

    def settle(self) -> None:
        """Do what an operator would do after a large load, and before questions."""

    def update(self, items: Sequence[Item], clients: int) -> Run:
        """Put items in place of those there, one a call, by so many clients at once."""

    def update_batches(self, batches: Sequence[Sequence[Item]]) -> Run:
        """Put items in place of those there, many a call, by one client."""

    def ask(self, questions: Sequence[Question], seconds: float) -> tuple[Run, int]:
        """Ask by one client, for so long at most; gives the last count too."""

    def export(self, count: int) -> Run:
        """Read so many items, all there are, as one call."""


def batches_of(items: Iterator[Item], size: int = BATCH) -> list[list[Item]]:
    """Cut items into batches."""
    batches: list[list[Item]] = [[]]
    for item in items:
        if len(batches[-1]) == size:
            batches.append([])
        batches[-1].append(item)
    return batches
