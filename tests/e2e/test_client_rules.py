"""What a client does by itself: it gets a token, renews it, and repeats what is safe to repeat."""

from __future__ import annotations

import gzip
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from m1 import Client
from m1.client.rules import LogIn, Login, Send
from m1.errors import M1Error, NoConnection, TooManyLogins, Unauthorized, Unavailable
from tests.e2e.curl import fresh, ids, session
from tests.e2e.flavours import both, connected
from tests.e2e.gateway import Gateway, answered, endless, gateway, lost, passed_on, refused, sent_to
from tests.e2e.test_tls import flags, make_certificate
from tests.serving import Server, serving
from tests.waiting import until

ADMIN: dict[str, Any] = {"username": "admin", "password": "password"}


@pytest.fixture
def way(server: Server) -> Iterator[Gateway]:
    """A gateway to the server."""
    with gateway(server.port) as made:
        yield made


# --- tokens ---


def test_neither_token_nor_password_is_in_the_text_of_what_is_done() -> None:
    ask = Login("ada", "marked password", None).ask()
    done = [ask, Send(ask, "marked token"), LogIn("marked token")]
    assert "path='auth'" in repr(done)
    assert "marked" not in repr(done)


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_follows_no_redirect(
    server: Server, way: Gateway, flavour: str, status: int
) -> None:
    with gateway(server.port) as other:
        way.mishaps.extend([sent_to(other.url, status)] * 3)
        with connected(flavour, way.url, token=server.token) as client:
            with pytest.raises(M1Error) as told:
                client.session.list()
            assert told.value.status == status
            with pytest.raises(M1Error):
                client.session.update("stash", delete=["a"])
            with pytest.raises(M1Error), client.session.query("stash", "*"):
                pass
        assert (len(way.calls), len(other.calls)) == (3, 0)


@both
def test_a_client_logs_in_when_it_first_needs_to(way: Gateway, flavour: str) -> None:
    with connected(flavour, way.url, **ADMIN) as client:
        client.ping()
        assert way.paths() == ["ping"]
        client.session.list()
        client.session.list()
        assert way.paths() == ["ping", "auth", "session/list", "session/list"]


@both
def test_a_token_that_ended_is_renewed_once_a_call(
    server: Server, way: Gateway, flavour: str
) -> None:
    short = server.call("auth", username="admin", ttl=1).text
    until(lambda: server.call("session/list", token=short).status == 401, "the token works")
    with connected(flavour, way.url, **ADMIN, token=short) as client:
        client.session.list()
        assert way.paths() == ["session/list", "auth", "session/list"]
        way.calls.clear()
        way.mishaps.append(refused(401))
        assert counted(client, fresh(server)) == 0
        assert way.paths() == ["session/query", "auth", "session/query"]
        way.calls.clear()
        way.mishaps.extend([refused(401), passed_on, refused(401)])
        with pytest.raises(Unauthorized):
            client.session.list()
        assert way.paths() == ["session/list", "auth", "session/list"]


@both
def test_a_wrong_password_is_tried_once(way: Gateway, flavour: str) -> None:
    with connected(flavour, way.url, username="admin", password="wrong password") as client:
        with pytest.raises(Unauthorized):
            client.session.list()
        assert way.paths() == ["auth"]
        way.mishaps.append(refused(429, retry_after=60))
        with pytest.raises(TooManyLogins) as told:
            client.session.list()
        assert (told.value.retry_after, len(way.calls)) == (60, 2)


def test_many_threads_log_in_once(way: Gateway) -> None:
    with Client(way.url, **ADMIN) as client, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: client.session.list(), range(16)))
    assert way.paths().count("auth") == 1


# --- repeating ---

