"""`make demo`: what it prints is there, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until

ROOT = Path(__file__).parents[2]


class Demo:
    """The demo in a folder of its own, with what it said so far."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("M1_")}
        self.environment = {**kept, "M1_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
        self.folder = folder
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.demo", "--visitors", "50", "--rate", "20"],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.said += line

    def find(self, pattern: str) -> str:
        """Wait until something is said; gives it."""
        until(lambda: re.search(pattern, self.said), f"{pattern} is not said", 60)
        found = re.search(pattern, self.said)
        assert found
        return found[1]

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal to all in front of the terminal, as Ctrl-C does; gives the exit code."""
        os.killpg(self.process.pid, number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end, by itself or not; gives the exit code."""
        code = self.process.wait(60)
        self._listener.join(60)
        return code


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that is ended in any case."""
    started = Demo(tmp_path)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.end()


def listens(port: int) -> bool:
    """Tell whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_demo_is_what_it_prints_and_ctrl_c_ends_all_of_it(demo: Demo) -> None:
    url = demo.find(r"the console +(http://\S+)/console\n")
    assert demo.find(r"user +(\S+)\n") == "admin"
    password = demo.find(r"password +(\S+)\n")
    demo.find(r"(\d+) visitors on site, ")
    with urllib.request.urlopen(
        f"{url}/auth", f"username=admin&password={password}".encode()
    ) as answer:
        assert answer.status == 200
    commands = re.findall(r"^  \S+ (demo session/query .*)$", demo.said, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "m1", *shlex.split(command)],
            env=demo.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert '"count":' in done.stdout, done.stderr
    assert demo.end() == 0
    assert "sessions stay in the store stash" in demo.said
    assert "Traceback" not in demo.said
    assert not listens(int(url.rpartition(":")[2]))
    assert "demo" not in (demo.folder / "home" / "environments.json").read_text()


def test_a_second_demo_in_the_folder_is_refused_and_a_later_one_begins_anew(demo: Demo) -> None:
    first = demo.find(r"password +(\S+)\n")
    second = Demo(demo.folder)
    assert second.ended() == 2
    assert "another demo runs in" in second.find(r"(.*end it first)")
    assert demo.end(signal.SIGTERM) == 0
    third = Demo(demo.folder)
    try:
        assert third.find(r"password +(\S+)\n") != first
    finally:
        assert third.end(signal.SIGHUP) == 0
