"""The environment over HTTP: init, settings, health, other origins, other addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from m1.api.rooms import endpoints
from tests.e2e.curl import (
    add_store,
    curl,
    found,
    fresh,
    header,
    ids,
    post,
    refused,
    session,
    upsert,
)
from tests.serving import Server, serving

SETTINGS = {
    "init": "true",
    "geo": "true",
    "cors": "",
    "token-expire-ms": "86400000",
    "password-min-length": "8",
    "property-ip": "_m1.ip",
    "property-received": "_m1.receivedUTC",
    "property-session-id": "session.id",
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose settings may be changed."""
    with serving(tmp_path_factory.mktemp("settings")) as started:
        started.log_in()
        yield started


def has_ipv6() -> bool:
    """Tell whether ::1 can be listened on."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


# --- init ---


def test_init_works_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("init")) as fresh_server:
        call = fresh_server.call
        assert (call("ping").status, call("ping").text) == (200, "true")
        assert call("init").text == "false"
        refused(call("session/list"), 401)
        refused(call("auth", username="root", password="password"), 401)
        assert "username" in refused(call("init", password="password"), 400)
        refused(call("init", username="root", password="short"), 400)
        refused(call("init", username="not a name", password="password"), 400)
        assert call("init").text == "false"
        reply = call("init", username="root", password="password", bucket="b")
        assert (reply.status, reply.text) == (204, "")
        assert call("init").text == "true"
        refused(call("init", username="other", password="password"), 409)
        token = call("auth", username="root", password="password").text
        assert call("session/add", token=token, store="stash", shards=1, replicas=1).status == 204
        for path, form in (
            ("session/update", {"ops": "[]"}),
            ("session/query", {"q": "*"}),
            ("session/key", {"key": "session.id"}),
            ("session/rename", {"name": "s2"}),
        ):
            assert call(path, token=token, store="stash", **dict[str, Any](form)).status in (
                200,
                204,
            )


def test_init_from_elsewhere_needs_the_secret(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory: Path = tmp_path_factory.mktemp("secret")
    form: dict[str, Any] = {"username": "root", "password": "password"}
    away = {"X-Forwarded-For": "1.2.3.4"}
    with serving(directory / "one", "--trusted-proxies", "127.0.0.0/8") as open_server:
        refused(open_server.call("init", headers=away, **form), 403)
        assert open_server.call("init", **form).status == 204
    secret = directory / "secret"
    secret.write_text("open sesame, open\n")
    flags = ("--trusted-proxies", "127.0.0.0/8", "--init-secret-file", str(secret))
    with serving(directory / "two", *flags) as closed_server:
        refused(closed_server.call("init", **form), 403)
        refused(closed_server.call("init", secret="open", **form), 403)
        assert closed_server.call("init").text == "false"
        reply = closed_server.call("init", headers=away, secret="open sesame, open", **form)
        assert reply.status == 204


FROM_PAGES = [
    {"Origin": "https://other.example"},
    {"Origin": "null"},
    {"Host": "other.example:8100"},
    {"Host": "127.0.0.1.other.example"},
    {"Host": "[::1"},
]
"""What a browser on this machine sends for a page of others, or one whose name leads here."""


def test_a_page_that_a_browser_here_shows_is_not_this_machine(tmp_path: Path) -> None:
    form: dict[str, Any] = {"username": "root", "password": "password"}
    with serving(tmp_path, "--local-metrics") as server:
        for headers in FROM_PAGES:
            refused(server.call("init", headers=headers, **form), 403)
            refused(server.call("metrics", headers=headers), 401)
        assert server.call("init").text == "false"
        assert server.call("metrics", headers={"Host": "localhost:8100"}).status == 200
        assert server.call("init", headers={"Host": "[::1]:8100"}, **form).status == 204


# --- settings ---


def test_settings_are_a_map_of_texts(server: Server) -> None:
    reply = server.call("system")
    assert reply.json.keys() >= SETTINGS.keys()
    assert {name: reply.json[name] for name in SETTINGS} == SETTINGS
    assert all(isinstance(value, str) for value in reply.json.values())


def test_one_setting_is_plain_text(server: Server) -> None:
    for name, value in SETTINGS.items():
        reply = server.call(f"system/{name}")
        assert (reply.status, reply.text) == (200, value)
        assert (header(reply, "content-type") or "").startswith("text/plain")


def test_settings_are_set_one_by_one_or_together(own: Server) -> None:
    reply = own.call("system/password-min-length", value="12")
    assert (reply.status, reply.text) == (204, "")
    assert own.call("system/password-min-length").text == "12"
    form: dict[str, Any] = {"username": "short", "password": "12345678901", "rights": ""}
    assert "12" in refused(own.call("user/add", **form), 400)
    several: dict[str, Any] = {"password-min-length": "8", "token-expire-ms": "1000000"}
    assert own.call("system", **several).status == 204
    assert own.call("user/add", **form).status == 204
    assert own.call("system").json["token-expire-ms"] == "1000000"
    assert post(own, "system", b'{"token-expire-ms":86400000}').status == 204
    assert own.call("system/token-expire-ms").text == "86400000"


def test_several_settings_are_set_all_or_none(own: Server) -> None:
    before = own.call("system").json
    for bad in (
        {"password-min-length": "9", "token-expire-ms": "x"},
        {"password-min-length": "9", "init": "false"},
        {"password-min-length": "9", "property-ip": ""},
    ):
        refused(own.call("system", **dict[str, Any](bad)), 400)
        assert own.call("system").json == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("init", "false"),
        ("token-expire-ms", "0"),
        ("token-expire-ms", "-1"),
        ("token-expire-ms", "1.5"),
        ("password-min-length", "x"),
        ("password-min-length", "5000"),
        ("property-ip", ""),
        ("property-ip", "a\0b"),
        ("cors", "*"),
        ("cors", "example.com"),
        ("cors", "[1]"),
    ],
)
def test_a_value_no_setting_can_have_is_a_400_that_names_it(
    own: Server, name: str, value: str
) -> None:
    assert name in refused(own.call(f"system/{name}", value=value), 400)


def test_the_life_of_a_token_is_a_setting(own: Server) -> None:
    assert own.call("system/token-expire-ms", value="1").status == 204
    try:
        token = own.call("auth", token="", username="admin", password="password").text
        refused(own.call("session/list", token=token), 401)
        assert own.call("session/list").status == 200
    finally:
        assert own.call("system/token-expire-ms", value="86400000").status == 204


def test_where_ip_and_received_go_is_a_setting(own: Server) -> None:
    store = fresh(own)
    paths: dict[str, Any] = {"property-ip": "seen.from", "property-received": "seen.at.ms"}
    assert own.call("system", **paths).status == 204
    try:
        upsert(own, store, session("a"), session("b", seen={"from": "x", "more": 1}))
        upsert(own, store, session("c", **{"seen.from": "y"}))
        a, b, c = found(own, store)
        assert a["seen"]["from"] == "127.0.0.1"
        assert isinstance(a["seen"]["at"]["ms"], int)
        assert (b["seen"]["from"], b["seen"]["more"]) == ("x", 1)
        assert c["seen.from"] == "y"
        assert "from" not in c["seen"]
        assert ids(own, store, "_m1.ip:*") == []
        assert ids(own, store, "_m1.session.lastUpdated:*") == ["a", "b", "c"]
    finally:
        assert own.call("system", **dict[str, Any]((n, SETTINGS[n]) for n in paths)).status == 204


def test_the_key_of_new_stores_is_a_setting(own: Server) -> None:
    assert own.call("system/property-session-id", value="visit.no").status == 204
    try:
        upsert(own, add_store(own, "visits"), {"visit": {"no": 5}})
        assert own.call("session/list").json[-1]["key"] == "visit.no"
    finally:
        assert own.call("system/property-session-id", value="session.id").status == 204


# --- health ---


def test_health_tells_how_each_part_fares(server: Server) -> None:
    health = server.call("health").json
    assert health.keys() == {"overall", "system", "users", "db", "geo", "sessions"}
    for part in health.values():
        assert part["status"] == "PASSED"
        assert part.keys() <= {"status", "message", "details"}
    details = health["sessions"]["details"]
    assert details["Node stash shard 0 replica 0"]["status"] == "PASSED"
    names = {info["name"] for info in server.call("session/list").json}
    assert details.keys() == {f"Node {name} shard 0 replica 0" for name in names}


# --- other origins ---


ASKED = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "m1-auth-token, content-type",
}
PATHS = [*sorted({each.path for each in endpoints()}), "console", "docs", "nowhere"]


def told_origins(server: Server, origin: str) -> list[str]:
    """Call every path by every verb as a page of an origin; gives the headers that let it in."""
    found = []
    for path in PATHS:
        for verb, more in (("GET", {}), ("POST", {}), ("OPTIONS", ASKED)):
            reply = post(server, path, b"", None, verb, Origin=origin, **more)
            assert verb != "OPTIONS" or reply.status in (204, 404, 405), path
            found += [name for name in reply.headers if name.lower().startswith("access-control-")]
    return found


def test_no_origin_may_call_by_default(server: Server) -> None:
    for origin in ("https://example.com", "null", server.url):
        assert told_origins(server, origin) == []
    refused(post(server, "ping", b"", None, "OPTIONS", Origin="https://example.com"), 405)


NEAR = [
    "http://a.example",
    "https://a.example:8443",
    "https://a.example.evil.example",
    "https://evil-a.example",
    "https://sub.a.example",
    "https://a.example/",
    "https://a.example, https://evil.example",
    "https://A.EXAMPLE",
    "null",
    "*",
    "",
]
"""Origins that are not the listed https://a.example, but look like it."""


