"""kill -9 at any moment, under four writers: what was acknowledged is there, nothing is half.

Every update puts the two items of a pair with one and the same number. After each crash a
pair must hold twice one number that is the last one acknowledged, or one that was tried
after it: an update whose answer never came may stand or not.

This is the death of the process; the loss of power is another matter, and another test.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.serving import Server

CYCLES = 20
WRITERS = 4
PAIRS = 3


class Writer(threading.Thread):
    """Updates its own pairs until the server is gone, and keeps count."""

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self.names = [f"w{number}p{pair}" for pair in range(PAIRS)]
        self.acknowledged = dict.fromkeys(self.names, 0)
        self.tried = dict.fromkeys(self.names, 0)
        self.server: Server

    def again(self) -> Writer:
        """Give a thread that goes on where this one ended."""
        other = Writer(0)
        other.names, other.acknowledged, other.tried = self.names, self.acknowledged, self.tried
        return other

    def run(self) -> None:
        address = urlsplit(self.server.url)
        assert address.hostname
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        headers = {
            "m1-auth-token": self.server.token,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        try:
            while True:
                for name in self.names:
                    self.tried[name] += 1
                    form = urlencode({"store": "stash", "ops": self._ops(name)})
                    connection.request("POST", "/session/update", form, headers)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 204:
                        self.acknowledged[name] = self.tried[name]
        except (OSError, http.client.HTTPException):
            connection.close()

    def _ops(self, name: str) -> str:
        number = self.tried[name]
        pair = [{"session": {"id": f"{name}-{half}"}, "n": number} for half in "ab"]
        return json.dumps([{"upsert": pair}])


def faults(server: Server, writers: list[Writer]) -> list[str]:
    """Say what is wrong with what the server has."""
    found = server.call("session/query", store="stash", q="*", rows=10_000).json["items"]
    stored = {item["session"]["id"]: item["n"] for item in found}
    wrong = []
    for writer in writers:
        for name in writer.names:
            a, b = stored.get(f"{name}-a", 0), stored.get(f"{name}-b", 0)
            if a != b:
                wrong.append(f"{name} is torn: {a} and {b}")
            elif not writer.acknowledged[name] <= a <= writer.tried[name]:
                told, tried = writer.acknowledged[name], writer.tried[name]
                wrong.append(f"{name} is {a}, acknowledged {told}, tried up to {tried}")
            writer.acknowledged[name] = writer.tried[name] = max(a, writer.tried[name])
    return wrong


def crash_again_and_again(
    directory: Path, rand: random.Random, cycles: int, program: str = "m1"
) -> list[str]:
    """Crash a server under load again and again; gives all faults, and stops at the first."""
    data, home = directory / "data", directory / "home"
    writers = [Writer(number) for number in range(WRITERS)]
    updates = 0
    for cycle in range(cycles + 1):
        server = Server(data, home=home, program=program)
        server.log_in()
        if cycle == 0:
            assert server.call("session/add", store="stash", shards=1, replicas=1).status == 204
        wrong = faults(server, writers)
        if wrong or cycle == cycles:
            server.kill()
            assert updates > cycles, "the writers hardly wrote"
            return wrong
        writers = [writer.again() for writer in writers]
        before = sum(sum(writer.acknowledged.values()) for writer in writers)
        for writer in writers:
            writer.server = server
            writer.start()
        time.sleep(rand.uniform(0.05, 0.4))  # the moment is what is drawn, nothing is awaited
        server.kill()
        for writer in writers:
            writer.join(60)
        updates += sum(sum(writer.acknowledged.values()) for writer in writers) - before
    raise AssertionError


def test_no_acknowledged_update_is_lost_or_torn_by_kill(
    tmp_path: Path, rand: random.Random
) -> None:
    assert crash_again_and_again(tmp_path, rand, CYCLES) == []


def test_a_server_that_answers_before_it_commits_is_found_out(
    tmp_path: Path, rand: random.Random
) -> None:
    wrong = crash_again_and_again(tmp_path, rand, 30, program="tests.crash.hasty")
    assert any("acknowledged" in fault for fault in wrong)


@pytest.mark.parametrize("torn", [{"a": 2, "b": 1}, {"a": 0, "b": 0}, {"a": 3, "b": 3}])
def test_the_check_sees_what_is_torn_lost_or_made_up(torn: dict[str, int]) -> None:
    class Shows:
        def call(self, *_: object, **__: object) -> object:
            items = [{"session": {"id": f"w0p0-{half}"}, "n": n} for half, n in torn.items()]
            return type("Reply", (), {"json": {"items": items}})

    writer = Writer(0)
    writer.names = ["w0p0"]
    writer.acknowledged, writer.tried = {"w0p0": 1}, {"w0p0": 2}
    assert faults(Shows(), [writer])  # type: ignore[arg-type]
