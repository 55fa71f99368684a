"""HTTP in, endpoint, HTTP out: the one way that every request goes.

    path known? 404 -> verb? 405 -> token? 401 -> right? 403 -> body and parameters? 400
    -> the endpoint's own refusals (no such store 404, then what the values mean)

Whatever is refused, wherever, is answered with `{"message", "status"}`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import falcon
import falcon.asgi
import msgspec

from m1.access import caller_of
from m1.api.endpoint import Call, Endpoint, Text, declared_in
from m1.api.rooms import ROOMS
from m1.api.services import Services
from m1.engine import Page
from m1.errors import M1Error, MethodNotAllowed, NotFound, NotJson, TooLarge
from m1.server.cors import allow_origin
from m1.server.forms import read_form, sent_unencoded
from m1.server.peers import Peers
from m1.server.stream import COUNT_HEADER, NDJSON, as_json, as_lines, json_of, lines_of

TOKEN_HEADER = "m1-auth-token"

_ENCODING_HINT = (
    "; the form was sent unencoded, where & ends a parameter, + is a space and % begins an "
    "escape: use curl --data-urlencode if the text has any of them"
)
_PAGE = "m1.page"
_LARGE_BODY = 256 * 1024
_log = logging.getLogger("m1")

Request = falcon.asgi.Request
Response = falcon.asgi.Response
Bound = tuple[Endpoint, Callable[..., Awaitable[Any]]]


class App:
    """The ASGI application over one set of services."""

    def __init__(self, services: Services, peers: Peers, max_body: int) -> None:
        self._services = services
        self._peers = peers
        self._max_body = max_body
        self._routes = _routes(services)
        self._falcon = falcon.asgi.App()
        self._falcon.add_sink(self._answer)
        self._falcon.add_error_handler(Exception, _refuse)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, and free what it held however it ends."""
        sender = _Sender(receive, send)
        try:
            await self._falcon(scope, receive, sender)
        except _ClientGone:
            pass
        except M1Error as error:
            # The answer had begun: that it stops without its end is how the client is told.
            _log.error("a stream broke: %s", error.message)
        finally:
            sender.close()
            if _PAGE in scope:
                scope[_PAGE].close()

    async def _answer(self, req: Request, resp: Response | None, **_: Any) -> None:
        assert resp is not None
        catalog = await self._services.catalog.get()
        verbs, named = self._route(req.path)
        if allow_origin(catalog.setting("cors"), req, resp, verbs):
            return
        if req.method not in verbs:
            resp.set_header("Allow", ", ".join(verbs))
            raise MethodNotAllowed(f"{req.path} needs the verb {' or '.join(verbs)}")
        endpoint, method = verbs[req.method]
        call = Call(
            address=self._peers.address_of(req),
            now=time.time_ns() // 1_000_000,
            token=req.get_header(TOKEN_HEADER),
        )
        if endpoint.rights is not None:
            caller = caller_of(catalog, call.token, call.address, call.now)
            caller.require(endpoint.rights)
            call = Call(call.address, call.now, call.token, caller)
        parameters = await self._parameters(endpoint, named, req, resp)
        answer = await method(call, **parameters)
        _write(answer, endpoint, req, resp)

    def _route(self, path: str) -> tuple[dict[str, Bound], dict[str, str]]:
        """Find the verbs of a path, and what of the path is a parameter."""
        path = path[1:]
        if path in self._routes:
            return self._routes[path], {}
        head, _, last = path.rpartition("/")
        verbs = self._routes.get(head + "/{name}")
        if verbs is None or not last:
            raise NotFound(f"there is no path /{path}")
        return verbs, {"name": last}

    async def _parameters(
        self, endpoint: Endpoint, named: dict[str, str], request: Request, response: Response
    ) -> dict[str, Any]:
        query, kind = request.scope["query_string"], request.content_type or ""
        body = await self._body(request, response)
        if len(body) > _LARGE_BODY:
            return await asyncio.to_thread(_read, endpoint, named, query, kind, body)
        return _read(endpoint, named, query, kind, body)

    async def _body(self, request: Request, response: Response) -> bytes:
        chunks: list[bytes] = []
        size = request.content_length or 0
        if size <= self._max_body:
            size = 0
            async for chunk in request.stream:
                chunks.append(chunk)
                size += len(chunk)
                if size > self._max_body:
                    break
        if size > self._max_body:
            response.set_header("Connection", "close")  # nobody reads the rest
            raise TooLarge(f"the body is larger than {self._max_body} bytes")
        return b"".join(chunks)


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


def _write(answer: Any, endpoint: Endpoint, request: Request, response: Response) -> None:
    """Put an answer into the response, as the endpoint declares it."""
    if answer is None:
        response.status = falcon.HTTP_204
    elif isinstance(answer, Page):
        request.scope[_PAGE] = answer
        _write_page(answer, request, response)
    elif endpoint.answer is Text:
        response.content_type = falcon.MEDIA_TEXT
        response.text = answer
    else:
        response.content_type = falcon.MEDIA_JSON
        response.data = msgspec.json.encode(answer)


def _write_page(page: Page, request: Request, response: Response) -> None:
    """Answer with a page: in one piece where it is read already, else as a stream."""
    lines = NDJSON in (request.get_header("Accept") or "")
    response.content_type = NDJSON if lines else falcon.MEDIA_JSON
    if lines:
        response.set_header(COUNT_HEADER, str(page.count))
    if page.whole is None:
        response.stream = as_lines(page) if lines else as_json(page)
    else:
        response.data = lines_of(page.whole) if lines else json_of(page.count, page.whole)


async def _refuse(request: Request, response: Response, error: Exception, _: object) -> None:
    """Turn whatever was raised into the one error body."""
    if isinstance(error, M1Error) and error.status != M1Error.status:
        status, message = error.status, error.message
        if error.retry_after is not None:
            response.set_header("Retry-After", str(error.retry_after))
    elif isinstance(error, falcon.HTTPError):
        status, message = error.status_code, error.description or error.title or ""
    else:
        status, number = 500, secrets.token_hex(4)
        message = f"an error on our side; it is in the server's log under the number {number}"
        _log.error("request %s: %s %s", number, request.method, request.path, exc_info=error)
    response.status = falcon.code_to_http_status(HTTPStatus(status))
    response.content_type = falcon.MEDIA_JSON
    response.data = msgspec.json.encode({"message": message, "status": status})


class _ClientGone(Exception):
    """The client left before the whole answer was sent."""


class _Sender:
    """Sends an answer, and stops a streamed one when its reader leaves.

    A server drops what is sent to a reader who left; without this, the rest of a long
    page would be read for nobody.
    """

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send
        self._left: asyncio.Task[None] | None = None

    async def __call__(self, message: Any) -> None:
        if self._left is not None and self._left.done():
            raise _ClientGone
        await self._send(message)
        if self._left is None and message.get("more_body"):
            self._left = asyncio.create_task(self._wait_until_left())

    async def _wait_until_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def close(self) -> None:
        """Watch no longer."""
        if self._left is not None:
            self._left.cancel()
