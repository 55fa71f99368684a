"""Fixtures: every engine, and a real server."""

from __future__ import annotations

import random
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest

from m1.embedded.engine import EmbeddedEngine
from m1.engine import Engine
from m1.opensearch import OpenSearchEngine
from tests.clustered import Two
from tests.opensearch import SOON, Cluster, Missing, cluster
from tests.oracle import Oracle
from tests.segmented import SegmentedEngine, tiny_segments
from tests.serving import Server, serving


def pytest_configure() -> None:
    """Let what tests start take a Ctrl-C: who runs us in the background has us pass it over."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Where tests run beside each other, keep a file's together, and those of a cluster.

    Those that kill its nodes have one of their own, so that they run beside the others.
    """
    assert isinstance(item, pytest.Function)
    engine = item.callspec.params.get("engine_name") if hasattr(item, "callspec") else None
    on_cluster = engine == "opensearch" or "nodes" in item.fixturenames
    if item.get_closest_marker("xdist_group") is None:
        cluster_group = "cluster to crash" if item.path.parent.name == "crash" else "cluster"
        group = cluster_group if on_cluster else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(params=["oracle", "embedded", "segmented", "opensearch"])
def engine_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an engine; a test that asks for it is run on each."""
    name: str = request.param
    with tiny_segments() if name == "segmented" else nullcontext():
        yield name


@pytest.fixture(scope="session")
def nodes() -> Iterator[Cluster]:
    """A real cluster of three nodes, shared by many tests; each uses a prefix of its own."""
    with tempfile.TemporaryDirectory(prefix="m1-opensearch-") as directory, ExitStack() as stack:
        try:
            yield stack.enter_context(cluster(Path(directory), 3, SOON))
        except Missing as error:
            pytest.skip(str(error))


@pytest.fixture(scope="module")
def two(nodes: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two servers over the cluster, with one user, whose token both take."""
    with ExitStack() as stack:
        servers = Two(stack, tmp_path_factory.mktemp("two"), nodes)
        servers.log_in()
        yield servers


async def make_engine(
    name: str, directory: Path, urls: Sequence[str] = (), prefix: str = ""
) -> Engine:
    """Make an engine by name."""
    match name:
        case "opensearch":
            return await OpenSearchEngine.open(urls, None, prefix)
        case "oracle":
            return Oracle()
        case "segmented":
            return SegmentedEngine(directory)
        case _:
            return EmbeddedEngine(directory)


@pytest.fixture
def rand() -> random.Random:
    """A source of chance whose seed is printed."""
    seed = random.randrange(2**32)
    print("seed", seed)  # noqa: T201
    return random.Random(seed)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the user admin and the store stash, shared by many tests."""
    with serving(tmp_path_factory.mktemp("server")) as started:
        started.add_stash()
        yield started
