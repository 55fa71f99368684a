"""Writing a tree as text."""

from __future__ import annotations

import pytest

from m1.query import parse, to_text, tree


@pytest.mark.parametrize(
    ("q", "text"),
    [
        ("*", "*:*"),
        ("_m1.ip:64.150.5.135", "_m1.ip:64.150.5.135"),
        (r"my\ key:a\ b", r'my\ key:"a b"'),
        ('f:"a\\"\\\\"', 'f:"a\\"\\\\"'),
        ("f:-5", 'f:"-5"'),
        ("f:-5*", r"f:\-5*"),
        (r"f:\>5*", r"f:\>5*"),
        (r"\AND:x", r"\AND:x"),
        ('f:"OR"', 'f:"OR"'),
        (r"\_query_:x", r"\_query_:x"),
        (r"f:x\/y~0.50", r"f:x\/y~0.5"),
        (r"f:a\-?\u0041", r"f:a\-?\u0041"),
        (r"f:/a\/b/^2", r"f:/a\/b/"),
        ("f:>5", "f:{5 TO *}"),
        (r'f:["TO" TO \*}', 'f:["TO" TO "*"}'),
        ("f:(a AND (b OR -c) !d)", "+f:a +(f:b -f:c) -f:d"),
        ("-(+f:a)", "-(+f:a)"),
    ],
)
def test_a_tree_is_written_in_one_way_and_read_back(q: str, text: str) -> None:
    node = parse(q)
    assert to_text(node) == text
    assert parse(to_text(node)) == node


@pytest.mark.parametrize("edits", ["0.000000000001", "0." + "0" * 320 + "5", "9" * 300])
def test_a_tiny_or_huge_number_of_edits_is_written_without_an_exponent(edits: str) -> None:
    node = parse("f:x~" + edits)
    assert parse(to_text(node)) == node


def test_a_hundred_levels_are_written() -> None:
    node: tree.Node = tree.Term("f", "a")
    for _ in range(100):
        node = tree.Group((tree.Clause("-", node),))
    assert to_text(node) == "-(" * 99 + "-f:a" + ")" * 99
    assert parse(to_text(node)) == node
