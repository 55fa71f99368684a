"""`m1` with tiny segments and a short log: so that crashes meet their making and folding."""

from __future__ import annotations

import sys

from m1.cli import main
from m1.embedded import checkpoints, index

if __name__ == "__main__":
    index.FULL_CHANGES = 40
    checkpoints._BEGIN_BYTES = 64 * 1024
    sys.exit(main())