READS: dict[str, Callable[[Client, str], object]] = {
    "session/list": lambda client, _: client.session.list(),
    "session/query": lambda client, store: counted(client, store),
    "user/get": lambda client, _: client.user.get("admin"),
    "ping": lambda client, _: client.ping(),
}
UPDATE: dict[str, Callable[[Client, str], object]] = {
    "session/update": lambda client, store: client.session.update(store, upsert=[session("a")])
}
ONCE: dict[str, Callable[[Client, str], object]] = {
    "session/add": lambda client, store: client.session.add(f"{store}-new"),
    "session/rename": lambda client, store: client.session.rename(store, f"{store}-renamed"),
    "session/key": lambda client, store: client.session.key(store, "user.id"),
    "session/drop": lambda client, store: client.session.drop(store),
    "user/add": lambda client, store: client.user.add(store, "password", ""),
    "system/geo": lambda client, _: client.system.set("geo", "true"),
}


def counted(client: Client, store: str) -> int:
    """Query for the count."""
    with client.session.query(store, "*", rows=0) as result:
        return result.count


@both
@pytest.mark.parametrize("path", READS)
def test_a_read_is_repeated_whatever_became_of_it(
    server: Server, way: Gateway, flavour: str, path: str
) -> None:
    way.mishaps.extend([lost, refused(503, 0), lost])
    with connected(flavour, way.url, token=server.token) as client:
        READS[path](client, "stash")
    assert [call.path.partition("?")[0] for call in way.calls] == [path] * 4


@both
def test_an_update_is_repeated_where_it_was_refused_and_not_where_it_was_lost(
    server: Server, way: Gateway, flavour: str
) -> None:
    store = fresh(server)
    with connected(flavour, way.url, token=server.token) as client:
        way.mishaps.extend([refused(503, 0), refused(503, 0)])
        client.session.update(store, upsert=[session("a")])
        assert way.paths() == ["session/update"] * 3
        way.mishaps.append(lost)
        with pytest.raises(NoConnection, match="look if it was done"):
            client.session.update(store, upsert=[session("b")])
        assert len(way.calls) == 4
    assert ids(server, store) == ["a", "b"]


@both
@pytest.mark.parametrize("mishap", [lost, refused(503)], ids=["lost", "refused"])
@pytest.mark.parametrize("path", ONCE)
def test_what_administers_is_never_sent_again(
    server: Server, way: Gateway, flavour: str, path: str, mishap: Any
) -> None:
    store = fresh(server)
    way.mishaps.append(mishap)
    with (
        connected(flavour, way.url, token=server.token) as client,
        pytest.raises((NoConnection, Unavailable)),
    ):
        ONCE[path](client, store)
    assert way.paths() == [path]


