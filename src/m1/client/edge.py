"""What both edges have: a server, a login, and connections that no child process shares.

Two processes on one connection would read each other's answers, a lock that a thread of
the parent held would never be free in the child, and as long as a child keeps a connection
open, the server does not see that the parent left it. So a child process begins anew.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from typing import Protocol
from weakref import WeakSet

import httpx

from m1.client.ask import Ask, T
from m1.client.rules import Login, Steps, steps
from m1.client.server import Server
from m1.errors import Misuse


class _Stream(Protocol):
    """A connection, as httpx shows it in the extensions of an answer."""

    def get_extra_info(self, info: str) -> socket.socket:
        """Give its socket, where that is asked for."""


class Edge(ABC):
    """Carries out what the rules say."""

    def __init__(self, server: Server, login: Login) -> None:
        self._server = server
        self._login = login
        self._streams: WeakSet[_Stream] = WeakSet()
        self.begin()
        _living.add(self)

    @abstractmethod
    def begin(self) -> None:
        """Have no connection and no lock that is held, as at first."""

    def _steps(self, ask: Ask[T]) -> Steps:
        return steps(ask, self._login, self._server.url, self._server.retry_seconds)

    def _note(self, response: httpx.Response) -> None:
        """Remember the connection of an answer."""
        self._streams.add(response.extensions["network_stream"])

    def begin_in_child(self) -> None:
        """Leave the connections to the parent, and begin anew.

        The numbers of their files are kept until the library closes what it takes for them.
        """
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in self._streams:
            number = stream.get_extra_info("socket").fileno()
            if number >= 0:
                os.dup2(nothing, number, inheritable=False)
        os.close(nothing)
        self._streams.clear()
        self.begin()


_living: WeakSet[Edge] = WeakSet()


def _in_child() -> None:
    for edge in list(_living):
        edge.begin_in_child()


os.register_at_fork(after_in_child=_in_child)


class Home:
    """The process in which something was made, where that cannot begin anew in another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = os.getpid()

    def is_here(self) -> bool:
        """Tell whether this is that process."""
        return self._process == os.getpid()

    def check(self) -> None:
        """Raise Misuse in any other."""
        if not self.is_here():
            raise Misuse(f"{self._name} belong to the process that opened them: open others")
