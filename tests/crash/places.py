"""Disks of its own for a test: a small one, and one whose power can be cut."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Have a disk of a size in memory at a place; skips the test where that cannot be."""
    place.mkdir()
    _mount(place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    try:
        yield place
    finally:
        unmount(place)


def resize(place: Path, size: str) -> None:
    """Give a small disk another size, as it is."""
    subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)


def _mount(place: Path, *how: str) -> None:
    must_be_root("mount", "umount")
    done = subprocess.run(["mount", *how, place], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


def unmount(place: Path) -> None:
    """Let go of a disk, at the latest when the last that uses it ends."""
    if subprocess.run(["umount", place], stderr=subprocess.DEVNULL, check=False).returncode:
        subprocess.run(["umount", "--lazy", place], check=True)


def must_be_root(*commands: str) -> None:
    """Skip the test where it has not the rights, or where a command is missing."""
    if os.geteuid():
        pytest.skip("only root may do this")
    for command in commands:
        if shutil.which(command) is None:
            pytest.skip(f"there is no {command} here")


def until(true: Callable[[], object], problem: str, seconds: float = 10) -> None:
    """Wait until something is true, but not for ever."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, problem
        time.sleep(0.01)
