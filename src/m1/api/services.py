"""What the endpoints work with, put together once when the server starts."""

from __future__ import annotations

from dataclasses import dataclass, field

from m1.access import Passwords
from m1.api.geo import Geo
from m1.catalog import SharedCatalog
from m1.engine import Engine


@dataclass(frozen=True)
class Services:
    """The engine, what is shared above it, and what the operator chose at the start."""

    engine: Engine
    catalog: SharedCatalog
    passwords: Passwords = field(default_factory=Passwords)
    geo: Geo | None = None
    init_secret: str | None = None
