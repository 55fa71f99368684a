"""What a type checker of a program that uses the client knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_GOOD = """
from collections.abc import Awaitable
from typing import Any, assert_type

from m1 import AsyncClient, Client
from m1.answers import FacetCounts, Health, StoreInfo, UserInfo
from m1.client import AsyncResult, AsyncUpdates, FailedUpdate, Result, Updates

with Client("http://127.0.0.1:8100", username="ada", password="secret") as client:
    assert_type(client, Client)
    assert_type(client.ping(), bool)
    assert_type(client.auth("ada", ttl=1), str)
    assert_type(client.health(), dict[str, Health])
    assert_type(client.session.list(), list[StoreInfo])
    assert_type(client.session.facets("stash", path="a.b", low="2024"), FacetCounts)
    assert_type(client.user.get("ada"), UserInfo)
    assert_type(client.system.setting("geo"), str)
    client.session.update("stash", upsert=[{"session": {"id": 1}}], delete=["a", 2])
    with client.session.query("stash", "*", sort="n desc", rows=1_000) as result:
        assert_type(result, Result)
        assert_type(result.count, int)
        for item in result:
            assert_type(item, dict[str, Any])
    def failed(failure: FailedUpdate) -> None: ...
    with client.updates("stash", on_failure=failed) as updates:
        assert_type(updates, Updates)
        updates.upsert({"session": {"id": 1}})
assert_type(Client.of("local"), Client)

async def main() -> None:
    async with AsyncClient.of("local") as client:
        assert_type(client, AsyncClient)
        assert_type(client.session.list(), Awaitable[list[StoreInfo]])
        assert_type(await client.session.list(), list[StoreInfo])
        assert_type(await client.ping(), bool)
        async with client.session.query("stash", "*") as result:
            assert_type(result, AsyncResult)
            async for item in result:
                assert_type(item, dict[str, Any])
        async with client.updates("stash") as updates:
            assert_type(updates, AsyncUpdates)
            await updates.delete("a")
"""
_BAD = """
from m1 import AsyncClient, Client, Cleint

client = Client("http://127.0.0.1:8100", user="ada")
client.session.drop()
client.session.rename("stash", 1)
client.session.query("stash", "*", "n desc")
client.session.updat("stash")
for item in client.session.query("stash", "*"): ...
AsyncClient.of("local").session.list()[0]
with AsyncClient.of("local"): ...
"""


def test_a_programs_types_are_checked_through_the_client(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(_GOOD)
    (tmp_path / "bad.py").write_text(_BAD)
    checker = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    ran = subprocess.run(
        [*checker, "good.py", "bad.py"], cwd=tmp_path, capture_output=True, text=True
    )
    told = ran.stdout.splitlines()[:-1]
    wrong = {int(line.split(":")[1]) for line in told if ": error:" in line}
    assert all(line.startswith("bad.py:") for line in told), ran.stdout
    every = {number for number, line in enumerate(_BAD.splitlines(), 1) if line}
    assert wrong == every, ran.stdout
