"""One visitor: an item, and how each thing that somebody does on the site changes it.

    {"session": {"id", "state": "active" or "idle", "channel", "started", "events"},
     "seen": "2026-11-25T20:00:00.000Z",             the last sign of life
     "event": {"type", "product"?, "words"?, "order"?},         what that was
     "user": {"signedIn": true, "id", "name", "email", "plan"},
     "device": {"kind", "language", "os": {}, "browser": {}, "screen": {}},
     "came": {"kind", "referrer"?, "campaign"?: {}},
     "page": {"kind", "path", "title"}, "history": [{"path", "left"}, ...],
     "cart": [{"sku", "title", "category", "qty", "price"}, ...],
     "spend": {"currency", "cart", "orders", "total"},
     "game": {"name", "level", "score", "lives", "crew": [{"role", "health"}, ...]},
     "_m1": {"ip", "geo": {}}}

`cart` and `game` are there while somebody has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from m1.simulate.addresses import place
from m1.simulate.cities import City
from m1.simulate.people import came_from, device, user
from m1.simulate.shop import CATEGORIES, GAMES, ROLES, WORDS, product

_PAGES_REMEMBERED = 4
_LINES_IN_A_CART = 4

# What somebody does next on each kind of page, with how likely it is.
_NEXT: dict[str, dict[str, int]] = {
    "home": {"category": 5, "search": 3, "product": 3, "play": 3, "heartbeat": 2},
    "category": {"product": 6, "category": 2, "search": 1, "heartbeat": 2},
    "search": {"product": 6, "search": 2, "category": 1, "heartbeat": 1},
    "product": {"add": 4, "product": 4, "category": 2, "heartbeat": 3, "home": 1},
    "cart": {"checkout": 4, "product": 4, "remove": 1, "heartbeat": 2},
    "checkout": {"buy": 5, "cart": 2, "heartbeat": 2},
    "thanks": {"home": 3, "play": 2, "heartbeat": 2},
    "game": {"play": 9, "heartbeat": 2, "home": 1},
}
_CHOICES = {kind: (list(ways), list(ways.values())) for kind, ways in _NEXT.items()}


class Visitor:
    """Somebody on the site; times are epoch milliseconds, and `id` is the key's value."""

    def __init__(self, rng: Random, city: City, at: int) -> None:
        self.id = f"{rng.getrandbits(64):016x}"
        self._rng = rng
        self._product = product(rng)
        handheld = device(rng)
        on_app = handheld["kind"] == "phone" and rng.random() < 0.3
        self._item: dict[str, Any] = {
            "session": {
                "id": self.id,
                "state": "active",
                "channel": "app" if on_app else "web",
                "started": _iso(at),
                "events": 0,
            },
            "seen": "",
            "event": {},
            "user": {"signedIn": False},
            "device": {**handheld, "language": city.language},
            "came": came_from(rng),
            "page": {},
            "history": [],
            "spend": {"currency": "EUR", "cart": 0, "orders": 0, "total": 0},
            "_m1": place(city, rng),
        }
        if rng.random() < 0.3:
            self._sign_in()
        landing = rng.choices(("home", "product", "play"), (5, 3, 2))[0]
        _DEEDS[landing](self, at)
        self._note("arrive", at)

    def item(self) -> bytes:
        """Give the item as it is now, as JSON."""
        return json.dumps(self._item, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing has come for so long that nobody may be there."""
        return bool(self._item["session"]["state"] == "idle")

    def act(self, at: int) -> str:
        """Do the next thing; gives what it was."""
        ways, weights = _CHOICES[self._item["page"]["kind"]]
        way = self._rng.choices(ways, weights)[0]
        self._note(way, at, **_DEEDS[way](self, at))
        return way

    def go_idle(self, at: int) -> str:
        """Do nothing for so long that it is noticed: the last sign of life stays what it was."""
        seen = self._item["seen"]
        self._note("idle", at)
        self._item["seen"] = seen
        self._item["session"]["state"] = "idle"
        return "idle"

    def come_back(self, at: int) -> str:
        """Show a sign of life again."""
        self._item["session"]["state"] = "active"
        self._note("back", at)
        return "back"

    def _note(self, way: str, at: int, **details: object) -> None:
        self._item["seen"] = _iso(at)
        self._item["event"] = {"type": way, **details}
        self._item["session"]["events"] += 1

    def _turn_to(self, kind: str, path: str, title: str, at: int) -> None:
        """Show a page; the one of before becomes the newest of the history."""
        item = self._item
        if item["page"]:
            left = {"path": item["page"]["path"], "left": _iso(at)}
            item["history"] = [left, *item["history"]][:_PAGES_REMEMBERED]
        item["page"] = {"kind": kind, "path": path, "title": title}

    def _home(self, at: int) -> dict[str, object]:
        self._turn_to("home", "/", "Tea and games", at)
        return {}

    def _category(self, at: int) -> dict[str, object]:
        name = self._rng.choice(CATEGORIES)
        self._turn_to("category", f"/shop/{name}", f"All {name}", at)
        return {}

    def _search(self, at: int) -> dict[str, object]:
        words = self._rng.choice(WORDS)
        self._turn_to("search", f"/search?q={words.replace(' ', '+')}", f"Found: {words}", at)
        return {"words": words}

    def _look(self, at: int) -> dict[str, object]:
        same = self._product.category if self._rng.random() < 0.5 else None
        self._product = product(self._rng, same)
        self._turn_to("product", self._product.path, self._product.title, at)
        return {"product": self._product.sku}

    def _add(self, at: int) -> dict[str, object]:
        cart, wanted = self._item.setdefault("cart", []), self._product
        qty = self._rng.choices((1, 2, 3), (7, 2, 1))[0]
        for line in cart:
            if line["sku"] == wanted.sku:
                line["qty"] += qty
                break
        else:
            del cart[: len(cart) - _LINES_IN_A_CART + 1]
            cart.append(
                {
                    "sku": wanted.sku,
                    "title": wanted.title,
                    "category": wanted.category,
                    "qty": qty,
                    "price": wanted.cents / 100,
                }
            )
        return self._open_cart(at) | {"product": wanted.sku}

    def _remove(self, at: int) -> dict[str, object]:
        gone = self._item["cart"].pop(0)
        if not self._item["cart"]:
            del self._item["cart"]
            self._item["spend"]["cart"] = 0
            return self._category(at) | {"product": gone["sku"]}
        return self._open_cart(at) | {"product": gone["sku"]}

    def _open_cart(self, at: int) -> dict[str, object]:
        self._item["spend"]["cart"] = _sum(self._item["cart"])
        self._turn_to("cart", "/cart", "Your cart", at)
        return {}

    def _checkout(self, at: int) -> dict[str, object]:
        if not self._item["user"]["signedIn"] and self._rng.random() < 0.7:
            self._sign_in()
        self._turn_to("checkout", "/checkout", "Pay and send", at)
        return {}

    def _buy(self, at: int) -> dict[str, object]:
        spend, paid = self._item["spend"], _sum(self._item.pop("cart"))
        total = round(spend["total"] + paid, 2)
        self._item["spend"] = spend | {"cart": 0, "orders": spend["orders"] + 1, "total": total}
        self._turn_to("thanks", "/thanks", "Thank you", at)
        return {"order": {"number": self._rng.randrange(10**8), "paid": paid}}

    def _play(self, at: int) -> dict[str, object]:
        game = self._item.get("game")
        if game is None:
            game = self._item["game"] = _new_game(self._rng)
        if self._item["page"].get("kind") != "game":
            self._turn_to("game", f"/play/{game['name']}", f"Play {game['name']}", at)
            return {"game": game["name"]}
        game["score"] += self._rng.randrange(5, 50) * game["level"]
        if self._rng.random() < 0.3:
            game["level"] += 1
        hurt = self._rng.choice(game["crew"])
        hurt["health"] -= self._rng.randrange(35)
        if hurt["health"] > 0:
            return {"game": game["name"]}
        hurt["health"], game["lives"] = 100, game["lives"] - 1
        if not game["lives"]:
            del self._item["game"]
            self._home(at)
        return {"game": game["name"], "lost": hurt["role"], "over": not game["lives"]}

    def _beat(self, at: int) -> dict[str, object]:
        return {}

    def _sign_in(self) -> None:
        self._item["user"] = {"signedIn": True, **user(self._rng)}


_DEEDS: dict[str, Callable[[Visitor, int], dict[str, object]]] = {
    "home": Visitor._home,
    "category": Visitor._category,
    "search": Visitor._search,
    "product": Visitor._look,
    "add": Visitor._add,
    "remove": Visitor._remove,
    "cart": Visitor._open_cart,
    "checkout": Visitor._checkout,
    "buy": Visitor._buy,
    "play": Visitor._play,
    "heartbeat": Visitor._beat,
}


def _new_game(rng: Random) -> dict[str, Any]:
    crew = [{"role": role, "health": 100} for role in ROLES]
    return {"name": rng.choice(GAMES), "level": 1, "score": 0, "lives": 3, "crew": crew}


def _sum(cart: list[dict[str, Any]]) -> float:
    return float(round(sum(line["qty"] * line["price"] for line in cart), 2))


def _iso(at: int) -> str:
    moment = datetime.fromtimestamp(at / 1_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
