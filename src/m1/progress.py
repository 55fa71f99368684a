"""How far long work is, told once a second: how much, how fast, how long it still takes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from time import monotonic

Tell = Callable[[str], None]
"""Takes a line for whoever watches."""
_TOLD_SECONDS = 1.0


def tell(text: str) -> None:
    """Tell whoever runs the command."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class Live:
    """Figures that change: one line, in place, on a terminal; else a line each time."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._is_open = False

    def show(self, text: str) -> None:
        """Show the figures as they are now."""
        if not self._in_place:
            return tell(text)
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]}\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201
        self._is_open = True
        return None

    def tell(self, text: str) -> None:
        """Tell what stays to be read, below the figures shown last."""
        self.end()
        tell(text)

    def end(self) -> None:
        """Leave the figures shown last where they are."""
        if self._is_open:
            tell("")
        self._is_open = False


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
