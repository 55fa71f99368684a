"""What every engine promises about queries: the cases of the query language, and pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from m1.engine import Engine
from m1.query.plan import (
    All,
    Exists,
    Fuzzy,
    Hole,
    Leaf,
    Plan,
    Prefix,
    Regex,
    Term,
    Terms,
    TextRange,
    Wildcard,
)
from m1.query.regex import read as read_regex
from tests.contract.conftest import OnEngine
from tests.speaking import bodies, changes, count, ids, put

EVALUATED = json.loads((Path(__file__).parents[1] / "data" / "query-eval.json").read_text())
EVERYTHING: tuple[Plan, tuple[()], int, int] = (All(), (), 0, 5_000)
CASES: list[dict[str, Any]] = EVALUATED["cases"]


async def put_all_and_ask_all(engine: Engine) -> None:
    key = EVALUATED["key"]
    await engine.update("s", [put(item, key) for item in EVALUATED["docs"]])
    for case in CASES:
        sort, now = case.get("sort", ""), EVALUATED["now"]
        assert await ids(engine, case["q"], sort, now=now, key=key) == case["ids"], case


def test_every_evaluated_case_gives_the_ids_in_order(on_engine: OnEngine) -> None:
    on_engine(put_all_and_ask_all)


def test_the_cases_hold_after_every_item_was_replaced_many_times(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        key = EVALUATED["key"]
        filler = [{key: item["session"]["id"], "v": f"filler {item}"} for item in EVALUATED["docs"]]
        for _ in range(60):
            await engine.update("s", [put(item, key) for item in filler])
        await put_all_and_ask_all(engine)

    on_engine(story)


def test_the_count_is_exact_whatever_is_asked_for(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.update("s", changes(*[{"id": f"{n:03}", "n": n} for n in range(300)]))
        for start, rows in ((0, 0), (0, 10), (295, 10), (300, 10), (10**9, 1), (0, 2**62)):
            found, items = await bodies(engine, "n:[100 TO *]", start=start, rows=rows)
            assert found == 200
            assert len(items) == max(0, min(rows, 200 - start))

    on_engine(story)


def test_without_a_sort_items_come_by_id_as_text(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        names = ["b", "a", "10", "9", "\uffff", "\U00010000", "B", "\u00e9"]
        await engine.update("s", changes(*[{"id": name} for name in names]))
        assert await ids(engine) == sorted(names)

    on_engine(story)


@pytest.mark.parametrize("sort", ["", "n asc", "n desc", "t asc, n desc", "t desc"])
def test_pages_put_together_are_the_whole(on_engine: OnEngine, sort: str) -> None:
    async def story(engine: Engine) -> None:
        items = [{"id": f"{n:03}", "n": n % 7, "t": f"t{n % 3}"} for n in range(100)]
        await engine.update("s", changes(*items))
        whole = await ids(engine, sort=sort)
        pages = [await ids(engine, sort=sort, start=begin, rows=9) for begin in range(0, 100, 9)]
        assert [id for page in pages for id in page] == whole
        assert sorted(whole) == [item["id"] for item in items]

    on_engine(story)


@pytest.mark.parametrize(("start", "rows"), [(0, 50), (0, 100), (0, 101), (5, 50), (9, 3_000)])
def test_a_page_is_full_though_few_tie_first_and_thousands_after_them(
    on_engine: OnEngine, start: int, rows: int
) -> None:
    async def story(engine: Engine) -> None:
        items = [{"id": f"i{n:04}", "k": 1 if n % 300 == 0 else 2} for n in range(3_000)]
        await engine.update("s", changes(*items))
        whole = sorted(items, key=lambda item: (item["k"], item["id"]))
        found = await ids(engine, "*", "k asc", start=start, rows=rows)
        assert found == [item["id"] for item in whole[start : start + rows]]

    on_engine(story)


def test_numbers_sort_before_texts_before_nothing_in_both_directions(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        await engine.update(
            "s",
            changes(
                {"id": "none"},
                {"id": "x", "v": "x"},
                {"id": "true", "v": True},
                {"id": "two", "v": 2},
                {"id": "minus", "v": -1.5},
                {"id": "list", "v": [1, 30, "z"]},
                {"id": "map", "v": {"w": 1}},
                {"id": "null", "v": None},
            ),
        )
        nothing = ["map", "none", "null"]
        assert await ids(engine, sort="v asc") == ["minus", "list", "two", "true", "x", *nothing]
        assert await ids(engine, sort="v desc") == ["list", "two", "minus", "x", "true", *nothing]

    on_engine(story)


def test_whole_numbers_beyond_a_double_sort_by_their_text_where_doubles_tie(
    on_engine: OnEngine,
) -> None:
    async def story(engine: Engine) -> None:
        await engine.update("s", changes(*[{"id": str(n), "v": 2**53 + n} for n in (1, 0, 2)]))
        assert await ids(engine, sort="v asc") == ["0", "1", "2"]
        assert await ids(engine, sort="v desc") == ["2", "1", "0"]

    on_engine(story)


def test_texts_sort_by_their_first_256_characters(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        same = "x" * 256
        await engine.update(
            "s",
            changes(
                {"id": "a", "t": same + "z"}, {"id": "b", "t": same + "a"}, {"id": "c", "t": "w"}
            ),
        )
        assert await ids(engine, sort="t asc") == ["c", "a", "b"]
        assert await ids(engine, sort="t desc") == ["a", "b", "c"]

    on_engine(story)


def test_a_text_too_long_for_the_index_is_stored_and_found_by_exists_alone(
    on_engine: OnEngine,
) -> None:
    async def story(engine: Engine) -> None:
        long, fits = "x" * 8_193, "y" * 8_192
        await engine.update("s", changes({"id": "a", "t": long}, {"id": "b", "t": fits}))
        assert await ids(engine, "t:*") == ["a", "b"]
        assert await ids(engine, "t:x*") == []
        assert await ids(engine, "t:y*") == ["b"]
        assert json.loads((await bodies(engine))[1][0])["t"] == long

    on_engine(story)


ODD_PATHS = ("a", "a b", "a b c", "a!", "a%20b", "a/b", "a.b", "a*", "a?", "a\\", "a@", "é", "😀")


def every_kind_of_leaf(path: str) -> list[Leaf]:
    """Give leaves that find the text `b c` at a path."""
    return [
        Exists(path),
        Terms((Term(path, "b c"),)),
        Prefix(path, "b"),
        Prefix(path, ""),
        Wildcard(path, (Hole.MANY, "c")),
        Regex(path, read_regex("b .")),
        Fuzzy(path, "b d", 1),
        TextRange(path, "b", "c", include_low=True, include_high=True),
        TextRange(path, "b", None, include_low=True, include_high=True),
        TextRange(path, None, None, include_low=True, include_high=True),
    ]


def test_no_path_is_taken_for_another_whatever_its_characters(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        items = [{"id": path, path: "b c"} for path in ODD_PATHS if path != "a.b"]
        await engine.update("s", changes(*items, {"id": "a.b", "a": {"b": "b c"}}))
        for path in ODD_PATHS:
            for leaf in every_kind_of_leaf(path):
                alone = [path] if (path, leaf) != ("a", Exists("a")) else ["a", "a.b"]
                async with await engine.query("s", leaf, (), 0, 100) as page:
                    found = [body async for batch in page for body in batch]
                assert [json.loads(body)["id"] for body in found] == alone, leaf

    on_engine(story)


def test_a_page_is_of_the_moment_of_its_query(on_engine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        items: list[dict[str, Any]] = [
            {"id": f"{n:04}", "v": 0, "pad": "p" * 500} for n in range(2_000)
        ]
        await engine.update("s", changes(*items))
        old = await bodies(engine, "v:0", rows=5_000)
        page = await engine.query("s", *EVERYTHING)
        async with page:
            batches = aiter(page)
            read = list(await anext(batches))
            await engine.update("s", changes(*[{**item, "v": 1} for item in items[::2]]))
            await engine.update("s", changes(*[item["id"] for item in items[1::2]]))
            async for batch in batches:
                read += batch
        assert (page.count, read) == old
        assert await count(engine, "v:1") == 1_000
        assert await count(engine) == 1_000

    on_engine(story)


def test_a_page_of_a_removed_space_is_read_to_its_end(on_one_machine: OnEngine) -> None:
    async def story(engine: Engine) -> None:
        items = [{"id": f"{n:04}", "pad": "p" * 500} for n in range(2_000)]
        await engine.update("s", changes(*items))
        async with await engine.query("s", *EVERYTHING) as page:
            await engine.remove_space("s")
            assert sum([len(batch) async for batch in page]) == 2_000

    on_one_machine(story)
