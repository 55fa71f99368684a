"""How much of what is long: a little with each commit, much of it with `make torture`."""

from __future__ import annotations

import os
import sys
import time

_TOLD_SECONDS = 10
TORTURE = os.environ.get("M1_TORTURE") == "1"


def rounds(commit: int, torture: int) -> int:
    """Give a number of rounds."""
    return torture if TORTURE else commit


class Progress:
    """Tells a torture how far it is, now and then."""

    def __init__(self, what: str, whole: int) -> None:
        self._what = what
        self._whole = whole
        self._told = time.monotonic()

    def at(self, done: int) -> None:
        """Take note that so much is done."""
        if TORTURE and (time.monotonic() - self._told > _TOLD_SECONDS or done == self._whole):
            self._told = time.monotonic()
            print(f"{done:,} of {self._whole:,} {self._what}", file=sys.stderr)  # noqa: T201
