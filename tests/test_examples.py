"""Each query of docs/query-language.md finds what stands behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Server, serving

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "query-language.md").read_text()
ROW = re.compile(r"^\| `(?P<q>[^`]+)` \| (?P<middle>.+) \| (?P<found>[^|]+) \|$", re.MULTILINE)


def examples() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each example of the page: query, sort, and the ids that it shows."""
    for row in ROW.finditer(PAGE):
        sort = re.fullmatch(r"`(.+ (?:asc|desc))`", row["middle"])
        found = [] if row["found"] == "none" else row["found"].split(" ")
        yield row["q"], sort[1] if sort else "", found


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the ten sessions of the page."""
    (lines,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    items = [json.loads(line) for line in lines.splitlines()]
    assert len(items) == 10
    with serving(tmp_path_factory.mktemp("ten")) as server:
        server.add_stash()
        ops = json.dumps([{"upsert": items}])
        assert server.call("session/update", store="stash", ops=ops).status == 204
        yield server


def found(server: Server, q: str, sort: str) -> list[str]:
    """Give the short ids of what a query finds."""
    order: dict[str, Any] = {"sort": sort} if sort else {}
    reply = server.call("session/query", store="stash", q=q, rows=100, **order)
    assert reply.status == 200, reply.text
    return [item["session"]["id"] for item in reply.json["items"]]


def test_there_are_examples_of_everything() -> None:
    assert len(list(examples())) > 50


@pytest.mark.parametrize(("q", "sort", "shown"), list(examples()))
def test_every_example_finds_what_is_shown(ten: Server, q: str, sort: str, shown: Any) -> None:
    assert found(ten, q, sort) == shown
