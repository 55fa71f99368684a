"""HTTP on one connection: uvicorn's, with limits, our own refusals, and a quiet end.

What a connection may take is in `limits`. A sweep of all connections, each second, looks
for those that take too long; a request costs no timer of its own.
"""

from __future__ import annotations

import fcntl
import re
import sys
import termios
from http import HTTPStatus
from time import monotonic
from typing import Any, NamedTuple, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from m1.errors import BadRequest, HeadersTooLarge, M1Error, TooSlow, Unavailable, UrlTooLong
from m1.metrics import NO_ENDPOINT, requests_of
from m1.server.app import App
from m1.server.exchange import REQUEST_HEADER, Presence, error_body, new_request_id
from m1.server.limits import LEAST_BYTES_A_SECOND, MAX_HEADERS, Limits

_CROWDED = "there are too many connections: try again"
_NO_UPGRADE = "Upgrade: this is a server of HTTP/1.1 alone, leave the header out"
_UPGRADE = re.compile(rb"\r\n(?:upgrade|http2-settings):[^\r\n]*", re.IGNORECASE)
_OF_BODIES = frozenset((b"content-length", b"transfer-encoding"))
_BETWEEN_BYTES = 1_024
"""What stands between the parts of a head."""
_LINGER_SECONDS = 1.0
"""So long a refused client may go on sending, that it comes to see the answer."""


class _Span(NamedTuple):
    """Since when something lasts, and a count of bytes at that time."""

    since: float
    bytes: int = 0


