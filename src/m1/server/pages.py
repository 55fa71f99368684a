"""The pages for a browser, over HTTP: a fixed table, with headers that let nothing foreign in."""

from __future__ import annotations

import hashlib

from m1.console import File, files
from m1.errors import MethodNotAllowed
from m1.server.exchange import NOT_MODIFIED, Exchange

_HOME = "console"  # a relative address: a proxy may have us under a path of its own
_SEE_OTHER = 303
_COUNTED_AS = "console"
"""The endpoint that metrics and log know the pages by."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
}
"""A browser may keep a file, but asks each time whether it is still that of this server."""


class Pages:
    """The console and the reference; who asks needs no token, since nothing in them is secret."""

    def __init__(self) -> None:
        self._files = files()
        self._tags = {path: _tag(file) for path, file in self._files.items()}

    async def answer(self, exchange: Exchange) -> bool:
        """Answer where the path is one of a page; tells whether it was."""
        path = exchange.path
        if path == "/" and exchange.method == "GET" and _is_a_browsers(exchange):
            exchange.set_header("location", _HOME)
            await exchange.answer(_SEE_OTHER)
            return True
        if path not in self._files:
            return False
        exchange.endpoint = _COUNTED_AS
        if exchange.method != "GET":
            exchange.set_header("allow", "GET")
            raise MethodNotAllowed(f"{path} needs the verb GET")
        await self._send(path, exchange)
        return True

    async def _send(self, path: str, exchange: Exchange) -> None:
        file, tag = self._files[path], self._tags[path]
        for name, value in _HEADERS.items():
            exchange.set_header(name, value)
        exchange.set_header("etag", tag)
        if tag in (exchange.header("if-none-match") or ""):
            await exchange.answer(NOT_MODIFIED)
        else:
            await exchange.answer(200, file.kind, file.body)


def _tag(file: File) -> str:
    return f'"{hashlib.sha256(file.body).hexdigest()[:32]}"'


def _is_a_browsers(exchange: Exchange) -> bool:
    """Tell who wants to see something from who calls: `/` alone is no endpoint."""
    return "text/html" in (exchange.header("accept") or "")
