"""Who guesses at users and passwords: what it costs, and what it tells."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.e2e.curl import header, refused
from tests.e2e.plug import Kept
from tests.serving import Reply, Server
from tests.waiting import until

HOUR = 3_600
FREE = 10
WAITING = 32
MOST_AN_HOUR = 60
PAIRS = 250
"""Of a known and of an unknown user: 500 tries."""
WITHIN_MS = 2.0
PART = 16
"""Of what a hash takes where the machine is so busy that this is more: at rest it is some 30 ms."""


class Guessed(Server):
    """A server behind a proxy, where time goes on when it is told to."""

    def __init__(self, directory: Path) -> None:
        self._clock = directory / "clock"
        self.now = 0.0
        self.wait(0.0)
        super().__init__(
            directory / "data",
            "--trusted-proxies",
            "127.0.0.1/32",
            home=directory / "home",
            env={"LOGIN_CLOCK": str(self._clock)},
            program="tests.e2e.frozen",
        )

    def wait(self, seconds: float) -> None:
        """Let so many seconds go by."""
        self.now += seconds
        self._clock.write_text(f"{self.now}")

    def guess(self, user: str, address: str, password: str = "a guess") -> Reply:
        """Try to log in."""
        came_from = {"X-Forwarded-For": address}
        return self.call("auth", None, "", came_from, username=user, password=password)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Guessed]:
    """A server of its own, with the users admin and mallory."""
    started = Guessed(tmp_path)
    try:
        started.log_in()
        form: dict[str, Any] = {"username": "mallory", "password": "her password"}
        assert started.call("user/add", rights="", **form).status == 204
        yield started
    finally:
        started.stop()


def delay(reply: Reply) -> int:
    """Give the seconds that somebody is put off for."""
    refused(reply, 429)
    return int(header(reply, "retry-after") or "")


def test_after_ten_failures_delays_double_from_a_second_to_five_minutes(server: Guessed) -> None:
    for _ in range(FREE):
        refused(server.guess("admin", "10.0.0.1"), 401)
    for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300):
        assert delay(server.guess("admin", "10.0.0.1")) == seconds
        server.wait(seconds - 0.5)
        assert delay(server.guess("admin", "10.0.0.1", "password")) == 1
        server.wait(0.5)
        refused(server.guess("admin", "10.0.0.1"), 401)


def test_the_user_is_not_locked_out_by_who_guesses(server: Guessed) -> None:
    for number in range(6 * FREE):
        address = f"10.0.{number // FREE}.1"
        assert server.guess("admin", address).status == 401, "each has its free ones"
    delay(server.guess("admin", "10.0.0.1"))
    assert server.guess("admin", "10.1.0.1", "password").status == 200
    assert server.call("session/list").status == 200
    server.wait(1)
    assert server.guess("admin", "10.0.0.1", "password").status == 200


@pytest.mark.parametrize(
    "network",
    [("10.0.0.1",), ("2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::1")],
    ids=["IPv4", "IPv6"],
)
def test_sixty_guesses_an_hour_are_the_most_from_an_address_whoever_is_guessed_at(
    server: Guessed, network: tuple[str, ...]
) -> None:
    """Logging in by a user of one's own in between makes no room for more."""
    addresses = chain.from_iterable(repeat(network))
    guesses = own = 0
    while server.now < HOUR:
        if own <= guesses:
            reply = server.guess("mallory", next(addresses), "her password")
            own += reply.status == 200
        else:
            reply = server.guess(f"user{guesses % 20}", next(addresses))
            guesses += reply.status == 401
        if reply.status == 429:
            server.wait(delay(reply))
    print(guesses, own)  # noqa: T201
    assert own >= FREE < guesses <= MOST_AN_HOUR
    other = "2001:db8:0:1::1" if ":" in network[0] else "10.0.0.2"
    refused(server.guess("user0", other), 401)
    server.wait(2 * HOUR)
    for _ in range(FREE):
        refused(server.guess("admin", network[0]), 401)


def test_guesses_that_come_together_count_as_those_that_come_one_by_one(server: Guessed) -> None:
    plugs = [Kept(server) for _ in range(30)]
    for number, plug in enumerate(plugs):
        plug.ask("auth", "", "10.0.0.1", username=f"u{number}", password="a guess")
    found = [plug.status() for plug in plugs]
    assert (found.count(401), found.count(429)) == (FREE, len(plugs) - FREE)
    for plug in plugs:
        plug.close()


def test_who_is_sent_away_unheard_has_not_guessed(server: Guessed) -> None:
    """A flood of logins elsewhere is not to put off those of an address for minutes."""
    login = {"username": "admin", "password": "password"}
    with ExitStack() as stack:
        plugs = [stack.enter_context(Kept(server)) for _ in range(4 * WAITING)]
        flood, mine = plugs[: 3 * WAITING], plugs[3 * WAITING :]

        def sent_away() -> int:
            """Log in while there is no room; gives how often nobody listened."""
            for number, plug in enumerate(flood):
                plug.ask("auth", "", f"10.0.1.{number}", **login)
            select.select([plug.socket for plug in flood], [], [])  # the first that has no room
            for plug in mine:
                plug.ask("auth", "", "10.0.0.1", **login)
            assert 429 in {plug.status() for plug in flood}
            return [plug.status() for plug in mine].count(429)

        until(lambda: sent_away() > FREE, "there is always room, so this shows nothing")
    assert server.guess("admin", "10.0.0.1", "password").status == 200


def test_an_unknown_user_and_a_wrong_password_look_alike_and_take_as_long(server: Guessed) -> None:
    said = {user: server.guess(user, "10.9.9.9") for user in ("admin", "nobody")}
    assert refused(said["admin"], 401) == refused(said["nobody"], 401)
    told = [
        {name for name in reply.headers if name not in ("date", "m1-request-id")}
        for reply in said.values()
    ]
    assert told[0] == told[1]
    known, unknown = medians(server)
    print(f"{known:.2f} and {unknown:.2f} ms")  # noqa: T201
    assert known > WITHIN_MS, "hashing takes no time, so this shows nothing"
    assert abs(known - unknown) < max(WITHIN_MS, known / PART)


def medians(server: Server) -> tuple[float, float]:
    """Refuse a known and an unknown user at the same time, by turns; gives the medians in ms."""
    took: dict[str, list[float]] = {"admin": [], "nobody": []}
    plugs = [Kept(server), Kept(server)]
    for number in range(PAIRS):
        users = list(took) if number & 1 else list(took)[::-1]
        begun = {}
        for plug, user in zip(plugs if number & 2 else plugs[::-1], users, strict=True):
            begun[plug.socket] = (plug, user, time.perf_counter())
            address = f"10.{users.index(user)}.{number // 256}.{number % 256}"
            plug.ask("auth", "", address, username=user, password="a wrong password")
        while begun:
            for ready in select.select(list(begun), [], [])[0]:
                plug, user, at = begun.pop(ready)
                took[user].append((time.perf_counter() - at) * 1_000)
                assert plug.status() == 401
    for plug in plugs:
        plug.close()
    return median(took["admin"]), median(took["nobody"])
