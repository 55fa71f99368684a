"""Settings in, running server out; the one file that names the engines."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop

from m1.api.geo import Geo
from m1.api.services import Services
from m1.catalog import SharedCatalog
from m1.embedded.engine import EmbeddedEngine
from m1.engine import Engine
from m1.errors import M1Error, StartError
from m1.metrics import CONNECTIONS_OPEN
from m1.server import log
from m1.server.app import App
from m1.server.limits import Limits
from m1.server.protocol import Protocol
from m1.server.quickstart import quickstart
from m1.server.settings import Settings
from m1.server.tls import Certificate

_MALLOC = ((-1, 16 * 1024 * 1024), (-3, 8 * 1024 * 1024), (-8, 1))
"""Of malloc.h: M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in bytes, M_ARENA_MAX.

Large bodies go back to the system; the arrays of a query, a few bytes an item of a segment, do
not: to get each page of them anew takes longer than the query.
"""
_GRACE_SECONDS = 30
_LEAST_SECRET = 16
_LOOK_SECONDS = 0.02
_SWEEP_SECONDS = 1.0
_TOLD_SECONDS = 10.0
"""So often at most the log tells that there are too many connections."""
_log = logging.getLogger("m1")


def serve(settings: Settings) -> int:
    """Run a server until it is told to end; gives the exit code. Raises Failure."""
    os.umask(0o077)
    _tune_interpreter()
    log.set_up(settings.log_format)
    try:
        loop = partial(_Loop, settings.receive_seconds)
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(_serve(settings))
    except M1Error as error:  # --quickstart could not write
        raise StartError(error.message) from error


def _tune_interpreter() -> None:
    """Set Python up for a process that holds millions of objects, and lives long."""
    # A young collection holds everybody up for a millisecond or two for each thousand objects; a
    # full one walks the index, which has no circles.
    gc.set_threshold(5_000, 100, 100)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc's: by itself it keeps what large bodies needed for good
        for parameter, value in _MALLOC:
            libc.mallopt(parameter, value)


async def _serve(settings: Settings) -> int:
    certificate = _certificate(settings)
    listening = _bound(settings.host, settings.port)
    failures: list[BaseException] = []
    stop: list[Callable[[], None]] = []

    def on_failure(error: BaseException) -> None:
        _log.critical("the data can no longer be written, ending: %s", error, exc_info=error)
        failures.append(error)
        for each in stop:
            each()

    with listening:
        geo = None if settings.geo is None else Geo(settings.geo)
        secret = _secret(settings.init_secret_file)
        engine = await _engine(settings, on_failure)
        services = Services(engine, SharedCatalog(engine), geo=geo, init_secret=secret)
        await _tidy(services)
        app = App(services, settings)
        url = _url(settings, listening)
        host = listening.getsockname()[0]
        lines = await quickstart(services, url, host) if settings.quickstart else None
        config = _config(app, settings.limits.fitted(), certificate)
        server = _Server(app, config, [f"m1 listening on {url}", lines])
        stop.append(server.stop)
        server.stop_on_signals()
        if certificate is not None:
            _renew_on_signal(certificate)
        if not failures:
            await server.serve(sockets=[listening])
        await engine.close()
        services.passwords.close()
    return 1 if failures else 0


async def _engine(settings: Settings, on_failure: Callable[[BaseException], None]) -> Engine:
    """Open the engine that was chosen; raises StartError."""
    if settings.engine == "embedded":
        return EmbeddedEngine(settings.data, on_failure)
    try:
        from m1.opensearch import OpenSearchEngine  # an extra, with libraries of its own
    except ImportError as error:
        raise StartError(
            f"--engine opensearch needs more than is installed ({error.name} is missing): "
            "pip install 'm1-session-stores[opensearch]'"
        ) from None
    name, password = (os.environ.get(f"OPENSEARCH_{what}") for what in ("USERNAME", "PASSWORD"))
    user = (name, password) if name and password else None
    return await OpenSearchEngine.open(settings.opensearch, user, settings.opensearch_prefix)


async def _tidy(services: Services) -> None:
    """Let go of what a crash left half made; where that cannot be now, the next start does it."""
    try:
        await services.catalog.remove_all_doomed()
    except M1Error as error:
        _log.warning("what the last server left half done stays for now: %s", error.message)


def _secret(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeError) as error:
        raise StartError(f"--init-secret-file {file}: it cannot be read: {error}") from None
    if len(secret) < _LEAST_SECRET:
        raise StartError(
            f"--init-secret-file {file}: at least {_LEAST_SECRET} characters are needed, since it "
            "can be guessed at as fast as the network is; try: openssl rand -hex 16"
        )
    return secret


def _certificate(settings: Settings) -> Certificate | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key)


def _bound(host: str, port: int) -> socket.socket:
    """Take the address before anything else, so that a busy port changes no data."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()  # two can bind to one port, until one of them listens
    except OSError as error:
        raise StartError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
        ) from None
    return listening


