"""What every engine promises about its figures."""

from __future__ import annotations

from m1 import readings
from m1.engine import Engine
from m1.readings import Reading
from tests.contract.conftest import OnEngine
from tests.speaking import changes, count


async def figures(engine: Engine, reading: Reading) -> dict[str | None, float]:
    """Give what a reading comes to, by spaces."""
    measures = [each for each in await engine.measure() if each.reading is reading]
    return {each.store: each.value for each in measures}


def test_items_are_counted_by_space(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.create_space("other", 1, 1)
        await engine.update("s", changes(*({"id": n, "v": n} for n in range(8))))
        await engine.update("s", changes("3", {"id": 4, "v": 5}))
        await count(engine)  # a cluster counts what was refreshed
        assert await figures(engine, readings.ITEMS) == {"s": 7, "other": 0}
        await engine.remove_space("other")
        assert await figures(engine, readings.ITEMS) == {"s": 7}

    on_engine(story)


def test_nothing_fails_where_all_is_well(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        assert all(check.passed for check in await engine.check())
        assert await figures(engine, readings.PARTS_FAILING) == {None: 0}

    on_engine(story)


def test_no_reading_is_given_twice(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        measures = await engine.measure()
        places = [(each.reading, each.store) for each in measures]
        assert len(places) == len(set(places))
        assert all((each.store is not None) == bool(each.reading.labels) for each in measures)

    on_engine(story)
