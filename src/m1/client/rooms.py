"""The endpoints as methods, by their paths; what they mean in full stands in docs/api.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from m1.answers import FacetCounts, Health, StoreInfo, UserInfo
from m1.client.ask import (
    Ask,
    Fate,
    Id,
    Item,
    Op,
    T,
    ids,
    json_of,
    nothing,
    text,
    text_of,
    update,
)
from m1.client.batch import Batch, OnFailure
from m1.client.offered import E, Room, asked, gathered, streamed

_stores = json_of(list[StoreInfo])
_facets = json_of(FacetCounts)
_users = json_of(list[UserInfo])
_user = json_of(UserInfo)
_settings = json_of(dict[str, str])
_health = json_of(dict[str, Health])
_map = json_of(dict[str, Any])
_truth = json_of(bool)


class SessionRoom(Room[E]):
    """`/session/*`: the stores and their items."""

    @asked
    def update(
        self,
        store: str,
        *,
        ops: Iterable[Op] = (),
        upsert: Iterable[Item] = (),
        delete: Iterable[Id] = (),
    ) -> Ask[None]:
        """Apply `ops` in their order, then upsert items, then delete by values of the key.

        All of it or nothing is applied. After it, it is durable and the next query sees it.
        """
        last = {"upsert": list(upsert), "delete": ids(delete)}
        more = {kind: some for kind, some in last.items() if some}
        return update(store, text_of([*ops, more] if more else [*ops]))

    @streamed
    def query(
        self, store: str, q: str, *, sort: str | None = None, start: int = 0, rows: int = 10
    ) -> Ask[None]:
        """Find items, and open what was found: `count`, and the items from number `start` on."""
        return Ask(
            "session/query",
            {"store": store, "q": q, "sort": sort, "start": start, "rows": rows},
            nothing,
            repeats_after=Fate.LOST,
            streams=True,
        )

    @asked
    def facets(
        self,
        store: str,
        q: str = "*",
        *,
        path: str | None = None,
        prefix: str = "",
        rows: int = 10,
        low: str | float | None = None,
        high: str | float | None = None,
        buckets: int | None = None,
    ) -> Ask[FacetCounts]:
        """Count what the items that match have: paths, the values of one, or a histogram."""
        return Ask(
            "session/facets",
            {
                "store": store,
                "q": q,
                "path": path,
                "prefix": prefix,
                "rows": rows,
                "low": low,
                "high": high,
                "buckets": buckets,
            },
            _facets,
            repeats_after=Fate.LOST,
        )

    @asked
    def list(self) -> Ask[list[StoreInfo]]:
        """List the stores by name, with their keys, shards and replicas."""
        return _got("session/list", {}, _stores)

    @asked
    def key(self, store: str, key: str) -> Ask[None]:
        """Set the key of a store, which may take minutes where it holds many items."""
        return Ask("session/key", {"store": store, "key": key}, nothing, is_long=True)

    @asked
    def add(
        self, store: str, *, shards: int = 1, replicas: int = 1, key: str | None = None
    ) -> Ask[None]:
        """Add a store."""
        shape = {"shards": shards, "replicas": replicas, "key": key}
        return Ask("session/add", {"store": store, **shape}, nothing)

    @asked
    def rename(self, store: str, name: str) -> Ask[None]:
        """Change the name of a store."""
        return Ask("session/rename", {"store": store, "name": name}, nothing)

    @asked
    def drop(self, store: str) -> Ask[None]:
        """Remove a store and its items, for good."""
        return Ask("session/drop", {"store": store}, nothing)


class UserRoom(Room[E]):
    """`/user/*`: users and their rights, which are a list, or a text with commas."""

    @asked
    def add(self, username: str, password: str, rights: str | Sequence[str]) -> Ask[None]:
        """Add a user."""
        user = {"username": username, "password": password, "rights": rights}
        return Ask("user/add", user, nothing)

    @asked
    def update(self, username: str, rights: str | Sequence[str]) -> Ask[None]:
        """Set the rights of a user, in place of those of before."""
        return Ask("user/update", {"username": username, "rights": rights}, nothing)

    @asked
    def password(self, password: str, username: str | None = None) -> Ask[None]:
        """Set one's own password, or another user's; every token of that user ends."""
        return Ask("user/password", {"password": password, "username": username}, nothing)

    @asked
    def remove(self, username: str) -> Ask[None]:
        """Remove a user."""
        return Ask("user/remove", {"username": username}, nothing)

    @asked
    def list(self) -> Ask[list[UserInfo]]:
        """List the users by name, with their rights."""
        return _got("user/list", {}, _users)

    @asked
    def get(self, username: str) -> Ask[UserInfo]:
        """Show one user."""
        return _got("user/get", {"username": username}, _user)


class SystemRoom(Room[E]):
    """`/system`: the settings."""

    @asked
    def settings(self) -> Ask[dict[str, str]]:
        """Show all settings."""
        return _got("system", {}, _settings)

    @asked
    def setting(self, name: str) -> Ask[str]:
        """Show one setting."""
        return _got(_path_of(name), {}, text)

    @asked
    def set(self, name: str, value: str) -> Ask[None]:
        """Set one setting."""
        return Ask(_path_of(name), {"value": value}, nothing)

    @asked
    def set_several(self, settings: Mapping[str, str]) -> Ask[None]:
        """Set several, all or none."""
        return Ask("system", settings, nothing)


class Rooms(Room[E]):
    """All that a client offers."""

    def __init__(self, edge: E) -> None:
        super().__init__(edge)
        self.session = SessionRoom(edge)
        self.user = UserRoom(edge)
        self.system = SystemRoom(edge)

    @asked
    def auth(
        self,
        username: str,
        password: str | None = None,
        *,
        ip: str | None = None,
        ttl: int | None = None,
    ) -> Ask[str]:
        """Get a token: with a password, or as an admin for another user, address, or time in ms."""
        by_password = password is not None and ip is None and ttl is None
        return Ask(
            "auth",
            {"username": username, "password": password, "ip": ip, "ttl": ttl},
            text,
            repeats_after=Fate.LOST,
            needs_token=not by_password,
        )

    @asked
    def ping(self) -> Ask[bool]:
        """Give True."""
        return _got("ping", {}, _truth, needs_token=False)

    @asked
    def initialized(self) -> Ask[bool]:
        """Tell whether the environment has its first user."""
        return _got("init", {}, _truth, needs_token=False)

    @asked
    def init(
        self, username: str, password: str, *, bucket: str | None = None, secret: str | None = None
    ) -> Ask[None]:
        """Make the first user, who gets every known right; possible once."""
        user = {"username": username, "password": password}
        more = {"bucket": bucket, "secret": secret}
        return Ask("init", {**user, **more}, nothing, needs_token=False)

    @asked
    def health(self) -> Ask[dict[str, Health]]:
        """Tell how each part of the server fares."""
        return _got("health", {}, _health)

    @asked
    def metrics(self) -> Ask[str]:
        """Give the server's figures, as Prometheus reads them."""
        return _got("metrics", {}, text)

    @asked
    def openapi(self) -> Ask[dict[str, Any]]:
        """Give the server's description of its endpoints, in OpenAPI 3.1."""
        return _got("openapi.json", {}, _map, needs_token=False)

    @gathered
    def updates(
        self,
        store: str,
        *,
        seconds: float = 1.0,
        changes: int = 1_000,
        size: int = 1024 * 1024,
        on_failure: OnFailure | None = None,
    ) -> Batch:
        """Open a batch: it gathers changes, and applies them in their order.

        They are sent once the first of them is `seconds` old, or there are so many `changes`,
        or they have a `size` in bytes; the eightfold of that may wait before more is waited
        for. Changes that are refused go to `on_failure`, or are raised as UpdatesFailed at
        the end of the block.
        """
        return Batch(store, seconds, changes, size, on_failure)


def _got(
    path: str,
    parameters: Mapping[str, str],
    read: Callable[[bytes], T],
    needs_token: bool = True,
) -> Ask[T]:
    """Ask for what only reads, by GET."""
    return Ask(path, parameters, read, "GET", repeats_after=Fate.LOST, needs_token=needs_token)


def _path_of(setting: str) -> str:
    return f"system/{quote(setting, safe='')}"
