"""Users, passwords and tokens over HTTP."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.curl import curl, header, post, refused
from tests.e2e.plug import Plug
from tests.serving import Server, serving

KNOWN = {"admin", "schema", "get", "publish", "sessionQuery", "sessionUpdate"}
PASSWORD = "password"


def add_user(server: Server, name: str, rights: str = "", password: str = PASSWORD) -> str:
    """Make a user, and give a token got by password."""
    reply = server.call("user/add", username=name, password=password, rights=rights)
    assert (reply.status, reply.text) == (204, "")
    return log_in(server, name, password)


def log_in(server: Server, name: str, password: str = PASSWORD) -> str:
    """Log in by password."""
    reply = server.call("auth", token="", username=name, password=password)
    assert reply.status == 200, reply.text
    return reply.text


def rights_of(server: Server, name: str) -> list[str]:
    """Give the rights that a user has."""
    reply = server.call("user/get", "GET", username=name)
    assert reply.json["username"] == name
    rights: list[str] = reply.json["rights"]
    return rights


def status_from(server: Server, address: str, token: str) -> int:
    """Call from another loopback address."""
    return curl(server, "user/list", "--interface", address, token=token).status


# --- users ---


def test_a_token_is_plain_text(server: Server) -> None:
    reply = server.call("auth", token="", username="admin", password=PASSWORD)
    assert (header(reply, "content-type") or "").startswith("text/plain")
    assert reply.text == reply.text.strip()
    assert server.call("session/list", token=reply.text).status == 200


def test_the_first_user_has_every_known_right(server: Server) -> None:
    assert set(rights_of(server, "admin")) == KNOWN


def test_users_are_listed_with_their_rights(server: Server) -> None:
    add_user(server, "listed", "get,made-up")
    listed = server.call("user/list").json
    assert {"username": "listed", "rights": ["get", "made-up"]} in listed
    assert all(user.keys() == {"username", "rights"} for user in listed)
    assert server.call("user/get", "GET", username="listed").json in listed


def test_rights_are_a_comma_list_or_a_json_list(server: Server) -> None:
    add_user(server, "lists")
    for rights in ("get,publish", " get , publish ", '["get","publish"]', '[ "get", "publish" ]'):
        assert server.call("user/update", username="lists", rights=rights).status == 204
        assert sorted(rights_of(server, "lists")) == ["get", "publish"]
    body = json.dumps({"username": "lists", "rights": ["schema"]}).encode()
    assert post(server, "user/update", body).status == 204
    assert rights_of(server, "lists") == ["schema"]
    for rights in ("", "[]"):
        assert server.call("user/update", username="lists", rights=rights).status == 204
        assert rights_of(server, "lists") == []
    for rights in ("[1]", "[", '[["get"]]', '["get",]'):
        refused(server.call("user/update", username="lists", rights=rights), 400)


@pytest.mark.parametrize("name", ["", "a" * 129, "a b", "ü", "a/b", "a:b", "a\n", '"'])
def test_a_name_no_user_can_have_is_a_400(server: Server, name: str) -> None:
    refused(server.call("user/add", username=name, password=PASSWORD, rights=""), 400)


def test_a_name_may_have_all_characters_there_are_for_it(server: Server) -> None:
    name = "Aa0_.@+-" * 16
    token = add_user(server, name, "get")
    assert server.call("session/list", token=token).status == 200
    assert server.call("user/remove", username=name).status == 204


def test_passwords_have_8_characters_to_1024_bytes(server: Server) -> None:
    for n, password in enumerate(["12345678", "ü" * 512, "用語用語用語用語", "   &+%  \n"]):
        add_user(server, f"pass-{n}", "", password)
    for password in ("", "1234567", "x" * 1_025, "ü" * 513):
        form: dict[str, Any] = {"username": "badpass", "password": password}
        assert "password" in refused(server.call("user/add", rights="", **form), 400)
        form["username"] = "pass-0"
        assert "password" in refused(server.call("user/password", **form), 400)
    log_in(server, "pass-0", "12345678")


def test_changed_rights_take_effect_on_the_next_call(server: Server) -> None:
    token = add_user(server, "changing", "get")
    for rights, status in (("sessionQuery", 403), ("admin", 200), ("", 403), ("get", 200)):
        assert server.call("user/update", username="changing", rights=rights).status == 204
        assert server.call("session/list", token=token).status == status


def test_a_new_password_ends_every_token_of_before(server: Server) -> None:
    tokens = [add_user(server, "renewed", "get"), log_in(server, "renewed")]
    tokens.append(server.call("auth", username="renewed", ip="...", ttl=10**9).text)
    reply = server.call("user/password", token=tokens[0], password="password2")
    assert (reply.status, reply.text) == (204, "")
    for token in tokens:
        refused(server.call("session/list", token=token), 401)
    refused(server.call("auth", token="", username="renewed", password=PASSWORD), 401)
    assert server.call("session/list", token=log_in(server, "renewed", "password2")).status == 200
    form: dict[str, Any] = {"username": "renewed", "password": "password3"}
    assert server.call("user/password", **form).status == 204
    log_in(server, "renewed", "password3")


def test_a_removed_user_is_gone_and_a_namesake_does_not_revive_the_token(server: Server) -> None:
    token = add_user(server, "removed", "get")
    assert server.call("user/remove", username="removed").status == 204
    refused(server.call("session/list", token=token), 401)
    refused(server.call("auth", token="", username="removed", password=PASSWORD), 401)
    add_user(server, "removed", "get")
    refused(server.call("session/list", token=token), 401)


# --- tokens ---


def test_each_single_changed_bit_makes_a_token_bad(server: Server, own: Server) -> None:
    token, plug = server.token.encode(), Plug(server)

    def status(sent: bytes) -> int | None:
        """Call with a token, byte for byte; a header that is none ends the connection."""
        nonlocal plug
        plug.send(b"GET /session/list HTTP/1.1\r\nHost: m1\r\nm1-auth-token: " + sent + b"\r\n\r\n")
        reply = plug.answer()
        assert reply is not None
        if header(reply, "connection") == "close":
            plug.close()
            plug = Plug(server)
        return reply.status

    assert status(token) == 200
    found: Counter[int | None] = Counter()
    for at, byte in enumerate(token):
        for bit in range(8):
            found[status(token[:at] + bytes([byte ^ 1 << bit]) + token[at + 1 :])] += 1
    print(found)  # noqa: T201
    assert found.keys() == {400, 401}
    assert found.total() == 8 * len(token)
    assert found[401] > 4 * len(token), "most are refused before they are looked at"
    assert status(token) == 200
    plug.close()
    refused(server.call("session/list", token=own.token), 401)  # another server's


def test_a_token_works_from_the_address_that_asked_for_it_alone(server: Server) -> None:
    assert status_from(server, "127.0.0.1", server.token) == 200
    assert status_from(server, "127.0.0.2", server.token) == 401
    form = ("-d", f"username=admin&password={PASSWORD}", "--interface", "127.0.0.3")
    theirs = curl(server, "auth", *form, token="").text
    assert status_from(server, "127.0.0.3", theirs) == 200
    assert status_from(server, "127.0.0.1", theirs) == 401


def test_an_admin_makes_a_token_for_another_address(server: Server) -> None:
    token = server.call("auth", username="admin", password=PASSWORD, ip="127.0.0.2").text
    assert status_from(server, "127.0.0.2", token) == 200
    assert status_from(server, "127.0.0.1", token) == 401
    token = server.call("auth", username="admin", ip="...").text
    assert {status_from(server, f"127.0.0.{n}", token) for n in (1, 2, 9)} == {200}
    token = server.call("auth", username="admin", ip="2001:DB8::0:1").text
    assert status_from(server, "127.0.0.1", token) == 401
    for ip in ("x", "", "1.2.3", "1.2.3.4/8", "..", "localhost"):
        refused(server.call("auth", username="admin", ip=ip), 400)


def test_a_token_lives_as_long_as_ttl_says(server: Server) -> None:
    token = server.call("auth", username="admin", ttl=600_000).text
    assert server.call("user/list", token=token).status == 200
    token = server.call("auth", username="admin", ttl=1).text
    until = time.monotonic() + 5
    while server.call("user/list", token=token).status == 200:
        assert time.monotonic() < until
    assert "expired" in refused(server.call("user/list", token=token), 401)
    for ttl in ("0", "-1", "1.5", "x", ""):
        assert "ttl" in refused(server.call("auth", username="admin", ttl=ttl), 400)


def test_an_admin_logs_in_on_behalf_of_another_with_the_others_rights(server: Server) -> None:
    add_user(server, "behalf", "get")
    token = server.call("auth", username="behalf").text
    assert server.call("session/list", token=token).status == 200
    refused(server.call("user/list", token=token), 403)
    refused(server.call("auth", username="nobody-there"), 404)


# --- on servers of their own ---


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server behind a proxy, with the one user admin."""
    proxies = ("--trusted-proxies", "127.0.0.2/32,10.0.0.0/8")
    with serving(tmp_path_factory.mktemp("own"), *proxies) as started:
        started.log_in()
        yield started


