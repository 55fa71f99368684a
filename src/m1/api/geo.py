"""Where an address is: `_m1.geo` from a MaxMind City database.

The database's nested answer becomes one flat map with the names that MinusOneDB uses; a
text that is not known is "", a number that is not known is left out.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import maxminddb

from m1.errors import StartError

_LOCALE = "en"


class Geo:
    """A City database, read on every look-up (it is mapped into memory)."""

    def __init__(self, file: Path) -> None:
        """Open a `.mmdb`; raises StartError where it is none."""
        try:
            self._reader = maxminddb.open_database(file)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise StartError(f"--geo {file}: not a MaxMind database: {error}") from error
        self.description = f"{self._reader.metadata().database_type}, {file.name}"

    def of(self, address: str) -> dict[str, Any] | None:
        """Give the map for an address, None where it is no address or not in the database."""
        try:
            parsed = ipaddress.ip_address(address)
            record, prefix = self._reader.get_with_prefix_len(parsed)
        except ValueError:  # no address, or an IPv6 one in a database of IPv4 alone
            return None
        if not isinstance(record, dict):
            return None
        network = ipaddress.ip_network(f"{parsed}/{prefix}", strict=False)
        return flat(record, str(network))

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


def flat(record: dict[str, Any], network: str) -> dict[str, Any]:
    """Flatten a City record; see the module for the rule about what is not known."""
    city, country = _map(record, "city"), _map(record, "country")
    continent, location = _map(record, "continent"), _map(record, "location")
    traits, registered = _map(record, "traits"), _map(record, "registered_country")
    latitude, longitude = location.get("latitude"), location.get("longitude")
    known = latitude is not None and longitude is not None
    numbers = {
        "latitude": latitude,
        "longitude": longitude,
        "accuracy_radius": location.get("accuracy_radius"),
        "metro_code": location.get("metro_code"),
        "geoname_id": city.get("geoname_id", country.get("geoname_id")),
        "registered_country_geoname_id": registered.get("geoname_id"),
    }
    return {
        "continent_code": continent.get("code", ""),
        "continent_name": _name(continent),
        "country_iso_code": country.get("iso_code", ""),
        "country_name": _name(country),
        **_subdivisions(record.get("subdivisions")),
        "city_name": _name(city),
        "postal_code": _map(record, "postal").get("code", ""),
        "time_zone": location.get("time_zone", ""),
        "position": f"{latitude},{longitude}" if known else "",
        "network": network,
        "locale_code": _LOCALE,
        "is_in_european_union": bool(country.get("is_in_european_union", False)),
        "is_anonymous_proxy": bool(traits.get("is_anonymous_proxy", False)),
        "is_satellite_provider": bool(traits.get("is_satellite_provider", False)),
        **{name: number for name, number in numbers.items() if number is not None},
    }


def _subdivisions(found: Any) -> dict[str, Any]:
    parts = [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []
    named: dict[str, Any] = {}
    for number in (1, 2):
        part = parts[number - 1] if number <= len(parts) else {}
        named[f"subdivision_{number}_iso_code"] = part.get("iso_code", "")
        named[f"subdivision_{number}_name"] = _name(part)
    return named


def _map(record: dict[str, Any], key: str) -> dict[str, Any]:
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def _name(part: dict[str, Any]) -> Any:
    return _map(part, "names").get(_LOCALE, "")
