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
_PLACE_BYTES = 400
_BYTES_KEPT = 20_000_000


class _Place:
    """A place in items: its path, how the paths below begin, and the places there by key."""

    __slots__ = ("below", "head", "path")

    def __init__(self, path: str, head: str) -> None:
        self.path = path
        self.head = head
        self.below: dict[str, _Place] = {}


class _Walker:
    """Walks through items, and keeps the paths it met: most items go where others went."""

    def __init__(self) -> None:
        self._top = _Place("", "")
        self._kept = 0

    def scalars(self, item: dict[str, Any]) -> tuple[list[str], list[Scalar]]:
        """See `scalars` of the module."""
        paths: list[str] = []
        values: list[Scalar] = []
        pending: list[tuple[_Place, dict[str, Any] | list[Any], int]] = [(self._top, item, 1)]
        for place, node, level in pending:  # which grows as it is gone through
            if level > MAX_LEVELS:
                raise BadRequest(f"nested deeper than {MAX_LEVELS} levels")
            if type(node) is dict:
                for key, value in node.items():
                    below = place.below.get(key) or self._new(place, key)
                    if type(value) is dict or type(value) is list:
                        pending.append((below, value, level + 1))
                    elif value is not None:
                        paths.append(below.path)
                        values.append(value)
            else:
                for value in node:
                    if type(value) is dict or type(value) is list:
                        pending.append((place, value, level + 1))
                    elif value is not None:
                        paths.append(place.path)
                        values.append(value)
        return paths, values

    def _new(self, above: _Place, key: str) -> _Place:
        path = above.head + key
        _check_path(path)
        self._kept += _PLACE_BYTES + len(path)
        if self._kept > _BYTES_KEPT:  # walks under way go on with the places they have
            self._top, self._kept = _Place("", ""), 0
        place = above.below[key] = _Place(path, f"{path}.")
        return place


def _check_path(path: str) -> None:
    if "\0" in path:
        raise BadRequest(f"the path {path[:40]!r} holds a NUL character")
    if path.count(".") >= MAX_LEVELS:
        raise BadRequest(f"the path {path[:40]}... has more than {MAX_LEVELS} levels")
    if len(path.encode()) > MAX_PATH_BYTES:
        raise BadRequest(f"the path {path[:40]}... is longer than {MAX_PATH_BYTES} bytes")


_walker = _Walker()


def scalars(item: dict[str, Any]) -> tuple[list[str], list[Scalar]]:
    """Give the path of every value of an item that is not null, and the values.

    Raises BadRequest for a key that holds NUL, a path over 2,000 bytes, and nesting over
    200 levels.
    """
    return _walker.scalars(item)


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
