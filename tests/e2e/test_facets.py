"""`/session/facets` over HTTP: what completion, facets and histograms are made of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.curl import add_store, refused, upsert
from tests.serving import Server

PEOPLE = [
    {"session": {"id": "1"}, "user": {"name": "Ada"}, "seen": "2026-01-01T10:00:00Z"},
    {"session": {"id": "2"}, "user": {"name": "Ada"}, "seen": "2026-01-01T10:20:00Z"},
    {"session": {"id": "3"}, "user": {"name": "Bob"}, "seen": 1_767_265_200_000},
]


@pytest.fixture(scope="module")
def people(server: Server) -> str:
    """A store with three people."""
    store = add_store(server, "people")
    upsert(server, store, *PEOPLE)
    return store


def facets(server: Server, store: str, **parameters: Any) -> Any:
    answer = server.call("session/facets", "POST", store=store, **parameters)
    assert answer.status == 200, answer.text
    return answer.json


def test_paths_values_and_a_histogram_are_one_endpoint(server: Server, people: str) -> None:
    assert facets(server, people, prefix="user") == {
        "count": 3,
        "facets": [{"value": "user", "count": 3}, {"value": "user.name", "count": 3}],
    }
    assert facets(server, people, q="user.name:A*", path="user.name") == {
        "count": 2,
        "facets": [{"value": "Ada", "count": 2}],
    }
    asked: dict[str, Any] = {
        "low": "2026-01-01T10:00:00Z",
        "high": "2026-01-01T10:00:00Z+2HOURS",
        "buckets": 4,
    }
    assert facets(server, people, path="seen", **asked) == {
        "count": 3,
        "facets": [
            {"value": 1_767_261_600_000, "count": 2},
            {"value": 1_767_263_400_000, "count": 0},
            {"value": 1_767_265_200_000, "count": 1},
            {"value": 1_767_267_000_000, "count": 0},
        ],
    }


def test_now_is_the_moment_of_the_call(server: Server, people: str) -> None:
    path = "_m1.session.lastUpdated"
    asked: dict[str, Any] = {"path": path, "low": "NOW-1HOUR", "high": "NOW+1HOUR", "buckets": 1}
    assert [each["count"] for each in facets(server, people, **asked)["facets"]] == [3]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"q": "a:("}, "cannot parse q at character 3"),
        ({"low": "1"}, "low, high, buckets: a histogram needs all three"),
        ({"low": "1", "high": "2", "buckets": "3"}, "path: a histogram needs one"),
        ({"path": "a", "low": "1", "high": "1", "buckets": "3"}, "high: it must be greater"),
        ({"path": "a", "low": "x", "high": "1", "buckets": "3"}, "low: a number or a date"),
        ({"path": "a", "low": "1", "high": "1e999", "buckets": "3"}, "high: the number 1e999"),
        ({"path": "a", "low": "1", "high": "NOW+1MOON", "buckets": "3"}, "high: "),
        ({"path": "a", "low": "1", "high": "2", "buckets": "0"}, "buckets: must be at least 1"),
        ({"path": "a", "low": "1", "high": "2", "buckets": "1001"}, "buckets: at most 1000"),
        ({"path": "a", "low": "-1e308", "high": "1e308", "buckets": "2"}, "high: it is too far"),
        ({"rows": "-1"}, "rows: must be at least 0"),
        ({"rows": "10001"}, "rows: at most 10000"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    server: Server, people: str, parameters: dict[str, Any], said: str
) -> None:
    reply = server.call("session/facets", "POST", store=people, **parameters)
    assert refused(reply, 400).startswith(said)


def test_who_may_query_may_count(server: Server, people: str) -> None:
    unknown = server.call("session/facets", "POST", store="nowhere")
    assert "nowhere" in refused(unknown, 404)
    refused(server.call("session/facets", "POST", token="x", store=people), 401)
