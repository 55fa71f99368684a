"""`m1` with few descriptors: 128, as a service manager may give."""

from __future__ import annotations

import resource
import sys

from m1.cli import main

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    sys.exit(main())
