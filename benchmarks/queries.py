"""The queries that are measured: one of each kind, each with words of its own every time.

The words of a kind are drawn anew, so that nothing is answered from having been asked;
the shares of `benchmarks.sessions` say how many items each finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from benchmarks.sessions import (
    CITIES,
    COUNTRIES,
    DAYS,
    DEVICES,
    PLANS,
    USERS,
    session_id,
)


@dataclass(frozen=True)
class Query:
    """A kind of query; `words` draws one, given the number of items."""

    name: str
    words: Callable[[Random, int], str]
    more: Mapping[str, object] = field(default_factory=dict)

    def parameters(self, rng: Random, items: int) -> dict[str, object]:
        """Give the parameters of one call."""
        return {"store": "stash", "q": self.words(rng, items), **self.more}


def three_ands(rng: Random, items: int) -> str:
    """Find 1 item in 320."""
    device, plan, country = rng.choice(DEVICES), rng.choice(PLANS), rng.choice(COUNTRIES)
    return f"device.type:{device} AND user.plan:{plan} AND location.country:{country}"


def _number_range(rng: Random, items: int) -> str:
    low = rng.randrange(90)
    return f"counters.views:[{low} TO {low + 9}]"


def _date_range(rng: Random, items: int) -> str:
    day = rng.randrange(1, DAYS)
    return f"session.start:[2026-01-{day:02} TO 2026-01-{day + 1:02}]"


def _all(rng: Random, items: int) -> str:
    return "*"


QUERIES = (
    Query("exact id", lambda rng, items: f"session.id:{session_id(rng.randrange(items))}"),
    Query("single term", lambda rng, items: f"location.city:{rng.choice(CITIES)}"),
    Query("three ANDs", three_ands),
    Query(
        "OR of 5",
        lambda rng, items: f"location.city:({' OR '.join(rng.sample(CITIES, 5))})",
    ),
    Query("NOT", lambda rng, items: f"NOT device.type:{rng.choice(DEVICES)}"),
    Query("number range, 1 in 10", _number_range),
    Query("date range, 2 days of 30", _date_range),
    Query(
        "prefix of 20,000 texts", lambda rng, items: f"user.id:u-{rng.randrange(USERS // 100):03}*"
    ),
    Query(
        "leading wildcard, 200 texts",
        lambda rng, items: f"location.city:*{rng.choice(CITIES)[-4:]}",
    ),
    Query(
        "leading wildcard, N texts",
        lambda rng, items: f"session.id:*{session_id(rng.randrange(items))[-4:]}",
    ),
    Query(
        "regex, 20,000 texts",
        lambda rng, items: rf"user.email:/user\.[0-9]+{rng.randrange(100):02}\@example\..*/",
    ),
    Query("exists, 1 in 20", lambda rng, items: "event.data.error:*"),
    Query("sort by number, top 10", _all, {"sort": "event.data.ms desc"}),
    Query("sort by text, top 10", _all, {"sort": "user.email asc"}),
    Query(
        "sort 1 in 10 by number",
        _number_range,
        {"sort": "event.data.ms desc"},
    ),
    Query("all, no sort", _all),
    Query("rows=0", lambda rng, items: f"device.type:{rng.choice(DEVICES)}", {"rows": 0}),
)


def deep(items: int) -> Query:
    """Ask for a page in the middle of everything."""
    return Query("start=N/2", _all, {"start": items // 2})


def item_of(id: str) -> dict[str, object]:
    """Ask for one item."""
    return {"store": "stash", "q": f"session.id:{id}"}
