"""Reading `[low TO high]` and the comparisons `>x`, `>=x`, `<x`, `<=x`."""

from __future__ import annotations

import re
from typing import NamedTuple

from m1.errors import BadQuery
from m1.query.dates import read_end
from m1.query.escapes import SPACES, unescape
from m1.query.scanner import LITERAL, VALUE_IN_QUOTES
from m1.query.tree import Range

_WRITTEN = "a range is written [low TO high]"

_SPACE = re.compile(f"[{SPACES}]*+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)++)"', re.DOTALL)
_BARE = re.compile(rf"(?:[^{SPACES}\]}}\\]|\\.)++", re.DOTALL)
_COMPARISON = re.compile(r"[<>]=?")


class _Token(NamedTuple):
    kind: str  # "quoted", "bare" or "close"
    raw: str
    start: int
    end: int


def read_range(q: str, at: int, path: str) -> tuple[Range, int]:
    """Read the range that opens at `at`; give it with the place after it; raises BadQuery."""
    low = _token(q, at + 1, at)
    if low.kind == "close":
        raise BadQuery(_WRITTEN, low.start)
    to = _token(q, low.end, at)
    if to.kind != "bare" or to.raw != "TO":
        raise BadQuery("'TO' is expected between the two ends of a range", to.start)
    high = _token(q, to.end, at)
    if high.kind == "close":
        raise BadQuery(_WRITTEN, high.start)
    close = _token(q, high.end, at)
    if close.kind != "close":
        raise BadQuery(_WRITTEN, close.start)
    return (
        Range(path, _end(low, at), _end(high, at), q[at] == "[", close.raw == "]"),
        close.end,
    )


def _token(q: str, at: int, opened: int) -> _Token:
    """Read one token inside a range; the longer of quoted and bare wins, as in Solr."""
    space = _SPACE.match(q, at)
    assert space is not None
    start = space.end()
    if q[start : start + 1] in ("]", "}"):
        return _Token("close", q[start], start, start + 1)
    quoted, bare = _QUOTED.match(q, start), _BARE.match(q, start)
    if quoted is not None and (bare is None or bare.end() <= quoted.end()):
        return _Token("quoted", quoted[1], start, quoted.end())
    if bare is None:
        raise BadQuery("the range opened here is not closed", opened)
    return _Token("bare", bare[0], start, bare.end())


def _end(token: _Token, opened: int) -> str | None:
    if token.kind == "bare":
        if token.raw == "*":
            return None
        if token.raw == '""':
            raise BadQuery("an end of a range cannot be empty (write * for open)", token.start)
    return _checked(unescape(token.raw, token.start), opened)


def _checked(text: str, at: int) -> str:
    try:
        read_end(text)
    except BadQuery as error:
        raise BadQuery(error.message, at) from None
    return text


def read_comparison(q: str, raw: str, at: int, path: str) -> tuple[Range, int]:
    """Read the comparison whose word `raw` is at `at`; give it with the place after it.

    Raises BadQuery where no value follows the sign directly.
    """
    sign = _COMPARISON.match(raw)
    assert sign is not None
    text, end = _compared(q, at + sign.end(), at + len(raw))
    if not text:
        raise BadQuery(f"a value is expected directly after '{sign[0]}'", at)
    included = sign[0].endswith("=")
    _checked(text, at)
    if sign[0][0] == ">":
        return Range(path, text, None, included, False), end
    return Range(path, None, text, False, included), end


def _compared(q: str, start: int, end: int) -> tuple[str, int]:
    """Give the text that is compared with, a word or quoted, and the place after it."""
    if start == end and q.startswith('"', start):
        quoted = VALUE_IN_QUOTES.match(q, start)
        if quoted is None:
            raise BadQuery("the quote opened here is not closed", start)
        refuse_wildcard_after(q, quoted.end(), "a quoted value")
        return unescape(quoted["quoted"], start), quoted.end()
    word = q[start:end]
    if word and LITERAL.fullmatch(word) is None:
        raise BadQuery(r"a comparison cannot have wildcards (write \* for the character)", start)
    return unescape(word, start), end


def refuse_wildcard_after(q: str, at: int, what: str) -> None:
    """Raise BadQuery where `*` or `?` touches something that it cannot be part of."""
    if q[at : at + 1] in ("*", "?"):
        raise BadQuery(f"a wildcard cannot follow {what} (put a space or AND between them)", at)
