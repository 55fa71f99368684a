"""The index of a space: what is staged, shown, replaced, and put into segments."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyroaring import BitMap

from m1.embedded.build import Job, Rows, Source, build
from m1.embedded.disk import Disk
from m1.embedded.index import Index, View, bury_again
from m1.embedded.layout import Row
from m1.embedded.layout import Space as Place
from m1.embedded.order import arrange
from m1.embedded.part import Part
from m1.embedded.search import find
from m1.embedded.segment import Segment
from m1.errors import DamagedData
from m1.longwork import Slices
from m1.query import parse, parse_sort, resolve
from m1.terms import flatten


def keep(index: Index, seq: int, id: str, item: dict[str, Any]) -> list[int]:
    docid, spot = index.stage(id, seq, 1, flatten(item))
    return index.show([docid], [], [spot], seq)


def remove(index: Index, seq: int, id: str) -> list[int]:
    return index.show([], [id], [index.locate(id)], seq)


def seqs(index: Index, q: str, sort: str = "", start: int = 0, rows: int = 10_000) -> list[int]:
    """Give the rows of what is found, in order."""
    return found_in(index.views(), q, sort, start, rows)


def found_in(
    views: Sequence[View], q: str, sort: str = "", start: int = 0, rows: int = 10_000
) -> list[int]:
    """Give the rows of what is found in a snapshot, in order."""

    async def find_all() -> list[tuple[Part, BitMap]]:
        plan, slices = resolve(parse(q), 0), Slices()
        return [(part, await find(part, live, plan, slices)) for part, live in views]

    order = parse_sort(sort) if sort else ()
    blocks = arrange(asyncio.run(find_all()), order, start, rows)
    return [seq for block in blocks for seq, _ in block]


def segment(folder: Path, items: dict[int, dict[str, Any]]) -> Segment:
    """Make a segment of items by seq, each under its seq as id."""
    folder.mkdir()
    disk, numbers = Disk(folder), sorted(items)
    with disk.transaction():
        disk.add_space(Place(1, "s"))
        disk.append(1, [Row(n, f"{n:06}", text(items[n])) for n in numbers])
    rows = Rows(str(disk.file), 1, numbers[0] - 1, numbers[-1])
    build(Job(str(folder / "a.segment"), rows=rows))
    disk.close()
    return Segment(folder / "a.segment")


def text(item: dict[str, Any]) -> bytes:
    return msgspec.json.encode(item)


def merged(target: Path, *segments: Segment) -> Segment:
    sources = [Source(str(each.path), each.live.serialize()) for each in segments]
    build(Job(str(target), sources=sources))
    return Segment(target)


def test_what_is_staged_is_not_found_before_it_is_shown() -> None:
    index = Index()
    docid, spot = index.stage("a", 1, 1, flatten({"v": 1}))
    assert spot is None
    assert seqs(index, "v:1") == []
    assert seqs(index, "*") == []
    assert seqs(index, "-v:2") == []
    index.show([docid], [], [spot], 1)
    assert seqs(index, "v:1") == [1]


def test_a_replaced_item_gives_its_row_back() -> None:
    index = Index()
    assert keep(index, 1, "a", {"v": 1}) == []
    assert keep(index, 2, "a", {"v": 2}) == [1]
    assert remove(index, 3, "a") == [2]
    assert remove(index, 4, "a") == []
    assert len(index) == 0


def test_a_path_is_indexed_when_it_is_asked_for_and_again_after_more_came() -> None:
    index = Index()
    keep(index, 1, "a", {"v": [1, "x", 1], "w": {"y": "2026-01-01"}})
    assert seqs(index, "v:x") == [1]
    keep(index, 2, "b", {"v": [3, "x"]})
    assert seqs(index, "v:x") == [1, 2]
    assert seqs(index, "v:[2 TO *]") == [2]
    assert seqs(index, "w.y:[2025-12-31T23:00:00Z TO *]") == [1]
    assert seqs(index, "w:*") == [1]
    assert seqs(index, "nowhere:x") == []


def test_a_view_does_not_see_what_came_after_it() -> None:
    index = Index()
    keep(index, 1, "a", {"v": 1})
    views = index.views()
    keep(index, 2, "a", {"v": 1})
    keep(index, 3, "b", {"v": 1})
    assert found_in(views, "v:*") == [1]


def test_changes_find_their_items_in_every_part(tmp_path: Path) -> None:
    index = Index(3, [segment(tmp_path / "s", {n: {"v": n} for n in (1, 2, 3)})])
    keep(index, 4, "000004", {"v": 4})
    index.freeze()
    keep(index, 5, "000005", {"v": 5})
    assert seqs(index, "v:*") == [1, 2, 3, 4, 5]
    assert keep(index, 6, "000001", {"v": 6}) == [1]
    assert keep(index, 7, "000004", {"v": 7}) == [4]
    assert remove(index, 8, "000002") == [2]
    assert remove(index, 9, "000001") == [6]
    assert keep(index, 10, "000001", {"v": 10}) == []
    assert seqs(index, "v:*") == [10, 3, 7, 5]
    assert seqs(index, "v:*", "v desc") == [10, 7, 5, 3]


def test_a_segment_takes_the_place_of_a_frozen_delta_with_what_died_meanwhile(
    tmp_path: Path,
) -> None:
    index = Index()
    for n in (1, 2, 3, 4):
        keep(index, n, f"{n:06}", {"v": n})
    frozen = index.freeze()
    assert (frozen.covered, frozen.last_seq) == (0, 4)
    made = segment(tmp_path / "s", {n: {"v": n} for n in (1, 2, 3, 4)})
    keep(index, 5, "000003", {"v": 5})
    remove(index, 6, "000001")
    index.thaw(made)
    assert index.delta.covered == 4
    assert seqs(index, "v:*") == [2, 5, 4]
    assert len(index) == 3


def test_a_merged_segment_has_what_is_live_in_its_sources(tmp_path: Path) -> None:
    one = segment(tmp_path / "1", {n: {"v": n, "t": ["x", f"t{n % 7}"]} for n in range(1, 900)})
    two = segment(tmp_path / "2", {n: {"w": {"v": -n}, "t": "y"} for n in range(900, 1_200)})
    index = Index(1_199, [one, two])
    for n in (5, 6, 1_000):
        remove(index, 1_200 + n, f"{n:06}")
    known = one.live.copy()
    made = merged(tmp_path / "m", one, two)
    remove(index, 3_000, "000007")
    bury_again(known - one.live, one, made)
    questions = (
        "*",
        "t:x",
        "t:t3",
        "t:y",
        "v:[3 TO 9]",
        "w:*",
        "NOT t:x",
        "t:t*",
        "w.v:[* TO -999]",
    )
    before = [seqs(index, q, "v desc, w.v asc") for q in questions]
    index.merge([one, two], made)
    assert [seqs(index, q, "v desc, w.v asc") for q in questions] == before
    assert len(before[0]) == 1_195
    assert len(made.seqs) == 1_196


@pytest.mark.parametrize("sort", ["", "v asc", "v desc", "t asc", "t desc, v asc", "none asc"])
def test_pages_from_anywhere_are_parts_of_the_whole(tmp_path: Path, sort: str) -> None:
    def item(n: int) -> dict[str, Any]:
        return {"v": n * 7 % 50, "t": [f"t{n * 3 % 11}", f"t{n * 5 % 13}"], "z": "ab" * 200}

    index = Index()
    for part in range(3):
        low = part * 1_500 + 1
        items = {n: item(n) for n in range(low, low + 1_500)}
        index.segments.append(segment(tmp_path / f"{part}", items))
    for n in range(4_501, 5_001):
        keep(index, n, f"{n * 17 % 5_000:06}", item(n))
    whole = seqs(index, "*", sort)
    assert len(set(whole)) == len(whole) == len(index)
    if not sort:
        ids = {place: part.id_of(d) for part in index.parts for d, place in enumerate(part.seqs)}
        assert whole == sorted(whole, key=ids.__getitem__)
    for start, rows in ((0, 10), (3, 1), (1_999, 3), (2_345, 2_500), (len(whole) - 2, 10)):
        assert seqs(index, "*", sort, start, rows) == whole[start : start + rows]
    assert seqs(index, "*", sort, len(whole), 5) == []


def test_texts_alike_in_all_that_is_sorted_are_ordered_by_id(tmp_path: Path) -> None:
    head = "x" * 256
    items = {n: {"t": head + f"{9 - n}"} for n in range(1, 6)}
    index = Index(5, [segment(tmp_path / "s", items)])
    assert seqs(index, "*", "t asc", rows=2) == [1, 2]
    assert seqs(index, "*", "t desc", rows=2) == [1, 2]


def test_a_flipped_bit_in_a_segment_is_found_when_it_is_read(tmp_path: Path) -> None:
    made = segment(tmp_path / "s", {n: {"v": f"text {n}"} for n in range(1, 300)})
    whole = made.path.read_bytes()
    found_out = []
    for place in range(0, len(whole), 101):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        made.path.write_bytes(damaged)
        try:
            index = Index(299, [Segment(made.path)])
            answers = [seqs(index, q, "v desc") for q in ("v:t*", 'v:"text 7"', "v:*", "*")]
            died = remove(index, 300, "000005")
        except DamagedData as error:
            found_out.append(str(error))
        else:
            assert [len(each) for each in answers] == [299, 1, 299, 299]
            assert died == [5]
    assert len(found_out) > 10
    assert all(str(made.path) in message for message in found_out)


@pytest.mark.parametrize("pattern", ["*a", "*ab*", "*aa*", "*\u00e9", "*a\u00e9*", "*b*"])
def test_a_pattern_over_all_texts_at_once_finds_what_one_by_one_finds(
    tmp_path: Path, pattern: str, rand: random.Random
) -> None:
    letters = ["", "a", "b", "ab", "aa", "\u00e9", "\u00e8", "\n"]
    texts = ["".join(rand.choices(letters, k=4)) for _ in range(500)]
    items = {n: {"t": text} for n, text in enumerate(texts, 1)}
    index, other = Index(500, [segment(tmp_path / "s", items)]), Index()
    for n, each in items.items():
        keep(other, n, f"{n:06}", each)
    found = seqs(index, f"t:{pattern}")
    assert found == seqs(other, f"t:{pattern}")
    assert found


@pytest.mark.parametrize("low", ["*", "t0", "t01", "t05\x00", "t2"])
@pytest.mark.parametrize("high", ["*", "t0", "t01", "t99"])
@pytest.mark.parametrize("ends", ["[]", "[}", "{]", "{}"])
def test_ranges_of_few_and_many_new_texts_have_their_ends(low: str, high: str, ends: str) -> None:
    index, texts = Index(0), [[f"t{n % 7}{n % 31}", f"t{n:04}"] for n in range(1_500)]
    for n, some in enumerate(texts):
        keep(index, n, f"{n:04}", {"t": some})

    def is_within(text: str) -> bool:
        above = low == "*" or text > low or (text == low and ends[0] == "[")
        return above and (high == "*" or text < high or (text == high and ends[1] == "]"))

    quoted = [end if end == "*" else f'"{end}"' for end in (low, high)]
    wanted = [n for n, some in enumerate(texts) if any(map(is_within, some))]
    assert seqs(index, f"t:{ends[0]}{quoted[0]} TO {quoted[1]}{ends[1]}") == wanted
