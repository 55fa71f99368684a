"""What a simulation is asked for: the parameters of `m1 simulate`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields

from m1.errors import Misuse

_ENDLESS = 1e9


@dataclass(frozen=True)
class Wishes:
    """How many visitors are on the site, how many events happen a second, for how long.

    The same seed with the same visitors, rate and speed makes the same events.
    """

    store: str = "stash"
    visitors: int = 300
    rate: float = 50.0
    seconds: float = _ENDLESS
    seed: int = 0
    speed: float = 1.0


def read_wishes(parameters: Mapping[str, str]) -> Wishes:
    """Read parameters by name; raises Misuse that names what is wrong."""
    known = [field.name for field in fields(Wishes)]
    for name in parameters:
        if name not in known:
            raise Misuse(f"-{name}: m1 simulate knows -{', -'.join(known)}")
    any_seed = secrets.randbelow(2**32)
    return Wishes(
        store=parameters.get("store", Wishes.store),
        visitors=_whole(parameters, "visitors", Wishes.visitors, 1, 1_000_000),
        rate=_number(parameters, "rate", Wishes.rate, 0.1, 100_000),
        seconds=_number(parameters, "seconds", Wishes.seconds, 0.1, _ENDLESS),
        seed=_whole(parameters, "seed", any_seed, 0, 2**63 - 1),
        speed=_number(parameters, "speed", Wishes.speed, 0.001, 100_000),
    )


def _whole(parameters: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = parameters.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise Misuse(f"-{name} {text!r} is not a whole number from {least:,} to {most:,}")
    return int(text)


def _number(
    parameters: Mapping[str, str], name: str, default: float, least: float, most: float
) -> float:
    text = parameters.get(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise Misuse(f"-{name} {text!r} is not a number from {least:,} to {most:,.0f}")
    return number
