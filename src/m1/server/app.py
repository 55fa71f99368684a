"""HTTP in, endpoint, HTTP out: the one way that every request goes, but for pages.

    path known? 404 -> verb? 405 -> token? 401 -> right? 403 -> body and parameters? 400
    -> the endpoint's own refusals (no such store 404, then what the values mean)

Whatever is refused, wherever, is answered with `{"message", "status"}`.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from m1.access import caller_of
from m1.api.endpoint import Call, Endpoint, Text, declared_in
from m1.api.rooms import ROOMS
from m1.api.services import Services
from m1.engine import Page
from m1.errors import BadRequest, M1Error, MethodNotAllowed, NotFound, NotJson, Unavailable
from m1.longwork import large_bodies
from m1.metrics import STREAMS_BROKEN, requests_of
from m1.server.account import account_for
from m1.server.audit import audited
from m1.server.cors import allow_origin
from m1.server.exchange import NO_CONTENT, ClientGone, Exchange, error_body
from m1.server.forms import read_form, sent_unencoded
from m1.server.pages import Pages
from m1.server.peers import Peers, is_local
from m1.server.settings import Settings
from m1.server.stream import COUNT_HEADER, NDJSON, as_json, as_lines, json_of, lines_of

TOKEN_HEADER = "m1-auth-token"
JSON = "application/json"

_ENCODING_HINT = (
    "; the form was sent unencoded, where & ends a parameter, + is a space and % begins an "
    "escape: use curl --data-urlencode if the text has any of them"
)
_LARGE_BODY = 256 * 1024
_PUBLIC_BODY = 64 * 1024
"""The largest body where no token is asked for."""
_log = logging.getLogger("m1")

Bound = tuple[Endpoint, Callable[..., Awaitable[Any]]]


class App:
    """The ASGI application over one set of services."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._settings = settings
        self._peers = Peers(settings.trusted_proxies)
        self._routes = _routes(services)
        self._pages = Pages()
        for path in self._routes:
            requests_of(path, 500)  # it is there from 0 on, so that the first one is a rise
        self.ending = False
        """Whether requests that begin from now on are refused."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, and free what it held however it ends."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except ClientGone:
            pass
        except Exception as error:
            with contextlib.suppress(ClientGone):
                await _refuse(exchange, error)
        finally:
            account_for(exchange, self._settings.slow_seconds)

    async def _answer(self, exchange: Exchange) -> None:
        if exchange.is_late:
            exchange.set_header("connection", "close")
            raise Unavailable("the server is ending: ask again, or another one")
        if await self._pages.answer(exchange):
            return None
        exchange.endpoint, named = self._route(exchange.path)
        catalog = await self._services.catalog.get()
        verbs = self._routes[exchange.endpoint]
        if allow_origin(catalog.setting("cors"), exchange, verbs):
            return await exchange.answer(NO_CONTENT)
        if exchange.method not in verbs:
            exchange.set_header("allow", ", ".join(verbs))
            raise MethodNotAllowed(f"{exchange.path} needs the verb {' or '.join(verbs)}")
        endpoint, method = verbs[exchange.method]
        address, now = self._peers.address_of(exchange), time.time_ns() // 1_000_000
        token, caller = exchange.header(TOKEN_HEADER), None
        needs_none = endpoint.rights is None
        local = (needs_none or self._is_open(endpoint)) and is_local(exchange, address)
        if not needs_none and not local:
            caller = caller_of(catalog, token, address, now)
        call = Call(catalog, address, now, token, caller, local)
        exchange.about = {"user": caller and caller.user, "address": address}
        with audited(endpoint, call, exchange.id) as entry:
            if caller is not None and endpoint.rights:
                caller.require(endpoint.rights)
            entry.parameters = await self._parameters(endpoint, named, exchange)
            if entry.parameters.get("store") in catalog.stores:
                exchange.about["store"] = entry.parameters["store"]
            async with self._patience(endpoint, exchange):
                answer = await method(call, **entry.parameters)
        return await _write(answer, endpoint, exchange)

    def _is_open(self, endpoint: Endpoint) -> bool:
        """Tell whether callers on this machine need no token where others do."""
        return endpoint.local and self._settings.local_metrics

    def _patience(
        self, endpoint: Endpoint, exchange: Exchange
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Limit the time of what only reads and so can be given up; changes go on."""
        if endpoint.rights is not None and "GET" in endpoint.verbs:
            return exchange.patience(self._settings.query_seconds)
        return contextlib.nullcontext()

    def _route(self, path: str) -> tuple[str, dict[str, str]]:
        """Find the path as it is declared, and what of it is a parameter."""
        path = path[1:]
        if path in self._routes and "{" not in path:
            return path, {}
        head, _, last = path.rpartition("/")
        declared = head + "/{name}"
        if declared not in self._routes or not last:
            raise NotFound(f"there is no path /{path}")
        return declared, {"name": last}

    async def _parameters(
        self, endpoint: Endpoint, named: dict[str, str], exchange: Exchange
    ) -> dict[str, Any]:
        if (exchange.header("content-encoding") or "identity") != "identity":
            raise BadRequest("Content-Encoding: a body is read as it comes; send it uncompressed")
        kind = exchange.header("content-type") or ""
        most = self._settings.max_body
        if endpoint.rights is None:
            most = min(most, _PUBLIC_BODY)
        body = await exchange.body(most)
        if len(body) > _LARGE_BODY:
            return await large_bodies.do(_read, endpoint, named, exchange.query, kind, body)
        return _read(endpoint, named, exchange.query, kind, body)


