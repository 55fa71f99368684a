"""`_m1`: what the server adds to every item that it takes in.

    {"_m1": {"ip": "64.150.5.135", "receivedUTC": 1700000000000,
             "session": {"lastUpdated": 1700000000003}, "geo": {...}}}

`ip` and `receivedUTC` (or the paths that the settings `property-ip` and
`property-received` name) and `geo` are added where the item brings none of its own,
`session.lastUpdated` always.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from m1.api.geo import Geo
from m1.errors import BadRequest
from m1.jsontext import extend
from m1.paths import values_at

ROOT = "_m1"
_LAST_UPDATED = "_m1.session.lastUpdated"
_GEO = "_m1.geo"


class Stamp:
    """What one call adds to its items; times in epoch ms."""

    def __init__(
        self,
        ip_path: str,
        ip: str,
        received_path: str,
        received: int,
        updated: int,
        geo: Geo | None,
    ) -> None:
        self._ip_path = ip_path
        self._fixed = {ip_path: ip, received_path: received, _LAST_UPDATED: updated}
        self._geo = geo
        self._roots = _roots(ip_path, received_path, _LAST_UPDATED, _GEO)
        self._whole = self._additions({})

    def on(self, text: bytes, item: dict[str, Any]) -> bytes:
        """Give an item's JSON text with `_m1` added, and bring `item` itself up to date.

        Raises BadRequest where what the item brings leaves no room for it.
        """
        brings_none = self._roots.isdisjoint(item)
        return extend(text, item, self._whole if brings_none else self._additions(item))

    def _additions(self, item: dict[str, Any]) -> dict[str, Any]:
        additions: dict[str, Any] = {}
        for path, value in self._fixed.items():
            if path == _LAST_UPDATED or not values_at(item, path):
                _add(additions, item, path, value)
        if self._geo is not None and not values_at(item, _GEO):
            address = (values_at(item, self._ip_path) or [self._fixed[self._ip_path]])[0]
            found = self._geo.of(address) if isinstance(address, str) else None
            if found is not None:
                _add(additions, item, _GEO, found)
        return additions


def check_paths(ip_path: str, received_path: str) -> None:
    """Raise BadRequest where not all that the server adds would have a place of its own."""
    paths = {
        "property-ip": ip_path,
        "property-received": received_path,
        "the server": _LAST_UPDATED,
        "the server's geo": _GEO,
    }
    for name, path in paths.items():
        for other, above in paths.items():
            if name != other and (path == above or path.startswith(above + ".")):
                raise BadRequest(f"{name} writes {path}, and {other} writes {above}")


@lru_cache(maxsize=16)
def _roots(*paths: str) -> frozenset[str]:
    """Give every key of an item by which one of these paths could begin."""
    ends = [(path, at) for path in paths for at in range(len(path) + 1)]
    return frozenset(path[:at] for path, at in ends if at == len(path) or path[at] == ".")


def _add(additions: dict[str, Any], item: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a path of `additions`, having made sure that it fits onto the item."""
    if item:
        _check_room(item, path)
    above, last = _keys(path)
    for key in above:
        additions = additions.setdefault(key, {})
    additions[last] = value


def _check_room(item: dict[str, Any], path: str) -> None:
    above, last = _keys(path)
    present: Any = item
    for depth, key in enumerate(above, 1):
        present = present.get(key, {})
        if not isinstance(present, dict):
            raise BadRequest(f"{'.'.join(above[:depth])} is not a map, and {path} goes in there")
    if last not in present and values_at(item, path):
        raise BadRequest(f"{path} is set by the server: leave it out, or write it as nested maps")


@lru_cache(maxsize=16)
def _keys(path: str) -> tuple[tuple[str, ...], str]:
    """Give the keys on the way to a path, and the last one."""
    *above, last = path.split(".")
    return tuple(above), last
