"""The endpoints of `/session/*` called as the server does, without one."""

from __future__ import annotations

from typing import Any

from m1.api.endpoint import Call
from m1.api.facets import FacetApi
from m1.api.services import Services
from m1.api.session import SessionApi
from m1.catalog import SharedCatalog
from m1.engine import Engine

NOW = 1_700_000_000_000


class Sessions:
    """The endpoints over one engine."""

    def __init__(self, engine: Engine) -> None:
        self._catalog = SharedCatalog(engine)
        services = Services(engine, self._catalog)
        self._rooms = (SessionApi(services), FacetApi(services))

    async def call(self, name: str, /, **parameters: Any) -> Any:
        """Call one by its method's name; gives its answer, or raises its refusal."""
        call = Call(await self._catalog.get(), "127.0.0.1", NOW)
        (method,) = [getattr(room, name) for room in self._rooms if hasattr(room, name)]
        return await method(call, **parameters)
