"""Nodes that die, freeze or cannot be reached, under eight writers on two servers.

What was acknowledged is there, what was removed stays away, no answer is shorter than the
truth, and whoever cannot be answered is told so with 503, within half a minute.
"""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, cycle, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.clustered import Two
from tests.crash.proxy import proxied
from tests.crash.tier import did, rounds
from tests.e2e.curl import found, session, update, upsert
from tests.e2e.test_stream import CUT, Reader
from tests.opensearch import Cluster, Node, call
from tests.serving import Server
from tests.waiting import until

WRITERS = 8
IDS = 3
STILL = 300
"""So many items nobody changes: each count of them must be this one."""
ANSWER_SECONDS = 30.0
RESUMED_SECONDS = 10.0
FROZEN_SECONDS = 35
"""After some 30 s a cluster gives a frozen node up; when it wakes up it does not know."""
MANY = 100_000
_names = count()


class Answer(NamedTuple):
    """One answer: when it came, how long it took, and its status; 0 where none came."""

    came: float
    seconds: float
    status: int


class Client(threading.Thread):
    """Calls servers in turn until it is to stop, and keeps what was wrong."""

    def __init__(self, store: str, servers: list[Server]) -> None:
        super().__init__(daemon=True)
        self.store = store
        self.answers: list[Answer] = []
        self.wrong: list[str] = []
        self.stop = threading.Event()
        self._servers = cycle([(urlsplit(server.url), server.token) for server in servers])

    def ask(self, endpoint: str, **parameters: Any) -> tuple[int, Any]:
        """Call the next server; gives the status, and what came where it is 200."""
        url, token = next(self._servers)
        sent = {"m1-auth-token": token, "Content-Type": "application/x-www-form-urlencoded"}
        form = urlencode({"store": self.store, **parameters})
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
        begin, status, text = time.monotonic(), 0, b""
        try:
            connection.request("POST", f"/session/{endpoint}", form, sent)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
            if status == 503 and answer.getheader("retry-after") is None:
                self.wrong.append("a 503 without Retry-After")
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        self._check(Answer(time.monotonic(), time.monotonic() - begin, status), text)
        return status, json.loads(text) if status == 200 else None

    def _check(self, answer: Answer, text: bytes) -> None:
        self.answers.append(answer)
        if answer.seconds > ANSWER_SECONDS:
            self.wrong.append(f"an answer after {answer.seconds:.0f} s")
        if answer.status not in (0, 200, 204, 503):
            self.wrong.append(f"{answer.status}: {text[:200]!r}")

    def answered_since(self, moment: float) -> bool:
        """Tell whether a call succeeded after a moment."""
        return any(each.came > moment and each.status in (200, 204) for each in self.answers[-9:])


class Writer(Client):
    """Updates and removes its own items, and looks for them on the other server."""

    def __init__(self, number: int, store: str, servers: list[Server]) -> None:
        super().__init__(store, servers)
        self.legal: dict[str, set[int | None]] = {f"w{number}-{n}": {None} for n in range(IDS)}
        """What an item may be: what was acknowledged last, and what was tried since."""

    def run(self) -> None:
        for number, id in enumerate(cycle(self.legal), 1):
            if self.stop.wait(0.02):
                return
            value = None if number % 4 == 0 else number
            self.legal[id].add(value)
            op = {"delete": [id]} if value is None else {"upsert": [session(id, n=value)]}
            status, _ = self.ask("update", ops=json.dumps([op]))
            if status == 204:
                self.legal[id] = {value}
                self._look(id, value)

    def _look(self, id: str, value: int | None) -> None:
        status, page = self.ask("query", q=f'session.id:"{id}"')
        if status == 200 and [item["n"] for item in page["items"]] != [value] * (value is not None):
            self.wrong.append(f"{id} was acknowledged as {value}, then found as {page['items']}")


class Counter(Client):
    """Counts the items that nobody changes."""

    def run(self) -> None:
        while not self.stop.wait(0.05):
            status, page = self.ask("query", q="still:true", rows=0)
            if status == 200 and page["count"] != STILL:
                self.wrong.append(f"{page['count']} of {STILL} items were found")


