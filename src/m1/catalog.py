"""What the environment is made of: stores, users, settings, as one frozen value.

    Catalog
      initialized, secret       whether `/init` was done; the key that tokens are signed with
      stores    {"stash": Store(uid, key, shards, replicas)}
      users     {"admin": User(password, rights, epoch)}
      settings  {"geo": "...", ...}          only what differs from `DEFAULTS`
      doomed    ("uid", ...)                 spaces that belong to no store (any more)

A change is a pure step from one Catalog to the next, carried out by compare-and-swap
against the engine, so that two servers never lose each other's changes. A space is written
down as doomed before it is made and before it is removed; so after a crash at any point
`remove_doomed` knows what was left behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from m1.engine import Engine
from m1.errors import BadRequest, Conflict, NotFound

KNOWN_RIGHTS = ("admin", "schema", "get", "publish", "sessionQuery", "sessionUpdate")
"""The rights this version knows; others may be given and mean nothing here."""

DEFAULTS = {
    "geo": "true",
    "cors": "",
    "token-expire-ms": "86400000",
    "password-min-length": "8",
    "property-ip": "_m1.ip",
    "property-received": "_m1.receivedUTC",
    "property-session-id": "session.id",
}
"""The settings there are, and what they are until set."""

_STORE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Store(msgspec.Struct, frozen=True):
    """A store: the space its items are in, its key, and the copies asked for."""

    uid: str
    key: str
    shards: int
    replicas: int


class User(msgspec.Struct, frozen=True):
    """A user: the hash of the password, and what tokens of this user must carry."""

    password: str
    rights: tuple[str, ...]
    epoch: str


class Catalog(msgspec.Struct, frozen=True):
    """The whole configuration at one moment."""

    initialized: bool = False
    secret: str = ""
    stores: dict[str, Store] = {}
    users: dict[str, User] = {}
    settings: dict[str, str] = {}
    doomed: tuple[str, ...] = ()

    # --- stores ---

    def store(self, name: str) -> Store:
        """Give a store by name; raises NotFound."""
        try:
            return self.stores[name]
        except KeyError:
            raise NotFound(f"there is no store {name}") from None

    def check_free(self, name: str) -> None:
        """Raise BadRequest for a name no store can have, Conflict for one that is taken."""
        if not _STORE_NAME.fullmatch(name):
            raise BadRequest(
                f"the store name {name!r} is not 1 to 64 of the characters A-Z a-z 0-9 _ and -"
            )
        if name in self.stores:
            raise Conflict(f"there is a store {name} already")

    def with_store(self, name: str, store: Store) -> Catalog:
        """Add a store whose space is doomed no longer; raises as `check_free`."""
        self.check_free(name)
        stores = {**self.stores, name: store}
        return msgspec.structs.replace(self, stores=stores).without_doomed(store.uid)

    def with_space(self, old: str, uid: str, key: str) -> Catalog:
        """Give the store of a space another one, and a key; raises NotFound if it was dropped."""
        for name, store in self.stores.items():
            if store.uid == old:
                moved = msgspec.structs.replace(store, uid=uid, key=key)
                changed = msgspec.structs.replace(self, stores={**self.stores, name: moved})
                return changed.without_doomed(uid).with_doomed(old)
        raise NotFound("the store was dropped meanwhile")

    def without_store(self, name: str) -> Catalog:
        """Drop a store; its space is doomed. Raises NotFound."""
        uid = self.store(name).uid
        stores = {other: store for other, store in self.stores.items() if other != name}
        return msgspec.structs.replace(self, stores=stores).with_doomed(uid)

    def with_renamed_store(self, name: str, new: str) -> Catalog:
        """Give a store another name; raises NotFound, BadRequest or Conflict."""
        store = self.store(name)
        if new == name:
            return self
        self.check_free(new)
        stores = {other: kept for other, kept in self.stores.items() if other != name}
        return msgspec.structs.replace(self, stores={**stores, new: store})

    def with_doomed(self, uid: str) -> Catalog:
        """Write a space down as belonging to no store."""
        return msgspec.structs.replace(self, doomed=(*self.doomed, uid))

    def without_doomed(self, uid: str) -> Catalog:
        """Strike a space off the doomed ones; harmless where it is none."""
        return msgspec.structs.replace(
            self, doomed=tuple(other for other in self.doomed if other != uid)
        )

    # --- users ---

    def user(self, name: str) -> User:
        """Give a user by name; raises NotFound."""
        try:
            return self.users[name]
        except KeyError:
            raise NotFound(f"there is no user {name}") from None

    def with_new_user(self, name: str, user: User) -> Catalog:
        """Add a user; raises Conflict."""
        if name in self.users:
            raise Conflict(f"there is a user {name} already")
        return msgspec.structs.replace(self, users={**self.users, name: user})

    def with_user(self, name: str, **changes: Any) -> Catalog:
        """Change a user; raises NotFound, or Conflict where no admin would be left."""
        user = msgspec.structs.replace(self.user(name), **changes)
        return self._with_users({**self.users, name: user})

    def without_user(self, name: str) -> Catalog:
        """Remove a user; raises NotFound, or Conflict where no admin would be left."""
        self.user(name)
        return self._with_users({other: u for other, u in self.users.items() if other != name})

    def _with_users(self, users: dict[str, User]) -> Catalog:
        if not any("admin" in user.rights for user in users.values()):
            raise Conflict("this is the last user with the right admin")
        return msgspec.structs.replace(self, users=users)

    # --- settings ---

    def setting(self, name: str) -> str:
        """Give a setting's value; raises NotFound."""
        if name == "init":
            return "true" if self.initialized else "false"
        if name not in DEFAULTS:
            raise NotFound(f"there is no setting {name}")
        return self.settings.get(name, DEFAULTS[name])

    def with_settings(self, settings: dict[str, str]) -> Catalog:
        """Set several settings; they must have been checked."""
        return msgspec.structs.replace(self, settings={**self.settings, **settings})


_decode = msgspec.json.Decoder(Catalog).decode
Step = Callable[[Catalog], Catalog]


class SharedCatalog:
    """The catalog as all servers on one engine share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._version = 0
        self._current = Catalog()

    async def get(self) -> Catalog:
        """Give the catalog as it is now."""
        saved = await self._engine.load_catalog()
        if saved.version != self._version:
            self._current = _decode(saved.document)
            self._version = saved.version
        return self._current

    async def change(self, step: Step) -> Catalog:
        """Carry out a step on whatever the catalog is by then; raises what the step raises."""
        while True:
            current = await self.get()
            version = self._version
            changed = step(current)
            if changed == current:
                return current
            if await self._engine.save_catalog(msgspec.json.encode(changed), version):
                return changed

    async def remove_doomed(self, uid: str) -> None:
        """Remove a space that belongs to no store, and strike it off."""
        await self._engine.remove_space(uid)
        await self.change(lambda catalog: catalog.without_doomed(uid))

    async def remove_all_doomed(self) -> None:
        """Remove what a server that ended in the middle left behind; for the start."""
        for uid in (await self.get()).doomed:
            await self.remove_doomed(uid)
