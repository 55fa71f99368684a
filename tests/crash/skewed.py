"""`m1` whose wall clock is off by the seconds that stand in the file $CLOCK_SKEW."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_time, _time_ns = time.time, time.time_ns
_file = Path(os.environ["CLOCK_SKEW"])


def _skew() -> int:
    return int(_file.read_text())


if __name__ == "__main__":
    time.time = lambda: _time() + _skew()
    time.time_ns = lambda: _time_ns() + _skew() * 10**9
    from m1.cli import main

    sys.exit(main())
