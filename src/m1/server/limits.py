"""What one connection may take of the server: bytes, time, and a place among the others."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

MAX_HEADERS = 200
LEAST_BYTES_A_SECOND = 1_024
_FILES = 48
"""So many descriptors are kept for data, threads and what comes up."""


@dataclass(frozen=True)
class Limits:
    """The limits of every connection."""

    connections: int
    """How many are served at once; others are told to try again."""
    head: int
    """The largest URL, and the largest sum of all headers, in bytes."""
    receive_seconds: float
    """How long a head may take, and after which a body must have come fast enough."""
    send_seconds: float
    """How long a client may take nothing of its answer."""
    backlog: int = 128
    """How many wait in the kernel; clients beyond try again by themselves after a second."""

    def fitted(self) -> Limits:
        """Fit the limits to the descriptors of this process, having asked for as many as needed.

        Beside those that are served there may be as many as wait, twice: being refused, and
        just accepted.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.connections + 2 * self.backlog + _FILES
        if soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        backlog = min(self.backlog, max(soft // 8, 1))
        room = max(soft - 2 * backlog - _FILES, 1)
        return replace(self, connections=min(self.connections, room), backlog=backlog)
