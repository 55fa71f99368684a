"""A change that was let in and then lost its right, because another one ended it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from m1.access import Caller
from m1.api.endpoint import Call, Endpoint, declared_in
from m1.api.rooms import ROOMS
from m1.api.services import Services
from m1.catalog import Catalog, SharedCatalog, Store, User
from m1.errors import Unauthorized
from tests.calling import NOW
from tests.oracle import Oracle

CHANGES = [
    pytest.param(room, endpoint, name, id=endpoint.path)
    for room in ROOMS
    for endpoint, name in declared_in(room)
    if endpoint.audited and endpoint.rights is not None and endpoint.path != "auth"
]
ADMIN, REVOKED = ("admin",), ("get",)


def catalog_with(rights: Sequence[str]) -> Catalog:
    """A catalog in which every example of an endpoint can be carried out."""
    users = {
        "boss": User(password="", rights=tuple(rights), epoch="1"),
        "other": User(password="", rights=ADMIN, epoch="1"),
        "ada": User(password="", rights=(), epoch="1"),
    }
    return Catalog(
        initialized=True, secret="s", users=users, stores={"stash": Store("u", "id", 1, 1)}
    )


async def carry_out(room: type, endpoint: Endpoint, name: str, rights: Sequence[str]) -> None:
    """Call as somebody who was admin when the call came, and now has other rights."""
    engine = Oracle()
    await engine.create_space("u", 1, 1)
    await engine.save_catalog(msgspec.json.encode(catalog_with(rights)), 0)
    call = Call(catalog_with(ADMIN), "127.0.0.1", NOW, "token", Caller("boss", ADMIN))
    parameters = endpoint.read(endpoint.example_texts)
    if endpoint.path == "user/add":
        parameters["username"] = "newcomer"
    method = getattr(room(Services(engine, SharedCatalog(engine))), name)
    await method(call, **parameters)


@pytest.mark.parametrize(("room", "endpoint", "name"), CHANGES)
def test_a_change_whose_caller_lost_the_right_meanwhile_is_refused(
    room: type, endpoint: Endpoint, name: str
) -> None:
    with pytest.raises(Unauthorized):
        asyncio.run(carry_out(room, endpoint, name, REVOKED))


@pytest.mark.parametrize(("room", "endpoint", "name"), CHANGES)
def test_the_same_change_is_made_by_who_still_has_it(
    room: type, endpoint: Endpoint, name: str
) -> None:
    asyncio.run(carry_out(room, endpoint, name, ADMIN))