def test_the_last_admin_can_neither_be_removed_nor_stripped(own: Server) -> None:
    for rights in ("", "get", "Admin"):
        refused(own.call("user/update", username="admin", rights=rights), 409)
    refused(own.call("user/remove", username="admin"), 409)
    assert set(rights_of(own, "admin")) == KNOWN
    add_user(own, "second", "admin")
    assert own.call("user/update", username="admin", rights="get").status == 204
    second = own.call("user/list")
    refused(second, 403)
    token = log_in(own, "second")
    refused(own.call("user/remove", token=token, username="second"), 409)
    form: dict[str, Any] = {"username": "admin", "rights": ",".join(KNOWN)}
    assert own.call("user/update", token=token, **form).status == 204
    assert own.call("user/remove", username="second").status == 204


def test_only_the_word_of_a_trusted_proxy_counts(own: Server) -> None:
    def seen(address: str, forwarded: str) -> str:
        """Tell which address the server takes a caller for, by trying tokens for some."""
        for ip in ("127.0.0.1", "127.0.0.2", "1.2.3.4", "5.6.7.8", "2001:db8::1"):
            token = own.call("auth", username="admin", ip=ip).text
            more = ("-H", f"X-Forwarded-For: {forwarded}", "--interface", address)
            if curl(own, "user/list", *more, token=token).status == 200:
                return ip
        return "another"

    assert seen("127.0.0.1", "1.2.3.4") == "127.0.0.1"
    assert seen("127.0.0.2", "1.2.3.4") == "1.2.3.4"
    assert seen("127.0.0.2", "1.2.3.4, 5.6.7.8") == "5.6.7.8"
    assert seen("127.0.0.2", "1.2.3.4, 5.6.7.8, 10.1.1.1") == "5.6.7.8"
    assert seen("127.0.0.2", "2001:DB8:0::1") == "2001:db8::1"
    assert seen("127.0.0.2", "::ffff:1.2.3.4") == "1.2.3.4"
    for with_port in ("1.2.3.4:80", '"1.2.3.4"', '"1.2.3.4:80"'):
        assert seen("127.0.0.2", with_port) == "1.2.3.4"
    for with_port in ("[2001:db8::1]", "[2001:db8::1]:443", '"[2001:db8::1]:443"'):
        assert seen("127.0.0.2", with_port) == "2001:db8::1"
    for rubbish in ("1.2.3.4, rubbish", "unknown", "1.2.3.4:x", "[", "1.2.3.4.5"):
        more = ("-H", f"X-Forwarded-For: {rubbish}", "--interface", "127.0.0.2")
        assert "X-Forwarded-For" in refused(curl(own, "user/list", *more), 400)


def test_a_change_survives_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("again")
    with serving(directory) as first:
        first.log_in()
        token = add_user(first, "kept", "get")
        add_user(first, "gone", "get")
        assert first.call("user/remove", username="gone").status == 204
    with serving(directory) as second:
        assert second.call("session/list", token=token).status == 200
        second.log_in()
        assert [user["username"] for user in second.call("user/list").json] == ["admin", "kept"]
