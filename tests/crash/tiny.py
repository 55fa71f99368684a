"""`m1` with tiny segments: forty changes make one. So that crashes meet their making."""

from __future__ import annotations

import sys

from m1.cli import main
from m1.embedded import index

if __name__ == "__main__":
    index.FULL_CHANGES = 40
    sys.exit(main())
