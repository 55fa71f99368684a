"""Files that were cut, wiped at the end, lost, or exchanged for something else altogether.

The start gives the same answers, or refuses and names the file and the way on. Two things
more are legal. Where a log ends early, nobody can tell that from a crash in the middle of
what came next: so the answers may be those of an earlier moment, whole. And what is lost
in the middle of the file or of a segment may be noticed only when somebody asks for it:
then the answer is an error that says so.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from m1.embedded.copies import back_up, bring_back
from m1.embedded.engine import EmbeddedEngine
from m1.engine import Remove
from m1.errors import M1Error, StartError
from tests.crash.test_damage import Answers, answers, item
from tests.crash.tier import did, rounds
from tests.segmented import SegmentedEngine, settled, tiny_segments
from tests.speaking import changes

STARTS = rounds(commit=5, torture=60)
"""Starts of the real command, which take longer than all others together."""
PAGE = 4_096
FRAME = PAGE + 24
LOG_HEAD = 32
LOG = "items.db-wal"
WAYS_ON = ("m1 check", "m1 restore", "remove this file", "choose another directory")


class Left(NamedTuple):
    """Data as a crash or a stop leaves it."""

    data: Path
    moments: list[Answers]
    """What it would have answered after each update, the last of them now."""

    @property
    def files(self) -> list[str]:
        """The files that say something, one segment of all."""
        segments = sorted(self.data.rglob("*.segment"))[:1]
        paths = [*self.data.glob("items.db*"), self.data / "index/1/manifest", *segments]
        return sorted(str(path.relative_to(self.data)) for path in paths)


@pytest.fixture(scope="module", params=["killed", "stopped"])
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Make data with segments and, where killed, with a log."""
    data, copy = tmp_path_factory.mktemp("d") / "data", tmp_path_factory.mktemp("k") / "data"
    moments: list[Answers] = []

    async def fill() -> None:
        engine = SegmentedEngine(data)
        await engine.create_space("s", 1, 1)
        for begin in range(0, 120, 30):
            await engine.update("s", changes(*map(item, range(begin, begin + 30))))
        await engine.close()
        engine = SegmentedEngine(data)
        await EmbeddedEngine.update(engine, "s", [Remove("i007"), Remove("i100")])
        moments.append(await answers(engine))
        for number in (3, 50, 300, 301):
            await EmbeddedEngine.update(engine, "s", changes(item(number)))
            moments.append(await answers(engine))
        await settled(engine._upkeep["s"])
        if request.param == "killed":
            shutil.copytree(data, copy)
        await engine.close()

    with tiny_segments():
        asyncio.run(fill())
    return Left(copy if request.param == "killed" else data, moments)


# --- what is done to a file ---


class Harm(NamedTuple):
    """Something done to one file of a copy of the data."""

    file: str
    what: str
    do: Callable[[Path], object]

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def _cut(size: int) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(file.read_bytes()[:size])


def _wiped(size: int) -> Callable[[Path], object]:
    def wipe(file: Path) -> None:
        whole = file.read_bytes()
        file.write_bytes(whole[:size] + bytes(len(whole) - size))

    return wipe


def _other_database(file: Path) -> None:
    file.unlink()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE other (a)")
    connection.close()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "lost": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "a text": lambda file: file.write_text("Something else.\n" * 1_000),
    "a short text": lambda file: file.write_text("x"),
    "noise": lambda file: file.write_bytes(random.Random(1).randbytes(20_000)),
    "another database": _other_database,
}


def exchanged(left: Left) -> Iterator[Harm]:
    """Yield each file gone or exchanged."""
    for file in left.files:
        for what, do in FOREIGN.items():
            yield Harm(file, what, do)


def shortened(left: Left) -> Iterator[Harm]:
    """Yield each file cut, or wiped to its end, at and beside each boundary of a page."""
    for file in left.files:
        size = (left.data / file).stat().st_size
        head, step = (LOG_HEAD, FRAME) if file == LOG else (0, PAGE)
        for place in sorted({*range(0, size, step), *range(head, size, step), size}):
            for near in range(max(place - 1, 0), min(place + 1, size) + 1):
                yield Harm(file, f"cut at {near}", _cut(near))
                yield Harm(file, f"wiped from {near}", _wiped(near))


# --- what comes of it ---


