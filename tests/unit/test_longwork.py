"""Long work takes turns on the event loop, and who has had little goes first."""

from __future__ import annotations

import asyncio

from m1.longwork import Slices


async def work(name: str, slices: int, done: list[str]) -> None:
    """Rest so many times."""
    with Slices() as mine:
        for _ in range(slices):
            await mine.rest()
            done.append(name)


async def rounds(count: int) -> None:
    """Let the loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_has_only_begun_does_not_wait_for_what_takes_long() -> None:
    async def story() -> None:
        done: list[str] = []
        long = [asyncio.create_task(work(f"long {n}", 100, done)) for n in range(20)]
        await rounds(300)
        begun = len(done)
        await work("short", 3, done)
        between = [name for name in done[begun:] if name != "short"]
        assert len(between) <= 3
        assert not any(task.done() for task in long)
        await asyncio.gather(*long)

    asyncio.run(story())


def test_those_that_had_as_much_go_one_after_another() -> None:
    async def story() -> None:
        done: list[str] = []
        await asyncio.gather(*(work(name, 4, done) for name in "abc"))
        assert "".join(done) == "abc" * 4

    asyncio.run(story())


def test_others_go_on_between_two_slices_and_whoever_is_given_up_takes_no_turn() -> None:
    async def story() -> None:
        done: list[str] = []
        tasks = [asyncio.create_task(work(name, 1_000_000, done)) for name in "ab"]
        await rounds(30)
        assert {"a", "b"} == set(done)
        tasks[0].cancel()
        done.clear()
        await rounds(30)
        assert set(done) == {"b"}
        assert 5 <= len(done) <= 15  # the other rounds are for others
        tasks[1].cancel()
        await asyncio.wait(tasks)
        await asyncio.wait_for(work("c", 3, done), 5)
        assert done[-3:] == ["c"] * 3

    asyncio.run(story())
