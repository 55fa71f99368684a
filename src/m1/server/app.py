"""HTTP in, endpoint, HTTP out: the one way that every request goes.

    path known? 404 -> verb? 405 -> token? 401 -> right? 403 -> body and parameters? 400
    -> the endpoint's own refusals (no such store 404, then what the values mean)

Whatever is refused, wherever, is answered with `{"message", "status"}`.
"""

from __future__ import annotations

import asyncio
import logging
import re
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
_CLIENT = "m1.client"
_EVERYTHING = re.compile("")
_LARGE_BODY = 256 * 1024
_PUBLIC_BODY = 64 * 1024
"""The largest body where no token is asked for."""
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
        self._falcon.add_sink(self._answer, prefix=_EVERYTHING)
        self._falcon.add_error_handler(Exception, _refuse)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, and free what it held however it ends."""
        client = _Client(receive, send)
        scope[_CLIENT] = client
        try:
            await self._falcon(scope, client.receive, client.send)
        except _ClientGone:
            pass
        except M1Error as error:
            # The answer had begun: that it stops without its end is how the client is told.
            _log.error("a stream broke: %s", error.message)
        finally:
            client.close()
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
        if path in self._routes and "{" not in path:
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
        most = self._max_body if endpoint.rights is not None else min(self._max_body, _PUBLIC_BODY)
        body = await _body(request, response, most)
        if len(body) > _LARGE_BODY:
            return await asyncio.to_thread(_read, endpoint, named, query, kind, body)
        return _read(endpoint, named, query, kind, body)


async def _body(request: Request, response: Response, most: int) -> bytes:
    """Read the whole body; raises TooLarge, and _ClientGone where it stops before its end."""
    said = request.content_length or 0
    chunks: list[bytes] = []
    size = 0
    if said <= most or not request.get_header("Expect"):  # who expects a go-ahead gets a no
        async for chunk in request.stream:
            size += len(chunk)
            if size <= most:
                chunks.append(chunk)
            elif size > 2 * most:  # so much is read on, that a client may come to see the answer
                break
    if max(said, size) > most:
        response.set_header("Connection", "close")
        raise TooLarge(f"the body is larger than {most} bytes")
    if request.scope[_CLIENT].left:
        raise _ClientGone
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
    if isinstance(error, _ClientGone):
        raise error
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


class _Client:
    """The other end of a request: notes when it leaves, and stops a streamed answer then.

    A request that breaks off would otherwise look like one that is shorter, and the rest of
    a long page would be read for nobody, since a server drops what it cannot send.
    """

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None
        self.left = False

    async def receive(self) -> Any:
        """Give what comes of the request."""
        event = await self._receive()
        self.left = self.left or event["type"] == "http.disconnect"
        return event

    async def send(self, message: Any) -> None:
        """Send a part of the answer; raises _ClientGone where nobody is there any more."""
        if self._watch is not None and self.left:
            raise _ClientGone
        await self._send(message)
        if self._watch is None and message.get("more_body"):
            self._watch = asyncio.create_task(self._wait_until_left())

    async def _wait_until_left(self) -> None:
        while not self.left:
            await self.receive()

    def close(self) -> None:
        """Watch no longer."""
        if self._watch is not None:
            self._watch.cancel()
