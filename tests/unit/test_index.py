"""The index: slots, sweeps and what is left of the dead."""

from __future__ import annotations

from typing import Any

from m1.embedded.index import Index
from m1.embedded.search import arrange, find
from m1.query import parse, resolve
from m1.terms import leaves


def keep(index: Index, seq: int, id: str, item: dict[str, Any]) -> None:
    index.show([index.stage(id, seq, 1, leaves(item))], [])


def ids(index: Index, q: str) -> list[str]:
    found = find(index, resolve(parse(q), 0), index.live, {})
    return [index.ids[docid] for docid in arrange(index, found, (), len(found))]


def test_what_is_staged_is_not_found_before_it_is_shown() -> None:
    index = Index()
    docid = index.stage("a", 1, 1, leaves({"v": 1}))
    assert ids(index, "v:1") == []
    assert ids(index, "*") == []
    assert ids(index, "-v:2") == []
    index.show([docid], [])
    assert ids(index, "v:1") == ["a"]


def test_a_replaced_item_gives_its_row_back() -> None:
    index = Index()
    keep(index, 1, "a", {"v": 1})
    assert index.show([index.stage("a", 2, 1, leaves({"v": 2}))], []) == [1]
    assert index.show([], ["a", "nobody"]) == [2]
    assert len(index) == 0


def test_the_index_does_not_grow_with_updates_over_the_same_items() -> None:
    index = Index()
    for seq in range(40_000):
        item = {"v": seq, "w": {"x": [f"text {seq}", seq % 3]}, f"path{seq}": 1}
        keep(index, seq, f"i{seq % 100}", item)
        index.sweep(8)
    assert len(index) == 100
    assert len(index.ids) < 10_000
    for path in ("v", "w.x"):
        assert len(index.paths[path].numbered) < 10_000
        assert len(index.paths[path].texts.docids) < 20_000
    assert len(index.paths) < 10_000
    assert len(index.existing) < 10_000
    assert ids(index, "v:[39990 TO *]") == [f"i{n}" for n in range(90, 100)]
    assert ids(index, "path39999:*") == ["i99"]
    assert ids(index, "path5:*") == []


def test_a_pinned_index_is_not_swept() -> None:
    index = Index()
    index.pin()
    for seq in range(3_000):
        keep(index, seq, "a", {"v": seq})
        index.sweep(100)
    assert len(index.paths["v"].numbered) == 3_000
    index.unpin()
    for _ in range(100):
        index.sweep(100)
    assert len(index.paths["v"].numbered) < 100


def test_ordered_texts_stay_in_order_while_texts_come_and_go() -> None:
    index = Index()
    assert ids(index, "v:a*") == []
    for seq in range(5_000):
        keep(index, seq, f"i{seq % 10}", {"v": f"a{seq:05}"})
        index.sweep(8)
        if seq % 500 == 9:
            low = seq - 9
            assert ids(index, f"v:[a{low:05} TO a{seq:05}]") == [f"i{n}" for n in range(10)]
            assert ids(index, f"v:a{seq:05}*") == ["i9"]
