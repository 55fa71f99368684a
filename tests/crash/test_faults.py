"""A full disk, a caller who leaves in the middle, a store that goes while it is read.

The disk is full because SQLite is told that the file may have no more pages: the same
answer, from the same place, as when the file system has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from m1.api.endpoint import Json
from m1.catalog import SharedCatalog
from m1.embedded.engine import EmbeddedEngine
from m1.errors import M1Error, Unavailable
from tests.calling import Sessions
from tests.speaking import changes, count, ids

BIG = [{"id": f"big{n}", "t": "x" * 100_000} for n in range(20)]


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(directory)
    try:
        yield engine
    finally:
        await engine.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def running() -> None:
        await story()

    asyncio.run(running())


def fill(engine: EmbeddedEngine, room: int = 20) -> None:
    """Leave room for so many pages."""
    connection = engine._disk._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + room}")


def empty(engine: EmbeddedEngine) -> None:
    """Make room again."""
    engine._disk._connection.execute("PRAGMA max_page_count = 1073741823")


async def refused(work: Awaitable[object]) -> None:
    with pytest.raises(Unavailable) as error:
        await work
    assert error.value.retry_after


def test_on_a_full_disk_nothing_is_changed_and_room_is_all_that_is_needed(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as engine:
            await engine.create_space("s", 1, 1)
            await engine.update("s", changes({"id": "a", "v": 1}))
            fill(engine)
            await refused(engine.update("s", changes({"id": "a", "v": 2}, *BIG)))
            assert await ids(engine, "v:1") == ["a"]
            assert await count(engine) == 1
            await engine.update("s", changes({"id": "b"}))
            empty(engine)
            await engine.update("s", changes(*BIG))
            assert await count(engine) == 22
        async with opened(tmp_path) as engine:
            assert await count(engine) == 22

    run(story)


def test_what_was_deleted_stays_deleted_whatever_fails_after_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as engine:
            await engine.create_space("s", 1, 1)
            await engine.update("s", changes({"id": "a", "v": 1}))
            await engine.update("s", changes({"id": "a", "v": 2}))
            fill(engine)
            await refused(engine.update("s", changes(*BIG)))
            await engine.update("s", changes("a"))
            await engine.update("s", changes({"id": "b"}))
            await engine.update("s", changes({"id": "c"}))
        async with opened(tmp_path) as engine:
            assert await ids(engine) == ["b", "c"]

    run(story)


def test_what_finds_no_room_takes_nothing_else_of_its_commit_along(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as engine:
            await engine.create_space("s", 1, 1)
            await engine.update("s", changes({"id": "a"}, {"id": "b"}))
            fill(engine)
            await asyncio.gather(
                engine.update("s", changes("a")),
                refused(engine.update("s", changes("b", *BIG))),
                engine.fence_space("s", True),
            )
            await engine.fence_space("s", False)
            assert await ids(engine) == ["b"]
        async with opened(tmp_path) as engine:
            assert await ids(engine) == ["b"]

    run(story)


def test_on_a_full_disk_dead_rows_go_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as engine:
            await engine.create_space("s", 1, 1)
            await engine.update("s", changes(*BIG))
            fill(engine)
            await refused(engine.update("s", changes({"id": "other", "t": "x" * 1_000_000})))
            await engine.update("s", changes(*[item["id"] for item in BIG]))
            await engine.update("s", changes({"id": "other", "t": "x" * 1_000_000}))
            assert await ids(engine) == ["other"]
        async with opened(tmp_path) as engine:
            assert await ids(engine) == ["other"]

    run(story)


def test_a_store_may_go_while_a_pattern_is_matched_in_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as engine:
            for space in ("s", "other"):
                await engine.create_space(space, 1, 1)
            await engine.update("s", changes(*[{"id": f"{n:05}"} for n in range(8_000)]))
            reading = asyncio.create_task(ids(engine, "id:*7", rows=2**40))
            await asyncio.sleep(0)
            await engine.remove_space("s")
            assert len(await reading) == 800
            await engine.update("other", changes({"id": "a"}))
        async with opened(tmp_path) as engine:
            assert await ids(engine, space="other") == ["a"]
            assert not [check for check in await engine.check() if check.part.startswith("s ")]

    run(story)


def test_work_that_comes_after_the_end_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as engine:
            await engine.create_space("s", 1, 1)
        await refused(engine.update("s", changes({"id": "a"})))

    run(story)


@pytest.mark.parametrize("turns", [*range(12), 15, 20, 30, 50, 100])
def test_a_caller_who_leaves_a_re_keying_leaves_one_whole_store(tmp_path: Path, turns: int) -> None:
    items = b'[{"upsert": [{"id": "a", "k": "x"}, {"id": "b", "k": "y"}]}]'

    async def story() -> None:
        async with opened(tmp_path) as engine:
            call = Sessions(engine).call
            await call("add", store="stash", key="id", shards=1, replicas=1)
            await call("update", store="stash", ops=Json.of(items))
            work = asyncio.ensure_future(call("key", store="stash", key="k"))
            for _ in range(turns):
                await asyncio.sleep(0)
            work.cancel()
            await asyncio.wait([work])
        async with opened(tmp_path) as engine:
            await SharedCatalog(engine).remove_all_doomed()
            async with await Sessions(engine).call("query", store="stash", q="*") as page:
                assert page.count == 2
            assert len(await engine.check()) == 2  # the db, and the one space

    run(story)


def test_a_failure_to_show_ends_everything_and_leaves_nobody_waiting(tmp_path: Path) -> None:
    async def story() -> None:
        failures: list[BaseException] = []
        engine = EmbeddedEngine(tmp_path, failures.append)
        await engine.create_space("s", 1, 1)
        engine._spaces["s"].index.show = None  # type: ignore[method-assign, assignment]
        updates = [engine.update("s", changes({"id": f"{n}", "v": n})) for n in range(100)]
        answers = await asyncio.wait_for(asyncio.gather(*updates, return_exceptions=True), 30)
        assert all(isinstance(answer, M1Error) for answer in answers)
        assert len(failures) == 1
        assert not all(check.passed for check in await engine.check())
        await engine.close()

    run(story)