class Load:
    """Writers and a counter on a store of their own, with two shards of two copies."""

    def __init__(self, two: Two) -> None:
        self.store = f"load-{next(_names)}"
        self.two = two
        two.add_store(self.store, 2, 2)
        upsert(two.one, self.store, *[session(f"s{n}", still=True) for n in range(STILL)])
        both = [two.one, two.other]
        self.writers = [
            Writer(n, self.store, both if n % 2 else both[::-1]) for n in range(WRITERS)
        ]
        self.clients: list[Client] = [*self.writers, Counter(self.store, both)]
        for client in self.clients:
            client.start()

    def goes_on(self, seconds: float = RESUMED_SECONDS) -> None:
        """Wait until everybody was answered."""
        begin = time.monotonic()
        until(
            lambda: all(client.answered_since(begin) for client in self.clients),
            "not everybody is answered",
            seconds,
        )
        print(f"all go on after {time.monotonic() - begin:.1f} s")  # noqa: T201

    def stop(self) -> None:
        """End the load."""
        for client in self.clients:
            client.stop.set()
        for client in self.clients:
            client.join(60)

    def wrong(self) -> list[str]:
        """End the load, and tell what was wrong with it and what is stored now."""
        self.stop()
        wrong = [fault for client in self.clients for fault in client.wrong]
        for server in (self.two.one, self.two.other):
            stored = {item["session"]["id"]: item.get("n") for item in self._items(server)}
            for id, legal in (pair for writer in self.writers for pair in writer.legal.items()):
                if stored.get(id) not in legal:
                    wrong.append(f"{id} is {stored.get(id)}, acknowledged or tried since: {legal}")
        self._report()
        return wrong

    def _report(self) -> None:
        """Say how the clients fared."""
        answers = [answer for client in self.clients for answer in client.answers]
        times = sorted(answer.came for answer in answers if answer.status in (200, 204))
        silence = max(after - before for before, after in pairwise(times))
        refused = sum(answer.status == 503 for answer in answers)
        print(f"{len(answers):,} calls, {refused:,} refused, {silence:.1f} s without success")  # noqa: T201
        did("calls under faults", len(answers))

    def _items(self, server: Server) -> list[Any]:
        return found(server, self.store, rows=MANY)


@contextmanager
def load(two: Two) -> Iterator[Load]:
    """Have a load for as long as the block lasts."""
    running = Load(two)
    try:
        running.goes_on(20)
        yield running
    finally:
        running.stop()


@contextmanager
def down(nodes: Cluster, *lost: Node) -> Iterator[None]:
    """Have nodes killed for as long as the block lasts."""
    for node in lost:
        node.kill()
    did("nodes killed", len(lost))
    try:
        yield
    finally:
        for node in lost:
            nodes.restart(node)
        nodes.wait_for(len(nodes.nodes), "green")


def manager(nodes: Cluster) -> Node:
    """Give the node that manages the cluster."""
    said = call(nodes.urls[0], "GET", "/_cat/cluster_manager?format=json")
    return next(node for node in nodes.nodes if node.name == said[0]["node"])


def test_nothing_is_lost_when_a_node_dies_and_then_the_manager(
    two: Two, nodes: Cluster, rand: random.Random
) -> None:
    with load(two) as running:
        for number in range(rounds(commit=2, torture=20)):
            first = manager(nodes)
            others = [node for node in nodes.nodes if node is not first]
            with down(nodes, first if number % 2 else rand.choice(others)):
                running.goes_on()
            running.goes_on()
        assert running.wrong() == []


def test_nothing_is_lost_when_a_node_freezes_and_comes_back(
    two: Two, nodes: Cluster, rand: random.Random
) -> None:
    with load(two) as running:
        for _ in range(rounds(commit=1, torture=6)):
            frozen = rand.choice(nodes.nodes)
            frozen.kill(signal.SIGSTOP)
            try:
                time.sleep(FROZEN_SECONDS)  # so long it is frozen
            finally:
                frozen.kill(signal.SIGCONT)
            running.goes_on(ANSWER_SECONDS)
            nodes.wait_for(len(nodes.nodes), "green")
            did("nodes frozen")
        assert running.wrong() == []


