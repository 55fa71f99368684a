"""What there is on the site: products by category, and games."""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class Product(NamedTuple):
    """Something to buy; `cents` is its price, `weight` how often it is looked at."""

    sku: str
    title: str
    category: str
    cents: int
    weight: int

    @property
    def path(self) -> str:
        """Its page."""
        return f"/shop/{self.category}/{self.sku}"


def _products() -> tuple[Product, ...]:
    """Give all products; the first of a category are the most popular."""
    kinds = {
        "tea": (" tea", 890, "Assam Darjeeling Jasmine Sencha Matcha Oolong Rooibos Mint Chai"),
        "coffee": (" coffee", 1_150, "Espresso Filter Decaf Moka Lungo Ristretto House"),
        "pots": (" pot", 3_450, "Glass Iron Clay Steel Travel Porcelain"),
        "cups": ("", 1_290, "Mug Bowl Tumbler Saucer Thermos Beaker"),
        "tools": ("", 2_790, "Kettle Grinder Scale Strainer Whisk Timer Tin Spoon"),
        "games": (" set", 4_200, "Go Chess Backgammon Mahjong Dominoes"),
    }
    return tuple(
        Product(
            sku=f"{category.rstrip('s')}-{name.lower()}",
            title=f"{name}{suffix}",
            category=category,
            cents=base + (number * 730 + len(name) * 115) % base,
            weight=60 // (number + 2),
        )
        for category, (suffix, base, names) in kinds.items()
        for number, name in enumerate(names.split())
    )


PRODUCTS = _products()
CATEGORIES = tuple(dict.fromkeys(product.category for product in PRODUCTS))
_IN = {name: tuple(p for p in PRODUCTS if p.category == name) for name in CATEGORIES}
_WEIGHTS = {name: [p.weight for p in products] for name, products in _IN.items()}

WORDS = ("green tea", "gift", "small pot", "decaf", "travel mug", "whisk", "board game", "tin")
GAMES = ("harbour", "tea-garden", "night-train")
ROLES = ("captain", "cook", "navigator")


def product(rng: Random, category: str | None = None) -> Product:
    """Draw a product, of a category where one is given."""
    name = category or rng.choice(CATEGORIES)
    return rng.choices(_IN[name], _WEIGHTS[name])[0]