@both
@pytest.mark.parametrize("calls", [READS, UPDATE, ONCE], ids=["reads", "update", "once"])
def test_everything_is_repeated_until_a_connection_is_made(
    server: Server, flavour: str, calls: dict[str, Any]
) -> None:
    store, (path, call) = fresh(server), next(iter(calls.items()))
    with (
        gateway(server.port, listening=False) as way,
        connected(flavour, way.url, token=server.token) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        done = thread.submit(call, client, store)
        with pytest.raises(TimeoutError):
            done.result(0.3)
        way.listen()
        done.result(20)
        assert way.paths() == [path]


@both
def test_trying_again_has_an_end(server: Server, flavour: str) -> None:
    with gateway(server.port, listening=False) as way:
        begun = time.monotonic()
        with (
            connected(flavour, way.url, token=server.token, retry_seconds=0.5) as client,
            pytest.raises(NoConnection, match="cannot reach http://127") as told,
        ):
            client.session.list()
        assert time.monotonic() - begun < 5
        assert told.value.exit_code == 3
        assert told.value.__cause__ is not None


@both
def test_what_the_server_asks_to_wait_is_waited_or_said(
    server: Server, way: Gateway, flavour: str
) -> None:
    with connected(flavour, way.url, token=server.token) as client:
        way.mishaps.append(refused(503, retry_after=1))
        client.session.list()
        first, second = way.calls
        assert second.at - first.at >= 1
        way.mishaps.append(refused(503, retry_after=100))
        with pytest.raises(Unavailable, match="not now") as told:
            client.session.list()
        assert told.value.retry_after == 100
        assert len(way.calls) == 3


@both
@pytest.mark.parametrize("status", [400, 404, 409, 413, 500])
def test_what_would_be_refused_again_is_not_repeated(
    server: Server, way: Gateway, flavour: str, status: int
) -> None:
    with connected(flavour, way.url, token=server.token) as client:
        way.mishaps.append(refused(status))
        with pytest.raises(M1Error) as told:
            client.session.list()
    assert (told.value.status, len(way.calls)) == (status, 1)


@both
def test_an_answer_that_never_comes_is_given_up(server: Server, way: Gateway, flavour: str) -> None:
    store = fresh(server)
    way.open.clear()
    options = {"token": server.token, "read_seconds": 0.2, "retry_seconds": 0.1}
    with connected(flavour, way.url, **options) as client:
        with pytest.raises(NoConnection, match="timed out"):
            client.session.list()
        with pytest.raises(NoConnection, match="look if it was done"):
            client.session.update(store, upsert=[session("late")])


def test_a_new_key_has_all_the_time_it_takes(server: Server, way: Gateway) -> None:
    store = fresh(server)
    way.open.clear()
    with (
        Client(way.url, token=server.token, read_seconds=0.1) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        done = thread.submit(client.session.key, store, "user.id")
        with pytest.raises(TimeoutError):
            done.result(0.5)
        way.open.set()
        done.result(20)


def test_connections_are_used_again(server: Server, way: Gateway) -> None:
    with Client(way.url, token=server.token) as client:
        for _ in range(5):
            client.ping()
    assert len({call.port for call in way.calls}) == 1


@both
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_without_an_end_is_given_up(way: Gateway, flavour: str, status: int) -> None:
    way.mishaps.append(endless(status))
    with (
        connected(flavour, way.url, token="t") as client,
        pytest.raises(NoConnection, match="the answer is longer than 64 MiB"),
    ):
        client.session.list()
    assert len(way.calls) == 1


@both
def test_an_item_without_an_end_is_given_up(way: Gateway, flavour: str) -> None:
    way.mishaps.append(endless(200))
    with (
        connected(flavour, way.url, token="t") as client,
        pytest.raises(NoConnection, match="an item is longer than 64 MiB"),
        client.session.query("stash", "*") as result,
    ):
        next(result)


@both
def test_an_answer_that_is_packed_is_not_unpacked(way: Gateway, flavour: str) -> None:
    """It was asked for as it is: who packs it may have packed it to burst."""
    for body in (gzip.compress(b"[]"), gzip.compress(b'{"session": {"id": "a"}}\n')):
        headers = {"Content-Encoding": "gzip", "m1-count": "1"}
        way.mishaps.append(answered(headers, body))
    with connected(flavour, way.url, token="t") as client:
        with pytest.raises(NoConnection, match="cannot be read"):
            client.session.list()
        with pytest.raises(NoConnection), client.session.query("stash", "*") as result:
            next(result)


@both
def test_a_certificate_is_checked_by_the_system_or_by_what_is_given(
    tmp_path: Path, flavour: str
) -> None:
    made = make_certificate(tmp_path / "certificate")
    with serving(tmp_path, *flags(made)) as server:
        known = ssl.create_default_context(cafile=str(made / "cert.pem"))
        with connected(flavour, server.url, tls=known) as client:
            assert client.ping()
        begun = time.monotonic()
        with (
            connected(flavour, server.url) as client,
            pytest.raises(
                NoConnection, match="certificate is not good: self-signed certificate; tls="
            ),
        ):
            client.ping()
        assert time.monotonic() - begun < 5  # it is not tried again
        plain = server.url.replace("https:", "http:")
        with (
            connected(flavour, plain, retry_seconds=0.0) as client,
            pytest.raises(NoConnection, match=f"if it speaks TLS, try {server.url}$"),
        ):
            client.ping()


@both
def test_a_server_without_tls_is_told_as_that_and_not_asked_again(
    server: Server, flavour: str
) -> None:
    begun = time.monotonic()
    with (
        connected(flavour, server.url.replace("http:", "https:")) as client,
        pytest.raises(NoConnection, match=f"it speaks no TLS: try {server.url}$"),
    ):
        client.ping()
    assert time.monotonic() - begun < 5
