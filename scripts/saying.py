"""What scripts that run servers say: lines that can be pasted here."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def say(text: str) -> None:
    """Say it at once."""
    print(text, flush=True)  # noqa: T201


def command() -> str:
    """Give what to type for `m1` here: the name where the PATH leads to ours, else the file."""
    ours, found = Path(sys.executable).with_name("m1"), shutil.which("m1")
    if found is not None and Path(found).absolute() == ours.absolute():
        return "m1"
    return shlex.quote(os.path.relpath(ours))
