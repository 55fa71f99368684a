"""Items written in each format and packing, and read again in pieces of any size."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m1.errors import Failure
from m1.transfer.formats import FORMATS, named, read, written
from m1.transfer.lines import MAX_BYTES, Broken, lines_of
from m1.transfer.packing import ENDINGS, packed, unpacked

MIB = 2**20
_TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.text('"\\{}[],:; \n\r\t=+-@ab1é€😀\x00\u2028')
    | st.sampled_from(["1", "-1", "1.0", "true", "null", "[]", "{}", '"', "NaN", "1e5", "01", "1 "])
)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_KEYS = st.text('ab1é= "\\,;\n\r', min_size=1, max_size=3)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_ITEMS = st.lists(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=4), max_size=4)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes, as a file or a socket may."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize("form", FORMATS)
@given(_ITEMS, st.integers(1, 40), st.sampled_from(["", *ENDINGS]))
def test_what_was_written_is_read(
    form: str, items: list[dict[str, Any]], size: int, packing: str
) -> None:
    lines = [json.dumps(item, ensure_ascii=False).encode() for item in items]
    file = b"".join(packed(written(iter(lines), form, Path()), packing))
    found = list(read(unpacked(pieces(file, size)), form))
    assert [json.loads(line.text) for line in found] == items
    assert [line.problem for line in found] == [""] * len(items)
    if form == "ndjson":
        assert [line.text for line in found] == lines
    if form != "csv":
        assert found == list(read(unpacked(pieces(file, size)), ""))


@given(st.binary(max_size=60), st.sampled_from(["", *FORMATS]), st.integers(1, 9))
def test_rubbish_is_read_as_lines_or_broken(rubbish: bytes, form: str, size: int) -> None:
    for before in (b"", b"[", b'a,b\n"', b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf["):
        try:
            lines = list(read(unpacked(pieces(before + rubbish, size)), form))
        except Broken:
            continue
        assert all(b"\n" not in line.source for line in lines)


def test_a_cell_says_what_it_is() -> None:
    item = b'{"a":{"b":1.10,"c":"1","d":"=1","e":"x,y","f":[1, "z"],"g":{}},"h":"","i":null}'
    table = b"".join(written(iter([item]), "csv", Path())).decode()
    assert table == (
        'a.b,a.c,a.d,a.e,a.f,a.g,h,i\r\n1.10,"""1""","""=1""","x,y","[1, ""z""]",{},"""""",null\r\n'
    )


def test_no_name_of_a_column_is_a_formula() -> None:
    item = b'{"=cmd":{"a":1},"@x":2,"a=":3,"\\t=":4,"\\"q\\"":5}'
    table = b"".join(written(iter([item]), "csv", Path())).decode()
    assert table.startswith('"""=cmd.a""","""@x""",a=,"""\\t=""","""\\""q\\"""""\r\n')
    assert [json.loads(line.text) for line in read(iter([table.encode()]), "csv")] == [
        json.loads(item)
    ]


def test_a_table_of_others_is_read_with_a_byte_order_mark_and_any_line_end() -> None:
    table = b"\xef\xbb\xbfsession.id,zip,n\ns1,01234,1.50\r\ns2,,\n"
    assert [line.text for line in read(iter([table]), "csv")] == [
        b'{"session":{"id":"s1"},"zip":"01234","n":1.50}',
        b'{"session":{"id":"s2"}}',
    ]


def test_an_item_that_no_table_can_hold_is_refused() -> None:
    with pytest.raises(Failure, match=r"two values at a\.b"):
        list(written(iter([b'{"a.b":1,"a":{"b":2}}']), "csv", Path()))


@pytest.mark.parametrize("header", [b"\n", b"a,b,a\n"])
def test_a_table_without_a_usable_header_is_broken(header: bytes) -> None:
    with pytest.raises(Broken, match="names its columns"):
        list(read(iter([header]), "csv"))


def test_a_line_without_end_is_broken_before_memory_is() -> None:
    chunk = b"x" * 1024 * 1024
    with pytest.raises(Broken, match="line 2 is longer than 64 MiB"):
        list(lines_of([b"a\n", *[chunk] * (MAX_BYTES // len(chunk) + 1)]))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("filling", [b" ", b"x"])
def test_what_was_packed_to_burst_takes_no_memory(ending: str, filling: bytes) -> None:
    bomb = b"".join(packed(iter([filling * MIB] * 200), ending))
    tracemalloc.start()
    try:
        with contextlib.suppress(Broken):
            list(read(unpacked(pieces(bomb, 256 * 1024)), ""))
        assert tracemalloc.get_traced_memory()[1] < 190 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_packed_file_that_was_cut_is_broken_wherever(ending: str) -> None:
    whole = b"".join(packed(iter([b"some text " * 100]), ending))
    for end in range(4, len(whole)):
        with pytest.raises(Broken, match="ends in the middle"):
            list(unpacked(iter([whole[:end]])))
    assert b"".join(unpacked(iter([whole, whole]))) == b"some text " * 200


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.ndjson", ("ndjson", "")),
        ("a.b.jsonl.gz", ("ndjson", ".gz")),
        ("a.json.zst", ("json", ".zst")),
        ("a.csv", ("csv", "")),
        ("a.gz", ("", ".gz")),
        ("a", ("", "")),
    ],
)
def test_the_name_of_a_file_says_its_format_and_packing(name: str, says: tuple[str, str]) -> None:
    assert named(name) == says