def _routes(services: Services) -> dict[str, dict[str, Bound]]:
    routes: dict[str, dict[str, Bound]] = {}
    for room in ROOMS:
        endpoints = room(services)
        for endpoint, name in declared_in(endpoints):
            for verb in endpoint.verbs:
                routes.setdefault(endpoint.path, {})[verb] = (endpoint, getattr(endpoints, name))
    return routes


def _read(
    endpoint: Endpoint, named: dict[str, str], query: bytes, content_type: str, body: bytes
) -> dict[str, Any]:
    values = read_form(query, content_type, body)
    try:
        return endpoint.read({**values, **named})
    except NotJson as error:
        if sent_unencoded(content_type, body):
            raise NotJson(error.message + _ENCODING_HINT) from None
        raise


async def _write(answer: Any, endpoint: Endpoint, exchange: Exchange) -> None:
    """Send an answer, as the endpoint declares it."""
    if answer is None:
        await exchange.answer(NO_CONTENT)
    elif isinstance(answer, Page):
        async with answer:
            await _write_page(answer, exchange)
    elif endpoint.answer is Text:
        await exchange.answer(200, endpoint.media, answer.encode())
    else:
        await exchange.answer(200, JSON, msgspec.json.encode(answer))


async def _write_page(page: Page, exchange: Exchange) -> None:
    """Answer with a page: in one piece where it is read already, else as a stream."""
    lines = NDJSON in (exchange.header("accept") or "")
    kind = NDJSON if lines else JSON
    if lines:
        exchange.set_header(COUNT_HEADER, str(page.count))
    if page.whole is None:
        await exchange.stream(kind, as_lines(page) if lines else as_json(page))
    else:
        body = lines_of(page.whole) if lines else json_of(page.count, page.whole)
        await exchange.answer(200, kind, body)


async def _refuse(exchange: Exchange, error: Exception) -> None:
    """Turn whatever was raised into the one error body."""
    tag = {"request": exchange.id}
    has_begun = exchange.status is not None
    if has_begun:
        STREAMS_BROKEN.inc()
    if isinstance(error, M1Error) and has_begun:
        # That the answer stops without its end is how the client is told.
        _log.error("a stream broke: %s", error.message, extra=tag)
        return
    if isinstance(error, M1Error) and error.status != M1Error.status:
        status, message = error.status, error.message
        if error.retry_after is not None:
            exchange.set_header("retry-after", str(error.retry_after))
    else:
        status = 500
        message = f"an error on our side; the server's log tells of it under {exchange.id}"
        _log.error("%s %s", exchange.method, exchange.path, exc_info=error, extra=tag)
    if not has_begun:
        await exchange.answer(status, JSON, error_body(status, message))
