"""Real OpenSearch nodes on this machine, as processes of their own.

The distribution comes from Maven Central, once; it is the plain one, without plugins.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

VERSION = "2.19.4"
START_SECONDS = 120
_TELLING = ("/_cat/nodes?format=json", "/_cat/shards?format=json", "/_cluster/allocation/explain")
OPTIONS = "-Xms1g -Xmx1g"
SOON = "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1"
"""Options for nodes that live some minutes: half the work, most of which is compiling, saved."""

_ARTIFACT = f"org.opensearch.distribution.integ-test-zip:opensearch:{VERSION}:zip"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_FETCH_SECONDS = 300
_SET_PARENT_DEATH_SIGNAL = 1
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)  # Linux alone has it


class Missing(Exception):
    """Something is not on this machine; the message says how to get it."""


def distribution(directory: Path) -> Path:
    """Fetch and unpack OpenSearch into a folder; gives its home. Raises Missing."""
    for command, package in (("java", "openjdk-17-jre-headless"), ("mvn", "maven")):
        if shutil.which(command) is None:
            raise Missing(f"OpenSearch needs {command}: apt-get install {package}")
    fetching = ["mvn", "-B", "-ntp", "-q", _COPY, f"-Dartifact={_ARTIFACT}"]
    place = [f"-DoutputDirectory={directory}", "-Dmdep.useBaseVersion=true"]
    done = subprocess.run(
        fetching + place, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
    )
    if done.returncode:
        raise Missing(f"OpenSearch could not be fetched by Maven: {done.stdout.strip()[-300:]}")
    archive = directory / f"opensearch-{VERSION}.zip"
    with zipfile.ZipFile(archive) as unpacked:
        unpacked.extractall(directory)
    archive.unlink()
    home = directory / f"opensearch-{VERSION}"
    for script in (home / "bin").iterdir():  # a zip file as Python unpacks it has no modes
        script.chmod(0o755)
    return home


class Node:
    """One node, with its own configuration, data and logs."""

    def __init__(self, home: Path, directory: Path, name: str, ports: tuple[int, int]) -> None:
        self.name = name
        self.http, self.transport = ports
        self.url = f"http://127.0.0.1:{self.http}"
        self.process: subprocess.Popen[bytes] | None = None
        self._home = home
        self._directory = directory / name
        for part in ("data", "logs", "tmp"):
            (self._directory / part).mkdir(parents=True)
        shutil.copytree(home / "config", self._directory / "config")
        self._settle_paths()
        _hand_over(self._directory)

    def _settle_paths(self) -> None:
        """Name in full what the JVM would look for under the home, which is not ours."""
        options = self._directory / "config" / "jvm.options"
        text = options.read_text()
        for said, meant in (
            ("=logs/", f"={self._directory}/logs/"),
            ("file=logs/gc.log", f"file={self._directory}/logs/gc.log"),
            ("HeapDumpPath=data", f"HeapDumpPath={self._directory}/data"),
        ):
            text = text.replace(said, meant)
        options.write_text(text)

    def start(self, seeds: Sequence[Node], options: str) -> None:
        """Start the node, or start it again; it is ready when the cluster says so."""
        settings = {
            "cluster.name": "m1-test",
            "node.name": self.name,
            "path.data": self._directory / "data",
            "path.logs": self._directory / "logs",
            "network.host": "127.0.0.1",
            "http.port": self.http,
            "transport.port": self.transport,
            "discovery.seed_hosts": ",".join(f"127.0.0.1:{node.transport}" for node in seeds),
            "cluster.initial_cluster_manager_nodes": ",".join(node.name for node in seeds),
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "node.store.allow_mmap": "false",
            "action.auto_create_index": "false",
        }
        java = Path(os.path.realpath(str(shutil.which("java")))).parent.parent
        environment = {
            **os.environ,
            "OPENSEARCH_PATH_CONF": str(self._directory / "config"),
            "OPENSEARCH_JAVA_OPTS": options,
            "OPENSEARCH_TMPDIR": str(self._directory / "tmp"),
            "OPENSEARCH_JAVA_HOME": str(java),
        }
        with (self._directory / "logs" / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [self._home / "bin" / "opensearch", *(f"-E{k}={v}" for k, v in settings.items())],
                stdout=output,
                stderr=output,
                env=environment,
                cwd=self._directory,
                start_new_session=True,
                preexec_fn=_die_with_us,
                **_unprivileged(),
            )

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.process is None or self.process.poll() is not None

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; waits for the end where the signal means it."""
        assert self.process is not None
        self.process.send_signal(how)
        if how in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(60)

    def said(self) -> str:
        """Give the end of what it printed."""
        return (self._directory / "logs" / "output").read_text(errors="replace")[-2_000:]


