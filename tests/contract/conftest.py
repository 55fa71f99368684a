"""A fresh engine for a story, whichever engine it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from m1.engine import Engine
from tests.conftest import make_engine
from tests.opensearch import Cluster

Story = Callable[[Engine], Awaitable[None]]
OnEngine = Callable[[Story], None]


@pytest.fixture
def on_engine(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> OnEngine:
    """Run a story, given as a coroutine function, on an empty engine with the space "s"."""
    nodes: Cluster | None = None
    if engine_name == "opensearch":
        nodes = request.getfixturevalue("nodes")

    async def run(story: Story, urls: Sequence[str] = (), prefix: str = "") -> None:
        engine = await make_engine(engine_name, tmp_path, urls, prefix)
        try:
            await engine.create_space("s", 1, 1)
            await story(engine)
        finally:
            await engine.close()

    def start(story: Story) -> None:
        if nodes is None:
            return asyncio.run(run(story))
        with nodes.own_prefix() as prefix:
            return asyncio.run(run(story, nodes.urls, prefix))

    return start


@pytest.fixture
def on_one_machine(engine_name: str, on_engine: OnEngine) -> OnEngine:
    """The same for what engines promise that are one process: updates that are transactions."""
    if engine_name == "opensearch":
        pytest.skip("a cluster does not promise this")
    return on_engine
