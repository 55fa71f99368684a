"""Addresses that look like those of a city's networks, and what a geo database says of them.

A city has three networks of IPv4 and one of IPv6, always the same ones, in ranges that are
handed out on its continent. Nobody at these addresses is meant.
"""

from __future__ import annotations

import ipaddress
from random import Random
from typing import Any

from m1.simulate.cities import CITIES, CONTINENTS, COUNTRIES, City

_FIRST = {
    "AF": (41, 102, 105, 154, 196, 197),
    "AS": (14, 27, 36, 39, 59, 61, 106, 111, 115, 118, 122, 125, 175, 180, 210, 219, 222),
    "EU": (77, 78, 79, 81, 82, 84, 86, 87, 89, 90, 91, 92, 93, 94, 95, 151, 176, 178, 195, 213),
    "NA": (23, 24, 50, 63, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 98, 107, 174, 184),
    "OC": (1, 49, 58, 101, 110, 120, 124),
    "SA": (177, 179, 181, 186, 187, 189, 190, 191, 200, 201),
}
_FIRST_V6 = {"AF": 0x2C0F, "AS": 0x2400, "EU": 0x2A02, "NA": 0x2600, "OC": 0x2401, "SA": 0x2800}
_NUMBER = {city: number for number, city in enumerate(CITIES)}
_SHARES_OF_NETWORKS = (6, 3, 1)
_SHARE_OF_V6 = 0.25


def place(city: City, rng: Random) -> dict[str, Any]:
    """Draw an address of a city; gives the members `ip` and `geo` of an item's `_m1`."""
    number, continent = _NUMBER[city], COUNTRIES[city.country][1]
    if rng.random() < _SHARE_OF_V6:
        high = _FIRST_V6[continent] << 112 | (0x100 + number * 7) << 96 | rng.getrandbits(24) << 72
        address = ipaddress.ip_address(high | rng.getrandbits(8) << 64 | rng.getrandbits(64))
        network = f"{ipaddress.ip_address(int(address) >> 80 << 80)}/48"
        return {"ip": str(address), "geo": _geo(city, network)}
    operator = rng.choices((0, 1, 2), _SHARES_OF_NETWORKS)[0]
    firsts = _FIRST[continent]
    first = firsts[(number + operator) % len(firsts)]
    block = f"{first}.{(number * 37 + operator * 101) % 256}.{rng.randrange(256)}"
    return {"ip": f"{block}.{rng.randrange(1, 255)}", "geo": _geo(city, f"{block}.0/24")}


def _geo(city: City, network: str) -> dict[str, Any]:
    country, continent = COUNTRIES[city.country]
    return {
        "continent_code": continent,
        "continent_name": CONTINENTS[continent],
        "country_iso_code": city.country,
        "country_name": country,
        "city_name": city.name,
        "time_zone": city.time_zone,
        "latitude": city.latitude,
        "longitude": city.longitude,
        "accuracy_radius": 20,
        "position": f"{city.latitude},{city.longitude}",
        "network": network,
    }
