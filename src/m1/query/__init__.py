"""The query language: from the text of `q` and `sort` to a plan that engines carry out.

    parse(q) -> tree      what the text says; to_text writes a tree as text again
    resolve(tree, now)    what it means: a plan
    parse_sort(text)      the keys of an order

Nothing here knows an engine, a clock or a store. Every problem is a BadQuery.
"""

from m1.query import plan, tree
from m1.query.parser import parse
from m1.query.resolve import resolve
from m1.query.sort import parse_sort
from m1.query.writer import to_text

__all__ = ["parse", "parse_sort", "plan", "resolve", "to_text", "tree"]
