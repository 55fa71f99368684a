"""Pages of other origins: none may call, but those that the setting `cors` lists."""

from __future__ import annotations

from collections.abc import Iterable

import falcon
import falcon.asgi

from m1.api.system import origins

_PREFLIGHT_SECONDS = 600


def allow_origin(
    setting: str,
    request: falcon.asgi.Request,
    response: falcon.asgi.Response,
    verbs: Iterable[str],
) -> bool:
    """Let a listed origin read the answer; True where that was all that it asked for."""
    origin = request.get_header("Origin")
    if origin is None or origin not in origins(setting):
        return False
    response.set_header("Access-Control-Allow-Origin", origin)
    response.set_header("Access-Control-Expose-Headers", "m1-count")
    response.set_header("Vary", "Origin")
    if request.method != "OPTIONS":
        return False
    response.status = falcon.HTTP_204
    response.set_header("Access-Control-Allow-Methods", ", ".join(verbs))
    response.set_header("Access-Control-Allow-Headers", "m1-auth-token, content-type, accept")
    response.set_header("Access-Control-Max-Age", str(_PREFLIGHT_SECONDS))
    return True