def _url(settings: Settings, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _renew_on_signal(certificate: Certificate) -> None:
    """Read the certificate anew on SIGHUP, as its files are replaced when it is renewed."""

    def renew() -> None:
        try:
            certificate.read()
        except StartError as error:
            _log.error("the certificate of before stays: %s", error)
        else:
            _log.info("the certificate was read anew")

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, renew)


def _config(app: App, limits: Limits, certificate: Certificate | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast(type[asyncio.Protocol], partial(Protocol, limits=limits)),
        ws="none",
        lifespan="off",
        proxy_headers=False,  # X-Forwarded-For is for Peers alone to believe
        server_header=False,
        access_log=False,
        log_config=None,
        backlog=limits.backlog,
        timeout_graceful_shutdown=1,  # the grace is over when uvicorn begins to count
        ssl_context_factory=None if certificate is None else lambda *_: certificate.context,
    )


class _Loop(uvloop.Loop):
    """uvloop, with a limit for the handshake of TLS that uvicorn has no setting for."""

    def __init__(self, handshake_seconds: float) -> None:
        super().__init__()
        self._handshake_seconds = handshake_seconds

    async def create_server(  # type: ignore[override]
        self, *arguments: Any, **more: Any
    ) -> asyncio.AbstractServer:
        if more.get("ssl") is not None:
            more["ssl_handshake_timeout"] = self._handshake_seconds
        return await super().create_server(*arguments, **more)


class _Server(uvicorn.Server):
    """uvicorn, telling when it is ready, and ending with exit code 0 when told to end."""

    def __init__(self, app: App, config: uvicorn.Config, when_ready: Sequence[str | None]) -> None:
        super().__init__(config)
        self._app = app
        self._when_ready = when_ready
        self._swept_at = time.monotonic()
        self._told_at = float("-inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for text in self._when_ready:
            if text is not None:
                print(text, flush=True)  # noqa: T201

    async def on_tick(self, counter: int) -> bool:
        self._sweep()
        return await super().on_tick(counter)

    def _sweep(self) -> None:
        """Have each connection looked at now and then; see Protocol."""
        now = time.monotonic()
        if now - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = now
        connections = self._connections()
        CONNECTIONS_OPEN.set(len(connections))
        for each in connections:
            each.sweep(now)
        if any(each.is_crowded for each in connections) and now - self._told_at > _TOLD_SECONDS:
            self._told_at = now
            _log.warning("there are %d connections, some are refused", len(connections))

    def _connections(self) -> list[Protocol]:
        return list(cast(set[Protocol], self.server_state.connections))

    def stop(self) -> None:
        """Refuse what comes from now on, finish what has begun, end."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on until what began before is finished, so that others are told and not cut."""
        self._app.ending = True
        deadline = time.monotonic() + _GRACE_SECONDS
        # uvicorn has no event for it
        while self._is_busy() and not self.force_exit and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            self._sweep()
        await super().shutdown(sockets)

    def _is_busy(self) -> bool:
        return any(each.is_busy for each in self._connections())

    def stop_on_signals(self) -> None:
        """End on SIGTERM and SIGINT; a second one does not wait for what runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_now_or_soon)

    def _stop_now_or_soon(self) -> None:
        self.force_exit = self.should_exit
        self.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[Any]:
        """Leave signals alone: uvicorn would raise them again at the end, and die of them."""
        yield
