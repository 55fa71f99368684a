"""Where it was measured, and what a process takes of it."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

_PACKAGES = ("uvicorn", "uvloop", "httptools", "falcon", "msgspec", "numpy", "pyroaring")


def machine() -> str:
    """Give the processor, the memory, the system, and how busy it is."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} x {names[0] if names else platform.machine()}, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f} at the start"
    )


def versions() -> str:
    """Give the versions of what the server is made of."""
    packages = [f"{name} {version(name)}" for name in _PACKAGES]
    ours = f"m1 {version('m1-session-stores')}"
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return ", ".join([ours, python, *packages])


def resident(pid: int) -> int:
    """Give the bytes of memory that a process has now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def processor_seconds(pid: int) -> float:
    """Give the processor time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def has_children(pid: int) -> bool:
    """Tell whether any thread of a process has begun another that has not ended."""
    return any(children.read_text() for children in Path(f"/proc/{pid}/task").glob("*/children"))


def on_disk(directory: Path) -> int:
    """Give the bytes that files take on disk."""
    return sum(file.stat().st_blocks * 512 for file in directory.rglob("*") if file.is_file())


def sync_times(directory: Path, count: int = 200) -> list[float]:
    """Time so many appends of 4 KB, each synced: what a durable update waits for at least."""
    file, times = directory / "sync", []
    with file.open("wb", buffering=0) as handle:
        for _ in range(count):
            begun = perf_counter()
            handle.write(bytes(4_096))
            os.fdatasync(handle.fileno())
            times.append(perf_counter() - begun)
    file.unlink()
    return times
