"""Batches of changes by the client: in order, bounded, and nothing silently lost."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from m1 import AsyncClient, Client
from m1.client import FailedUpdate, UpdatesFailed
from m1.errors import BadRequest, Misuse, NoConnection, NotFound
from tests.e2e.curl import found, fresh, ids, session
from tests.e2e.flavours import both, connected
from tests.e2e.gateway import Gateway, gateway, lost, refused
from tests.serving import Server
from tests.waiting import until


@pytest.fixture
def way(server: Server) -> Iterator[Gateway]:
    """A gateway to the server."""
    with gateway(server.port) as made:
        yield made


def bring(client: Client, store: str, *items: Any, **options: Any) -> None:
    """Upsert items by one batch."""
    with client.updates(store, **options) as updates:
        for item in items:
            updates.upsert(item)


def sent(way: Gateway) -> list[list[dict[str, list[Any]]]]:
    """Give the ops of each update that came."""
    return [json.loads(call.body)["ops"] for call in way.calls]


@both
def test_changes_are_gathered_and_applied_in_their_order(
    server: Server, way: Gateway, flavour: str
) -> None:
    store = fresh(server)
    with (
        connected(flavour, way.url, token=server.token) as client,
        client.updates(store, changes=7) as updates,
    ):
        for n in range(20):
            updates.upsert(session("often", n=n))
            updates.delete("often")
            updates.upsert(session(n, n=n))
            updates.delete(n - 1)
        updates.upsert(session("often", n=20))
    assert found(server, store) == [session(19, n=19), session("often", n=20)]
    sizes = [sum(len(some) for op in ops for some in op.values()) for ops in sent(way)]
    assert sum(sizes) == 81
    assert max(sizes) <= 7


@both
def test_an_item_is_taken_as_it_is_when_it_is_added(server: Server, flavour: str) -> None:
    store, item = fresh(server), session("a", n=1)
    with (
        connected(flavour, server.url, token=server.token) as client,
        client.updates(store) as updates,
    ):
        updates.upsert(item)
        item["n"] = 2
        with pytest.raises(TypeError):
            updates.upsert(session("b", n=object()))
    assert found(server, store) == [session("a", n=1)]


@both
def test_a_change_waits_no_longer_than_was_said(server: Server, flavour: str) -> None:
    store = fresh(server)
    with (
        connected(flavour, server.url, token=server.token) as client,
        client.updates(store, seconds=0.2) as updates,
    ):
        for id in ("a", "b"):
            updates.upsert(session(id))
            until(partial(found, server, store, f"session.id:{id}"), f"{id} waits", 5)


@both
def test_what_is_flushed_is_found_by_the_next_query(server: Server, flavour: str) -> None:
    store = fresh(server)
    with (
        connected(flavour, server.url, token=server.token) as client,
        client.updates(store, seconds=60) as updates,
    ):
        updates.flush()
        updates.upsert(session("a"))
        assert ids(server, store) == []
        updates.flush()
        assert ids(server, store) == ["a"]
        updates.delete("a")
    assert ids(server, store) == []


@both
def test_an_update_has_a_size(server: Server, way: Gateway, flavour: str) -> None:
    store = fresh(server)
    with (
        connected(flavour, way.url, token=server.token) as client,
        client.updates(store, size=10_000) as updates,
    ):
        for n in range(20):
            updates.upsert(session(n, pad="p" * 4_000))
        updates.upsert(session("large", pad="p" * 50_000))
    assert len(ids(server, store)) == 21
    assert all(len(call.body) < 13_000 or b"large" in call.body for call in way.calls)


def test_whoever_brings_too_much_waits(server: Server, way: Gateway) -> None:
    store, added = fresh(server), 0
    way.open.clear()
    with (
        Client(way.url, token=server.token) as client,
        ThreadPoolExecutor(1) as thread,
        client.updates(store, size=10_000) as updates,
    ):

        def bring() -> None:
            nonlocal added
            for n in range(50):
                updates.upsert(session(n, pad="p" * 5_000))
                added += 1

        done = thread.submit(bring)
        until(lambda: added >= 16, "nothing is added")
        with pytest.raises(TimeoutError):
            done.result(0.3)
        assert added == 16  # eight times the size, and no more
        way.open.set()
        done.result(20)
    assert len(ids(server, store)) == 50


def test_whoever_brings_too_much_waits_in_a_loop_where_others_go_on(
    server: Server, way: Gateway
) -> None:
    store = fresh(server)
    way.open.clear()

    async def main() -> None:
        added = 0

        async def bring() -> None:
            nonlocal added
            for n in range(50):
                await updates.upsert(session(n, pad="p" * 5_000))
                added += 1

        async with (
            AsyncClient(way.url, token=server.token) as client,
            client.updates(store, size=10_000) as updates,
        ):
            bringing = asyncio.create_task(bring())
            await asyncio.to_thread(until, lambda: added >= 16, "nothing is added")
            await asyncio.sleep(0.2)
            assert (added, bringing.done()) == (16, False)
            way.open.set()
            await bringing

    asyncio.run(main())
    assert len(ids(server, store)) == 50


def test_many_threads_bring_changes(server: Server) -> None:
    store = fresh(server)
    with (
        Client(server.url, token=server.token) as client,
        ThreadPoolExecutor(8) as threads,
        client.updates(store, changes=50) as updates,
    ):
        list(threads.map(lambda n: updates.upsert(session(n)), range(400)))
        updates.flush()
        assert len(ids(server, store)) == 400


# --- what fails ---


@both
def test_only_the_change_that_is_refused_is_not_applied(server: Server, flavour: str) -> None:
    store, items = fresh(server), [session(n) for n in range(100)]
    bad: list[dict[str, Any]] = [{"no": "key"}, {"no": 1}]
    items[30], items[60] = bad
    with connected(flavour, server.url, token=server.token) as client:
        with pytest.raises(UpdatesFailed, match="2 changes were not applied.*no value") as told:
            bring(client, store, *items)
        assert [each.ops for each in told.value.failures] == [[{"upsert": [each]}] for each in bad]
        assert all(isinstance(each.error, BadRequest) for each in told.value.failures)
    assert len(ids(server, store)) == 98


@both
def test_failures_are_given_to_who_wants_them_and_are_no_error_then(
    server: Server, flavour: str
) -> None:
    failures: list[FailedUpdate] = []
    with (
        connected(flavour, server.url, token=server.token) as client,
        client.updates("nowhere", changes=2, on_failure=failures.append) as updates,
    ):
        for n in range(4):
            updates.upsert(session(n))
            updates.delete(n)
    assert [each.ops for each in failures] == [
        [{"upsert": [session(n)], "delete": [n]}] for n in range(4)
    ]
    assert {type(each.error) for each in failures} == {NotFound}


@both
def test_an_update_whose_answer_was_lost_is_told_and_not_sent_again(
    server: Server, way: Gateway, flavour: str
) -> None:
    store = fresh(server)
    way.mishaps.extend([refused(503, 0), lost])
    with (
        connected(flavour, way.url, token=server.token) as client,
        pytest.raises(UpdatesFailed) as told,
    ):
        bring(client, store, session("a"))
    (failure,) = told.value.failures
    assert failure.ops == [{"upsert": [session("a")]}]
    assert isinstance(failure.error, NoConnection)
    assert len(way.calls) == 2


@both
def test_an_error_of_the_block_stays_and_has_a_note_of_what_failed(
    server: Server, flavour: str
) -> None:
    store = fresh(server)
    with (
        connected(flavour, server.url, token=server.token) as client,
        pytest.raises(TypeError, match="unsupported") as told,
    ):
        bring(client, store, session("a"), {"no": "key"}, session("b", n=object()))
    assert told.value.__notes__[0].startswith("1 change was not applied")
    assert ids(server, store) == ["a"]


@both
def test_failures_that_nobody_takes_do_not_fill_the_memory(server: Server, flavour: str) -> None:
    brought = [session(n, pad="p" * 1_000) for n in range(1_000)]
    with (
        connected(flavour, server.url, token=server.token) as client,
        pytest.raises(UpdatesFailed) as told,
    ):
        bring(client, "nowhere", *brought, size=2_000)
    assert sum(len(op["upsert"]) for each in told.value.failures for op in each.ops) < 20


@both
def test_a_callback_that_fails_ends_the_batch(server: Server, flavour: str) -> None:
    def fail(failure: FailedUpdate) -> None:
        raise ZeroDivisionError

    many = [session(n) for n in range(100_000)]
    with (
        connected(flavour, server.url, token=server.token) as client,
        pytest.raises(ZeroDivisionError) as told,
    ):
        bring(client, "nowhere", *many, changes=1, on_failure=fail)
    assert "are not applied" in told.value.__notes__[0]


def test_a_callback_that_would_wait_for_itself_is_told_so(server: Server) -> None:
    with (
        Client(server.url, token=server.token) as client,
        pytest.raises(RuntimeError, match="on_failure cannot"),
        client.updates("nowhere", on_failure=lambda _: updates.upsert(session("b"))) as updates,
    ):
        updates.upsert(session("a"))


@both
def test_nothing_is_added_before_the_block_or_behind_it(server: Server, flavour: str) -> None:
    with connected(flavour, server.url, token=server.token) as client:
        with client.updates("stash") as updates:
            pass
        with pytest.raises(RuntimeError, match="not open"):
            updates.upsert(session("late"))
        with pytest.raises(RuntimeError, match="not open"):
            client.updates("stash").upsert(session("early"))
        with pytest.raises(Misuse):
            client.updates("stash", changes=0)


def test_a_cancelled_task_leaves_no_sender_behind(server: Server, way: Gateway) -> None:
    store = fresh(server)
    way.open.clear()

    async def bring() -> None:
        async with (
            AsyncClient(way.url, token=server.token) as client,
            client.updates(store) as updates,
        ):
            await updates.upsert(session("a"))
            await updates.flush()

    async def main() -> None:
        bringing = asyncio.create_task(bring())
        await asyncio.to_thread(until, lambda: way.calls, "nothing is sent")
        bringing.cancel()
        await asyncio.sleep(0)
        bringing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bringing
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert not [thread for thread in threading.enumerate() if thread.name == "m1 updates"]
