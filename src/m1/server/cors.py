"""Pages of other origins: none may call, but those that the setting `cors` lists.

Without being listed a page cannot read an answer, nor send a token. It could still send a form,
and so guess passwords at `/auth` from the address of who looks at it: what a page of another
origin posts is refused. Programs send no `Origin`, and are none of this.
"""

from __future__ import annotations

from collections.abc import Iterable

from m1.api.system import origins
from m1.errors import Forbidden
from m1.server.exchange import REQUEST_HEADER, Exchange
from m1.server.stream import COUNT_HEADER

_PREFLIGHT_SECONDS = 600


def allow_origin(setting: str, exchange: Exchange, verbs: Iterable[str]) -> bool:
    """Let a listed origin read the answer; True where that was all that it asked for.

    Raises Forbidden for what a page of an origin that is not listed would have us do.
    """
    origin = exchange.header("origin")
    if origin is None:
        return False
    if origin not in origins(setting):
        if exchange.method == "POST" and not _is_ours(exchange, origin):
            raise Forbidden(
                "pages of this origin may not call: an admin can list it in the setting cors"
            )
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


def _is_ours(exchange: Exchange, origin: str) -> bool:
    """Tell whether the page came from here.

    The browser knows best, but says so only over TLS or on this machine; a proxy may have put
    another Host in place of the one that the page came from.
    """
    site = exchange.header("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return origin.partition("://")[2] == exchange.header("host")
