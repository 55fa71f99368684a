"""A network that goes wrong: what is sent through it is held, slowed down or cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 64 * 1024


class Proxy:
    """Passes connections on to a port of this machine, in threads of its own."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        """For so many seconds each piece is kept."""
        self.held = 0
        """How many pieces were held back."""
        self.answers = 0
        """How many pieces came back from the port."""
        self._to = port
        self._mark: bytes | None = None
        self._go = threading.Event()
        self._broken = False
        self._sockets: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        _in_thread(self._listen)

    def hold(self, mark: bytes = b"") -> None:
        """Keep each piece that has a mark in it, and what is behind it, until `go_on`."""
        self._go.clear()
        self._mark = mark

    def go_on(self) -> None:
        """Let go of all that was held, though its sender may be gone."""
        self._mark = None
        self._go.set()

    def cut(self) -> None:
        """End all connections; new ones end at once, until `mend`."""
        self._broken = True
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again."""
        self._broken = False

    def close(self) -> None:
        """End."""
        self.go_on()
        self.cut()
        self._listening.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._broken:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets |= {client, server}
                _in_thread(self._there, client, server)
                _in_thread(self._back, client, server)

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what is asked; whoever asked and left is still asking, as far as we know."""
        with contextlib.suppress(OSError):
            while piece := client.recv(_PIECE):
                if self._mark is not None and self._mark in piece:
                    self.held += 1
                    self._go.wait()
                time.sleep(self.delay)
                server.sendall(piece)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(_PIECE):
                self.answers += 1
                if self._mark == b"":
                    self._go.wait()
                client.sendall(piece)
        for each in (client, server):
            self._sockets.discard(each)
            each.close()


def _in_thread(work: object, *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """Have a proxy for as long as the block lasts."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
