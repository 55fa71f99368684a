"""What is answered in JSON maps of a fixed shape: written by the server, read by the client."""

from __future__ import annotations

import msgspec


class StoreInfo(msgspec.Struct):
    """A store as `/session/list` shows it."""

    name: str
    key: str
    shards: int
    replicas: int


class UserInfo(msgspec.Struct):
    """A user as `/user/list` shows one."""

    username: str
    rights: tuple[str, ...]


class Health(msgspec.Struct, omit_defaults=True):
    """How a part fares: PASSED or FAILED."""

    status: str
    message: str = ""
    details: dict[str, Health] | None = None


class Facet(msgspec.Struct):
    """A value, or a path, and how many items have it."""

    value: str | int | float | bool
    count: int


class Facets(msgspec.Struct):
    """How many items match, and what they have, as `/session/facets` shows it."""

    count: int
    facets: list[Facet]