def test_an_unlisted_origin_is_told_nothing(own: Server) -> None:
    assert own.call("system/cors", value="https://a.example").status == 204
    try:
        assert told_origins(own, "https://a.example"), "nobody is told, so this shows nothing"
        for origin in NEAR:
            assert told_origins(own, origin) == [], origin
    finally:
        assert own.call("system/cors", value="").status == 204


def test_what_a_page_of_another_origin_posts_is_refused(own: Server) -> None:
    """A form needs nobody's leave to be sent, and comes from the address of who looks at it."""
    login: dict[str, Any] = {"username": "admin", "password": "a wrong guess"}
    store = fresh(own)
    foreign = [{"Origin": origin} for origin in (*NEAR[:-1], "http://[::1")]
    foreign += [{"Origin": own.url, "Sec-Fetch-Site": site} for site in ("cross-site", "same-site")]
    for headers in foreign:
        for _ in range(3):
            message = refused(own.call("auth", token="", headers=headers, **login), 403)
        assert "cors" in message
        refused(own.call("session/drop", headers=headers, store=store), 403)
    assert found(own, store) == []
    proxied = {"Origin": "https://m1.example", "Sec-Fetch-Site": "same-origin"}
    own_pages: list[dict[str, str]] = [{}, {"Origin": own.url}, proxied]
    for headers in own_pages:  # and nobody's logins are put off
        form: dict[str, Any] = {"username": "admin", "password": "password"}
        assert own.call("auth", token="", headers=headers, **form).status == 200
    assert own.call("system/cors", value="https://a.example").status == 204
    listed = {"Origin": "https://a.example", "Sec-Fetch-Site": "cross-site"}
    refused(own.call("auth", token="", headers=listed, **login), 401)
    assert own.call("system/cors", value="").status == 204


