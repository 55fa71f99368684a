"""kill -9 at any moment, under four writers: what was acknowledged is there, nothing is half.

Every update puts the two items of a pair with one and the same number, or, each fifth time,
removes both. After each crash a pair must hold twice what was acknowledged last, or what
was tried after it: an update whose answer never came may stand or not.

This is the death of the process; the loss of power is in `test_power`.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from itertools import cycle
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from tests.crash.places import CutDisk
from tests.crash.tier import did, rounds
from tests.serving import Server
from tests.waiting import until

CYCLES = rounds(commit=20, torture=500)
STARTS = rounds(commit=4, torture=50)
WRITERS = 4
TINY = "tests.crash.tiny"
PAIRS = 3


class Answer(NamedTuple):
    """When an update was sent and answered, by the clock of the wall; status 0: it was not."""

    sent: float
    came: float
    status: int


class Writer(threading.Thread):
    """Updates its own pairs until the server is gone, and keeps count."""

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self.names = [f"w{number}p{pair}" for pair in range(PAIRS)]
        self.legal: dict[str, set[int | None]] = {name: {None} for name in self.names}
        """What a pair may hold: what was acknowledged last, and what was tried since."""
        self.number = 0
        self.answers: list[Answer] = []
        self.over = threading.Event()
        """Set when the crash begins, where what is answered after that does not count."""
        self.server: Server

    @property
    def acknowledged(self) -> int:
        """How many updates were answered with 204."""
        return sum(answer.status == 204 for answer in self.answers)

    def again(self, server: Server) -> Writer:
        """Begin a thread that goes on where this one ended."""
        other = Writer(0)
        other.names, other.legal, other.number = self.names, self.legal, self.number
        other.server = server
        other.start()
        return other

    def run(self) -> None:
        address = urlsplit(self.server.url)
        assert address.hostname
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        headers = {
            "m1-auth-token": self.server.token,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        for name in cycle(self.names):
            self.number += 1
            value = None if self.number % 5 == 0 else self.number
            self.legal[name].add(value)
            form = urlencode({"store": "stash", "ops": _ops(name, value)})
            sent, status = time.time(), 0
            try:
                connection.request("POST", "/session/update", form, headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                return
            finally:
                self.answers.append(Answer(sent, time.time(), status))
            if status == 204 and not self.over.is_set():
                self.legal[name] = {value}


def _ops(name: str, value: int | None) -> str:
    ids = [f"{name}-{half}" for half in "ab"]
    if value is None:
        return json.dumps([{"delete": ids}])
    return json.dumps([{"upsert": [{"session": {"id": id}, "n": value} for id in ids]}])


def faults(server: Server, writers: list[Writer]) -> list[str]:
    """Say what is wrong with what the server has."""
    found = server.call("session/query", store="stash", q="*", rows=10_000).json
    if "items" not in found:
        return [f"what was acknowledged cannot be read: {found}"]
    stored = {item["session"]["id"]: item["n"] for item in found["items"]}
    wrong = []
    for writer in writers:
        for name, legal in writer.legal.items():
            a, b = stored.get(f"{name}-a"), stored.get(f"{name}-b")
            if a != b:
                wrong.append(f"{name} is torn: {a} and {b}")
            elif a not in legal:
                wrong.append(f"{name} is {a}, acknowledged or tried since: {legal}")
            writer.legal[name] = {a}
    return wrong


class Crashes:
    """Where a server crashes, and how: by kill -9, or with the power of a disk of its own.

    With `starts`, the start after a crash is crashed as often before one comes to its end.
    """

    def __init__(
        self, directory: Path, rand: random.Random, disk: CutDisk | None = None, starts: int = 0
    ) -> None:
        self.data = (disk.place if disk else directory) / "data"
        self.home = directory / "home"
        self._rand = rand
        self._disk = disk
        self._starts = starts
        self._start_seconds = 0.0
        self._token = ""

    def start(self, program: str) -> Server:
        """Start a server, at the last."""
        for _ in range(self._starts if self._start_seconds else 0):
            self._crash_a_start(program)
        begin = time.monotonic()
        server = Server(self.data, home=self.home, program=program)
        self._start_seconds = time.monotonic() - begin
        if self._token:  # it outlives a restart
            server.token = self._token
        else:
            server.log_in()
            self._token = server.token
        return server

    def _crash_a_start(self, program: str) -> None:
        command = [sys.executable, "-m", program, "serve", "--data", str(self.data), "--port", "0"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet) as starting:
            time.sleep(self._rand.uniform(0.4, 1.0) * self._start_seconds)  # the moment is drawn
            if self._disk:
                self._disk.cut()
            starting.kill()
        if self._disk:
            self._disk.come_back()
        did("starts that were crashed")

    def crash(self, server: Server, writers: list[Writer]) -> None:
        """Crash a server, and wait until all know of it."""
        if self._disk:
            for writer in writers:
                writer.over.set()
            self._disk.cut()
        server.kill()
        for writer in writers:
            writer.join(60)
        if self._disk:
            self._disk.come_back()
        did("cuts of the power" if self._disk else "kills")


def wait_for_segment(data: Path) -> None:
    """Wait until a segment is there: from now on crashes meet their making and merging."""
    until(lambda: any(data.rglob("*.segment")), "no segment was ever made", 60)


def crash_again_and_again(
    crashes: Crashes, rand: random.Random, cycles: int, program: str = "m1"
) -> list[str]:
    """Crash a server under load again and again; gives all faults, and stops at the first."""
    writers = [Writer(number) for number in range(WRITERS)]
    updates = 0
    longest = 1.0 if program == TINY else 0.4  # a segment takes some tenths of a second
    for done in range(cycles + 1):
        server = crashes.start(program)
        try:
            if done == 0:
                made = server.call("session/add", store="stash", shards=1, replicas=1)
                assert made.status == 204
            wrong = faults(server, writers)
            if wrong or done == cycles:
                assert updates > cycles, "the writers hardly wrote"
                return wrong
            writers = [writer.again(server) for writer in writers]
            if done == 0 and program == TINY:
                wait_for_segment(crashes.data)
            time.sleep(rand.uniform(0.05, longest))  # the moment is what is drawn
            crashes.crash(server, writers)
        finally:
            server.kill()
        updates += sum(writer.acknowledged for writer in writers)
    raise AssertionError


def test_no_acknowledged_update_is_lost_or_torn_by_kill(
    tmp_path: Path, rand: random.Random
) -> None:
    assert crash_again_and_again(Crashes(tmp_path, rand), rand, CYCLES) == []


@pytest.mark.xdist_group("among segments")  # it takes as long as the others here together
def test_none_is_lost_while_segments_are_made_and_merged(
    tmp_path: Path, rand: random.Random
) -> None:
    assert crash_again_and_again(Crashes(tmp_path, rand), rand, CYCLES, TINY) == []


def test_a_server_that_answers_before_it_commits_is_found_out(
    tmp_path: Path, rand: random.Random
) -> None:
    wrong = crash_again_and_again(Crashes(tmp_path, rand), rand, 30, "tests.crash.hasty")
    assert any("acknowledged" in fault for fault in wrong)


def test_none_is_lost_when_the_start_after_a_kill_is_killed(
    tmp_path: Path, rand: random.Random
) -> None:
    crashes = Crashes(tmp_path, rand, starts=2)
    assert crash_again_and_again(crashes, rand, STARTS, TINY) == []


@pytest.mark.parametrize("torn", [{"a": 2, "b": 1}, {"a": 0, "b": 0}, {"a": 3, "b": 3}, {}])
def test_the_check_sees_what_is_torn_lost_or_made_up(torn: dict[str, int]) -> None:
    class Shows:
        def call(self, *_: object, **__: object) -> object:
            items = [{"session": {"id": f"w0p0-{half}"}, "n": n} for half, n in torn.items()]
            return type("Reply", (), {"json": {"items": items}})

    writer = Writer(0)
    writer.legal = {"w0p0": {1, 2}}
    assert faults(Shows(), [writer])  # type: ignore[arg-type]
