"""Made-up visits for the console: as a shop's sessions look, the same at every run."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from tests.serving import Server

Item = dict[str, Any]

_CITIES = [
    ("Berlin", "Germany", "DE", 52.52, 13.40),
    ("Hamburg", "Germany", "DE", 53.55, 9.99),
    ("Paris", "France", "FR", 48.85, 2.35),
    ("London", "United Kingdom", "GB", 51.51, -0.13),
    ("Madrid", "Spain", "ES", 40.42, -3.70),
    ("New York", "United States", "US", 40.71, -74.01),
    ("Chicago", "United States", "US", 41.88, -87.63),
    ("San Francisco", "United States", "US", 37.77, -122.42),
    ("São Paulo", "Brazil", "BR", -23.55, -46.63),
    ("Lagos", "Nigeria", "NG", 6.52, 3.38),
    ("Cape Town", "South Africa", "ZA", -33.92, 18.42),
    ("Mumbai", "India", "IN", 19.08, 72.88),
    ("Singapore", "Singapore", "SG", 1.35, 103.82),
    ("Tokyo", "Japan", "JP", 35.68, 139.69),
    ("Sydney", "Australia", "AU", -33.87, 151.21),
]
_NAMES = [
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Donald",
    "Radia",
    "Ken",
    "Frances",
    "Niklaus",
]
_SKUS = [("tea", 4.5), ("cup", 9.0), ("kettle", 49.9), ("filter", 3.2), ("honey", 7.75)]
_PAGES = ["/", "/tea", "/cups", "/cart", "/checkout", "/about"]
_DEVICES = [
    ("desktop", "Firefox"),
    ("desktop", "Chrome"),
    ("phone", "Safari"),
    ("tablet", "Chrome"),
]
_MINUTE = 60_000
_BATCH = 1_000


def visit(number: int, chance: random.Random, now: int) -> Item:
    """Make one visit of the last hour; `now` in epoch ms."""
    city, country, code, latitude, longitude = chance.choices(_CITIES, range(15, 0, -1))[0]
    kind, browser = chance.choice(_DEVICES)
    begun = now - int(chance.triangular(0, 60 * _MINUTE, 5 * _MINUTE))
    cart: list[dict[str, Any]] = [
        {"sku": sku, "qty": chance.randint(1, 3), "price": price}
        for sku, price in chance.sample(_SKUS, chance.choice([0, 0, 1, 2]))
    ]
    return {
        "session": {"id": f"v{number:05}"},
        "user": {"name": chance.choice(_NAMES), "member": chance.random() < 0.3},
        "page": chance.choice(_PAGES),
        "device": {"kind": kind, "browser": browser},
        "cart": cart,
        "total": round(sum(each["qty"] * each["price"] for each in cart), 2),
        "startedUTC": begun,
        "_m1": {
            "ip": f"203.0.113.{chance.randint(1, 254)}",
            "receivedUTC": begun,
            "geo": {
                "city_name": city,
                "country_name": country,
                "country_iso_code": code,
                "position": f"{latitude},{longitude}",
            },
        },
    }


def fill(server: Server, store: str, count: int) -> None:
    """Put so many visits into a store."""
    chance, now = random.Random(7), time.time_ns() // 1_000_000
    visits = [visit(number, chance, now) for number in range(count)]
    for begin in range(0, count, _BATCH):
        put(server, store, *visits[begin : begin + _BATCH])


def put(server: Server, store: str, *items: Item) -> None:
    """Upsert items."""
    reply = server.call("session/update", store=store, ops=json.dumps([{"upsert": items}]))
    assert reply.status == 204, reply.text
