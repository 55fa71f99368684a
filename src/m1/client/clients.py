"""Client and AsyncClient: all that is offered, each over its own edge."""

from __future__ import annotations

import ssl
from abc import abstractmethod
from typing import Self

from m1.client.awaiting import Awaiting
from m1.client.blocking import Blocking
from m1.client.offered import E
from m1.client.rooms import Rooms
from m1.client.rules import Login
from m1.client.server import Server
from m1.environments import Environments


class _AnyClient(Rooms[E]):
    """What both flavours have; Client says what it takes."""

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        connect_seconds: float = 5,
        read_seconds: float = 60,
        retry_seconds: float = 10,
        connections: int = 100,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        server = Server(
            url=url,
            connect_seconds=connect_seconds,
            read_seconds=read_seconds,
            retry_seconds=retry_seconds,
            connections=connections,
            tls=tls or ssl.create_default_context(),
        )
        super().__init__(self._edge_to(server, Login(username, password, token)))

    @abstractmethod
    def _edge_to(self, server: Server, login: Login) -> E:
        """Give what carries calls out."""

    @classmethod
    def of(cls, environment: str) -> Self:
        """Give a client of an environment of the command `m1`, with the token kept there.

        Raises Misuse that says how to add it, where there is none of this name.
        """
        found = Environments().find(environment)
        return cls(found.url, token=found.token)


class Client(_AnyClient[Blocking]):
    """Calls a server, and waits for its answers; any number of threads may share one.

    `url` is the server's. With `username` and `password` the client logs in when it first
    needs to, and again when its token has ended; or `token` is one to call with.

    `connect_seconds` is the limit for a connection to be made, or to become free where all
    `connections` are in use; `read_seconds` that for the next bytes of an answer (there is
    none where a store gets another key); `retry_seconds` after the first try, no other one
    is begun. `tls` is for certificates that the system does not know.
    """

    def _edge_to(self, server: Server, login: Login) -> Blocking:
        return Blocking(server, login)

    def close(self) -> None:
        """Close all connections."""
        self._edge.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncClient(_AnyClient[Awaiting]):
    """Calls a server from one event loop, and takes what Client takes; all is awaited."""

    def _edge_to(self, server: Server, login: Login) -> Awaiting:
        return Awaiting(server, login)

    async def close(self) -> None:
        """Close all connections."""
        await self._edge.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
