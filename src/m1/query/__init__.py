"""The query language: from the text of `q` and `sort` to a plan that engines carry out.

    parse(q) -> tree      what the text says; to_text writes a tree as text again
    resolve(tree, now)    what it means: a plan
    planning(q, now)      both, step by step
    parse_sort(text)      the keys of an order
    read_moment(text)     a number or a date, as a number

Nothing here knows an engine, a clock or a store. Every problem is a BadQuery.
"""

from m1.query import plan, tree
from m1.query.dates import read_moment
from m1.query.parser import CACHED_LENGTH, parse
from m1.query.planning import planning
from m1.query.resolve import resolve
from m1.query.sort import parse_sort
from m1.query.writer import to_text

__all__ = [
    "CACHED_LENGTH",
    "parse",
    "parse_sort",
    "plan",
    "planning",
    "read_moment",
    "resolve",
    "to_text",
    "tree",
]
