"""Dotted paths into nested items: every value with its path, and the identity of an item.

A path is the keys on the way joined by dots; lists add nothing to it, and a key that
holds a dot reaches the same path as nesting does:

    {"a": {"b": 1}, "a.c": [2, {"d": 3}]}   has   a.b = 1,  a.c = 2,  a.c.d = 3
"""

from __future__ import annotations

from typing import Any

from m1.errors import BadRequest
from m1.jsontext import MAX_LEVELS
from m1.values import Scalar, text_of

MAX_PATH_BYTES = 2_000
MAX_ID_BYTES = 512
_SURELY_SHORT = MAX_LEVELS - 1
"""A path of so many characters has neither too many bytes nor too many levels."""


def scalars(item: dict[str, Any]) -> list[tuple[str, Scalar]]:
    """Give every value of an item that is not null, with its path.

    Raises BadRequest for a key that holds NUL, a path over 2,000 bytes, and nesting over
    200 levels.
    """
    found: list[tuple[str, Scalar]] = []
    pending: list[tuple[str, dict[str, Any] | list[Any], int]] = [("", item, 1)]
    for prefix, node, level in pending:  # which grows as it is gone through
        if level > MAX_LEVELS:
            raise BadRequest(f"nested deeper than {MAX_LEVELS} levels")
        below = node.items() if isinstance(node, dict) else [("", value) for value in node]
        for key, value in below:
            path = prefix + key
            if isinstance(value, dict):
                pending.append((path + ".", value, level + 1))
            elif isinstance(value, list):
                pending.append((path, value, level + 1))
            elif value is not None:
                found.append((path, value))
            if "\0" in path or len(path) > _SURELY_SHORT:
                _check_path(path)
    return found


def _check_path(path: str) -> None:
    if "\0" in path:
        raise BadRequest(f"the path {path[:40]!r} holds a NUL character")
    if path.count(".") >= MAX_LEVELS:
        raise BadRequest(f"the path {path[:40]}... has more than {MAX_LEVELS} levels")
    if len(path.encode()) > MAX_PATH_BYTES:
        raise BadRequest(f"the path {path[:40]}... is longer than {MAX_PATH_BYTES} bytes")


def values_at(item: dict[str, Any], path: str) -> list[Any]:
    """Give what stands at a path, lists not entered; one value per spelling of the path."""
    found: list[Any] = []
    if not item:
        return found
    pending: list[tuple[dict[str, Any], str]] = [(item, path)]
    while pending:
        node, rest = pending.pop()
        if rest in node:
            found.append(node[rest])
        dot = rest.find(".")
        while dot >= 0:
            below = node.get(rest[:dot])
            if isinstance(below, dict):
                pending.append((below, rest[dot + 1 :]))
            dot = rest.find(".", dot + 1)
    return found


def identity(item: dict[str, Any], key: str) -> str:
    """Give the id of an item: the text at its key path.

    Raises BadRequest where the value is missing, there twice, or no possible id.
    """
    found = values_at(item, key)
    if not found:
        raise BadRequest(f"there is no value at the key {key}")
    if len(found) > 1:
        raise BadRequest(f"there are {len(found)} values at the key {key}")
    try:
        return id_of(found[0])
    except BadRequest as error:
        raise BadRequest(f"the value at the key {key} {error.message}") from None


def id_of(value: object) -> str:
    """Give the id that a JSON value names: a text as it is, a whole number as its digits.

    Raises BadRequest for anything else; its message continues "the value ...".
    """
    if isinstance(value, (float, bool)) or not isinstance(value, (str, int)):
        raise BadRequest(f"is {_kind_of(value)}; a text or a whole number is needed")
    id = text_of(value)
    if not id:
        raise BadRequest("is an empty text")
    if len(id.encode()) > MAX_ID_BYTES:
        raise BadRequest(f"is longer than {MAX_ID_BYTES} bytes")
    return id


def _kind_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, float):
        return "a number with a fraction or an exponent"
    return "a map" if isinstance(value, dict) else "a list"
