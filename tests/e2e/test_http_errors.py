"""Every refusal: its status, its one canonical body, and which comes before which."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.curl import add_store, curl, found, header, post, refused, session, update, upsert
from tests.serving import Reply, Server, serving


def user_token(server: Server, name: str, rights: str) -> str:
    """Make a user with these rights, and give a token."""
    reply = server.call("user/add", username=name, password="password", rights=rights)
    assert reply.status == 204, reply.text
    return server.call("auth", username=name, password="password").text


@pytest.fixture(scope="module")
def nobody(server: Server) -> str:
    """A token of the user `test`, who has no right that counts."""
    return user_token(server, "test", "schema")


# --- status by status ---


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nothing",
        "session",
        "session/nothing",
        "session/query/x",
        "system/a/b",
        "SESSION/list",
        "%00",
    ],
)
def test_an_unknown_path_is_a_404(server: Server, path: str) -> None:
    refused(server.call(path), 404)
    refused(server.call(path, "POST", token="", a="b"), 404)


@pytest.mark.parametrize(
    ("path", "verb", "allowed"),
    [
        ("session/update", "GET", {"POST"}),
        ("session/query", "PUT", {"GET", "POST"}),
        ("session/list", "POST", {"GET"}),
        ("session/drop", "DELETE", {"POST"}),
        ("init", "PATCH", {"GET", "POST"}),
        ("system/geo", "PUT", {"GET", "POST"}),
        ("ping", "OPTIONS", {"GET"}),
    ],
)
def test_a_wrong_verb_is_a_405_that_lists_the_right_ones(
    server: Server, path: str, verb: str, allowed: set[str]
) -> None:
    reply = post(server, path, b"", None, verb)
    refused(reply, 405)
    assert set(re.split(", *", header(reply, "allow") or "")) == allowed


def test_what_is_not_http_is_a_400_with_the_same_body(server: Server) -> None:
    refused(post(server, "ping", b"", None, "FROB"), 400)


def test_head_is_answered_without_a_body(server: Server) -> None:
    reply = curl(server, "ping", "--head")
    assert reply.status in (200, 405)
    assert reply.text == ""


@pytest.mark.parametrize(
    "token", ["x", ".", "a.b", "..", "é", "\xff.\xff", "a" * 5_000, "eyJ9.eyJ9", "bnVsbA.x"]
)
def test_a_wrong_token_is_a_401(server: Server, token: str) -> None:
    reply = post(server, "session/list", b"", None, "GET", **{"m1-auth-token": token})
    refused(reply, 401)


def test_a_token_that_was_touched_is_a_401(server: Server) -> None:
    said, _, signature = server.token.partition(".")
    flipped = ("B" if said[3] == "A" else "A").join((said[:3], said[4:]))
    for token in (
        f"{flipped}.{signature}",
        f"{said}.",
        f"{said}.{signature[:-2]}",
        said,
        signature,
    ):
        refused(server.call("session/list", token=token), 401)


def test_no_token_is_a_401(server: Server) -> None:
    refused(server.call("session/list", token=""), 401)


def test_a_missing_right_is_a_403_in_the_words_of_the_original(server: Server, nobody: str) -> None:
    message = refused(server.call("session/drop", token=nobody, store="stash"), 403)
    assert message == "User test does not have requested right in set admin"
    message = refused(server.call("session/list", token=nobody), 403)
    assert message == "User test does not have requested right in set get, admin"
    message = refused(server.call("session/query", token=nobody, store="stash", q="*"), 403)
    assert message == "User test does not have requested right in set sessionQuery"


def test_no_such_thing_is_a_404(server: Server) -> None:
    for path, form in (
        ("session/query", {"store": "none", "q": "*"}),
        ("session/update", {"store": "none", "ops": "[]"}),
        ("session/update", {"store": "none", "ops": '[{"upsert":[{}]}]'}),
        ("session/key", {"store": "none", "key": "a"}),
        ("session/rename", {"store": "none", "name": "a"}),
        ("session/drop", {"store": "none"}),
        ("session/drop", {"store": "STASH"}),
        ("user/update", {"username": "none", "rights": "get"}),
        ("user/remove", {"username": "none"}),
        ("user/password", {"username": "none", "password": "password"}),
        ("system/none", {"value": "x"}),
    ):
        refused(server.call(path, **dict[str, Any](form)), 404)
    refused(server.call("user/get", "GET", username="none"), 404)
    refused(server.call("system/none"), 404)


@pytest.mark.parametrize(
    ("q", "at"),
    [
        ("a:[1 TO", 2),
        ("name:x AND AND b:y", 11),
        ("(a:b", 0),
        ("a:b)", 3),
        ('a:"x', 2),
        ("bare", 0),
        ("a:b c:[x y]", 9),
    ],
)
def test_a_bad_q_is_a_400_that_says_where(server: Server, q: str, at: int) -> None:
    """The character is counted from 1; what was opened and not closed is named where it opens."""
    message = refused(server.call("session/query", store="stash", q=q), 400)
    assert "q" in message
    said = re.search(r"character (\d+)", message)
    assert said is not None, message
    assert int(said[1]) == at + 1, message


@pytest.mark.parametrize("sort", ["a", "a up", "a asc b desc", ",", "", "a asc,", "asc", "a,b asc"])
def test_a_bad_sort_is_a_400_that_says_where(server: Server, sort: str) -> None:
    message = refused(server.call("session/query", store="stash", q="*", sort=sort), 400)
    assert "sort" in message
    assert re.search(r"character \d+", message), message


@pytest.mark.parametrize("name", ["start", "rows"])
@pytest.mark.parametrize(
    "value", ["-1", "1.5", "1.0", "1e2", "x", "", "-0.5", "NaN", "٣", " 1", "0x1"]
)
def test_start_and_rows_are_whole_numbers_from_0(server: Server, name: str, value: str) -> None:
    reply = server.call("session/query", store="stash", q="*", **dict[str, Any]({name: value}))
    assert refused(reply, 400).startswith(f"{name}:")


@pytest.mark.parametrize("value", ["-1", "1.5", "1.0", "true", "[1]", "{}", '"1.5"'])
def test_start_and_rows_are_checked_in_json_too(server: Server, value: str) -> None:
    body = f'{{"store":"stash","q":"*","rows":{value}}}'.encode()
    assert refused(post(server, "session/query", body), 400).startswith("rows:")


@pytest.mark.parametrize(
    ("ops", "named"),
    [
        ("", ["ops"]),
        ("{", ["ops"]),
        ("{}", ["ops"]),
        ('"x"', ["ops"]),
        ("null", ["ops"]),
        ("[1]", ["op 0"]),
        ("[{}, []]", ["op 1"]),
        ('[{"upsert":{}}]', ["op 0", "upsert"]),
        ('[{"delete":"x"}]', ["op 0", "delete"]),
        ('[{"delete":null}]', ["op 0", "delete"]),
        ('[{},{"upsert":[],"put":[]}]', ["op 1", "put"]),
        ('[{"Upsert":[]}]', ["op 0", "Upsert"]),
        ('[{"upsert":[]},{"upsert":[{"session":{"id":1}},{}]}]', ["op 1", "item 1"]),
        ('[{"upsert":[1]}]', ["op 0", "item 0"]),
        ('[{"upsert":[[]]}]', ["op 0", "item 0"]),
        ('[{"delete":["a",null]}]', ["op 0", "1"]),
        ('[{},{"delete":["a","b",{}]}]', ["op 1", "2"]),
    ],
)
def test_bad_ops_are_a_400_that_names_op_and_item(
    server: Server, ops: str, named: list[str]
) -> None:
    message = refused(server.call("session/update", store="stash", ops=ops), 400)
    for name in named:
        assert re.search(rf"\b{name}\b", message), message


def test_a_taken_name_is_a_409(server: Server) -> None:
    one, two = add_store(server, "taken-1"), add_store(server, "taken-2")
    refused(server.call("session/add", store=one, shards=1, replicas=1), 409)
    refused(server.call("session/rename", store=one, name=two), 409)
    refused(server.call("user/add", username="admin", password="password", rights=""), 409)
    refused(server.call("init", username="admin2", password="password"), 409)
    assert server.call("session/rename", store=one, name=one).status == 204


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "a.b", "a/b", "ü", "a\n", "..", "a\0"])
def test_a_name_no_store_can_have_is_a_400(server: Server, name: str) -> None:
    refused(server.call("session/add", store=name, shards=1, replicas=1), 400)
    refused(server.call("session/rename", store="stash", name=name), 400)


def test_shards_and_replicas_are_whole_numbers_from_1(server: Server) -> None:
    for shards, replicas, named in (
        (0, 1, "shards"),
        (1, 0, "replicas"),
        (-1, 1, "shards"),
        ("1.5", 1, "shards"),
        (1, "x", "replicas"),
        (2, 1, "--engine"),
        (1, 2, "--engine"),
        (10**17, 10**17, "--engine"),
    ):
        reply = server.call("session/add", store="many", shards=shards, replicas=replicas)
        assert named in refused(reply, 400)
    assert "many" not in server.call("session/list").text


# --- the order of refusals ---


def test_a_path_is_refused_before_a_verb_and_a_verb_before_a_token(server: Server) -> None:
    refused(post(server, "nothing", b"", None, "PUT", **{"m1-auth-token": "x"}), 404)
    refused(post(server, "session/drop", b"", None, "PUT", **{"m1-auth-token": "x"}), 405)


def test_a_token_and_a_right_are_asked_for_before_anything_is_read(
    server: Server, nobody: str
) -> None:
    bad = b"store=%ff&store=2&q=%"
    for token, status in (("", 401), ("x", 401), (nobody, 403)):
        sent = {"m1-auth-token": token}
        refused(post(server, "session/query", bad, "text/x", **sent), status)
        refused(post(server, f"session/query?{bad.decode()}", b"{", **sent), status)


def test_nobody_without_the_right_learns_which_stores_there_are(
    server: Server, nobody: str
) -> None:
    for path, more in (
        ("session/update", {"ops": "x"}),
        ("session/query", {"q": "("}),
        ("session/key", {"key": "_m1"}),
        ("session/rename", {"name": "-/-"}),
        ("session/add", {"shards": 1, "replicas": 1}),
        ("session/drop", {}),
    ):
        for token in ("", nobody):
            there = server.call(path, token=token, store="stash", **more)
            not_there = server.call(path, token=token, store="none", **more)
            assert there.status in (401, 403)
            assert there[:2] == not_there[:2]


def test_what_cannot_be_read_is_refused_before_an_unknown_store(server: Server) -> None:
    refused(server.call("session/query", store="none"), 400)
    refused(server.call("session/query", store="none", q="*", rows="-1"), 400)
    refused(server.call("session/rename", store="none"), 400)


def test_an_unknown_store_is_refused_before_what_the_values_mean(server: Server) -> None:
    refused(server.call("session/key", store="none", key="_m1.ip"), 404)
    refused(server.call("session/rename", store="none", name="stash"), 404)
    refused(server.call("session/rename", store="none", name="a b"), 404)
    refused(server.call("session/update", store="none", ops='[{"upsert":[{}]}]'), 404)


# --- limits ---


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes bodies of at most 1,000 bytes."""
    directory: Path = tmp_path_factory.mktemp("small")
    with serving(directory, "--max-body", "1000") as started:
        started.log_in()
        add_store(started, "stash")
        yield started


