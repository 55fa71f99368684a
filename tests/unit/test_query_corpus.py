"""Every query of the corpus gives the tree, or the error at the place, that it lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from m1.errors import BadQuery
from m1.query import parse, resolve, to_text, tree

CORPUS = Path(__file__).parents[1] / "data" / "query-corpus.jsonl"
ROWS = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
VALID = [row for row in ROWS if row["valid"]]
REFUSED = [row for row in ROWS if not row["valid"]]


def as_json(node: tree.Node) -> list[Any]:
    """Write a tree as the corpus does."""
    match node:
        case tree.Group(clauses):
            return ["bool", [[clause.mark, as_json(clause.node)] for clause in clauses]]
        case tree.All():
            return ["all"]
        case tree.Exists(path):
            return ["exists", path]
        case tree.Wildcard(path, pattern):
            return ["wild", path, pattern]
        case tree.Fuzzy(path, text, edits):
            return ["fuzzy", path, text, edits]
        case tree.Range(path, low, high, include_low, include_high):
            return ["range", path, low, high, include_low, include_high]
        case tree.Term(path, text) | tree.Prefix(path, text) | tree.Regex(path, text):
            return [type(node).__name__.lower(), path, text]


def name_of(row: dict[str, Any]) -> str:
    return ascii(row["q"][:60])


@pytest.mark.parametrize("row", VALID, ids=name_of)
def test_a_query_has_the_tree_of_the_corpus(row: dict[str, Any]) -> None:
    assert as_json(parse(row["q"])) == row["tree"]


@pytest.mark.parametrize("row", VALID, ids=name_of)
def test_a_tree_of_the_corpus_survives_being_written_and_has_a_plan(row: dict[str, Any]) -> None:
    node = parse(row["q"])
    assert parse(to_text(node)) == node
    assert resolve(node, now=0)


@pytest.mark.parametrize("row", REFUSED, ids=name_of)
def test_a_refused_query_names_the_problem_and_its_place(row: dict[str, Any]) -> None:
    with pytest.raises(BadQuery) as raised:
        parse(row["q"])
    assert raised.value.at == row["error_at"]
    assert row["error"] in raised.value.message
    assert raised.value.message.startswith(f"cannot parse q at character {row['error_at'] + 1}: ")
