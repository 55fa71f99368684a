"""What a child process must not share with its parent is made anew in it.

Two processes on one connection would read each other's answers, and a lock that a thread
of the parent held would never be free.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

from m1.errors import Misuse


class Renewable(Protocol):
    """What has connections and locks."""

    def begin(self) -> None:
        """Have none, as at first."""


_living: WeakSet[Renewable] = WeakSet()


def begin_anew_after(edge: Renewable) -> None:
    """Have something begin anew in every child process that comes to be while it lives."""
    _living.add(edge)


def _in_child() -> None:
    for edge in list(_living):
        edge.begin()


os.register_at_fork(after_in_child=_in_child)


class Home:
    """The process in which something was made, where that cannot begin anew in another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = os.getpid()

    def is_here(self) -> bool:
        """Tell whether this is that process."""
        return self._process == os.getpid()

    def check(self) -> None:
        """Raise Misuse in any other."""
        if not self.is_here():
            raise Misuse(f"{self._name} belong to the process that opened them: open others")