def test_a_body_up_to_the_limit_is_taken_and_one_byte_more_is_a_413(small: Server) -> None:
    def of_size(size: int) -> Reply:
        body = b"store=stash&ops=[]&x="
        return post(
            small, "session/update", body.ljust(size, b"x"), "application/x-www-form-urlencoded"
        )

    assert of_size(1000).status == 204
    refused(of_size(1001), 413)
    refused(of_size(500_000), 413)
    assert of_size(1000).status == 204


def test_a_body_of_no_stated_length_is_limited_too(small: Server) -> None:
    ops = json.dumps([{"upsert": [session("x", text="y" * 2_000)]}])
    chunked = ("-H", "Transfer-Encoding: chunked", "-d", f"store=stash&ops={ops}")
    refused(curl(small, "session/update", *chunked), 413)
    assert found(small, "stash") == []
    short = ("-H", "Transfer-Encoding: chunked", "-d", "store=stash&ops=[]")
    assert curl(small, "session/update", *short).status == 204


def test_too_large_a_body_does_not_come_before_a_missing_token(small: Server) -> None:
    body = b"x" * 2_000
    refused(post(small, "session/update", body, None, **{"m1-auth-token": ""}), 401)


def test_too_many_failed_logins_are_a_429_that_says_when_to_try_again(small: Server) -> None:
    for _ in range(30):
        reply = small.call("auth", username="admin", password="wrong-password")
        if reply.status == 429:
            break
        refused(reply, 401)
    refused(reply, 429)
    assert int(header(reply, "retry-after") or 0) >= 1
    assert small.call("session/list").status == 200


