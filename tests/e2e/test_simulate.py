"""`m1 simulate` against a real server: what it says it did is what is there."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from m1.environments import Environment
from m1.errors import NoConnection
from m1.progress import Live
from m1.simulate import Wishes, simulate
from m1.simulate.sending import Sender
from m1.simulate.site import Change
from tests.e2e.test_cli import M1
from tests.serving import Server, serving
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text()
SUMMARY = re.compile(
    r"([\d,]+) events? and [\d,]+ updates? in [\d.,]+ s: .*, ([\d,]+) errors?, .* updates/s; "
    r"([\d,]+) visitors? came, ([\d,]+) left, ([\d,]+) sessions? stays? in the store stash\n"
)
SMALL = ("-visitors", "20", "-rate", "20")


def summed_up(output: bytes) -> tuple[int, int, int, int]:
    """Read the one line on standard output: events, errors, who came and who stays."""
    found = SUMMARY.fullmatch(output.decode())
    assert found, output
    events, errors, came, left, stay = (int(found[group].replace(",", "")) for group in range(1, 6))
    assert came - left == stay
    return events, errors, came, stay


def count(server: Server, q: str = "*") -> int:
    """Count what a query finds."""
    return int(server.call("session/query", store="stash", q=q, rows=0).json["count"])


@pytest.fixture
def m1(tmp_path: Path) -> M1:
    """The command with a home of its own."""
    return M1(tmp_path / "client")


@pytest.fixture
def stash(tmp_path: Path) -> Iterator[Server]:
    """A server with an empty store."""
    with serving(tmp_path) as server:
        server.add_stash()
        yield server


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, M1, bytes]]:
    """A server after a simulation, and what that said on standard output."""
    directory = tmp_path_factory.mktemp("simulated")
    with serving(directory) as server:
        server.add_stash()
        m1 = M1(directory / "client")
        asked = ("-visitors", "1500", "-rate", "300", "-seconds", "3", "-seed", "7")
        done = m1("simulate", server.url, *asked, M1_TOKEN=server.token)
        assert done.returncode == 0, done.stderr
        assert b"seed 7: 1,500 visitors and 300 events/s" in done.stderr
        assert b" visitors on site, " in done.stderr
        yield server, m1, done.stdout


def test_the_store_has_those_who_stay_and_the_rate_was_kept(
    simulated: tuple[Server, M1, bytes],
) -> None:
    server, _, output = simulated
    events, errors, came, stay = summed_up(output)
    assert count(server) == stay
    assert came > 1_500
    assert events == 900
    assert errors == 0
    assert b"300 of 300 events/s, " in output


def test_each_question_of_the_page_finds_somebody(simulated: tuple[Server, M1, bytes]) -> None:
    server, *_ = simulated
    rows = re.findall(r"^\| [^|]*\? \| `([^`]+)` \| (?:`([^`]+)` )?\|$", PAGE, re.MULTILINE)
    assert len(rows) > 15
    for q, sort in rows:
        how = {"sort": sort} if sort else {}
        q = q.replace("-10SECONDS", "-10MINUTES").replace("-1MINUTE", "-10MINUTES")  # slow machines
        answer = server.call("session/query", store="stash", q=q, **how)
        assert answer.status == 200, answer.text
        assert answer.json["count"], q


def test_addresses_and_places_are_those_that_items_bring(
    simulated: tuple[Server, M1, bytes],
) -> None:
    server, *_ = simulated
    assert count(server, "_m1.ip:127.0.0.1") == 0
    assert count(server, "_m1.geo.position:* AND _m1.receivedUTC:[NOW-1HOUR TO NOW]") == count(
        server
    )


def test_ctrl_c_ends_it_with_a_summary(stash: Server, m1: M1) -> None:
    m1.environment["M1_TOKEN"] = stash.token
    running = m1.start("simulate", stash.url, *SMALL)
    until(lambda: count(stash, "session.events:>1 AND NOT event.type:arrive"), "nobody acts")
    running.send_signal(signal.SIGINT)
    output, said = running.communicate(timeout=30)
    assert running.returncode == 0, said
    assert b"Traceback" not in said
    assert abs(summed_up(output)[3] - count(stash)) <= 5  # an update may have been under way


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_ctrl_c_is_lost_whenever_it_comes(stash: Server, rand: random.Random) -> None:
    """A connection that is interrupted is left open, as it may be where the process ends."""
    sender = Sender(Environment(stash.url, stash.token), "stash", Live(), 30)
    change = Change("arrive", "a", b'{"session":{"id":"a"}}')

    def send_for(seconds: float) -> None:
        end = monotonic() + seconds
        while monotonic() < end:
            sender.send([change])

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(300):
            signal.setitimer(signal.ITIMER_REAL, 0.001 + rand.random() / 100)
            with pytest.raises(KeyboardInterrupt):
                send_for(5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_on_a_terminal_the_figures_stay_in_their_line(stash: Server, m1: M1) -> None:
    m1.environment["M1_TOKEN"] = stash.token
    code, shown = m1.on_terminal("simulate", stash.url, *SMALL, "-seconds", "2.5")
    assert code == 0
    assert shown.count("\r") == 2
    assert re.search(r"\r\d+ visitors on site, 20 of 20 events/s, .*\x1b\[K\n", shown)


@pytest.mark.parametrize(
    ("token", "store", "status", "way_on"),
    [
        ("", "stash", 401, "then m1 auth {url} -username"),
        ("reader", "stash", 403, "log in as a user with the right sessionUpdate: m1 auth {url}"),
        ("admin", "none", 404, "to add it: m1 {url} session/add -store none -shards 1 -replicas 1"),
    ],
)
def test_a_refusal_says_what_to_do(
    server: Server, m1: M1, token: str, store: str, status: int, way_on: str
) -> None:
    server.call("user/add", username="reader", password="password", rights="sessionQuery")
    reader = server.call("auth", username="reader", password="password").text
    tokens = {"": "", "reader": reader, "admin": server.token}
    done = m1("simulate", server.url, "-store", store, *SMALL, M1_TOKEN=tokens[token])
    assert done.returncode == 1
    said = done.stderr.decode()
    assert f"m1: {status} " in said
    assert way_on.format(url=server.url) in said
    assert "Traceback" not in said


def test_nobody_at_the_address_is_said_at_once(m1: M1) -> None:
    done = m1("simulate", "http://127.0.0.1:9", *SMALL)
    assert done.returncode == 3
    assert done.stderr.decode().splitlines()[-1].startswith("m1: cannot reach http://127.0.0.1:9")


@pytest.mark.parametrize("arguments", [(), ("-rate", "5"), ("http://x", "-rate", "often")])
def test_misuse_is_said(m1: M1, arguments: tuple[str, ...]) -> None:
    done = m1("simulate", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(b"m1: ")


def test_help_says_what_each_parameter_does(m1: M1) -> None:
    done = m1("simulate", "--help")
    assert done.returncode == 0
    for name in ("store", "visitors", "rate", "seconds", "seed", "speed"):
        assert f"-{name} " in done.stdout.decode()
        assert f"| `-{name}` |" in PAGE


def test_a_server_that_stays_away_is_given_up_after_a_time(
    stash: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill_when_somebody_acts() -> None:
        until(lambda: count(stash, "session.events:>1"), "nobody acts")
        stash.kill()

    killing = threading.Thread(target=kill_when_somebody_acts)
    killing.start()
    wishes = Wishes(visitors=20, rate=20.0, seconds=60.0)
    with pytest.raises(NoConnection, match="given up after 3 s"):
        simulate("here", Environment(stash.url, stash.token), wishes, patience=3.0)
    killing.join()
    assert "again in 0.5 s" in capsys.readouterr().err


def test_a_server_that_freezes_is_given_up_too(
    stash: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    def freeze_when_somebody_acts() -> None:
        until(lambda: count(stash, "session.events:>1"), "nobody acts")
        stash.process.send_signal(signal.SIGSTOP)

    freezing = threading.Thread(target=freeze_when_somebody_acts)
    freezing.start()
    wishes = Wishes(visitors=20, rate=20.0, seconds=60.0)
    try:
        with pytest.raises(NoConnection, match="given up after 1 s"):
            simulate("here", Environment(stash.url, stash.token), wishes, patience=1.0)
    finally:
        freezing.join()
        stash.process.send_signal(signal.SIGCONT)


def test_a_server_that_comes_back_is_gone_on_with(tmp_path: Path, m1: M1) -> None:
    with serving(tmp_path) as first:
        first.add_stash()
        m1.environment["M1_TOKEN"] = first.token
        running = m1.start("simulate", first.url, *SMALL, "-seed", "3")
        until(lambda: count(first, "session.events:>1"), "nobody acts")
        first.kill()
        assert running.stderr is not None
        heard = b""
        while b"again in" not in heard:
            line = running.stderr.readline()
            assert line, heard
            heard += line
        again = Server(
            tmp_path / "data", "--port", str(first.port), home=tmp_path / "home-of-second"
        )
        try:
            again.token = first.token
            before = count(again, "session.events:>1")
            until(lambda: count(again, "session.events:>1") > before, "it does not go on")
            running.send_signal(signal.SIGINT)
            output, said = running.communicate(timeout=30)
            assert running.returncode == 0, said
            assert summed_up(output)[1] > 0
        finally:
            again.stop()
            _end(running)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.communicate()
