"""Waiting for what comes in its own time, never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], problem: str, seconds: float = 20) -> None:
    """Wait until something is true; fails with the problem when it takes too long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{problem} after {seconds} s"
        time.sleep(0.01)