# --- nothing of a refusal remains ---


def test_an_error_tells_nothing_of_the_inside(server: Server) -> None:
    replies = [
        server.call("session/query", store="stash", q="(" * 5_000),
        server.call("session/query", store="stash", q="a:/" + "(" * 500 + "/"),
        server.call("session/update", store="stash", ops="[" * 100_000),
        server.call("session/query", store="\0", q="*"),
        post(server, "session/query", b'{"store":"\\ud800","q":"*"}'),
        post(server, "session/query", b'{"a":' * 100_000),
        post(server, "session/query", b'{"store":"stash","q":' + b"9" * 5_000 + b"}"),
    ]
    for reply in replies:
        assert reply.status in (400, 404), reply.text[:500]
        refused(reply, reply.status)
        assert "Traceback" not in reply.text
        assert ".py" not in reply.text


def test_a_connection_goes_on_after_a_refusal(server: Server) -> None:
    store = add_store(server, "goeson")
    upsert(server, store, session("a"))
    assert update(server, store, {"upsert": [session("b"), {}]}).status == 400
    reply = curl(
        server, "session/drop", "-d", "store=none", "--next", f"{server.url}/ping", "-sS", "-i"
    )
    assert reply.status == 404
    assert "HTTP/1.1 200" in reply.text
    assert found(server, store) == [session("a")]
