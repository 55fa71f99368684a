"""The catalog's steps, and the loop that carries them out."""

from __future__ import annotations

import asyncio

import pytest

from m1.catalog import DEFAULTS, Catalog, SharedCatalog, Store, User
from m1.errors import BadRequest, Conflict, NotFound
from tests.oracle import Oracle

STORE = Store("u1", "session.id", 1, 1)
ADMIN = User("hash", ("admin",), "e1")
CATALOG = Catalog(initialized=True, secret="s", users={"root": ADMIN}).with_store("stash", STORE)


@pytest.mark.parametrize("name", ["", "a b", "../x", "_all*", "\u00e9", "x" * 65, "a\n", "a\0"])
def test_names_that_no_store_can_have_are_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        CATALOG.with_store(name, STORE)
    with pytest.raises(BadRequest):
        CATALOG.with_renamed_store("stash", name)


def test_a_name_that_is_taken_is_a_conflict_but_case_counts() -> None:
    with pytest.raises(Conflict):
        CATALOG.with_store("stash", STORE)
    assert "Stash" in CATALOG.with_store("Stash", STORE).stores


def test_renaming_keeps_the_space_and_to_its_own_name_is_nothing() -> None:
    renamed = CATALOG.with_renamed_store("stash", "other")
    assert renamed.stores == {"other": STORE}
    assert CATALOG.with_renamed_store("stash", "stash") == CATALOG
    with pytest.raises(NotFound):
        CATALOG.with_renamed_store("nope", "other")


def test_a_dropped_store_leaves_a_doomed_space() -> None:
    dropped = CATALOG.without_store("stash")
    assert dropped.stores == {}
    assert dropped.doomed == ("u1",)
    assert dropped.without_doomed("u1").doomed == ()


def test_a_re_keyed_store_has_another_space_whatever_its_name_is_by_then() -> None:
    doomed = CATALOG.with_doomed("u2").with_renamed_store("stash", "other")
    moved = doomed.with_space("u1", "u2", "k")
    assert moved.stores == {"other": Store("u2", "k", 1, 1)}
    assert moved.doomed == ("u1",)
    with pytest.raises(NotFound):
        CATALOG.without_store("stash").with_space("u1", "u2", "k")


def test_the_last_admin_can_be_neither_removed_nor_stripped() -> None:
    with pytest.raises(Conflict):
        CATALOG.without_user("root")
    with pytest.raises(Conflict):
        CATALOG.with_user("root", rights=("get",))
    two = CATALOG.with_new_user("other", ADMIN)
    assert list(two.without_user("root").users) == ["other"]


def test_settings_have_defaults_and_no_others_exist() -> None:
    assert CATALOG.setting("token-expire-ms") == "86400000"
    assert CATALOG.setting("init") == "true"
    assert CATALOG.with_settings({"geo": "false"}).setting("geo") == "false"
    assert set(DEFAULTS) >= {"cors", "property-ip", "property-received", "property-session-id"}
    with pytest.raises(NotFound):
        CATALOG.setting("nope")


def test_changes_from_two_servers_at_once_are_both_kept() -> None:
    async def story() -> None:
        engine = Oracle()
        one, two = SharedCatalog(engine), SharedCatalog(engine)
        await asyncio.gather(
            *[
                side.change(lambda catalog, uid=f"{number}": catalog.with_doomed(uid))  # type: ignore[misc]
                for number, side in enumerate([one, two] * 10)
            ]
        )
        assert sorted((await one.get()).doomed, key=int) == [str(n) for n in range(20)]
        assert await one.get() == await two.get()

    asyncio.run(story())


def test_what_a_step_raises_changes_nothing() -> None:
    async def story() -> None:
        shared = SharedCatalog(Oracle())
        with pytest.raises(NotFound):
            await shared.change(lambda catalog: catalog.without_store("nope"))
        assert await shared.get() == Catalog()

    asyncio.run(story())


def test_doomed_spaces_are_removed_and_struck_off() -> None:
    async def story() -> None:
        engine = Oracle()
        shared = SharedCatalog(engine)
        await engine.create_space("u1", 1, 1)
        await shared.change(lambda catalog: catalog.with_doomed("u1").with_doomed("u2"))
        await shared.remove_all_doomed()
        assert engine.spaces == {}
        assert (await shared.get()).doomed == ()

    asyncio.run(story())
