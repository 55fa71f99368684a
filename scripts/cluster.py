"""Three real OpenSearch nodes and two servers over them, to try what a cluster does.

    python -m scripts.cluster [--nodes 3] [--servers 2]

Prints lines to paste, and runs until Ctrl-C; nothing is left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from m1.counts import counted
from scripts.saying import command, say
from tests.opensearch import Cluster, Missing, cluster
from tests.serving import Server

_TO_PASTE = """
{nodes}
{servers}

the user is admin, its password {password}. In another terminal, in this folder:

  {m1} environments add cluster {url}
  {m1} auth cluster -username admin -password {password}
  {m1} cluster session/add -store stash -shards 2 -replicas 2
  {m1} cluster session/update -store stash -ops '[{{"upsert": [{{"session": {{"id": "s1"}}}}]}}]'
  {m1} cluster session/query -store stash -q '*'
  {m1} cluster health

Kill a node by its pid, and ask again. Ctrl-C ends everything.
"""


def _run(count: int, servers: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="m1-cluster-") as scratch,
        contextlib.ExitStack() as stack,
    ):
        say(f"fetching OpenSearch and starting {counted(count, 'node')} ...")
        nodes = stack.enter_context(cluster(Path(scratch), count))
        say(f"starting {counted(servers, 'server')} ...")
        started = [_server(stack, Path(scratch) / f"server{n}", nodes) for n in range(servers)]
        password = secrets.token_urlsafe(12)
        started[0].log_in(password)
        say(
            _TO_PASTE.format(
                nodes="\n".join(
                    f"node {node.name} at {node.url}, pid {node.process.pid}"
                    for node in nodes.nodes
                    if node.process is not None
                ),
                servers="\n".join(f"server at {server.url}" for server in started),
                password=password,
                url=started[0].url,
                m1=command(),
            )
        )
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        say("ending ...")


def _server(stack: contextlib.ExitStack, directory: Path, nodes: Cluster) -> Server:
    flags = ["--engine", "opensearch", "--opensearch", ",".join(nodes.urls)]
    server = Server(directory / "data", *flags, home=directory / "home", own_group=True)
    stack.callback(server.stop)
    return server


def main() -> int:
    """Read the flags, and run."""
    parser = argparse.ArgumentParser(prog="python -m scripts.cluster", allow_abbrev=False)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--servers", type=int, default=2)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        _run(given.nodes, given.servers)
    except Missing as error:
        print(f"cluster: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
