"""What every engine promises about updates."""

from __future__ import annotations

import asyncio

import pytest

from m1.engine import Engine
from m1.errors import BadRequest, Unavailable
from tests.contract.conftest import OnEngine
from tests.speaking import bodies, changes, count, ids


def test_an_update_is_visible_to_the_next_query(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        for number in range(50):
            await engine.update("s", changes({"id": "a", "n": number}))
            assert await ids(engine, f"n:{number}") == ["a"]
            assert await count(engine, f"n:{number - 1}") == 0

    on_engine(story)


def test_an_item_comes_back_as_the_bytes_it_was_kept_with(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        (change,) = changes({"id": "a", "t": "\u00e9\0\U0001f600", "n": 10**30})
        await engine.update("s", [change])
        assert await bodies(engine) == (1, [change.body])  # type: ignore[union-attr]

    on_engine(story)


def test_an_item_takes_the_place_of_the_one_of_its_id_as_a_whole(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.update("s", changes({"id": "a", "old": 1, "same": 1}))
        await engine.update("s", changes({"id": "a", "new": 1, "same": 1}))
        assert await count(engine) == 1
        assert await count(engine, "old:*") == 0
        assert await ids(engine, "new:1 AND same:1") == ["a"]

    on_engine(story)


def test_a_removed_item_is_found_no_longer(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.update("s", changes({"id": "a", "n": 1}, {"id": "b", "n": 1}))
        await engine.update("s", changes("a"))
        assert await ids(engine, "n:1") == ["b"]
        assert await count(engine, "NOT n:2") == 1

    on_engine(story)


def test_removing_what_is_not_there_is_harmless(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.update("s", changes("nobody"))
        await engine.update("s", changes({"id": "a"}, "nobody"))
        await engine.update("s", [])
        assert await ids(engine) == ["a"]

    on_engine(story)


def test_an_item_may_come_and_go_any_number_of_times(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        for _ in range(5):
            await engine.update("s", changes({"id": "a", "n": 1}))
            await engine.update("s", changes("a"))
            assert await count(engine) == 0
        await engine.update("s", changes({"id": "a", "n": 2}))
        assert await ids(engine, "n:2") == ["a"]

    on_engine(story)


def test_updates_by_many_at_once_all_stand(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        items = [{"id": f"i{number:03}", "n": number} for number in range(200)]
        await asyncio.gather(*[engine.update("s", changes(item)) for item in items])
        assert await ids(engine) == [item["id"] for item in items]

    on_engine(story)


def test_one_update_is_seen_whole_or_not_at_all(on_one_machine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        many = [[{"id": f"i{n:04}", "v": value} for n in range(1_000)] for value in range(4)]
        await engine.update("s", changes(*many[0]))
        writing = asyncio.gather(*[engine.update("s", changes(*items)) for items in many[1:]])
        while not writing.done():
            for value in range(4):
                assert await count(engine, f"v:{value}") in (0, 1_000)
            await asyncio.sleep(0)
        await writing
        assert await count(engine, "v:3") == 1_000

    on_one_machine(story)


def test_spaces_do_not_know_of_each_other(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.create_space("other", 1, 1)
        await engine.update("s", changes({"id": "a", "n": 1}))
        await engine.update("other", changes({"id": "a", "n": 2}))
        await engine.update("other", changes("b"))
        assert await ids(engine, "n:1") == ["a"]
        assert await ids(engine, "n:2", space="other") == ["a"]

    on_engine(story)


def test_a_space_that_is_there_stays_as_it_is_when_created_again(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.update("s", changes({"id": "a"}))
        await engine.create_space("s", 1, 1)
        assert await ids(engine) == ["a"]

    on_engine(story)


def test_a_removed_space_is_gone_and_may_be_removed_again(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.update("s", changes({"id": "a"}))
        await engine.remove_space("s")
        await engine.remove_space("s")
        with pytest.raises(Unavailable):
            await engine.update("s", changes({"id": "a"}))
        with pytest.raises(Unavailable):
            await count(engine)
        await engine.create_space("s", 1, 1)
        assert await count(engine) == 0

    on_engine(story)


def test_a_fenced_space_takes_queries_and_no_updates(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        before = engine.update("s", changes({"id": "a"}))
        await asyncio.gather(before, engine.fence_space("s", True))
        with pytest.raises(Unavailable):
            await engine.update("s", changes({"id": "b"}))
        with pytest.raises(Unavailable):
            await engine.fence_space("s", True)
        assert await ids(engine) == ["a"]
        await engine.fence_space("s", False)
        await engine.update("s", changes({"id": "b"}))
        assert await ids(engine) == ["a", "b"]

    on_engine(story)


def test_copies_that_an_engine_cannot_keep_are_refused(on_one_machine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        for shards, replicas in ((2, 1), (1, 2)):
            with pytest.raises(BadRequest, match="--engine"):
                await engine.create_space("more", shards, replicas)

    on_one_machine(story)


def test_health_tells_of_each_space(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        checks = {check.part: check.passed for check in await engine.check()}
        assert checks["s shard 0 replica 0"]
        assert checks["db"]

    on_engine(story)
