"""Full deltas become segments, whoever reads meanwhile and whatever fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from m1.embedded import index, upkeep
from m1.embedded.build import Job, build
from m1.embedded.copies import back_up, bring_back
from m1.embedded.manifest import Manifest, save
from m1.engine import Remove
from m1.errors import StartError
from m1.query.plan import All
from tests.segmented import SegmentedEngine, segments_of, settled, tiny_segments
from tests.speaking import changes

Item = dict[str, object]


def items(low: int, high: int) -> list[Item]:
    return [{"id": f"i{n:05}", "v": n} for n in range(low, high)]


def files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.segment"))


def lose(directory: Path, pattern: str) -> None:
    next(iter(directory.rglob(pattern))).unlink()


def write_half(path: str) -> None:
    Path(path).write_bytes(b"half of it")


async def everything(engine: SegmentedEngine) -> int:
    async with await engine.query("s", All(), (), 0, 100_000) as page:
        found = [body async for bodies in page for body in bodies]
    assert len(set(found)) == page.count
    return page.count


def test_a_reader_who_waits_holds_up_no_segment(tmp_path: Path) -> None:
    async def story() -> None:
        engine = SegmentedEngine(tmp_path)
        await engine.create_space("s", 1, 1)
        await engine.update("s", changes(*items(0, 500)))
        page = await engine.query("s", All(), (), 0, 500)
        for low in (500, 1_500, 2_500):
            await engine.update("s", changes(*items(low, low + 1_000)))
        assert len(segments_of(engine, "s")) >= 2
        async with page:
            assert len([body async for bodies in page for body in bodies]) == 500
        assert await everything(engine) == 3_500
        await engine.close()

    with tiny_segments() as patch:
        patch.setattr(index, "FULL_CHANGES", 1_000)
        asyncio.run(story())


def test_a_segment_that_cannot_be_made_is_tried_again_and_health_tells(tmp_path: Path) -> None:
    failures = 2

    async def fails_at_first(job: Job) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            write_half(job.target)
            raise OSError("no room")
        await asyncio.to_thread(build, job)

    async def story() -> None:
        engine = SegmentedEngine(tmp_path)
        await engine.create_space("s", 1, 1)
        writing = asyncio.create_task(engine.update("s", changes(*items(0, 10))))
        async with asyncio.timeout(30):
            while (problem := engine._upkeep["s"].problem) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert "no room" in problem
        assert not all(check.passed for check in await engine.check())
        assert await everything(engine) == 10
        await writing
        assert all(check.passed for check in await engine.check())
        assert files(tmp_path) == segments_of(engine, "s")
        await engine.close()

    with tiny_segments() as patch:
        patch.setattr(upkeep, "_build", fails_at_first)
        patch.setattr(upkeep, "_PAUSE_SECONDS", 0.2)
        asyncio.run(story())


def test_changes_that_come_faster_than_segments_are_made_are_held_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made of a delta that is not full, so it only ever grows here."""

    async def took(engine: SegmentedEngine, low: int) -> float:
        begun = monotonic()
        await asyncio.gather(
            *(engine.update("s", changes(*items(n, n + 10))) for n in range(low, low + 100, 10))
        )
        return monotonic() - begun

    async def story() -> None:
        engine = SegmentedEngine(tmp_path)
        await engine.create_space("s", 1, 1)
        await engine.update("s", changes(*items(0, 500)))
        assert await took(engine, 500) < 1
        monkeypatch.setattr(upkeep, "FULL_CHANGES", 600 / (upkeep._AHEAD + 200))
        assert await took(engine, 1_000) >= 100 * 200 * upkeep._SLOWED_SECONDS
        assert await everything(engine) == 700
        await engine.close()

    asyncio.run(story())


def test_segments_stay_few_and_lose_what_died(tmp_path: Path) -> None:
    async def story() -> None:
        engine = SegmentedEngine(tmp_path)
        await engine.create_space("s", 1, 1)
        for _ in range(30):
            await engine.update("s", changes(*items(0, 20)))
        await engine.update("s", [Remove(f"i{n:05}") for n in range(19)])
        await settled(engine._upkeep["s"])
        assert await everything(engine) == 1
        assert files(tmp_path) == sorted(segments_of(engine, "s"))
        assert len(files(tmp_path)) <= 4
        await engine.close()

    with tiny_segments():
        asyncio.run(story())


def test_an_index_that_is_lost_is_made_anew(tmp_path: Path) -> None:
    async def story() -> None:
        engine = SegmentedEngine(tmp_path)
        await engine.create_space("s", 1, 1)
        for low in range(0, 60, 5):
            await engine.update("s", changes(*items(low, low + 5)))
        await engine.update("s", [Remove("i00003"), Remove("i00059")])
        await engine.close()
        for lost in ("manifest", "*.segment"):
            lose(tmp_path, lost)
            engine = SegmentedEngine(tmp_path)
            assert await everything(engine) == 58
            await engine.update("s", changes(*items(100, 104)))
            await engine.update("s", [Remove(f"i{n:05}") for n in range(100, 104)])
            await engine.close()

    with tiny_segments():
        asyncio.run(story())


def test_the_index_of_a_dropped_space_is_removed(tmp_path: Path) -> None:
    async def story() -> None:
        engine = SegmentedEngine(tmp_path)
        await engine.create_space("s", 1, 1)
        await engine.update("s", changes(*items(0, 9)))
        assert files(tmp_path)
        await engine.remove_space("s")
        await engine.create_space("t", 1, 1)  # written after the first one's end
        assert not files(tmp_path)
        await engine.close()

    with tiny_segments():
        asyncio.run(story())


def test_a_manifest_that_cannot_be_saved_is_saved_later_and_what_is_obsolete_goes(
    tmp_path: Path,
) -> None:
    failures = 3

    def full_at_first(folder: Path, manifest: Manifest) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError("no room")
        save(folder, manifest)

    async def story() -> None:
        engine = SegmentedEngine(tmp_path)
        await engine.create_space("s", 1, 1)
        for low in range(0, 40, 4):
            await engine.update("s", changes(*items(low, low + 4)))
        assert failures < 0
        assert files(tmp_path) == sorted(segments_of(engine, "s"))
        await engine.close()
        engine = SegmentedEngine(tmp_path)
        assert await everything(engine) == 40
        await engine.close()

    with tiny_segments() as patch:
        patch.setattr(upkeep, "save", full_at_first)
        patch.setattr(upkeep, "_PAUSE_SECONDS", 0.05)
        asyncio.run(story())


def test_a_backup_restored_beside_an_old_index_does_not_believe_it(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"

    async def story() -> None:
        engine = SegmentedEngine(data)
        await engine.create_space("s", 1, 1)
        await engine.update("s", changes(*items(0, 6)))
        back_up(data, backup, print)
        for n in range(3):
            await engine.update("s", [Remove(f"i{n:05}")])
        await engine.close()
        assert files(data)
        lose(data, "items.db")
        bring_back(backup, data, print)
        engine = SegmentedEngine(data)
        assert await everything(engine) == 6
        await engine.close()

    with tiny_segments():
        asyncio.run(story())


def test_data_whose_repair_was_cut_short_is_not_taken_for_new(tmp_path: Path) -> None:
    (tmp_path / "items.db.repaired").touch()

    async def story() -> None:
        with pytest.raises(StartError, match="cut short"):
            SegmentedEngine(tmp_path)

    asyncio.run(story())
    assert not (tmp_path / "items.db").exists()
