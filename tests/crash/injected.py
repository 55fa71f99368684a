"""Calls to the kernel that fail, in a process that runs: strace answers in the kernel's place."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.waiting import until


class Failing(NamedTuple):
    """What fails, and the record of it."""

    record: Path

    def hits(self) -> list[float]:
        """Tell when calls failed, by the clock of the wall."""
        lines = self.record.read_text().splitlines()
        return [float(line.split()[1]) for line in lines if line.endswith("(INJECTED)")]

    def first(self) -> float:
        """Wait for the first call that fails; tells when it did."""
        until(self.hits, "no call failed")
        return self.hits()[0]


@contextmanager
def failing(pid: int, record: Path, calls: str, error: str, *more: str) -> Iterator[Failing]:
    """Let calls of a process fail within the block; skips the test where that cannot be."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")
    inject = [f"--trace={calls}", f"--inject={calls}:error={error}", *more]
    command: list[str | Path] = ["strace", "-f", "-ttt", "-qq", "-o", record, "-p", str(pid)]
    strace = subprocess.Popen([*command, *inject], stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: strace.poll() is not None or _is_watched(pid), "strace does not begin")
        if strace.poll() is not None:
            pytest.skip(f"strace cannot watch here: {strace.communicate()[1].strip()}")
        yield Failing(record)
    finally:
        strace.terminate()
        strace.communicate()


def _is_watched(pid: int) -> bool:
    """Tell whether all threads of a process are."""
    try:
        statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    except OSError:  # a thread, or all of it, has just ended
        return False
    return all("\nTracerPid:\t0\n" not in status for status in statuses)
