"""JSON made readable as it streams by."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m1.pretty import Pretty, visible

_TEXTS = st.text() | st.text(alphabet='"\\{}[],: \n\tab1é€😀')
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)
SHOWN = """\
{
  "count": 1,
  "items": [
    {
      "session": {
        "id": "s1"
      },
      "tags": [
        "a",
        2,
        null
      ],
      "none": {},
      "nothing": []
    }
  ]
}
"""
AS_SENT = (
    '{"count": 1,"items":[{"session":{"id":"s1"},"tags":["a",2,null],"none":{},"nothing":[]}]}'
)


def shown(pieces: Iterable[str]) -> str:
    """Feed pieces, and give all that is shown."""
    pretty = Pretty()
    return "".join([pretty.feed(piece) for piece in pieces]) + pretty.end()


def test_an_answer_is_indented_by_two_spaces_a_level() -> None:
    assert shown([AS_SENT]) == SHOWN


@pytest.mark.parametrize("size", range(1, len(AS_SENT)))
def test_pieces_of_any_size_give_the_same_output(size: int) -> None:
    pieces = [AS_SENT[at : at + size] for at in range(0, len(AS_SENT), size)]
    assert shown(pieces) == SHOWN


@pytest.mark.parametrize("at", range(len(AS_SENT) + 1))
def test_a_cut_anywhere_gives_the_same_output(at: int) -> None:
    assert shown([AS_SENT[:at], AS_SENT[at:]]) == SHOWN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "{}\n"),
        ("[]", "[]\n"),
        ("[ ]", "[]\n"),
        ("true", "true\n"),
        ("-1.5e-7", "-1.5e-7\n"),
        ('"text"', '"text"\n'),
        ('""', '""\n'),
        ("[[]]", "[\n  []\n]\n"),
        ("[{}, {}]", "[\n  {},\n  {}\n]\n"),
        ('{"a": ""}', '{\n  "a": ""\n}\n'),
        ('{"a": 1}', '{\n  "a": 1\n}\n'),
        ('[{"name": "stash", "shards": 1}]', None),
        (r'{"a": "say \"{[,:]}\" \\"}', '{\n  "a": "say \\"{[,:]}\\" \\\\"\n}\n'),
        (
            r'["\\", "\"", "\\\"", "\u0022"]',
            '[\n  "\\\\",\n  "\\"",\n  "\\\\\\"",\n  "\\u0022"\n]\n',
        ),
        ('{"a": [1, {"b": [[2], []]}], "c": null}', None),
        ('  {"a"  :\n1 }\n', '{\n  "a": 1\n}\n'),
    ],
)
def test_values_keep_their_text(text: str, expected: str | None) -> None:
    wanted = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    assert shown([text]) == (wanted if expected is None else expected)


def test_numbers_are_not_rounded() -> None:
    assert shown(["[12345678901234567890, 0.10, 1E+400]"]) == (
        "[\n  12345678901234567890,\n  0.10,\n  1E+400\n]\n"
    )


@settings(max_examples=200, deadline=2_000)
@given(value=_JSON, cuts=st.lists(st.integers(0, 400), max_size=6), ascii_only=st.booleans())
def test_what_is_shown_means_the_same_however_it_came(
    value: Any, cuts: list[int], ascii_only: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[begin:end] for begin, end in zip(ends[:-1], ends[1:], strict=True)]
    output = shown(pieces)
    assert json.loads(output) == value
    assert output == shown(text)  # a character at a time


def test_all_that_came_is_shown_at_once() -> None:
    pretty = Pretty()
    assert pretty.feed('{"items": [{"id": "a"}, {"id": "b') == (
        '{\n  "items": [\n    {\n      "id": "a"\n    },\n    {\n      "id": "b'
    )


@pytest.mark.parametrize("pieces", [1, 50])
def test_time_grows_with_the_length_of_a_text_and_not_with_its_square(pieces: int) -> None:
    def seconds(length: int) -> float:
        text = '["' + "a" * length + '"]'
        step = len(text) // pieces + 1
        begun = time.process_time()
        shown(text[at : at + step] for at in range(0, len(text), step))
        return time.process_time() - begun

    short = max(seconds(2_000), 0.0005)
    long = seconds(20_000)
    assert long < 40 * short, f"{long:.3f} s for ten times the text that took {short:.4f} s"


def test_what_a_terminal_would_obey_is_shown() -> None:
    shown = visible('{"a": "\x1b]0;x\x07\x9b2J\u202e\x7f\r"}\n\té')
    assert shown == '{"a": "\\u001b]0;x\\u0007\\u009b2J\\u202e\\u007f\\u000d"}\n\té'
