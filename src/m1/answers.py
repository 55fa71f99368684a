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


class FacetCount(msgspec.Struct):
    """A path, a text or the beginning of a stretch, and how many of the items have it."""

    value: str | int | float
    count: int


class FacetCounts(msgspec.Struct):
    """How many items match, and the facets they have."""

    count: int
    facets: list[FacetCount]
