r"""The canonical text of a tree: what `parse` reads back as the same tree.

Every leaf names its own path, every mark is `+` or `-`, and text that could be taken
for anything else stands in quotes or behind `\`.
"""

from __future__ import annotations

from m1.query import tree
from m1.query.escapes import as_quoted, as_word


def to_text(node: tree.Node) -> str:
    """Write a tree as text, so that `parse` gives the same tree again."""
    if isinstance(node, tree.Group):
        return " ".join(map(_clause, node.clauses))
    return _leaf(node)


def _clause(clause: tree.Clause) -> str:
    text = to_text(clause.node)
    return f"{clause.mark}({text})" if isinstance(clause.node, tree.Group) else clause.mark + text


def _leaf(leaf: tree.Leaf) -> str:
    if isinstance(leaf, tree.All):
        return "*:*"
    return f"{as_word(leaf.path)}:{_value(leaf)}"


def _value(leaf: tree.Leaf) -> str:
    match leaf:
        case tree.Term(_, text):
            return as_quoted(text)
        case tree.Prefix(_, text):
            return as_word(text) + "*"
        case tree.Wildcard(_, pattern):
            return pattern
        case tree.Regex(_, pattern):
            return f"/{pattern}/"
        case tree.Fuzzy(_, text, edits):
            return f"{as_word(text)}~{_decimal(edits)}"
        case tree.Range():
            return _range(leaf)
        case _:
            return "*"


def _range(leaf: tree.Range) -> str:
    low, high = (("*" if end is None else as_quoted(end)) for end in (leaf.low, leaf.high))
    return f"{'[' if leaf.include_low else '{'}{low} TO {high}{']' if leaf.include_high else '}'}"


def _decimal(number: float) -> str:
    """Write a number without an exponent, which `~` does not know."""
    if number == int(number):
        return str(int(number))
    text = repr(number)
    return f"{number:.1100f}".rstrip("0") if "e" in text else text
