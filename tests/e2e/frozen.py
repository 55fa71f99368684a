"""`m1` for which logins come at the seconds that stand in the file $LOGIN_CLOCK."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

from m1.api import auth
from m1.cli import main

_file = Path(os.environ["LOGIN_CLOCK"])

if __name__ == "__main__":
    clock = SimpleNamespace(monotonic=lambda: float(_file.read_text()))
    setattr(auth, "time", clock)  # noqa: B010
    sys.exit(main())
