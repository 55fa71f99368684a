"""Two servers over one cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.opensearch import Cluster
from tests.serving import Server
from tests.waiting import until

SEEN_SECONDS = 1.0


def flags_of(urls: Sequence[str], prefix: str) -> list[str]:
    """Give the flags for a server over a cluster."""
    place = ["--opensearch", ",".join(urls), "--opensearch-prefix", prefix]
    return ["--engine", "opensearch", *place]


class Two:
    """Two servers with indices of their own, and one user, whose token both take."""

    def __init__(
        self,
        stack: ExitStack,
        directory: Path,
        nodes: Cluster,
        program: str = "m1",
        urls: Sequence[str] = (),
    ) -> None:
        """Start both, at the nodes themselves where no other ways are given."""
        self._stack = stack
        self._directory = directory
        self._program = program
        self._urls = urls or nodes.urls
        self._prefix = stack.enter_context(nodes.own_prefix())
        self.one, self.other = self.start("one"), self.start("other")

    def start(self, name: str, urls: Sequence[str] = ()) -> Server:
        """Start one more server, over the same cluster by other ways where some are given."""
        place = self._directory / name
        flags = flags_of(urls or self._urls, self._prefix)
        server = Server(place / "data", *flags, home=place / "home", program=self._program)
        self._stack.callback(server.stop)
        return server

    def log_in(self) -> None:
        """Make the user, whose token both use from now on."""
        self.one.log_in()
        self.other.token = self.one.token
        until(lambda: self.other.call("ping").status == 200, "no token is shared", SEEN_SECONDS)

    def add_store(self, name: str, shards: int, replicas: int) -> None:
        """Make a store, and wait until both know of it."""
        made = self.one.call("session/add", store=name, shards=shards, replicas=replicas)
        assert made.status == 204, made.text
        until(lambda: name in self.other.call("session/list").text, "no store", SEEN_SECONDS)
