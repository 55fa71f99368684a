"""A bit that flips in a stored file is never taken for data: the same answers, or a refusal."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from m1.embedded import disk, reader
from m1.embedded.engine import EmbeddedEngine
from m1.engine import Remove
from m1.errors import DamagedData, M1Error
from m1.query import parse, parse_sort, resolve
from tests.crash.tier import did, rounds
from tests.segmented import SegmentedEngine, settled, tiny_segments
from tests.speaking import changes

_FRAME = 24 + 4096
FLIPS = rounds(commit=80, torture=1_000)
_NO_DATA = ("items.db-shm", "room")
QUESTIONS = [("*", ""), ("v:[5 TO 40]", "v desc"), ("t:word1*", "t asc"), ("NOT w.x:3", "v asc")]
Answers = list[tuple[int, list[bytes]]]


async def answers(engine: EmbeddedEngine) -> Answers:
    """Ask everything that there is to ask."""
    found: Answers = []
    for q, sort in QUESTIONS:
        order = parse_sort(sort) if sort else ()
        async with await engine.query("s", resolve(parse(q), 0), order, 0, 10_000) as page:
            found.append((page.count, [body async for bodies in page for body in bodies]))
    return found


def item(number: int) -> dict[str, object]:
    text = f"word{number} " * 30
    return {
        "id": f"i{number:03}",
        "v": number,
        "t": [f"word{number}", text],
        "w": {"x": number % 5},
    }


@pytest.fixture(scope="module", params=["killed", "stopped"])
def left(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Answers]:
    """Data with segments, as kill -9 leaves it (with a log) or a stop; and what it answers."""
    data, copy = tmp_path_factory.mktemp("d") / "data", tmp_path_factory.mktemp("k") / "data"

    async def fill() -> Answers:
        engine = SegmentedEngine(data)
        await engine.create_space("s", 1, 1)
        for begin in range(0, 120, 30):
            await engine.update("s", changes(*map(item, range(begin, begin + 30))))
        await engine.update("s", [Remove("i007"), Remove("i100")])
        await settled(engine._upkeep["s"])
        for number in (3, 50, 300):  # these stay in the log, and in no segment
            await EmbeddedEngine.update(engine, "s", changes(item(number)))
        await settled(engine._upkeep["s"])
        whole = await answers(engine)
        if request.param == "killed":
            shutil.copytree(data, copy)
        await engine.close()
        return whole

    with tiny_segments():
        whole = asyncio.run(fill())
    return copy if request.param == "killed" else data, whole


def asked(data: Path) -> Answers | str:
    """Open data and ask; gives the answers, or what the refusal says."""

    async def story() -> Answers | str:
        try:
            engine = EmbeddedEngine(data)
        except DamagedData as error:
            return str(error)
        try:
            return await answers(engine)
        except M1Error as error:
            return error.message
        finally:
            await engine.close()

    return asyncio.run(story())


def flips(data: Path, rand: random.Random, count: int) -> Iterator[tuple[Path, int]]:
    """Yield places of bits, in every file alike, in a copy of the data made anew each time."""
    files = sorted(path.relative_to(data) for path in data.rglob("*") if path.stat().st_size > 64)
    files = [name for name in files if (data / name).is_file() and name.name not in _NO_DATA]
    copy = data.parent / "copy"
    for number in range(count):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(data, copy)
        file = copy / files[number % len(files)]
        whole = bytearray(file.read_bytes())
        place = rand.randrange(len(whole) * 8)
        whole[place // 8] ^= 1 << place % 8
        file.write_bytes(whole)
        did("flipped bits")
        yield file, place


def copied_with_log(data: Path, name: str) -> Path:
    if not (data / "items.db-wal").exists():
        pytest.skip("a stop leaves no log")
    copy = data.parent / name
    shutil.copytree(data, copy)
    return copy


def test_what_is_left_answers_as_before(left: tuple[Path, Answers]) -> None:
    data, whole = left
    assert list(data.rglob("*.segment"))
    copy = data.parent / "untouched"
    shutil.copytree(data, copy)
    assert asked(copy) == whole
    assert [count for count, _ in whole] == [119, 35, 30, 95]


def test_a_flipped_bit_gives_the_same_answers_or_a_refusal(
    left: tuple[Path, Answers], rand: random.Random
) -> None:
    data, whole = left
    refused = 0
    for file, place in flips(data, rand, FLIPS):
        found = asked(data.parent / "copy")
        if isinstance(found, str):
            refused += 1
            assert "damaged" in found or "cannot be read" in found, found
        else:
            assert found == whole, (file, place)
    assert refused > FLIPS // 10


def test_without_the_checks_damage_is_taken_for_data(
    left: tuple[Path, Answers], rand: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "is_intact", lambda *_: True)
    monkeypatch.setattr(disk, "damage_in", lambda log: None)
    data, whole = left
    outcomes = (asked(data.parent / "copy") for _ in flips(data, rand, 10 * FLIPS))
    assert any(not isinstance(found, str) and found != whole for found in outcomes)


def test_sqlite_forgets_commits_behind_a_bad_frame_without_a_word(
    left: tuple[Path, Answers],
) -> None:
    """Why the log is looked at by us."""
    data, _ = left
    copy = copied_with_log(data, "log")
    whole = bytearray((copy / "items.db-wal").read_bytes())
    whole[60] ^= 1
    _refuses(copy, whole)
    connection = sqlite3.connect(copy / "items.db")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()


def test_a_commit_cut_short_is_no_damage_after_this_crash_nor_after_the_next(
    left: tuple[Path, Answers],
) -> None:
    """What is written over the first frames of a long commit leaves its last ones standing."""
    data, whole = left
    first, second = copied_with_log(data, "first"), data.parent / "second"
    log = first / "items.db-wal"
    frames = log.read_bytes()
    log.write_bytes(frames + _never_synced(frames))

    async def story() -> None:
        engine = EmbeddedEngine(first)
        assert await answers(engine) == whole
        await engine.update("s", changes(item(400)))
        shutil.copytree(first, second)
        await engine.close()
        engine = EmbeddedEngine(second)
        assert (await answers(engine))[0][0] == whole[0][0] + 1
        await engine.close()

    asyncio.run(story())


def _never_synced(frames: bytes) -> bytes:
    """Give a commit of forty frames of this log, the first of which never reached the disk."""
    frame = bytearray(frames[-_FRAME:])
    frame[16:24] = bytes(8)  # no checksum is right
    return bytes(_FRAME) + bytes(frame) * 39


def test_a_page_that_a_kill_left_unwritten_is_no_damage(left: tuple[Path, Answers]) -> None:
    """The head of a commit's frame is there, and behind it the page of an older log."""
    data, whole = left
    copy = copied_with_log(data, "half-a-frame")
    log = copy / "items.db-wal"
    frames = log.read_bytes()
    log.write_bytes(frames + frames[-_FRAME:][:24] + bytes(4096))
    assert asked(copy) == whole


def test_a_page_that_is_gone_is_damage_where_more_was_written_behind_its_commit(
    left: tuple[Path, Answers],
) -> None:
    data, _ = left
    copy = copied_with_log(data, "a-page-gone")
    frames = bytearray((copy / "items.db-wal").read_bytes())
    frames[32 + 24 : 32 + _FRAME] = bytes(4096)
    _refuses(copy, frames)


def _refuses(copy: Path, log: bytearray) -> None:
    """Check that data with this log is not opened, and the log named."""
    (copy / "items.db-wal").write_bytes(log)
    with pytest.raises(DamagedData, match="items.db-wal is damaged"):
        asyncio.run(_opened(copy))


async def _opened(data: Path) -> None:
    await EmbeddedEngine(data).close()
