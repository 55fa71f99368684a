"""Each write, sync and truncation fails, one after another, once or from then on.

A short life of the engine (`scripted`) is gone through again and again. In each run one
kind of call fails when a thread makes its n-th one: for each kind and each n that there is.
What was acknowledged is there afterwards, a pair is never torn, and the data opens.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, product
from pathlib import Path
from typing import NamedTuple

import pytest

from m1.embedded.engine import EmbeddedEngine
from m1.errors import M1Error, StartError
from tests.crash.scripted import NAMES, name_of, value_of
from tests.crash.tier import TORTURE, did
from tests.speaking import bodies

CALLS = "write,pwrite64,ftruncate,fallocate,fsync,fdatasync,rename"
ERRORS = ("EIO", "ENOSPC")
FEW = 24
"""So many of some thousand points with each commit."""


class Point(NamedTuple):
    """A call that fails: the n-th of its kind in a thread, alone or with all after it."""

    call: str
    number: int
    error: str
    on: str

    def __str__(self) -> str:
        return f"{self.call}:error={self.error}:when={self.number}{self.on}"


class Life(NamedTuple):
    """Steps to be gone through, in a new directory or in a copy of one."""

    first: int
    last: int
    before: Path | None = None

    def run(self, data: Path, *watch: str | Path, how: str = "") -> list[str]:
        """Live it once; gives what it said."""
        if self.before is not None:
            shutil.copytree(self.before, data)
        program = [sys.executable, "-m", "tests.crash.scripted"]
        command = [*watch, *program, data, str(self.first), str(self.last), how]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout.splitlines()

    def legal(self, said: list[str]) -> dict[str, set[int | None]]:
        """Give what each pair may hold after what was said."""
        legal: dict[str, set[int | None]] = {name: {None} for name in NAMES}
        for step in range(1, self.first):
            legal[name_of(step)] = {value_of(step)}
        for word, number in [line.split(maxsplit=1) for line in said]:
            if word == "tries":
                legal[name_of(int(number))].add(value_of(int(number)))
            elif word == "did":
                legal[name_of(int(number))] = {value_of(int(number))}
        return legal


@pytest.fixture(scope="module", params=["begun", "gone on with"])
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A life that begins with nothing, or with what a crash left: segments and a log."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")
    begun = Life(1, 10)
    if request.param == "begun":
        return begun
    before = tmp_path_factory.mktemp("before") / "data"
    said = begun.run(before, *_strace("/dev/null", "writev", "signal=KILL:when=20"))
    assert said[-1] == "did 10"
    return Life(11, 18, before)


def _strace(record: Path | str, calls: str, inject: str = "") -> list[str | Path]:
    how = [f"--inject={calls}:{inject}"] if inject else []
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-o", record, f"--trace={calls}", *how]


def points(life: Life, directory: Path) -> list[Point]:
    """Give all calls that can fail, in each way, by how many of a kind a thread makes."""
    record = directory / "record"
    said = life.run(directory / "data", *_strace(record, CALLS))
    assert said[-1] == f"did {life.last}", said
    made = Counter(re.findall(r"^(\d+) +(\w+)\(", record.read_text(), re.MULTILINE))
    most: Counter[str] = Counter()
    for (_, call), times in made.items():
        most[call] = max(most[call], times)
    return [
        Point(call, number + 1, error, on)
        for call, times in sorted(most.items())
        for number, error, on in product(range(times), ERRORS, ("", "+"))
    ]


def fail_at(life: Life, point: Point, directory: Path, how: str = "") -> tuple[list[str], bool]:
    """Live once with a call that fails; gives what is wrong then, and whether it did fail."""
    directory.mkdir()
    data, record = directory / "data", directory / "record"
    inject = f"error={point.error}:when={point.number}{point.on}"
    try:
        said = life.run(data, *_strace(record, point.call, inject), how=how)
        stored = asyncio.run(pairs_in(data))
    except (AssertionError, subprocess.TimeoutExpired, StartError, M1Error) as error:
        return [f"{point}: {error}"], True
    wrong = [
        f"{point}: {name} is {stored[name]}, legal are {legal}"
        for name, legal in life.legal(said).items()
        if stored[name] not in [(each, each) for each in legal]
    ]
    hit = "(INJECTED)" in record.read_text()
    shutil.rmtree(directory)
    return wrong, hit


async def pairs_in(data: Path) -> dict[str, tuple[int | None, int | None]]:
    """Open data and give the numbers that its pairs hold."""
    engine = EmbeddedEngine(data)
    try:
        there = "s" in engine._spaces
        found = [json.loads(body) for body in (await bodies(engine))[1]] if there else []
    finally:
        await engine.close()
    numbers = {item["id"]: item["n"] for item in found}
    return {name: (numbers.get(f"{name}-a"), numbers.get(f"{name}-b")) for name in NAMES}


def test_no_call_that_fails_loses_what_was_acknowledged(
    life: Life, tmp_path: Path, rand: random.Random
) -> None:
    every = points(life, tmp_path)
    some = every if TORTURE else rand.sample(every, FEW)
    with ThreadPoolExecutor(2) as pool:
        outcomes = []
        run = partial(fail_at, life)
        for outcome in pool.map(run, some, (tmp_path / str(number) for number in count())):
            did("calls that failed")
            outcomes.append(outcome)
    assert [fault for wrong, _ in outcomes for fault in wrong] == []
    assert sum(hit for _, hit in outcomes) > len(some) // 2


def test_an_engine_that_takes_no_notice_is_found_out(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")
    point = Point("pwrite64", 40, "EIO", "+")
    wrong, hit = fail_at(Life(1, 10), point, tmp_path / "data", "stubborn")
    assert hit
    assert any("legal are" in fault for fault in wrong)
