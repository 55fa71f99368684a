"""`_m1`: what the server adds to every item that it takes in.

    {"_m1": {"ip": "64.150.5.135", "receivedUTC": 1700000000000,
             "session": {"lastUpdated": 1700000000003}, "geo": {...}}}

`ip` and `receivedUTC` (or the paths that the settings `property-ip` and
`property-received` name) and `geo` are added where the item brings none of its own,
`session.lastUpdated` always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from m1.api.geo import Geo
from m1.errors import BadRequest
from m1.jsontext import extend
from m1.paths import values_at

ROOT = "_m1"
_LAST_UPDATED = "_m1.session.lastUpdated"
_GEO = "_m1.geo"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one call adds to its items; times in epoch ms."""

    ip_path: str
    ip: str
    received_path: str
    received: int
    updated: int
    geo: Geo | None

    def on(self, text: bytes, item: dict[str, Any]) -> bytes:
        """Give an item's JSON text with `_m1` added, and bring `item` itself up to date.

        Raises BadRequest where what the item brings leaves no room for it.
        """
        additions: dict[str, Any] = {}
        brought = values_at(item, self.ip_path)
        if not brought:
            _add(additions, item, self.ip_path, self.ip)
        if not values_at(item, self.received_path):
            _add(additions, item, self.received_path, self.received)
        _add(additions, item, _LAST_UPDATED, self.updated)
        if self.geo is not None and not values_at(item, _GEO):
            address = brought[0] if brought else self.ip
            found = self.geo.of(address) if isinstance(address, str) else None
            if found is not None:
                _add(additions, item, _GEO, found)
        return extend(text, item, additions)


def _add(additions: dict[str, Any], item: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a path of `additions`, having made sure that it fits onto the item."""
    *above, last = path.split(".")
    present: Any = item
    for depth, key in enumerate(above, 1):
        present = present.get(key, {})
        if not isinstance(present, dict):
            raise BadRequest(f"{'.'.join(above[:depth])} is not a map, and {path} goes in there")
        additions = additions.setdefault(key, {})
    if last not in present and values_at(item, path):
        raise BadRequest(f"{path} is set by the server: leave it out, or write it as nested maps")
    additions[last] = value
