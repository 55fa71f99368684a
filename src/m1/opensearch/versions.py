"""Versions that only grow, so that an update that was given up cannot come back.

A node that was frozen, or a network that was cut, may carry an update out long after the
client was told 503, and after newer ones. Each change therefore carries a version of this
server's clock in microseconds, and OpenSearch refuses one that is not above the item's.
What is refused though a client waits for it, because another server's clock is ahead,
learns that version and is sent again above it: the order is that of arrival, not of clocks.
"""

from __future__ import annotations

import re
import time

CONFLICT = "version_conflict_engine_exception"
_CURRENT = re.compile(r"current version \[(\d+)\]")


class Versions:
    """The versions that one server gives out."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, count: int = 1) -> int:
        """Give the first of so many versions that nobody had."""
        first = max(time.time_ns() // 1_000, self._last + 1)
        self._last = first + count - 1
        return first

    def learn(self, reason: str) -> None:
        """Go on above the version that a conflict names."""
        named = _CURRENT.search(reason)
        if named:
            self._last = max(self._last, int(named[1]))