def test_nothing_is_lost_where_the_network_is_slow_torn_or_silent(
    nodes: Cluster, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        proxies = [stack.enter_context(proxied(node.http)) for node in nodes.nodes]
        two = Two(stack, tmp_path, nodes, "tests.crash.hurried", [proxy.url for proxy in proxies])
        two.log_in()
        with load(two) as running:
            for _ in range(rounds(commit=1, torture=10)):
                for proxy in proxies:
                    proxy.delay = 0.3
                running.goes_on()
                for proxy in proxies:
                    proxy.delay = 0
                    proxy.cut()
                    running.goes_on()
                    proxy.mend()
                    proxy.hold()
                    running.goes_on(ANSWER_SECONDS)
                    proxy.go_on()
                for proxy in proxies:
                    proxy.cut()
                until(lambda: running.clients[0].answers[-1].status == 503, "no 503")
                for proxy in proxies:
                    proxy.mend()
                running.goes_on()
                did("networks torn", len(proxies))
            assert running.wrong() == []


def test_a_stream_is_whole_or_visibly_broken_when_a_node_dies(
    two: Two, nodes: Cluster, rand: random.Random
) -> None:
    store, items = "streamed", 3_000
    two.add_store(store, 2, 2)
    for begin in range(0, items, 500):
        some = range(begin, begin + 500)
        upsert(two.one, store, *[session(f"{n:05}", pad="p" * 2_000) for n in some])
    for _ in range(rounds(commit=1, torture=10)):
        with Reader(two.one, store) as reader:
            reader.take(100_000)
            with down(nodes, rand.choice(nodes.nodes)):
                try:
                    page = reader.rest()
                except CUT:
                    did("streams broken")
                    continue
                did("streams whole")
                ids = [item["session"]["id"] for item in page["items"]]
                assert ids == [f"{n:05}" for n in range(items)]


def test_the_death_of_a_server_disturbs_the_other_in_nothing(two: Two) -> None:
    with load(two) as running:
        running.goes_on()
        two.other.kill()
        running.goes_on()
        two.other = two.start("other")
        two.other.token = two.one.token
        assert running.wrong() == []
        lost = sum(each.status == 503 for client in running.clients for each in client.answers)
        assert lost == 0


def test_all_is_back_when_every_node_was_killed(two: Two, nodes: Cluster) -> None:
    with load(two) as running:
        with down(nodes, *nodes.nodes):
            pass
        running.goes_on(ANSWER_SECONDS)
        assert running.store in two.one.call("session/list").text
        assert running.wrong() == []


def overtaken(nodes: Cluster, directory: Path, program: str) -> int:
    """Hold an update on its way, make a newer one, let the old one go; gives what is there."""
    with ExitStack() as stack:
        proxy = stack.enter_context(proxied(nodes.nodes[0].http))
        two = Two(stack, directory, nodes, program)
        behind = two.start("behind", [proxy.url])
        two.log_in()
        behind.token = two.one.token
        two.add_store("s", 1, 2)
        until(lambda: update(behind, "s", item(0)).status == 204, "no store")
        proxy.hold(b"/_bulk")
        assert update(behind, "s", item(1)).status == 503
        assert update(two.one, "s", item(2)).status == 204
        answers = proxy.answers
        proxy.go_on()
        until(lambda: proxy.answers > answers, "it does not arrive")
        (stored,) = found(two.one, "s")
        number: int = stored["n"]
        return number


def item(number: int) -> dict[str, Any]:
    """Give the op that puts the one item."""
    return {"upsert": [session("a", n=number)]}


def test_an_update_that_was_given_up_undoes_nothing_newer(nodes: Cluster, tmp_path: Path) -> None:
    assert overtaken(nodes, tmp_path, "tests.crash.hurried") == 2


def test_one_without_a_version_is_found_out(nodes: Cluster, tmp_path: Path) -> None:
    assert overtaken(nodes, tmp_path, "tests.crash.unversioned") == 1


def test_a_server_that_forgets_what_it_acknowledged_is_found_out(
    nodes: Cluster, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        two = Two(stack, tmp_path, nodes, "tests.crash.forgetful")
        two.log_in()
        with load(two) as running:
            until(running.wrong, "nothing was found out", ANSWER_SECONDS)
