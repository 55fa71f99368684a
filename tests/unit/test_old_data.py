"""Data that an older version wrote opens, or is refused by name."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from m1.embedded.engine import EmbeddedEngine
from m1.errors import StartError
from tests.calling import Sessions

DATA = Path(__file__).parents[1] / "data"


def found(data: Path, q: str) -> list[Any]:
    async def story() -> list[Any]:
        engine = EmbeddedEngine(data)
        try:
            asked = Sessions(engine).call("query", store="stash", q=q, rows=1_000)
            async with await asked as page:
                items = [json.loads(body) async for bodies in page for body in bodies]
            assert len(items) == page.count
            return [item["id"] for item in items]
        finally:
            await engine.close()

    return asyncio.run(story())


@pytest.mark.parametrize("with_index", [True, False])
def test_format_1_opens(tmp_path: Path, with_index: bool) -> None:
    data = tmp_path / "data"
    shutil.copytree(DATA / "format-1", data)
    assert list(data.rglob("*.segment"))
    if not with_index:
        shutil.rmtree(data / "index")
    everything = [f"i{n:02}" for n in range(21) if n != 3]
    assert found(data, "*") == everything
    assert found(data, "n:[17 TO *]") == ["i17", "i18", "i19", "i20"]
    assert found(data, "n:four") == ["i04"]
    assert found(data, "d.at:2023-11-08") == ["i07"]
    assert found(data, 't:"text 1" OR t:*19') == ["i01", "i19"]
    assert found(data, "\u00e9:true") == ["i20"]


def test_a_later_format_is_refused_by_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(DATA / "format-1", data)
    connection = sqlite3.connect(data / "items.db")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(StartError, match="data format 2, this version of m1 reads format 1"):
        found(data, "*")