def test_listed_origins_may_call(own: Server) -> None:
    store = fresh(own)
    for cors in ("https://a.example,http://b.example:8080", '["https://a.example"]'):
        assert own.call("system/cors", value=cors).status == 204
        listed, other = {"Origin": "https://a.example"}, {"Origin": "https://evil.example"}
        reply = post(own, "session/query", b"", None, "OPTIONS", **listed, **ASKED, **NO_TOKEN)
        assert reply.status == 204
        assert header(reply, "access-control-allow-origin") == "https://a.example"
        assert "POST" in (header(reply, "access-control-allow-methods") or "")
        assert "m1-auth-token" in (header(reply, "access-control-allow-headers") or "").lower()
        reply = own.call("session/query", headers=listed, store=store, q="*")
        assert reply.status == 200
        assert header(reply, "access-control-allow-origin") == "https://a.example"
        exposed = (header(reply, "access-control-expose-headers") or "").lower()
        assert exposed == "m1-count, m1-request-id"
        assert "Origin" in (header(reply, "vary") or "")
        reply = own.call("session/query", token="", headers=listed, store=store, q="*")
        refused(reply, 401)
        assert header(reply, "access-control-allow-origin") == "https://a.example"
        reply = own.call("session/query", headers=other, store=store, q="*")
        assert header(reply, "access-control-allow-origin") is None
        refused(post(own, "session/query", b"", None, "OPTIONS", **other, **ASKED), 405)
    assert own.call("system/cors", value="").status == 204
    reply = own.call("ping", headers=listed)
    assert header(reply, "access-control-allow-origin") is None