class Cluster:
    """Some nodes that find each other."""

    def __init__(self, directory: Path, count: int = 1, options: str = OPTIONS) -> None:
        """Fetch the distribution and start so many nodes; raises Missing.

        The way to the directory must be open to others, as that to `tempfile`'s is.
        """
        directory.chmod(0o711)  # the nodes' user is another
        home = distribution(directory)
        ports = free_ports(2 * count)
        self._options = options
        self.nodes = [
            Node(home, directory, f"n{number}", (ports[2 * number], ports[2 * number + 1]))
            for number in range(count)
        ]
        try:
            for node in self.nodes:
                node.start(self.nodes, options)
            self.wait_for(count)
        except BaseException:
            self.stop()
            raise

    @property
    def urls(self) -> list[str]:
        """Where the nodes answer."""
        return [node.url for node in self.nodes]

    @contextlib.contextmanager
    def own_prefix(self) -> Iterator[str]:
        """Give what the names of one's own indices begin with; the block's end removes them."""
        prefix = f"t{uuid4().hex[:12]}"
        try:
            yield prefix
        finally:
            running = next(node for node in self.nodes if not node.ended)
            call(running.url, "DELETE", f"/{prefix}-*")

    def restart(self, node: Node) -> None:
        """Start a node again that was killed."""
        node.start(self.nodes, self._options)

    def wait_for(self, count: int, status: str = "yellow") -> None:
        """Wait until so many nodes are together, and all is at least of a status."""
        asked = f"/_cluster/health?wait_for_nodes={count}&wait_for_status={status}&timeout=1s"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for node in self.nodes:
                if node.ended:
                    continue
                with contextlib.suppress(OSError, urllib.error.URLError):
                    if not call(node.url, "GET", asked)["timed_out"]:
                        return
            if all(node.ended for node in self.nodes):
                raise RuntimeError(f"OpenSearch ended: {self.nodes[0].said()}")
            time.sleep(0.1)
        raise TimeoutError(f"not {count} nodes, {status}, in {START_SECONDS} s: {self.told()}")

    def told(self) -> str:
        """Tell how each node sees the cluster, why a shard has no node, and what nodes printed."""
        said = []
        for node in self.nodes:
            for asked in _TELLING:
                try:
                    answer = json.dumps(call(node.url, "GET", asked))
                except OSError as error:
                    answer = str(error)
                said.append(f"{node.name} {asked}: {answer}")
            said.append(node.said())
        return "\n".join(said)

    def stop(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            if not node.ended:
                node.kill()


def call(url: str, verb: str, path: str, body: object = None) -> Any:
    """Call a node; raises urllib.error.HTTPError for anything but success."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
    request = urllib.request.Request(url + path, data, headers={"Content-Type": kind}, method=verb)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


@contextlib.contextmanager
def cluster(directory: Path, count: int = 1, options: str = OPTIONS) -> Iterator[Cluster]:
    """Run a cluster for as long as the block lasts."""
    running = Cluster(directory, count, options)
    try:
        yield running
    finally:
        running.stop()


def _unprivileged() -> dict[str, Any]:
    """Give under which user a node runs: OpenSearch refuses root."""
    if os.getuid():
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def _die_with_us() -> None:
    """Have the node killed when the thread that started it ends, however that does."""
    if _PRCTL is not None:
        _PRCTL(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL))


def _hand_over(directory: Path) -> None:
    if not os.getuid():
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")


def free_ports(count: int) -> list[int]:
    """Give ports that nobody listened on just now, for programs that cannot choose one."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in taken]
