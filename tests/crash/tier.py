"""How much of what is long: a little with each commit, much of it with `make torture`."""

from __future__ import annotations

import os

TORTURE = os.environ.get("M1_TORTURE") == "1"


def rounds(commit: int, torture: int) -> int:
    """Give a number of rounds."""
    return torture if TORTURE else commit
