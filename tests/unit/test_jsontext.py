"""JSON text: what is read, refused, and added to."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m1.errors import NotJson
from m1.jsontext import extend, read

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_json_is_read_as_it_was_written(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert read(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '[{"b": {"a": ":", "c": 1, "a": ":"}}]',
        '{"a": 1, "a": 2, "b": "\\u003a"}',
        '{"\\u0061": 1, "a": 2}',
        '{"x": "a:b", "x": "c"}',
    ],
)
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(NotJson, match="twice"):
        read(text.encode())


@pytest.mark.parametrize("text", ['{"a:b": "c:d", "e": ["::", {":": ":"}]}', '{"\\u003a": ":"}'])
def test_colons_in_texts_are_no_keys(text: str) -> None:
    assert read(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1,]",
        b"NaN",
        b"1e400",
        b"01",
        b'"\xff"',
        b'"\\ud800"',
        b'"\t"',
        b"\xef\xbb\xbf1",
    ]
    + [b"9" * 5_000, b"[" * 100_000, b"[" * 1_000_000 + b"]" * 1_000_000, b'"\xc0\xaf"'],
)
def test_what_is_not_strict_json_is_refused(text: bytes) -> None:
    with pytest.raises(NotJson):
        read(text)


def test_numbers_are_read_exactly() -> None:
    assert read(b"[18446744073709551616, 1e3, 10]") == [2**64, 1000.0, 10]
    assert math.copysign(1, read(b"-0.0")) == -1


@given(
    st.dictionaries(st.sampled_from("abc"), json_values, max_size=3),
    st.dictionaries(st.sampled_from("bcd"), st.dictionaries(st.sampled_from("xyz"), st.integers())),
)
def test_extending_is_merging_maps(value: dict[str, object], additions: dict[str, object]) -> None:
    merged = {**value}
    for key, added in additions.items():
        present = value.get(key)
        both = isinstance(present, dict) and isinstance(added, dict)
        merged[key] = {**present, **added} if both else added  # type: ignore[dict-item]
    if additions:
        assert json.loads(extend(json.dumps(value).encode(), value, additions)) == merged
        assert value == merged


def test_what_is_not_touched_keeps_its_spelling() -> None:
    text = b' {"a": 1.10, "m": {"x": 1e2 , "y": "\\u0041"}} '
    assert (
        extend(text, read(text), {"n": 1})
        == b' {"a": 1.10, "m": {"x": 1e2 , "y": "\\u0041"},"n":1}'
    )
    extended = extend(text, read(text), {"m": {"z": 1}})
    assert b"1.10" in extended
    assert b"1e2" in extended
    assert b"\\u0041" in extended
