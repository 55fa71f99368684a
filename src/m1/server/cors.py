"""Pages of other origins: none may call, but those that the setting `cors` lists."""

from __future__ import annotations

from collections.abc import Iterable

from m1.api.system import origins
from m1.server.exchange import REQUEST_HEADER, Exchange
from m1.server.stream import COUNT_HEADER

_PREFLIGHT_SECONDS = 600


def allow_origin(setting: str, exchange: Exchange, verbs: Iterable[str]) -> bool:
    """Let a listed origin read the answer; True where that was all that it asked for."""
    origin = exchange.header("origin")
    if origin is None or origin not in origins(setting):
        return False
    exchange.set_header("access-control-allow-origin", origin)
    exchange.set_header("access-control-expose-headers", f"{COUNT_HEADER}, {REQUEST_HEADER}")
    exchange.set_header("vary", "Origin")
    if exchange.method != "OPTIONS":
        return False
    exchange.set_header("access-control-allow-methods", ", ".join(verbs))
    exchange.set_header("access-control-allow-headers", "m1-auth-token, content-type, accept")
    exchange.set_header("access-control-max-age", str(_PREFLIGHT_SECONDS))
    return True
