"""Who comes: users, what they hold in their hands, and what brought them."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

USERS = 20_000

_FIRST = (
    *("Ada", "Ben", "Chiara", "David", "Elif", "Fatou", "Grace", "Hiroshi", "Inés", "Jonas"),
    *("Kofi", "Lena", "Mateo", "Noor", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tomás"),
    *("Uma", "Viktor", "Wei", "Xenia", "Yusuf", "Zoë", "Amélie", "Björn", "Chinwe", "Dmytro"),
)
_LAST = (
    *("Andersen", "Bauer", "Costa", "Dubois", "Eriksson", "Ferrari", "García", "Haddad"),
    *("Ivanova", "Jones", "Kowalski", "Lopez", "Müller", "Nakamura", "Okafor", "Patel"),
    *("Quinn", "Rossi", "Silva", "Tanaka", "Ueda", "Virtanen", "Walker", "Xu", "Yılmaz", "Zhang"),
)
_PLANS = ("free", "free", "free", "plus", "plus", "pro")


class _Kind(NamedTuple):
    """A kind of device; `weight` is its share relative to the others'."""

    kind: str
    os: str
    versions: tuple[str, ...]
    browsers: tuple[str, ...]
    screens: tuple[tuple[int, int], ...]
    weight: int


_DEVICES = (
    _Kind(
        "phone",
        "Android",
        ("13", "14", "15"),
        ("Chrome", "Chrome", "Samsung Internet", "Firefox"),
        ((412, 915), (360, 800), (393, 873)),
        36,
    ),
    _Kind("phone", "iOS", ("17", "18"), ("Safari",), ((390, 844), (430, 932), (375, 667)), 22),
    _Kind(
        "desktop",
        "Windows",
        ("10", "11"),
        ("Chrome", "Chrome", "Edge", "Firefox"),
        ((1920, 1080), (1536, 864), (2560, 1440)),
        22,
    ),
    _Kind("desktop", "macOS", ("14", "15"), ("Safari", "Chrome"), ((1440, 900), (1728, 1117)), 9),
    _Kind("desktop", "Linux", ("6",), ("Firefox", "Chrome"), ((1920, 1080), (2560, 1440)), 3),
    _Kind("tablet", "iPadOS", ("17", "18"), ("Safari",), ((820, 1180), (1024, 1366)), 6),
    _Kind("television", "Android", ("12", "14"), ("Chrome",), ((1920, 1080), (3840, 2160)), 2),
)
_DEVICE_WEIGHTS = [device.weight for device in _DEVICES]

_CAME = (
    ("direct", "", 30),
    ("search", "search.example", 34),
    ("social", "friends.example", 14),
    ("social", "clips.example", 6),
    ("mail", "mail.example", 10),
    ("partner", "tea-lovers.example", 6),
)
_CAME_WEIGHTS = [weight for *_, weight in _CAME]
_CAMPAIGNS = ("autumn-harvest", "first-order", "high-score-week", "quiet-evening", "refill")
_CAMPAIGN_OF = {"search": "cpc", "social": "paid-social", "mail": "newsletter"}


def device(rng: Random) -> dict[str, Any]:
    """Draw what somebody comes with."""
    drawn = rng.choices(_DEVICES, _DEVICE_WEIGHTS)[0]
    width, height = rng.choice(drawn.screens)
    return {
        "kind": drawn.kind,
        "os": {"name": drawn.os, "version": rng.choice(drawn.versions)},
        "browser": {"name": rng.choice(drawn.browsers), "version": rng.randrange(118, 134)},
        "screen": {"width": width, "height": height},
    }


def came_from(rng: Random) -> dict[str, Any]:
    """Draw what brought somebody: a kind, the page that had the link, a campaign."""
    kind, host, _ = rng.choices(_CAME, _CAME_WEIGHTS)[0]
    came: dict[str, Any] = {"kind": kind}
    if host:
        came["referrer"] = f"https://{host}/{rng.randrange(16**6):06x}"
    if kind in _CAMPAIGN_OF and rng.random() < 0.5:
        came["campaign"] = {"name": rng.choice(_CAMPAIGNS), "medium": _CAMPAIGN_OF[kind]}
    return came


def user(rng: Random) -> dict[str, Any]:
    """Draw one of the users: a number has the same name and plan each time."""
    number = rng.randrange(USERS)
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[number // len(_FIRST) % len(_LAST)]
    return {
        "id": f"u-{number:05}",
        "name": f"{first} {last}",
        "email": f"user.{number:05}@mail.example",
        "plan": _PLANS[number % 7 % len(_PLANS)],
    }
