"""How much of what is long: a little with each commit, much of it with `make torture`."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter

TORTURE = os.environ.get("M1_TORTURE") == "1"
_TOLD_SECONDS = 10

tally: Counter[str] = Counter()
"""How much was done, of what."""
_told = [time.monotonic()]


def rounds(commit: int, torture: int) -> int:
    """Give a number of rounds."""
    return torture if TORTURE else commit


def did(what: str, count: int = 1) -> None:
    """Take note that something was done; a torture says now and then how far it is."""
    tally[what] += count
    if TORTURE and time.monotonic() - _told[0] > _TOLD_SECONDS:
        _told[0] = time.monotonic()
        print(f"{what}: {tally[what]:,}", file=sys.stderr)  # noqa: T201
