"""The Python client against a real server: every endpoint as a method, in both flavours."""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import m1
from m1 import AsyncClient, Client
from m1.answers import StoreInfo, UserInfo
from m1.api.endpoint import Endpoint, declared_in
from m1.api.rooms import ROOMS, endpoints
from m1.client.ask import Ask
from m1.client.rooms import Rooms, SessionRoom, SystemRoom, UserRoom
from m1.environments import Environments
from m1.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Misuse,
    NoConnection,
    NotFound,
    Unauthorized,
)
from tests.e2e.curl import fresh, ids, session, upsert
from tests.e2e.flavours import both, connected
from tests.serving import Server, serving
from tests.waiting import until

ADMIN: dict[str, Any] = {"username": "admin", "password": "password"}
ROOM_OF = {"session": SessionRoom, "user": UserRoom, "system": SystemRoom}
AWAITED = {"session/facets", "metrics"}
"""What a server of the next version has."""
OF_OUR_OWN = {"session/update": {"upsert", "delete"}, "system": {"settings"}}
"""Parameters that are of the client alone."""


# --- nothing is forgotten ---


def offered() -> dict[str, Any]:
    """Give the functions behind all methods that make calls, by path and name."""
    rooms = {"": Rooms, **ROOM_OF}
    return {
        f"{path}.{name}".strip("."): method.__wrapped__
        for path, room in rooms.items()
        for name, method in vars(room).items()
        if hasattr(method, "__wrapped__") and name != "updates"
    }


def method_of(endpoint: Endpoint, name: str) -> Any:
    """Give the function of an endpoint: it has the name that it has in the server, in its room."""
    head = endpoint.path.partition("/")[0]
    in_room = head in ROOM_OF
    return offered()[f"{head}.{name}" if in_room else name]


DECLARED = sorted(declared_in(*ROOMS), key=lambda declared: (declared[0].path, declared[0].verbs))


@pytest.mark.parametrize(("endpoint", "name"), DECLARED, ids=[each.path for each, _ in DECLARED])
def test_every_endpoint_is_a_method_that_calls_it(endpoint: Endpoint, name: str) -> None:
    method, given = method_of(endpoint, name), dict(endpoint.example)
    ask: Ask[Any] = method(None, **({endpoint.rest: given} if endpoint.rest else given))
    assert ask.path == endpoint.path.format(**given)
    assert ask.verb in endpoint.verbs
    assert ask.needs_token == (endpoint.rights is not None) or endpoint.path == "auth"
    sent = msgspec.json.decode(msgspec.json.encode(ask.given))
    in_path = {parameter for parameter in given if f"{{{parameter}}}" in endpoint.path}
    for parameter, value in given.items():
        assert parameter in in_path or sent[parameter] == value
    known = {parameter.name for parameter in endpoint.parameters}
    assert endpoint.rest or sent.keys() <= known
    takes = set(inspect.signature(method).parameters) - {"self"}
    assert takes - OF_OUR_OWN.get(endpoint.path, set()) == known
    assert inspect.getdoc(method)


def test_every_method_is_of_an_endpoint() -> None:
    of_endpoints = {id(method_of(endpoint, name)) for endpoint, name in DECLARED}
    more = {name for name, method in offered().items() if id(method) not in of_endpoints}
    declared = {endpoint.path for endpoint in endpoints()}
    assert more == {path.replace("/", ".") for path in AWAITED - declared}


def test_both_flavours_say_what_their_methods_take() -> None:
    with Client("http://127.0.0.1") as client:
        for room in (client.session, AsyncClient("http://127.0.0.1").session):
            signature = inspect.signature(room.rename)
            assert list(signature.parameters) == ["store", "name"]
            assert "Change the name" in (inspect.getdoc(room.rename) or "")


# --- everything works ---


@both
def test_stores_are_administered(server: Server, flavour: str) -> None:
    store = f"client-{flavour}"
    with connected(flavour, server.url, **ADMIN) as client:
        client.session.add(store, key="visit.id")
        assert StoreInfo(store, "visit.id", 1, 1) in client.session.list()
        client.session.key(store, "session.id")
        client.session.rename(store, f"{store}-2")
        with pytest.raises(NotFound):
            client.session.drop(store)
        client.session.drop(f"{store}-2")
        assert store not in {each.name for each in client.session.list()}


