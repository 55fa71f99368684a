"""Which of many texts a pattern matches: wildcards, regular expressions, fuzzy words.

Pure and free of the index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import re2
from rapidfuzz.distance import OSA

from m1.query.plan import Fuzzy, Hole, Regex, Wildcard

Pattern = Wildcard | Regex | Fuzzy

TEXTS_AT_ONCE = 200
"""So many texts take a regular expression a millisecond."""


def pieces(count: int, size: int) -> Iterator[range]:
    """Cut the numbers from 0 up to `count` into pieces."""
    return (range(begin, min(begin + size, count)) for begin in range(0, count, size))


def matcher(pattern: Pattern) -> Callable[[str], object]:
    """Give the fastest test for a pattern that we know."""
    match pattern:
        case Wildcard(_, parts):
            return _wildcard(parts)
        case Regex(_, regular):
            return _expression_test(regular.to_re2())
        case Fuzzy(_, word, edits):
            return lambda text: OSA.distance(word, text, score_cutoff=edits) <= edits


def _wildcard(parts: tuple[str | Hole, ...]) -> Callable[[str], object]:
    """Plain text methods take 50 ns for the common shapes, an expression 1,200 ns."""
    match parts:
        case (Hole.MANY,):
            return lambda text: True
        case (Hole.MANY, str(tail)):
            return lambda text: text.endswith(tail)
        case (Hole.MANY, str(middle), Hole.MANY):
            return lambda text: middle in text
        case (str(head), Hole.MANY, str(tail)):
            least = len(head) + len(tail)
            return lambda text: len(text) >= least and text.startswith(head) and text.endswith(tail)
    return _expression_test("".join(map(_expression, parts)))


def _expression(part: str | Hole) -> str:
    if isinstance(part, str):
        return re.escape(part)
    return "." if part is Hole.ONE else ".*"


def _expression_test(expression: str) -> Callable[[str], object]:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    matches: Callable[[str], object] = re2.compile(expression, options=options).fullmatch
    return matches
