"""Live sessions as a shop would keep them: nested, about 1 KB of JSON, about 25 leaves.

The item of a number and a revision is always the same. All draws are uniform and
independent of each other, so an AND finds the product of the shares below, at any
revision; of N items:

    path                                  distinct values   share of one value
    session.id                            N                 1/N
    session.start, event.time             30 days, in ms    1/30 a day
    session.channel, user.plan            4                 1/4
    device.type                           4                 1/4
    device.browser                        5                 1/5
    device.agent                          100               1/100
    location.country                      20                1/20
    location.city                         200               1/200, a city lies in one country
    location.lat, location.lon            10,000            1/10,000
    user.id, user.email                   20,000            1/20,000
    ip                                    65,536            1/65,536
    event.name                            12                1/12
    event.data.url                        5,000             1/5,000
    event.data.referrer                   1,000             1/1,000
    event.data.ms                         0 to 9,999        1/10,000
    event.data.error                      8                 1 item in 20 has one
    counters.views                        0 to 99           1/100
    cart.sku, cart.title, 1 or 2 lines    5,000             about 1/3,300
    cart.qty, cart.price                  5, 20,000
    tags, two different                   50                1/25

So `device.type:x AND user.plan:y AND location.country:z` finds 1 in 320.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DEVICES = ("phone", "tablet", "desktop", "television")
PLANS = ("free", "plus", "pro", "team")
CHANNELS = ("web", "app", "kiosk", "partner")
BROWSERS = ("Firefox", "Chrome", "Safari", "Edge", "Opera")
EVENTS = _words("open search view add remove checkout pay share rate support login logout")
COUNTRIES = _words("AT AU BE BR CA CH CZ DE DK ES FI FR GB IE IT JP NL NO SE US")
CITIES = tuple(
    head + tail
    for head in _words("Ash Birch Clear East Fair Green High Long Middle New")
    for tail in _words(
        "borough bridge brook burg bury chester dale field ford gate "
        "ham haven land minster mouth port stead ton ville wick"
    )
)
USERS = 20_000
PRODUCTS = 5_000
TAGS = tuple(f"tag-{number:02}" for number in range(50))
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30

_MAILS = ("example.com", "example.org", "mail.example.net")
_ERRORS = tuple(f"E{number}: the {number}th thing went wrong" for number in range(8))


def session_id(number: int) -> str:
    """Give the id of a session: spread evenly, as the ids of real clients are."""
    return hashlib.blake2b(number.to_bytes(8), digest_size=12).hexdigest()


def session(number: int, revision: int = 0) -> dict[str, Any]:
    """Give the item of a session, at one of its revisions."""
    rng = Random(number * 1_000_003 + revision)
    below = rng.random
    user = int(below() * USERS)
    city = int(below() * 200)
    start = START + timedelta(milliseconds=int(below() * DAYS * 86_400_000))
    return {
        "session": {
            "id": session_id(number),
            "start": _iso(start),
            "channel": CHANNELS[int(below() * 4)],
        },
        "user": user_of(user) | {"plan": PLANS[int(below() * 4)]},
        "ip": f"10.20.{int(below() * 256)}.{int(below() * 256)}",
        "device": _device(rng),
        "location": {
            "country": COUNTRIES[city // 10],
            "city": CITIES[city],
            "lat": int(below() * 10_000) / 100,
            "lon": int(below() * 10_000) / 100,
        },
        "cart": [_line(rng) for _ in range(1 + int(below() * 2))],
        "event": _event(rng, start),
        "counters": {"views": int(below() * 100)},
        "tags": rng.sample(TAGS, 2),
    }


def user_of(number: int) -> dict[str, str]:
    """Give what tells one user from another."""
    return {"id": f"u-{number:05}", "email": f"user.{number:05}@{_MAILS[number % 3]}"}


def _device(rng: Random) -> dict[str, str]:
    browser, version = BROWSERS[int(rng.random() * 5)], 100 + int(rng.random() * 20)
    return {
        "type": DEVICES[int(rng.random() * 4)],
        "browser": browser,
        "agent": f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 "
        f"{browser}/{version}.0 (KHTML, like Gecko)",
    }


def _line(rng: Random) -> dict[str, Any]:
    product = int(rng.random() * PRODUCTS)
    return {
        "sku": f"sku-{product:05}",
        "title": f"Folding garden chair of oiled teak, model {product:05}, with cushion",
        "qty": 1 + int(rng.random() * 5),
        "price": int(rng.random() * 20_000) / 100,
    }


def _event(rng: Random, start: datetime) -> dict[str, Any]:
    product = int(rng.random() * PRODUCTS)
    data: dict[str, Any] = {
        "url": f"https://shop.example.com/catalogue/products/sku-{product:05}?from=search",
        "referrer": f"https://search.example.net/results?q=folding+garden+chair&campaign="
        f"{int(rng.random() * 1_000):03}&utm_source=newsletter&utm_medium=email&utm_content=header",
        "ms": int(rng.random() * 10_000),
    }
    if rng.random() < 0.05:
        data["error"] = _ERRORS[int(rng.random() * 8)]
    moment = start + timedelta(seconds=int(rng.random() * 3_600))
    return {"name": EVENTS[int(rng.random() * 12)], "time": _iso(moment), "data": data}


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
