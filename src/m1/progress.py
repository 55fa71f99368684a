"""How far long work is, told once a second: how much, how fast, how long it still takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic

Tell = Callable[[str], None]
"""Takes a line for whoever watches."""
_TOLD_SECONDS = 1.0


def tell(text: str) -> None:
    """Tell whoever runs the command."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class Progress:
    """Tells how far one piece of work is; `what` is what is counted, as in "items"."""

    def __init__(self, tell: Tell, whole: int, what: str) -> None:
        self._tell = tell
        self._whole = whole
        self._what = what
        self._begun = self._told = monotonic()

    def at(self, done: int) -> None:
        """Take note that so much is done."""
        now = monotonic()
        if now - self._told < _TOLD_SECONDS:
            return
        self._told = now
        rate = done / (now - self._begun)
        left = (self._whole - done) / rate if rate else 0
        self._tell(
            f"{done:,} of {self._whole:,} {self._what} ({done * 100 // max(self._whole, 1)} %), "
            f"{rate:,.0f} a second, {left:,.0f} s left"
        )
