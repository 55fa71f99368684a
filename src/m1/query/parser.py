"""From the text of `q` to its tree: the syntax of Solr's standard query parser.

Everything that can be wrong with a query, apart from what only the clock can tell, is
found here, with the character where it is wrong.
"""

from __future__ import annotations

from functools import lru_cache

from m1.errors import BadQuery
from m1.query import tree
from m1.query.escapes import SHOWN, shown
from m1.query.reader import Reader
from m1.steps import Steps, at_once

MAX_LENGTH = 1_000_000
CACHED_LENGTH = 1_000  # 128 trees of such texts hold some 6 MB at worst


def parse(q: str) -> tree.Node:
    """Parse a query; raises BadQuery, which says at which character `q` is wrong."""
    return _parse_cached(q) if len(q) <= CACHED_LENGTH else at_once(parsing(q))


def parsing(q: str) -> Steps[tree.Node]:
    """Parse a query step by step; see `parse`."""
    try:
        _refuse_bad_text(q)
        return (yield from Reader(q).read())
    except BadQuery as error:
        raise _located(q, error) from None


@lru_cache(maxsize=128)
def _parse_cached(q: str) -> tree.Node:
    return at_once(parsing(q))


def _refuse_bad_text(q: str) -> None:
    if len(q) > MAX_LENGTH:
        raise BadQuery(f"the query has more than {MAX_LENGTH} characters", MAX_LENGTH)
    if q.isascii():
        return
    try:
        q.encode()
    except UnicodeEncodeError as error:
        raise BadQuery("a character is half of a surrogate pair", error.start) from None


def _located(q: str, error: BadQuery) -> BadQuery:
    """Put the place before an error's message, and the text there behind it."""
    near = shown(q[error.at : error.at + SHOWN + 1])
    message = f"cannot parse q at character {error.at + 1}: {error.message}"
    return BadQuery(f'{message} near "{near}"' if near.strip() else message, error.at)
