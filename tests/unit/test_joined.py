"""What many wait for at once is done once, and the next is not kept waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from m1.opensearch.joined import Joined

ENOUGH = 3


def test_what_waits_begins_before_those_that_are_done_are_told() -> None:
    names = ["a1", "b1", "b2", "c1", "c2", "c3"]
    happened: list[str] = []

    async def work(some: Sequence[str]) -> list[None]:
        happened.append(f"begun {'+'.join(some)}")
        await asyncio.sleep(0)
        return [None] * len(some)

    async def caller(joined: Joined[str], name: str) -> None:
        await joined.do(name, 1)
        happened.append(f"told {name}")

    async def story() -> None:
        joined = Joined(work, ENOUGH)
        await asyncio.gather(*(caller(joined, name) for name in names))
        await joined.idle()

    asyncio.run(story())
    assert happened[:2] == ["begun a1", "begun b1+b2+c1"]  # enough does not wait for the first
    assert "begun c2+c3" in happened[2:4]
    assert {f"told {name}" for name in names} < set(happened)


def test_one_that_fails_fails_alone_and_what_fails_whole_fails_all() -> None:
    async def work(some: Sequence[int]) -> list[Exception | None]:
        await asyncio.sleep(0)
        if 9 in some:
            raise ValueError("all")
        return [ValueError("odd") if number % 2 else None for number in some]

    async def story() -> list[object]:
        joined = Joined(work, ENOUGH)
        numbers = [0, 1, 2, 3, 9, 4]
        return await asyncio.gather(*(joined.do(n, 1) for n in numbers), return_exceptions=True)

    assert list(map(str, asyncio.run(story()))) == ["None", "odd", "None", "odd", "all", "all"]