def _without_upgrade(data: bytes) -> bytes:
    """Leave out of the beginning of a head what a client offers to speak beside HTTP/1.1.

    The parser would stop behind the head, and we are free to take no notice.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + end + body if b"pgrade" in head else data


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, limits: Limits, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._limits = limits
        self.is_crowded = False
        """Whether there were too many connections already when this one came."""
        self._is_receiving = False
        """Whether the head of a request that is not late has begun to come."""
        self._is_refused = False
        self._is_last = False
        """Whether what comes behind the present request is not looked at."""
        self._presence = Presence()
        self._refusal: M1Error | None = None
        self._head: _Span | None = None
        self._body: _Span | None = None
        self._unsent: _Span | None = None
        self._taken = 0
        """How many bytes of the head, then of the body have come."""
        self._between = 0
        """How many came since the last of a body: of what frames it, and of trailers."""

    # --- what the server asks ---

    @property
    def is_busy(self) -> bool:
        """Whether a request that was not too late has begun to come, or is not answered yet."""
        cycles = [cycle for cycle, _ in self.pipeline] + ([self.cycle] if self.cycle else [])
        waited_for = [each for each in cycles if not cast(Any, each.scope)["late"]]
        return (
            self._is_receiving
            or not all(each.response_complete for each in waited_for)
            or self.transport.get_write_buffer_size() > 0
        )

    def sweep(self, now: float) -> None:
        """End the connection where something takes too long."""
        if self._is_refused or self.transport.is_closing():
            return
        if self.flow.read_paused:  # it is we who do not read
            self._head = self._head and _Span(now)
            self._body = self._body and _Span(now, self._taken)
        if self._head:
            self._sweep_head(now - self._head.since)
        elif self._body:
            self._sweep_body(self._body, now)
        self._sweep_answer(now)

    def _sweep_head(self, seconds: float) -> None:
        if seconds > self._limits.receive_seconds and self._taken:
            self.refuse(TooSlow("the head of the request took too long"))
        elif seconds > (_LINGER_SECONDS if self.is_crowded else self._limits.receive_seconds):
            self.transport.close()

    def _sweep_body(self, body: _Span, now: float) -> None:
        seconds = now - body.since
        if seconds < self._limits.receive_seconds:
            return
        if self._taken - body.bytes < LEAST_BYTES_A_SECOND * seconds:
            self.refuse(TooSlow("the body came too slowly"))
        else:
            self._body = _Span(now, self._taken)

    def _sweep_answer(self, now: float) -> None:
        if not self.transport.get_write_buffer_size():
            self._unsent = None
            return
        unsent = self._count_unsent()
        if self._unsent is None or unsent < self._unsent.bytes:
            self._unsent = _Span(now, unsent)
        elif now - self._unsent.since > self._limits.send_seconds:
            self.transport.abort()

    def _count_unsent(self) -> int:
        """Count what the client has not taken, here and in the kernel, which holds megabytes."""
        plug = self.transport.get_extra_info("socket")
        held = fcntl.ioctl(plug.fileno(), termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + int.from_bytes(held, sys.byteorder)

    # --- what comes ---

    def connection_made(self, transport: Any) -> None:
        """Begin to count its time; one too many is only heard out to be refused."""
        super().connection_made(transport)
        if self.client is None:  # it is gone already
            self._is_refused = True
            transport.abort()
            return
        over = len(self.connections) - self._limits.connections
        self.is_crowded = over > 0
        self._head = _Span(monotonic())
        if over > self._limits.backlog:  # there is no room to hear it out
            self.refuse(Unavailable(_CROWDED))
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse what came; raises nothing."""
        if self._is_refused or self._is_last:
            return
        if self._head is None and self._body is None and self._is_idle:
            self._expect_head()
        if self._head is not None:
            data = data if self._taken else _without_upgrade(data)
            self._taken += len(data)
        self._between += len(data)
        super().data_received(data)
        most = 2 * self._limits.head + _BETWEEN_BYTES
        long = self._taken if self._head else self._between if self._body else 0
        if long > most and not self._is_refused:
            self.refuse(self._too_long())

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        self._head, self._taken = _Span(monotonic()), 0

    def on_message_begin(self) -> None:
        """Take note of a request that comes too late."""
        super().on_message_begin()
        if self._head is None:  # behind another one in the same bytes
            self._expect_head()
        late = cast(App, self.app).ending
        self._is_receiving = not late
        cast(Any, self.scope).update(late=late, presence=self._presence)

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        super().on_url(url)
        if len(self.url) > self._limits.head:
            self._stop(self._too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes behind a body is none, whatever it is called."""
        if self._head is None:
            return
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._stop(HeadersTooLarge(f"there are more than {MAX_HEADERS} headers"))

    def on_headers_complete(self) -> None:
        """From here on the request is in a cycle of uvicorn's."""
        if sum(len(name) + len(value) for name, value in self.headers) > self._limits.head:
            self._stop(self._too_long())
        if self.is_crowded:
            self._stop(Unavailable(_CROWDED))
        upgrade = self.parser.should_upgrade()
        if upgrade and not _OF_BODIES.isdisjoint(name for name, _ in self.headers):
            self._stop(BadRequest(_NO_UPGRADE))  # its body would be read as a request
        super().on_headers_complete()
        if upgrade:
            self._is_last, self.cycle.keep_alive = True, False
        self._head, self._is_receiving = None, False
        self._body, self._taken, self._between = _Span(monotonic()), 0, 0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        super().on_body(body)
        self._taken += len(body)
        self._between = 0

    def on_message_complete(self) -> None:
        """All of the request is here."""
        super().on_message_complete()
        self._body = None
        if not self.pipeline:  # uvicorn pauses at much of a body, and would not see who leaves
            self.flow.resume_reading()
        if self._is_idle:  # it was answered before, and nobody else counts the time from here
            self._expect_head()

    def resume_writing(self) -> None:
        """Most of what was written has been taken."""
        super().resume_writing()
        self._unsent = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for the client that it has left."""
        super().connection_lost(exc)
        self._presence.leave()

    # --- refusing ---

    def _too_long(self) -> M1Error:
        most = self._limits.head
        if len(self.url) > most:
            return UrlTooLong(f"the URL is longer than {most} bytes: send a form in the body")
        return HeadersTooLarge(f"the headers are longer than {most} bytes")

    def _stop(self, refusal: M1Error) -> None:
        """End parsing, within it; the refusal is sent behind it."""
        self._refusal = refusal
        raise httptools.HttpParserError(refusal.message)

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, or was not to be."""
        self.refuse(self._refusal or BadRequest(msg))

    def refuse(self, refusal: M1Error) -> None:
        """Say what is wrong, and end the connection: where the next request begins is unknown.

        Requests before it are answered first, and then the end is all that is said.
        """
        self._is_refused, self._is_receiving = True, False
        if self._body is None and not self._is_idle:
            self.cycle.keep_alive = False
            return
        if self._body is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
        else:  # nobody else knows of it
            requests_of(NO_ENDPOINT, refusal.status).inc()
        status, wait = refusal.status, refusal.retry_after
        body = error_body(status, refusal.message)
        retry = "" if wait is None else f"retry-after: {wait}\r\n"
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{retry}"
            f"{REQUEST_HEADER}: {new_request_id()}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)
