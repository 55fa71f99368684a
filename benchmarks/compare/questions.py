"""The questions, each in the three languages: Lucene's, SQL, and OpenSearch's JSON.

The SQL is what someone writes who keeps sessions as JSONB under a GIN index: containment
where the index helps, the value itself where it cannot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.sessions import CITIES, COUNTRIES, DEVICES, PLANS, session_id

HALF = 50
"""So many of the 100 values of counters.views are half of all items."""


@dataclass(frozen=True)
class Question:
    """One condition, how what it finds is ordered, and how many of it are skipped."""

    q: str
    where: str
    values: Sequence[object]
    filter: dict[str, Any]
    by_ms: bool = False
    """Whether those with the greatest event.data.ms come first; else by id."""
    start: int = 0
    at_most_one: bool = False

    @property
    def sort(self) -> str | None:
        """The order in our words."""
        return "event.data.ms desc" if self.by_ms else None

    @property
    def order(self) -> str:
        """The order in SQL."""
        return "(body->'event'->'data'->>'ms')::int DESC, id" if self.by_ms else "id"


@dataclass(frozen=True)
class Kind:
    """Questions of one kind, their words drawn anew each time; the ratios aimed at."""

    name: str
    draw: Callable[[Random, int], Question]
    postgres: float = 10
    opensearch: float = 3


def _term(path: str, value: str) -> dict[str, Any]:
    return {"term": {path: value}}


def _containing(*paths_and_values: tuple[str, str]) -> str:
    whole: dict[str, Any] = {}
    for path, value in paths_and_values:
        *above, last = path.split(".")
        place = whole
        for key in above:
            place = place.setdefault(key, {})
        place[last] = value
    return json.dumps(whole)


def _exact_id(rng: Random, items: int) -> Question:
    id = session_id(rng.randrange(items))
    return Question(f"session.id:{id}", "id = %s", [id], _term("session.id", id), at_most_one=True)


def _three_ands(rng: Random, items: int) -> Question:
    terms = (
        ("device.type", rng.choice(DEVICES)),
        ("user.plan", rng.choice(PLANS)),
        ("location.country", rng.choice(COUNTRIES)),
    )
    return Question(
        " AND ".join(f"{path}:{value}" for path, value in terms),
        "body @> %s::jsonb",
        [_containing(*terms)],
        {"bool": {"filter": [_term(*each) for each in terms]}},
    )


def _or_of_five(rng: Random, items: int) -> Question:
    cities = rng.sample(CITIES, 5)
    return Question(
        f"location.city:({' OR '.join(cities)})",
        " OR ".join(["body @> %s::jsonb"] * 5),
        [_containing(("location.city", city)) for city in cities],
        {"terms": {"location.city": cities}},
    )


def _not(rng: Random, items: int) -> Question:
    device = rng.choice(DEVICES)
    return Question(
        f"NOT device.type:{device}",
        "NOT body @> %s::jsonb",
        [_containing(("device.type", device))],
        {"bool": {"must_not": [_term("device.type", device)]}},
    )


def _half(rng: Random, items: int, by_ms: bool = False) -> Question:
    low = rng.randrange(100 - HALF)
    high = low + HALF - 1
    return Question(
        f"counters.views:[{low} TO {high}]",
        "(body->'counters'->>'views')::int BETWEEN %s AND %s",
        [low, high],
        {"range": {"counters.views": {"gte": low, "lte": high}}},
        by_ms,
    )


def _half_by_number(rng: Random, items: int) -> Question:
    return _half(rng, items, by_ms=True)


def _deep(rng: Random, items: int) -> Question:
    start = items // 10 + rng.randrange(1_000)
    return Question("*", "true", [], {"match_all": {}}, start=start)


def _leading_wildcard(rng: Random, items: int) -> Question:
    end = session_id(rng.randrange(items))[-4:]
    return Question(
        f"session.id:*{end}",
        "id LIKE %s",
        [f"%{end}"],
        {"wildcard": {"session.id": {"value": f"*{end}"}}},
    )


KINDS = (
    Kind("exact id", _exact_id, postgres=1),
    Kind("three ANDs", _three_ands),
    Kind("OR of 5", _or_of_five),
    Kind("NOT, 3 of 4", _not),
    Kind("range, half of all", _half),
    Kind("half of all, top 10 by number", _half_by_number),
    Kind("all, start=N/10", _deep),
    Kind("leading wildcard, N texts", _leading_wildcard),
)