@both
def test_items_are_updated_and_found(server: Server, flavour: str) -> None:
    store = fresh(server)
    with connected(flavour, server.url, token=server.token) as client:
        client.session.update(store, upsert=[session(n, n=n) for n in range(5)], delete=["3"])
        client.session.update(store, ops=[{"delete": [4]}, {"upsert": [session("x", n=9)]}])
        client.session.update(store)
        with client.session.query(store, "n:>0", sort="n desc", start=1, rows=2) as result:
            assert result.count == 3
            assert [item["n"] for item in result] == [2, 1]
        with client.session.query(store, "*", rows=0) as result:
            assert (result.count, list(result)) == (4, [])
        with client.session.query(store, "*", start=9) as result:
            assert (result.count, list(result)) == (4, [])


@both
def test_users_are_administered(server: Server, flavour: str) -> None:
    name = f"user-of-{flavour}"
    with connected(flavour, server.url, **ADMIN) as client:
        client.user.add(name, "correct horse", ["get"])
        client.user.update(name, "get, sessionQuery")
        assert client.user.get(name) == UserInfo(name, ("get", "sessionQuery"))
        client.user.password("battery staple", name)
        token = client.auth(name, "battery staple")
        with connected(flavour, server.url, token=token) as theirs:
            assert theirs.session.list()
            with pytest.raises(Forbidden, match="does not have requested right"):
                theirs.user.list()
        with connected(flavour, server.url, token=client.auth(name, ttl=60_000)) as theirs:
            assert theirs.session.list()
        client.user.remove(name)
        assert name not in {user.username for user in client.user.list()}


@both
def test_the_environment_is_made_and_looked_at(tmp_path: Path, flavour: str) -> None:
    with serving(tmp_path) as server, connected(flavour, server.url, **ADMIN) as client:
        assert client.ping() is True
        assert client.initialized() is False
        client.init("admin", "password")
        assert client.initialized() is True
        with pytest.raises(Conflict):
            client.init("admin", "password")
        assert client.health()["overall"].status == "PASSED"
        assert client.openapi()["openapi"] == "3.1.0"
        client.system.set("token-expire-ms", "3600000")
        assert client.system.setting("token-expire-ms") == "3600000"
        client.system.set_several({"geo": "true", "password-min-length": "9"})
        assert client.system.settings()["password-min-length"] == "9"
        with pytest.raises(NotFound):
            client.system.setting("a/b c?")


@both
def test_an_error_of_the_server_is_raised_again(server: Server, flavour: str) -> None:
    with connected(flavour, server.url, token=server.token) as client:
        with pytest.raises(NotFound, match="there is no store nowhere") as told:
            client.session.update("nowhere", upsert=[session(1)])
        assert (told.value.status, told.value.message) == (404, str(told.value))
        with (
            pytest.raises(BadRequest, match="character"),
            client.session.query("stash", "a:(") as result,
        ):
            list(result)
        with pytest.raises(Conflict):
            client.session.add("stash")


# --- what an item may be ---


@dataclasses.dataclass
class Cart:
    """Something of a program's own."""

    sku: str


def test_what_python_says_is_written_as_json_or_refused(server: Server) -> None:
    store, key = fresh(server), uuid.uuid4()
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    item = session(str(key), at=now, by=key, cart=[Cart("tea")], big=2**70, text='é"\n&+%')
    with Client(server.url, token=server.token) as client:
        client.session.update(store, upsert=[item])
        with client.session.query(store, "at:>2025-12-31 AND cart.sku:tea") as result:
            (found,) = result
        assert found["text"] == item["text"]
        assert (found["big"], found["by"]) == (2**70, str(key))
        for bad in (math.nan, math.inf, object()):
            with pytest.raises((ValueError, TypeError)):
                client.session.update(store, upsert=[session("bad", value=bad)])
        with pytest.raises(TypeError, match="a list of values"):
            client.session.update(store, delete="abc")
        assert ids(server, store) == [str(key)]


# --- where and as whom ---


