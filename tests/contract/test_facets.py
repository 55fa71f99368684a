"""What every engine promises about facets: exact counts of items, in a stable order."""

from __future__ import annotations

from typing import Any

import pytest

from m1.engine import Engine
from m1.errors import Unavailable
from m1.query.facets import LONGEST, Paths, Stretches, Texts
from m1.query.plan import All
from tests.contract.conftest import OnEngine
from tests.speaking import changes, counted

PEOPLE: list[dict[str, Any]] = [
    {"id": "1", "user": {"name": "Ada", "age": 36}, "tags": ["x", "y", "x"]},
    {"id": "2", "user": {"name": "Ada"}, "tags": ["y"]},
    {"id": "3", "user": {"name": "Bob", "age": "36"}, "seen": "2023-11-14"},
    {"id": "4", "user": None, "n": 2.50},
]


async def put_people(engine: Engine) -> None:
    await engine.update("s", changes(*PEOPLE))


def test_paths_come_in_order_with_those_above_them(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await put_people(engine)
        count, paths = await counted(engine, Paths("", 100))
        assert count == 4
        assert paths == [
            ("id", 4),
            ("n", 1),
            ("seen", 1),
            ("tags", 2),
            ("user", 3),
            ("user.age", 2),
            ("user.name", 3),
        ]
        assert await counted(engine, Paths("user.", 1)) == (4, [("user.age", 2)])
        assert await counted(engine, Paths("", 0)) == (4, [])

    on_engine(story)


def test_paths_that_no_found_item_has_are_left_out(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await put_people(engine)
        assert await counted(engine, Paths("", 9), "id:4") == (1, [("id", 1), ("n", 1)])
        await engine.update("s", changes("4"))
        assert ("n", 1) not in (await counted(engine, Paths("", 9)))[1]

    on_engine(story)


def test_texts_come_by_count_and_then_by_text(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await put_people(engine)
        assert await counted(engine, Texts("user.name", "", 9)) == (4, [("Ada", 2), ("Bob", 1)])
        assert await counted(engine, Texts("user.age", "", 9)) == (4, [("36", 2)])
        assert await counted(engine, Texts("id", "", 2)) == (4, [("1", 1), ("2", 1)])
        assert await counted(engine, Texts("id", "", 0)) == (4, [])
        assert await counted(engine, Texts("n", "", 9)) == (4, [("2.5", 1)])
        assert await counted(engine, Texts("nowhere", "", 9)) == (4, [])

    on_engine(story)


def test_an_item_with_one_value_twice_counts_once(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await put_people(engine)
        assert await counted(engine, Texts("tags", "", 9)) == (4, [("y", 2), ("x", 1)])
        assert await counted(engine, Texts("tags", "", 9), "user.age:36") == (
            2,
            [("x", 1), ("y", 1)],
        )
        await engine.update("s", changes({"id": "5", "n": [1, 2, 2, 11]}))
        assert (await counted(engine, Stretches("n", (0, 10, 20))))[1] == [(0, 2), (10, 1)]

    on_engine(story)


def test_a_beginning_is_taken_as_it_stands(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        texts = ["", "a.b", "a*b", "a(b", "axb", 'a"b', "a\\b", "a#b", "\u00e9", "\n"]
        await engine.update("s", changes(*[{"id": f"id {text}", "t": text} for text in texts]))
        assert ("", 1) in (await counted(engine, Texts("t", "", 99)))[1]
        for text in texts[1:]:
            assert (await counted(engine, Texts("t", text, 9)))[1] == [(text, 1)]
        assert [text for text, _ in (await counted(engine, Texts("t", "a", 9)))[1]] == sorted(
            text for text in texts if text.startswith("a")
        )

    on_engine(story)


def test_long_texts_are_left_out(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        just, longer, longest = (
            "\u00e9" * LONGEST,
            "\u00e9" * (LONGEST + 1),
            "\u00e9" * (LONGEST + 9),
        )
        named = enumerate([just, longer, longest, longest])
        await engine.update("s", changes(*[{"id": str(n), "t": text} for n, text in named]))
        assert (await counted(engine, Texts("t", "", 9)))[1] == [(just, 1)]
        assert (await counted(engine, Texts("t", "\u00e9", 9)))[1] == [(just, 1)]
        assert (await counted(engine, Texts("t", just, 9)))[1] == [(just, 1)]
        for no_beginning in (longer, "." * 100_000):
            assert await counted(engine, Texts("t", no_beginning, 9)) == (4, [])

    on_engine(story)


def test_stretches_hold_numbers_and_dates_from_their_beginning_to_below_their_end(
    on_engine: OnEngine,
) -> None:
    async def story(engine: Engine) -> None:
        day, date = 86_400_000.0, 1_699_920_000_000.0
        items: list[dict[str, Any]] = [
            {"id": "1", "t": "2023-11-14"},
            {"id": "2", "t": date},
            {"id": "3", "t": [date + day, "2023-11-15T00:00:00Z"]},
            {"id": "4", "t": date + 2 * day},
            {"id": "5", "t": "soon"},
            {"id": "6", "t": date - 1},
        ]
        await engine.update("s", changes(*items))
        edges = (date, date + day, date + 2 * day)
        assert await counted(engine, Stretches("t", edges)) == (6, [(edges[0], 2), (edges[1], 1)])
        narrow = await counted(engine, Stretches("t", edges), "id:(1 OR 4)")
        assert narrow == (2, [(edges[0], 1), (edges[1], 0)])
        assert (await counted(engine, Stretches("nowhere", edges)))[1] == [
            (edges[0], 0),
            (edges[1], 0),
        ]

    on_engine(story)


@pytest.mark.parametrize("most", [1, 7, 40_000])
def test_the_most_frequent_of_many_texts_are_exact(
    on_engine: OnEngine, engine_name: str, most: int
) -> None:
    """So many that parts, pieces and shards each see only some."""

    async def story(engine: Engine) -> None:
        await engine.create_space("m", 3 if engine_name == "opensearch" else 1, 1)
        expected: dict[str, int] = {}
        for begin in range(0, 30_000, 5_000):
            items = [
                {"id": f"{n:05}", "t": [f"rare {n:05}", f"often {n % 7}"]}
                for n in range(begin, begin + 5_000)
            ]
            await engine.update("m", changes(*items))
            for item in items:
                for text in item["t"]:
                    expected[text] = expected.get(text, 0) + 1
        await engine.update("m", changes("00007"))
        del expected["rare 00007"]
        expected["often 0"] -= 1
        ranked = sorted(expected.items(), key=lambda each: (-each[1], each[0]))
        assert await counted(engine, Texts("t", "", most), space="m") == (29_999, ranked[:most])
        rare = [(text, n) for text, n in ranked if text.startswith("rare 2")][:most]
        assert (await counted(engine, Texts("t", "rare 2", most), space="m"))[1] == rare

    on_engine(story)


def test_a_count_sees_every_update_that_was_answered(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        for n in range(20):
            await engine.update("s", changes({"id": "1", "n": n}))
            assert await counted(engine, Texts("n", "", 9)) == (1, [(str(n), 1)])

    on_engine(story)


def test_a_space_that_is_not_there_cannot_be_counted(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        with pytest.raises(Unavailable):
            await engine.count("nowhere", All(), Paths("", 1))

    on_engine(story)
