"""Reading what a query found by the client: all of it, or an error; in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from m1.errors import NoConnection
from tests.e2e.curl import fresh, session, upsert
from tests.e2e.flavours import both, connected
from tests.e2e.gateway import Gateway, Mishap, cut, gateway, shortened
from tests.serving import Server, serving

MANY = 2_500
ITEM_BYTES = 8_000


@pytest.fixture(scope="module")
def store(server: Server) -> str:
    """A store of 20 MB."""
    made = fresh(server)
    for begin in range(0, MANY, 500):
        pad = "é" * (ITEM_BYTES // 2)
        upsert(server, made, *(session(n, n=n, pad=pad) for n in range(begin, begin + 500)))
    return made


@pytest.fixture
def way(server: Server) -> Iterator[Gateway]:
    """A gateway to the server."""
    with gateway(server.port) as made:
        yield made


@both
def test_items_come_one_by_one_in_little_memory(server: Server, store: str, flavour: str) -> None:
    with connected(flavour, server.url, token=server.token) as client:
        tracemalloc.start()
        try:
            with client.session.query(store, "*", sort="n asc", rows=MANY) as result:
                assert result.count == MANY
                for number, item in enumerate(result):
                    assert (item["n"], len(item["pad"])) == (number, ITEM_BYTES // 2)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert number == MANY - 1
    assert most < 4_000_000


@both
@pytest.mark.parametrize(
    "mishap", [cut(0), cut(100_000), cut(-1), shortened(0), shortened(7)], ids=range(5)
)
def test_an_answer_that_breaks_off_is_an_error_and_never_looks_whole(
    server: Server, store: str, way: Gateway, flavour: str, mishap: Mishap
) -> None:
    way.mishaps.append(mishap)
    got: list[Any] = []
    with connected(flavour, way.url, token=server.token) as client:
        with (
            pytest.raises(NoConnection, match=r"broke off after \d+ of 20 items"),
            client.session.query(store, "*", rows=20) as result,
        ):
            got.extend(result)
        assert len(got) <= 20
        with client.session.query(store, "*", rows=20) as result:
            assert len(list(result)) == 20


@both
def test_a_server_that_dies_is_noticed_while_a_stream_is_read(tmp_path: Path, flavour: str) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        for begin in range(0, 1_000, 250):
            some = (session(n, pad="p" * 20_000) for n in range(begin, begin + 250))
            upsert(server, "stash", *some)
        with (
            connected(flavour, server.url, token=server.token) as client,
            client.session.query("stash", "*", rows=1_000) as result,
        ):
            next(result)
            server.kill()
            with pytest.raises(NoConnection, match="broke off"):
                list(result)


@both
def test_a_stream_that_was_left_is_not_taken_for_one_that_ended(
    server: Server, store: str, flavour: str
) -> None:
    with connected(flavour, server.url, token=server.token) as client:
        with client.session.query(store, "*", rows=MANY) as result:
            next(result)
        with pytest.raises(NoConnection, match="broke off"):
            list(result)