@both
def test_a_client_is_made_by_the_name_of_an_environment(
    server: Server, flavour: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("M1_HOME", str(tmp_path))
    Environments().save("here", server.url, server.token)
    with Client.of("here") as client:
        assert client.session.list()
    with pytest.raises(Misuse, match="m1 environments add there"):
        (Client if flavour == "sync" else AsyncClient).of("there")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8100", "ftp://somewhere", "http://", "http://[x"])
def test_what_is_no_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(Misuse, match=r"as in http://127\.0\.0\.1:8100"):
        Client(url)


def test_half_a_login_and_a_broken_token_are_refused_at_once() -> None:
    with pytest.raises(Misuse, match="together"):
        Client("http://127.0.0.1", username="ada")
    with pytest.raises(Misuse, match="log in again"):
        Client("http://127.0.0.1", token="a\nb")


@both
def test_without_a_token_only_what_needs_none_is_answered(server: Server, flavour: str) -> None:
    with connected(flavour, server.url) as client:
        assert client.ping()
        with pytest.raises(Unauthorized):
            client.session.list()


@both
def test_what_is_no_server_of_ours_is_said_to_be_none(other: str, flavour: str) -> None:
    with connected(flavour, other, token="t") as client:
        with pytest.raises(NoConnection, match="is no server of ours"):
            client.session.list()
        with (
            pytest.raises(NoConnection, match="is no server of ours"),
            client.session.query("stash", "*"),
        ):
            pass


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """A web server that says OK to everything."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>It works!</html>")

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{web.server_address[1]}"
        web.shutdown()
        thread.join()


# --- how it is imported and shared ---


def test_the_clients_are_imported_when_they_are_asked_for() -> None:
    code = "import sys, m1; print('httpx' in sys.modules); m1.Client; print('httpx' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ran.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        m1.Cleint  # type: ignore[attr-defined]  # noqa: B018


def test_many_threads_share_a_client(server: Server) -> None:
    store = fresh(server)
    with (
        Client(server.url, **ADMIN, connections=4, retry_seconds=60) as client,
        ThreadPoolExecutor(16) as threads,
    ):

        def write_and_read(n: int) -> int:
            client.session.update(store, upsert=[session(n, n=n)])
            with client.session.query(store, f"n:{n}") as result:
                return int(next(result)["n"])

        assert list(threads.map(write_and_read, range(200))) == list(range(200))


def test_connections_are_made_as_they_are_needed_and_closed_when_they_have_rested(
    server: Server,
) -> None:
    def sockets() -> int:
        return sum("socket:" in os.path.realpath(file) for file in Path("/proc/self/fd").iterdir())

    before = sockets()
    with Client(server.url, token=server.token, connections=8) as client:
        for _ in range(3):
            client.ping()
        assert sockets() - before == 1
        together = threading.Barrier(8)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: (together.wait(10), client.ping()), range(8)))
        assert 1 < sockets() - before <= 8
        until(lambda: client.ping() and sockets() - before == 1, "those unused are closed")
    assert sockets() == before


def test_a_client_is_closed_while_a_stream_is_read(server: Server) -> None:
    store = fresh(server)
    upsert(server, store, *(session(n, pad="p" * 8_000) for n in range(200)))
    client = Client(server.url, token=server.token)
    with client.session.query(store, "*", rows=200) as result:
        next(result)
        client.close()
        assert len(list(result)) == 199
    with pytest.raises(RuntimeError, match="closed"):
        client.ping()


def test_a_stream_that_is_left_gives_its_connection_back(server: Server) -> None:
    store = fresh(server)
    upsert(server, store, *(session(n, pad="p" * 8_000) for n in range(200)))
    with Client(
        server.url, token=server.token, connections=1, retry_seconds=0, connect_seconds=0.1
    ) as client:
        for _ in range(3):
            with client.session.query(store, "*", rows=200) as result:
                next(result)
        with client.session.query(store, "*", rows=200) as result:
            next(result)
            with pytest.raises(NoConnection, match="all connections of this client"):
                client.ping()
        assert client.ping()


def test_a_client_that_was_closed_says_so(server: Server) -> None:
    with Client(server.url, token=server.token) as client:
        assert client.ping()
    with pytest.raises(RuntimeError, match="closed"):
        client.ping()