NO_TOKEN = {"m1-auth-token": ""}


# --- addresses ---


FORWARDED = (
    *("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"),
    *("X-Cluster-Client-IP", "X-Forwarded", "Client-IP", "X-Original-Forwarded-For"),
)


def test_nothing_that_a_caller_says_of_its_address_is_believed_by_default(server: Server) -> None:
    store = fresh(server)
    theirs = server.call("auth", username="admin", ip="1.2.3.4").text
    claims = [*((name, "1.2.3.4") for name in FORWARDED), ("Forwarded", "for=1.2.3.4")]
    for number, claim in enumerate([*claims, ("X-Forwarded-For", "1.2.3.4, 127.0.0.1")]):
        forged = dict([claim])
        ops = f'[{{"upsert": [{{"session.id": {number}}}]}}]'
        assert server.call("session/update", headers=forged, store=store, ops=ops).status == 204
        refused(server.call("session/list", token=theirs, headers=forged), 401)
        mine = server.call("auth", None, "", forged, username="admin", password="password").text
        assert server.call("session/list", token=mine).status == 200
    counted = server.call("session/query", store=store, q="_m1.ip:127.0.0.1").json["count"]
    assert counted == len(claims) + 1


@pytest.mark.skipif(not has_ipv6(), reason="::1 cannot be listened on here")
def test_who_comes_by_ipv4_to_a_server_on_ipv6_is_known_by_ipv4(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "::", "--insecure") as six:
        six.url = f"http://127.0.0.1:{six.port}"
        six.add_stash()
        upsert(six, "stash", session("x"))
        assert ids(six, "stash", "_m1.ip:127.0.0.1") == ["x"]
        mapped = six.call("auth", username="admin", ip="::ffff:127.0.0.1").text
        assert six.call("session/list", token=mapped).status == 200


def test_the_ip_of_an_item_is_the_callers(server: Server) -> None:
    store = fresh(server)
    token = server.call("auth", username="admin", ip="...").text
    form = ("-d", f"store={store}", "--data-urlencode", 'ops=[{"upsert":[{"session.id":1}]}]')
    reply = curl(server, "session/update", *form, "--interface", "127.0.0.9", token=token)
    assert reply.status == 204
    assert server.call("session/query", store=store, q="_m1.ip:127.0.0.9").json["count"] == 1


@pytest.mark.skipif(not has_ipv6(), reason="::1 cannot be listened on here")
def test_a_server_on_ipv6_sees_ipv6_addresses(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("six"), "--host", "::1") as six:
        six.log_in()
        store = fresh(six)
        upsert(six, store, session("x"))
        assert ids(six, store, '_m1.ip:"::1"') == ["x"]
        other = six.call("auth", username="admin", ip="127.0.0.1").text
        refused(six.call("session/list", token=other), 401)
        same = six.call("auth", username="admin", ip="0:0:0:0:0:0:0:1").text
        assert six.call("session/list", token=same).status == 200


def test_any_name_may_be_a_setting_s_name_and_an_unknown_one_is_a_404(server: Server) -> None:
    for name in ("call", "self", "settings", "nope"):
        assert curl(server, "system", "-d", f"{name}=x").status == 404


def test_properties_that_leave_no_room_for_each_other_are_refused(server: Server) -> None:
    for path in ("_m1", "_m1.session", "_m1.session.lastUpdated.x", "_m1.receivedUTC"):
        assert server.call("system/property-ip", value=path).status == 400
    assert server.call("system/property-ip").text == "_m1.ip"
