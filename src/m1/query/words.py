"""What an unquoted word is: a path before `:`, a leaf by its shape after it."""

from __future__ import annotations

from m1.errors import BadQuery
from m1.query import tree
from m1.query.escapes import unescape
from m1.query.scanner import LITERAL, PREFIX

MAX_WILDCARD = 1_000
EVERY_PATH = ""  # the path of `*:`; no text names the empty path


def path_of(raw: str, at: int) -> str:
    """Give the path that a name means; raises BadQuery where it cannot be one."""
    if raw == "*":
        return EVERY_PATH
    if raw in ("_query_", "_val_"):
        raise BadQuery(f"nested queries with {raw} are not supported", at)
    if LITERAL.fullmatch(raw) is None:
        raise BadQuery(
            "wildcards are not supported in property names (write \\* or \\? for the character)", at
        )
    return unescape(raw, at)


def leaf_of(path: str, raw: str, at: int) -> tree.Node:
    """Give the leaf that an unquoted word means by its shape; raises BadQuery."""
    if "*" not in raw and "?" not in raw:
        return tree.Term(path, unescape(raw, at))
    text = unescape(raw, at)
    prefix = PREFIX.fullmatch(raw)
    if prefix is not None:
        return tree.Prefix(path, text[:-1])
    if LITERAL.fullmatch(raw) is not None:
        return tree.Term(path, text)
    if len(raw) > MAX_WILDCARD:
        raise BadQuery(f"a wildcard may have at most {MAX_WILDCARD} characters", at)
    return tree.Wildcard(path, raw)