def harmed(left: Left, harm: Harm, copy: Path) -> Path:
    """Copy the data and harm it."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(left.data, copy)
    harm.do(copy / harm.file)
    did("files cut, wiped or exchanged")
    return copy


def asked(data: Path) -> Answers | StartError | M1Error:
    """Open data and ask; gives the answers, or the refusal, or the error."""

    async def story() -> Answers | StartError | M1Error:
        try:
            engine = EmbeddedEngine(data)
        except StartError as error:
            return error
        try:
            return await answers(engine)
        except M1Error as error:
            return error
        finally:
            await engine.close()

    return asyncio.run(story())


def wrong_with(left: Left, harm: Harm, copy: Path) -> str | None:
    """Tell what is not as it should be, if anything is not."""
    match asked(harmed(left, harm, copy)):
        case StartError() as refusal:
            told = str(copy) in str(refusal) and any(way in str(refusal) for way in WAYS_ON)
            return None if told else f"{harm}: {refusal}"
        case M1Error(message=message):
            told = "damaged" in message or "cannot be read" in message
            return None if told else f"{harm}: {message}"
        case found:
            legal = left.moments if harm.file == LOG else left.moments[-1:]
            return None if found in legal else f"{harm}: answers {[count for count, _ in found]}"


def test_nothing_is_wrong_with_what_is_not_harmed(left: Left, tmp_path: Path) -> None:
    nothing = Harm(LOG, "nothing", lambda file: None)
    assert asked(harmed(left, nothing, tmp_path / "data")) == left.moments[-1]


def test_a_file_that_is_gone_or_another_is_never_taken_for_what_it_was(
    left: Left, tmp_path: Path
) -> None:
    wrong = [wrong_with(left, harm, tmp_path / "data") for harm in exchanged(left)]
    assert not list(filter(None, wrong))


def test_a_file_that_ends_early_is_never_taken_for_a_whole_one(left: Left, tmp_path: Path) -> None:
    wrong = [wrong_with(left, harm, tmp_path / "data") for harm in shortened(left)]
    assert not list(filter(None, wrong))


@pytest.mark.parametrize(
    ("what", "code"), {"lost": 3, "empty": 3, "a text": 3, "another database": 2}.items()
)
def test_what_is_foreign_is_told_from_what_is_damaged(
    left: Left, tmp_path: Path, what: str, code: int
) -> None:
    refusal = asked(harmed(left, Harm("items.db", what, FOREIGN[what]), tmp_path / "data"))
    assert isinstance(refusal, StartError)
    assert refusal.exit_code == code


@pytest.mark.parametrize("what", ["lost", "empty", "cut at 1"])
def test_a_backup_brings_back_a_file_that_is_gone(left: Left, tmp_path: Path, what: str) -> None:
    """The backup is of before what the log holds, which must not be laid over it."""
    earlier = harmed(left, Harm("index", "lost", shutil.rmtree), tmp_path / "earlier")
    (earlier / LOG).unlink(missing_ok=True)
    back_up(earlier, tmp_path / "backup", print)
    data = harmed(left, Harm("items.db", what, FOREIGN.get(what, _cut(1))), tmp_path / "data")
    bring_back(tmp_path / "backup", data, print)
    assert asked(data) == asked(earlier)


# --- the command ---


def served(data: Path) -> tuple[int, str]:
    """Start a server and end it, if it does not refuse; gives the exit code and what it logs."""
    command = [sys.executable, "-m", "m1", "serve", "--data", str(data), "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().startswith("m1 listening"):
            process.terminate()
        _, log = process.communicate(timeout=60)
    return process.returncode, log


def test_the_command_refuses_in_one_line_with_an_exit_code(
    left: Left, tmp_path: Path, rand: random.Random
) -> None:
    harms = [*exchanged(left), *rand.sample(list(shortened(left)), STARTS)]
    for harm in rand.sample(harms, STARTS):
        copy = harmed(left, harm, tmp_path / "data")
        expected = asked(copy)
        code, log = served(harmed(left, harm, copy))
        assert "Traceback" not in log, harm
        if isinstance(expected, StartError):
            assert code == expected.exit_code, harm
            assert log.startswith("m1: "), harm
            assert log.count("\n") == 1, harm
        else:
            assert code == 0, (harm, log)
