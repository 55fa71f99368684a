r"""The order of results: `path asc|desc {, path asc|desc}`.

A path is written as in `q`, with `\` before spaces, commas and backslashes. A path that
is named again cannot change the order any more: only its first mention is kept.
"""

from __future__ import annotations

import re

from m1.errors import BadQuery
from m1.query.escapes import SPACES, shown, unescape
from m1.query.plan import SortKey

MAX_KEYS = 8

_WORD = rf"(?:[^{SPACES},\\]|\\.)++"
_KEY = re.compile(
    rf"[{SPACES}]*+(?P<path>{_WORD})?(?:[{SPACES}]++(?P<direction>{_WORD}))?[{SPACES}]*+",
    re.DOTALL,
)


def parse_sort(text: str) -> tuple[SortKey, ...]:
    """Read the keys of a sort parameter, at most 8 of them; raises BadQuery."""
    try:
        return tuple(_keys(text))
    except BadQuery as error:
        message = f"cannot parse sort: {error.message} (at character {error.at + 1})"
        raise BadQuery(message, error.at) from None


def _keys(text: str) -> list[SortKey]:
    keys: dict[str, SortKey] = {}
    at = count = 0
    while at <= len(text):
        if count == MAX_KEYS:
            raise BadQuery(f"more than {MAX_KEYS} keys", at)
        found = _KEY.match(text, at)
        assert found is not None
        key = _key(found)
        keys.setdefault(key.path, key)
        at, count = found.end() + 1, count + 1
        if text[at - 1 : at] not in ("", ","):
            raise _unexpected(text, at - 1)
    return list(keys.values())


def _key(found: re.Match[str]) -> SortKey:
    if found["path"] is None:
        raise BadQuery("a path with asc or desc is expected", found.end())
    start = found.start("path")
    path = unescape(found["path"], start)
    direction = (found["direction"] or "").lower()
    if direction not in ("asc", "desc"):
        raise BadQuery(f"'{shown(path)}' needs asc or desc", start)
    return SortKey(path, direction == "desc")


def _unexpected(text: str, at: int) -> BadQuery:
    if text[at] == "\\":
        return BadQuery("a backslash must be followed by the character it escapes", at)
    return BadQuery(f"a comma is expected before '{shown(text[at:])}'", at)
