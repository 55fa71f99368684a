"""Anything that clients may do, in any order: the embedded engine answers as the oracle does.

The machine speaks to the endpoints' own code, above two engines at once, so that rename,
re-key and drop are in it. It is shown to be worth something by finding an engine that was
broken on purpose.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from m1.api.endpoint import Json
from m1.embedded.engine import EmbeddedEngine
from m1.embedded.space import Space
from m1.engine import Engine
from m1.errors import M1Error
from m1.opensearch import OpenSearchEngine
from tests.calling import Sessions
from tests.crash.tier import rounds
from tests.opensearch import Cluster
from tests.oracle import Oracle
from tests.segmented import SegmentedEngine, tiny_segments
from tests.strategies import facets, items, queries, sorts

T = TypeVar("T")
IDS = st.sampled_from(["a", "b", "c", "10", "9", "\u00e9"])
STORES = st.sampled_from(["one", "two"])
KEYS = st.sampled_from(["id", "k.id"])


class Side:
    """One engine under the endpoints."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sessions = Sessions(engine)

    async def do(self, name: str, /, **parameters: Any) -> Any:
        """Call an endpoint; gives its answer, or the status of its refusal."""
        if name == "update":
            parameters["ops"] = Json.of(parameters["ops"].encode())
        try:
            answer = await self.sessions.call(name, **parameters)
        except M1Error as error:
            return error.status
        if name != "query":
            return answer
        async with answer as page:
            found = [msgspec.json.decode(body) async for batch in page for body in batch]
        for item in found:
            del item["_m1"]
        return page.count, found


class EngineMachine(RuleBasedStateMachine):
    """Both engines, and what may be done to them."""

    engine: type[EmbeddedEngine] = EmbeddedEngine

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp())
        self.oracle = Side(Oracle())
        self.real = self.run(self.opened())
        self.both("add", store="one", shards=1, replicas=1, key="id")

    async def opened(self) -> Side:
        return Side(self.engine(self.directory))

    def run(self, story: Awaitable[T]) -> T:
        async def running() -> T:
            return await story

        return self.runner.run(running())

    def both(self, name: str, /, **parameters: Any) -> Any:
        expected = self.run(self.oracle.do(name, **parameters))
        assert self.run(self.real.do(name, **parameters)) == expected
        return expected

    @rule(store=STORES, upserts=st.lists(items(), max_size=6), removed=st.lists(IDS, max_size=2))
    def update(self, store: str, upserts: list[Any], removed: list[str]) -> None:
        ops = msgspec.json.encode([{"upsert": upserts, "delete": removed}])
        self.both("update", store=store, ops=ops.decode())

    @rule(store=STORES, q=queries(), sort=sorts(), start=st.integers(0, 4), rows=st.integers(0, 9))
    def query(self, store: str, q: str, sort: str | None, start: int, rows: int) -> None:
        self.both("query", store=store, q=q, sort=sort, start=start, rows=rows)

    @rule(store=STORES, q=queries(), facets=facets())
    def facets(self, store: str, q: str, facets: dict[str, Any]) -> None:
        self.both("facets", store=store, q=q, **facets)

    @rule(store=STORES, key=KEYS)
    def add(self, store: str, key: str) -> None:
        self.both("add", store=store, shards=1, replicas=1, key=key)

    @rule(store=STORES, name=STORES)
    def rename(self, store: str, name: str) -> None:
        self.both("rename", store=store, name=name)

    @rule(store=STORES, key=KEYS)
    def key(self, store: str, key: str) -> None:
        self.both("key", store=store, key=key)

    @rule(store=STORES)
    def drop(self, store: str) -> None:
        self.both("drop", store=store)

    @rule()
    def restart(self) -> None:
        self.run(self.real.engine.close())
        self.real = self.run(self.opened())

    @invariant()
    def all_items_are_the_same(self) -> None:
        for store in ("one", "two"):
            self.both("query", store=store, q="*", rows=100)

    def teardown(self) -> None:
        self.run(self.real.engine.close())
        self.runner.close()
        shutil.rmtree(self.directory)


SOUND = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def test_the_embedded_engine_answers_as_the_oracle_does() -> None:
    run_state_machine_as_test(EngineMachine, settings=SOUND)


class SegmentedMachine(EngineMachine):
    """The same, but nearly everything is in segments."""

    engine = SegmentedEngine


def test_segments_answer_as_the_oracle_does() -> None:
    with tiny_segments():
        run_state_machine_as_test(SegmentedMachine, settings=SOUND)


class ClusterMachine(EngineMachine):
    """The same on a real cluster, with fewer examples: each costs seconds."""

    nodes: Cluster

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.prefix = self.stack.enter_context(self.nodes.own_prefix())
        super().__init__()

    async def opened(self) -> Side:
        return Side(await OpenSearchEngine.open(self.nodes.urls, None, self.prefix))

    def teardown(self) -> None:
        super().teardown()
        self.stack.close()


def test_a_cluster_answers_as_the_oracle_does(nodes: Cluster) -> None:
    ClusterMachine.nodes = nodes
    few = settings(SOUND, max_examples=rounds(commit=5, torture=200), phases=[Phase.generate])
    run_state_machine_as_test(ClusterMachine, settings=few)


async def _forgets_removals(self: Space, changes: Any, rows: Any) -> None:
    kept = [pair for pair in zip(changes, rows, strict=True) if pair[1].body is not None]
    await _show(self, [change for change, _ in kept], [row for _, row in kept])


_show: Callable[..., Awaitable[None]] = Space.show


def test_an_engine_that_forgets_removals_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Space, "show", _forgets_removals)
    found_is_enough = settings(SOUND, database=None, phases=[Phase.generate], max_examples=2_000)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(EngineMachine, settings=found_is_enough)
