"""The endpoints of `/session/*` called as the server does, without one."""

from __future__ import annotations

from typing import Any

from m1.api.endpoint import Call
from m1.api.services import Services
from m1.api.session import SessionApi
from m1.catalog import SharedCatalog
from m1.engine import Engine

NOW = 1_700_000_000_000


class Sessions:
    """The endpoints over one engine."""

    def __init__(self, engine: Engine) -> None:
        self._catalog = SharedCatalog(engine)
        self._api = SessionApi(Services(engine, self._catalog))

    async def call(self, name: str, /, **parameters: Any) -> Any:
        """Call one by its method's name; gives its answer, or raises its refusal."""
        call = Call(await self._catalog.get(), "127.0.0.1", NOW)
        return await getattr(self._api, name)(call, **parameters)
