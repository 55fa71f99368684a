"""Lines to paste of the scripts run as they stand, wherever `m1` is."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.cluster import _TO_PASTE
from scripts.saying import command

OURS = Path(sys.executable).with_name("m1")


@pytest.mark.parametrize("first", [OURS.parent, None])
def test_the_command_runs_from_here(first: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [folder for folder in os.environ["PATH"].split(":") if Path(folder) != OURS.parent]
    monkeypatch.setenv("PATH", ":".join([*([str(first)] if first else []), *others]))
    assert (command() == "m1") == (first is not None)
    subprocess.run([*shlex.split(command()), "--version"], check=True, capture_output=True)


def test_every_line_for_the_cluster_begins_with_it() -> None:
    lines = [line for line in _TO_PASTE.splitlines() if line.startswith("  ")]
    assert lines
    assert all(line.startswith("  {m1} ") for line in lines)
