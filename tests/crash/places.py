"""Disks of its own for a test: a small one, and one whose power can be cut."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import until

_EXT4_IOC_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSH = 2
_DISK_BYTES = 128 * 1024 * 1024


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Have a disk of a size in memory at a place; skips the test where that cannot be."""
    place.mkdir()
    _mount(place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    try:
        yield place
    finally:
        unmount(place)


class CutDisk:
    """A disk on a file, which forgets what was not synced when its power is cut."""

    def __init__(self, image: Path, place: Path) -> None:
        self.place = place
        self._image = image

    def cut(self) -> None:
        """Cut the power: nothing is written any more, not even what waits to be."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _EXT4_IOC_SHUTDOWN, struct.pack("i", _WITHOUT_FLUSH))
        finally:
            os.close(handle)

    def come_back(self) -> None:
        """Give it power again, once nobody uses it any more."""
        until(self._is_unmounted, f"{self.place} is in use")
        _mount(self.place, "-o", "loop", str(self._image))

    def _is_unmounted(self) -> bool:
        command = ["umount", str(self.place)]
        return not subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


@contextmanager
def cut_disk(directory: Path) -> Iterator[CutDisk]:
    """Have a disk whose power can be cut; skips the test where that cannot be."""
    must_be_root("mkfs.ext4", "mount", "umount")
    image, place = directory / "image", directory / "disk"
    with image.open("wb") as file:
        file.truncate(_DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    place.mkdir()
    _mount(place, "-o", "loop", str(image))
    try:
        yield CutDisk(image, place)
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
