"""`make fill`: many made-up sessions in a running server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.serving import Server

ROOT = Path(__file__).parents[2]


def test_fill_puts_so_many_sessions_into_the_store_and_tells_how_far_it_is(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--quickstart", home=tmp_path / "home")
    try:
        command = [sys.executable, "-m", "benchmarks.fill", "--items", "2500"]
        environment = {**os.environ, "M1_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        assert "2,500 of 2,500 items" in done.stderr
        counted = subprocess.run(
            [sys.executable, "-m", "m1", "local", "session/query"]
            + ["-store", "stash", "-q", "device.type:*", "-rows", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
        )
        assert '"count":2500' in counted.stdout.replace(" ", "")
    finally:
        server.stop()
