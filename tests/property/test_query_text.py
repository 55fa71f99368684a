"""Any text is a tree or a BadQuery; any tree is a text that reads back as it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from m1.errors import BadQuery
from m1.query import parse, parse_sort, resolve, to_text, tree
from m1.query.dates import read_end
from m1.query.regex import read

Read = TypeVar("Read")

NOW = 1_700_000_000_000

PIECES = (
    "f:",
    "a.b:",
    "f:(",
    "filter(",
    "f:/a[b-c]+\\d/",
    'f:"a b"',
    "f:[1 TO 2]",
    "f:{NOW-1DAY/DAY TO 2023-11-14}",
    "f:>=5",
    "f:a?b*",
    *("AND", "OR", "NOT", "&&", "||", "and", "TO", "NOW", "_query_", "{!", "/*", "*/", "\\u0041"),
    *("\\ud83d", "\\", "\\u00", "~1", "~0.5", "^2", "^=1", "<", ">=", "-5", "1e5", "é", "😀"),
    *' \t\n\u3000+-!():^[]"{}~*?/.,ab1',
)

texts = st.text(max_size=8) | st.sampled_from(PIECES)
words = texts.filter(bool)
hostile = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=25).map("".join)
spaced = st.lists(st.sampled_from(PIECES), max_size=15).map(" ".join)


def result_of(read_text: Callable[[str], Read], text: str) -> Read | BadQuery:
    """Give what a reader makes of a text, or its refusal; any other exception is a failure."""
    try:
        return read_text(text)
    except BadQuery as error:
        return error


def is_end(text: str) -> bool:
    """Tell whether a text can be the end of a range."""
    return not isinstance(result_of(read_end, text), BadQuery)


def pattern_of(parts: list[str]) -> str:
    """Write a wildcard with every character of its literal parts escaped."""
    return "".join(part if part in "*?" else "".join(f"\\{c}" for c in part) for part in parts)


# `\\u` would begin an escape, so a literal part may not hold the letter u.
literals = words.filter(lambda text: "u" not in text)
patterns = (
    st.lists(literals | st.sampled_from("*?"), min_size=2, max_size=5)
    .filter(lambda parts: "?" in parts or "*" in parts[:-1])
    .map(pattern_of)
)
regexes = st.sampled_from(("a", "[a-z]+", r"\/\d{2,3}", "(a|b)*", ".", "é😀", r"\\", "[^]]"))
ends = st.none() | words.filter(is_end)
edits = st.integers(0, 5).map(float) | st.floats(0, 1)
leaves: st.SearchStrategy[tree.Node] = st.one_of(
    st.just(tree.All()),
    st.builds(tree.Term, words, texts),
    st.builds(tree.Prefix, words, words),
    st.builds(tree.Wildcard, words, patterns),
    st.builds(tree.Regex, words, regexes),
    st.builds(tree.Fuzzy, words, words, edits),
    st.builds(tree.Exists, words),
    st.builds(tree.Range, words, ends, ends, st.booleans(), st.booleans()),
)


def groups(nodes: st.SearchStrategy[tree.Node]) -> st.SearchStrategy[tree.Node]:
    """Draw groups; one unmarked clause alone is no group."""
    marks: st.SearchStrategy[tree.Mark] = st.sampled_from(("", "+", "-"))
    clauses = st.lists(st.builds(tree.Clause, marks, nodes), min_size=1, max_size=4)
    return clauses.filter(lambda drawn: len(drawn) > 1 or drawn[0].mark != "").map(
        lambda drawn: tree.Group(tuple(drawn))
    )


trees = st.recursive(leaves, groups, max_leaves=12)


@given(trees)
def test_a_tree_written_as_text_reads_back_as_the_same_tree(node: tree.Node) -> None:
    assert parse(to_text(node)) == node


@given(st.text() | hostile | spaced | hostile.map(lambda text: f"f:({text})"))
def test_a_text_is_a_tree_with_a_plan_or_a_bad_query(q: str) -> None:
    node = result_of(parse, q)
    if isinstance(node, BadQuery):
        assert 0 <= node.at <= len(q)
        assert node.message.startswith(f"cannot parse q at character {node.at + 1}: ")
    else:
        assert parse(to_text(node)) == node
        resolve(node, NOW)


@given(trees)
def test_every_tree_has_a_plan(node: tree.Node) -> None:
    resolve(node, NOW)


@given(st.lists(st.sampled_from((*"abdws.[]^()|*+?{}0123,-\\/~\n é", "\\d", "{2}"))).map("".join))
def test_a_pattern_is_a_regular_expression_or_a_bad_query(pattern: str) -> None:
    regular = result_of(read, pattern)
    if isinstance(regular, BadQuery):
        assert 0 <= regular.at <= len(pattern) + 1
    else:
        assert bool(regular.to_lucene()) == bool(pattern)


@given(
    st.text() | st.lists(st.sampled_from(("a", "b", " ", ",", "asc", "desc", "\\"))).map("".join)
)
def test_an_order_is_a_few_keys_or_a_bad_query(text: str) -> None:
    keys = result_of(parse_sort, text)
    if isinstance(keys, BadQuery):
        assert keys.message.startswith("cannot parse sort: ")
    else:
        assert 1 <= len(keys) <= 8
