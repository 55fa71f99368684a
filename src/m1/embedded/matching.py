"""Which of many texts a pattern matches: wildcards, regular expressions, fuzzy words.

Pure and free of the index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import re2
from rapidfuzz.distance import OSA

from m1.query.plan import Fuzzy, Hole, Regex, Wildcard

Pattern = Wildcard | Regex | Fuzzy

_TEXTS_AT_ONCE = 50
_CHARACTERS_AT_ONCE = 4_096
"""So many texts, or so much of them, take a usual expression a quarter of a millisecond."""
_SURELY_LIGHT = 20
_HEAVY_PROGRAM = 1_000
"""An expression with more instructions may take a long text a second."""


def pieces(count: int, size: int) -> Iterator[range]:
    """Cut the numbers from 0 up to `count` into pieces."""
    return (range(begin, min(begin + size, count)) for begin in range(0, count, size))


def pieces_of_texts(count: int, length_of: Callable[[range], int]) -> Iterator[range]:
    """Cut the numbers of texts into pieces that are short enough to be matched at once."""
    for piece in pieces(count, _TEXTS_AT_ONCE):
        if length_of(piece) <= _CHARACTERS_AT_ONCE:
            yield piece
        else:
            yield from (range(number, number + 1) for number in piece)


def is_heavy(pattern: Pattern) -> bool:
    """Tell whether to match a single text may take long; the library lets others run then."""
    match pattern:
        case Regex(_, regular):
            return bool(_compiled(regular.to_re2()).programsize > _HEAVY_PROGRAM)
        case Wildcard(_, parts) if len(parts) > _SURELY_LIGHT:
            return bool(_compiled(_of_wildcard(parts)).programsize > _HEAVY_PROGRAM)
        case _:
            return False


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
    return _expression_test(_of_wildcard(parts))


def _of_wildcard(parts: tuple[str | Hole, ...]) -> str:
    return "".join(map(_expression, parts))


def _expression(part: str | Hole) -> str:
    if isinstance(part, str):
        return re.escape(part)
    return "." if part is Hole.ONE else ".*"


def _expression_test(expression: str) -> Callable[[str], object]:
    matches: Callable[[str], object] = _compiled(expression).fullmatch
    return matches


@lru_cache(maxsize=32)  # a large one has 1 MiB
def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    return re2.compile(expression, options=options)
