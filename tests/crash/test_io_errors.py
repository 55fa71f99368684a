"""A disk that answers with errors, under a server with four writers.

After an error that is not want of room nothing that the disk said can be trusted: every
update is refused from then on, nobody is left waiting, and the server ends by itself. Want
of room is an error only where it is said by a write; said by a sync, the same bytes may
be lost as after any other error, and SQLite does not tell the one from the other.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.injected import failing
from tests.crash.test_kill import WRITERS, Writer, faults
from tests.serving import Server
from tests.waiting import until

FATAL = [
    ("fdatasync,fsync", "EIO"),
    ("fdatasync,fsync", "EIO:when=1"),
    ("fdatasync,fsync", "ENOSPC:when=1"),
    ("pwrite64", "EIO:when=1"),
    ("pwrite64", "EIO:when=2+3"),
]


@contextmanager
def loaded(directory: Path, program: str = "m1") -> Iterator[tuple[Server, list[Writer]]]:
    """Run a server with writers, all of which have already been answered."""
    writers = [Writer(number) for number in range(WRITERS)]
    server = started(directory, program)
    try:
        assert server.call("session/add", store="stash", shards=1, replicas=1).status == 204
        for writer in writers:
            writer.server = server
            writer.start()
        until(lambda: all(writer.acknowledged > 3 for writer in writers), "nobody is answered")
        yield server, writers
    finally:
        server.kill()


def started(directory: Path, program: str = "m1") -> Server:
    server = Server(directory / "data", home=directory / "home", program=program)
    server.log_in()
    return server


def wrong_after(directory: Path, calls: str, error: str, program: str = "m1") -> list[str]:
    """Let calls fail under load; gives all that is not as it should be."""
    with loaded(directory, program) as (server, writers):
        wrong = []
        with failing(server.process.pid, directory / "record", calls, error) as injected:
            failed = injected.first()
            if not is_red(server, failed + 1):
                wrong.append("a second later all is well")
            if not all_over(writers, failed + 5):
                return [*wrong, "the server goes on, or somebody is left waiting"]
            until(lambda: server.process.poll() is not None, "the server does not end")
        if server.stop() != 1:
            wrong.append("it did not end with the exit code 1")
    for answer in [answer for writer in writers for answer in writer.answers]:
        if answer.came - answer.sent > 2:
            wrong.append(f"{answer} came late")
        if answer.sent > failed and answer.status == 204:
            wrong.append(f"{answer} came after the first error")
    server = started(directory)
    wrong += faults(server, writers)
    server.stop()
    return wrong


def all_over(writers: list[Writer], end: float) -> bool:
    """Tell whether before a moment all have met a server that is gone."""
    for writer in writers:
        writer.join(max(end - time.time(), 0))
    return not any(writer.is_alive() for writer in writers)


def is_red(server: Server, end: float) -> bool:
    """Tell whether before a moment the server says that it is ill, or is gone."""
    while time.time() < end:
        try:
            health = server.call("health")
        except OSError:
            return True
        if health.status != 200 or health.json["db"]["status"] == "FAILED":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("calls", "error"), FATAL)
def test_an_error_of_the_disk_ends_the_server_and_loses_nothing(
    tmp_path: Path, calls: str, error: str
) -> None:
    assert wrong_after(tmp_path, calls, error) == []


def test_a_server_that_takes_no_notice_is_found_out(tmp_path: Path) -> None:
    wrong = wrong_after(tmp_path, "fdatasync,fsync", "EIO", "tests.crash.stubborn")
    assert "a second later all is well" in wrong
    assert "the server goes on, or somebody is left waiting" in wrong


def test_writes_without_room_are_refused_and_go_on_when_there_is_some(
    tmp_path: Path, rand: random.Random
) -> None:
    with loaded(tmp_path) as (server, writers):
        with failing(server.process.pid, tmp_path / "record", "pwrite64", "ENOSPC") as injected:
            failed = injected.first()
            refused = server.call("session/update", store="stash", ops=json.dumps([]))
            assert refused.status == 204  # of nothing, which needs no room
            until(lambda: all(writer.answers[-1].status == 503 for writer in writers), "no 503")
            assert server.call("session/query", store="stash", q="*").status == 200
            assert server.call("health").json["db"]["status"] == "PASSED"
            still = time.time()
        again = time.time()
        until(lambda: all(writer.answers[-1].status == 204 for writer in writers), "no 204")
        assert time.time() - again < 1
        server.kill()
        for writer in writers:
            writer.join(10)
    for answer in [answer for writer in writers for answer in writer.answers]:
        assert answer.came - answer.sent < 2
        assert answer.status in (204, 503, 0)
        assert not (answer.status == 204 and failed < answer.sent < answer.came < still)
    server = started(tmp_path)
    assert faults(server, writers) == []
    server.stop()
