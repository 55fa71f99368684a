"""How far long work is, told as it goes on: how much, how fast, how long it still takes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from time import monotonic

from m1.counts import counted

Tell = Callable[[str], None]
"""Takes a line for whoever watches."""
_TOLD_SECONDS = 1.0
_SHOWN_SECONDS = 0.2
_BAR_CHARACTERS = 20
_SHORTEST_BAR = 5


def tell(text: str) -> None:
    """Tell whoever runs the command."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class Live:
    """Figures that change: one line, in place, on a terminal; else a line each time."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_open = False

    def show(self, text: str) -> None:
        """Show the figures as they are now."""
        if not self._in_place:
            return tell(text)
        print(f"\r{text[: _columns()]}\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201
        self._is_open = True
        return None

    def progress(self, whole: int, what: str, how: str = "", done: int = 0) -> Progress:
        """Show how far a piece of work is, with a bar where figures change in place."""
        return Progress(self.show, whole, what, how, done=done, bar=self._in_place)

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
    """Tells how far one piece of work is; `what` and `how` are as in "item" and "exported".

    `whole` is how many there are, 0 where nobody knows; `done` how many are done already.
    """

    def __init__(
        self,
        tell: Tell,
        whole: int,
        what: str,
        how: str = "",
        *,
        done: int = 0,
        bar: bool = False,
    ) -> None:
        self._tell = tell
        self._whole = whole
        self._what = what
        self._how = f" {how}" if how else ""
        self._before = done
        self._bar = bar
        self._pause = _SHOWN_SECONDS if bar else _TOLD_SECONDS
        self._begun = self._told = monotonic()

    def at(self, done: int, share: float = 0.0) -> None:
        """Take note that so much is done; `share` says of what part, from 0 to 1, if known."""
        now = monotonic()
        if now - self._told < self._pause:
            return
        self._told = now
        share = min(done / self._whole if self._whole else share, 1.0)
        rate = (done - self._before) / (now - self._begun)
        text = f"{done:,} of " if self._whole else ""
        text += counted(self._whole or done, self._what) + self._how
        if share:
            text += f" ({int(share * 100)} %)"
        text += f", {rate:,.0f} a second"
        if share and rate:
            text += f", {(done / share - done) / rate:,.0f} s left"
        self._tell(_bar(share, _columns() - len(text)) + text if self._bar and share else text)


def _columns() -> int:
    """How many characters of a line can be shown in place."""
    return shutil.get_terminal_size().columns - 1


def _bar(share: float, room: int) -> str:
    """Give a bar where there is room for one: the figures say more."""
    length = min(room - len("[] "), _BAR_CHARACTERS)
    if length < _SHORTEST_BAR:
        return ""
    filled = round(share * length)
    return f"[{'#' * filled}{'-' * (length - filled)}] "
