"""Every line of the user's own description, as it stands, through a shell.

The lines are those of the page on session stores. Only the host is put in the place of
another one: `https://test-m1.minusonedb.com` is the address of the server of this test,
and `test-m1` the name that the client has for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Server, serving

HOST = "https://test-m1.minusonedb.com"
SESSION = "0295aed9-5872-4586-8086-57d3d8c40fb8"
DELETED = "78ba3dac-3e45-4e17-940e-e66584882ce4"

CURL = {
    "update": """\
curl https://test-m1.minusonedb.com/session/update -d 'store=stash&ops=[{"upsert":[
{
"ip": "65.29.29.190",
"session": {
"id": "0295aed9-5872-4586-8086-57d3d8c40fb8",
"start": 1612497996184
},
"user": {
"id": "f7661f25-7c49-4f3b-9185-ec6566892878"
},
"event": {
"id": "6dd089ce-5a96-4fac-a405-43c1ab3eb6b3",
"time": 1612497996000,
"type": "heartbeat",
"data": {
"a": "timers",
"b": "string",
"foo": "epe",
"bar": "string"
}
}
}]},
{"delete" : ["78ba3dac-3e45-4e17-940e-e66584882ce4"]}]' \\
-H "m1-auth-token: $myToken"
""",
    "query": """\
curl https://test-m1.minusonedb.com/session/query \\
-d 'store=stash&q=_m1.ip:64.150.5.135' \\
-H "m1-auth-token: $myToken"
""",
    "list": """\
curl https://test-m1.minusonedb.com/session/list \\
-H "m1-auth-token: $myToken"
""",
    "key": """\
curl https://test-m1.minusonedb.com/session/key \\
-d "store=stash&key=session.id" \\
-H "m1-auth-token: $myToken"
""",
    "add": """\
curl https://test-m1.minusonedb.com/session/add \\
-d "store=stash&key=session.id&shards=1&replicas=1" \\
-H "m1-auth-token: $myToken"
""",
    "rename": """\
curl https://test-m1.minusonedb.com/session/rename \\
-d "store=stash&name=newSessionStoreName" \\
-H "m1-auth-token: $myToken"
""",
    "drop": """\
curl https://test-m1.minusonedb.com/session/drop \\
-d "store=stash" \\
-H "m1-auth-token: $myToken"
""",
}

M1 = {
    "update": (
        "m1 test-m1 session/update -store stash -ops '"
        '[{"upsert": [{"ip": "65.29.29.190","session": '
        '{"id": "0295aed9-5872-4586-8086-57d3d8c40fb8","start": 1612497996184}}]},'
        """{"delete": ["78ba3dac-3e45-4e17-940e-e66584882ce4"]}]'"""
    ),
    "query": 'm1 test-m1 session/query -store stash -q "_m1.ip:64.150.5.135"',
    "list": "m1 test-m1 session/list",
    "key": 'm1 test-m1 session/key -store stash -key "session.id"',
    "add": 'm1 test-m1 session/add -store stash -key "session.id" -shards 1 -replicas 1',
    "rename": "m1 test-m1 session/rename -store stash -name newSessionStoreName",
    "drop": "m1 test-m1 session/drop -store stash",
}

SENT_BY_CURL = {
    "ip": "65.29.29.190",
    "session": {"id": SESSION, "start": 1612497996184},
    "user": {"id": "f7661f25-7c49-4f3b-9185-ec6566892878"},
    "event": {
        "id": "6dd089ce-5a96-4fac-a405-43c1ab3eb6b3",
        "time": 1612497996000,
        "type": "heartbeat",
        "data": {"a": "timers", "b": "string", "foo": "epe", "bar": "string"},
    },
}
SENT_BY_M1 = {"ip": "65.29.29.190", "session": {"id": SESSION, "start": 1612497996184}}

Run = Callable[[str], str]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the client knows as test-m1 and is logged in to."""
    with serving(tmp_path_factory.mktemp("seed")) as server:
        server.log_in()
        make_known(server)
        yield server


@pytest.fixture
def stash(environment: Server) -> Server:
    """The server with one store, stash, that is empty."""
    for store in environment.call("session/list").json:
        assert environment.call("session/drop", store=store["name"]).status == 204
    assert environment.call("session/add", store="stash", shards=1, replicas=1).status == 204
    return environment


def make_known(server: Server) -> None:
    """Log the client in to a server as test-m1."""
    in_shell(server, f"m1 environments add test-m1 {server.url}")
    in_shell(server, "m1 auth test-m1 -username admin -password password")


def in_shell(server: Server, line: str) -> str:
    """Run a line in bash as a user would; gives what it prints."""
    done = subprocess.run(
        ["bash", "-c", line.replace(HOST, server.url)],
        env={
            **server.environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "myToken": server.token,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def put(server: Server, *items: dict[str, Any]) -> None:
    """Store items."""
    ops = json.dumps([{"upsert": list(items)}])
    assert server.call("session/update", store="stash", ops=ops).status == 204


def found(server: Server, q: str, **parameters: Any) -> Any:
    """Query the store stash."""
    return server.call("session/query", store="stash", q=q, **parameters).json


def without_metadata(item: dict[str, Any]) -> dict[str, Any]:
    """Give an item as it was sent."""
    return {key: value for key, value in item.items() if key != "_m1"}


def stores(server: Server) -> list[str]:
    """Give the names of all stores."""
    return [store["name"] for store in server.call("session/list").json]


@pytest.mark.parametrize(
    ("line", "sent"), [(CURL["update"], SENT_BY_CURL), (M1["update"], SENT_BY_M1)]
)
def test_the_line_for_update_upserts_one_session_and_deletes_another(
    stash: Server, line: str, sent: dict[str, Any]
) -> None:
    put(stash, {"session": {"id": DELETED}}, {"session": {"id": SESSION}, "old": True})
    assert in_shell(stash, line) == ""
    answer = found(stash, "*")
    assert answer["count"] == 1
    assert without_metadata(answer["items"][0]) == sent
    assert answer["items"][0]["_m1"]["ip"] == "127.0.0.1"
    assert found(stash, f"session.id:{DELETED}")["count"] == 0


@pytest.mark.parametrize("line", [CURL["update"], M1["update"]])
def test_the_line_for_update_can_be_sent_twice(stash: Server, line: str) -> None:
    in_shell(stash, line)
    in_shell(stash, line)
    assert found(stash, "*", rows=0) == {"count": 1, "items": []}


def test_the_event_of_the_curl_line_is_found_by_its_nested_properties(stash: Server) -> None:
    in_shell(stash, CURL["update"])
    for q in (
        "event.type:heartbeat",
        "event.data.foo:epe AND event.data.b:string",
        "event.time:[1612497996000 TO 1612497996000]",
        "user.id:f7661f25-7c49-4f3b-9185-ec6566892878",
        "ip:65.29.29.190",
    ):
        assert found(stash, q)["count"] == 1, q


@pytest.mark.parametrize("line", [CURL["query"], M1["query"]])
def test_the_line_for_query_gives_a_count_and_the_items(stash: Server, line: str) -> None:
    put(
        stash,
        {"session": {"id": "here"}, "_m1": {"ip": "64.150.5.135"}},
        {"session": {"id": "also"}, "_m1": {"ip": "64.150.5.135"}},
        {"session": {"id": "elsewhere"}, "_m1": {"ip": "64.150.5.136"}},
        {"session": {"id": "no ip of its own"}, "m1": {"ip": "64.150.5.135"}},
    )
    answer = json.loads(in_shell(stash, line))
    assert list(answer) == ["count", "items"]
    assert answer["count"] == 2
    assert [item["session"]["id"] for item in answer["items"]] == ["also", "here"]


@pytest.mark.parametrize("line", [CURL["query"], M1["query"]])
def test_the_line_for_query_on_an_empty_store_finds_nothing(stash: Server, line: str) -> None:
    assert json.loads(in_shell(stash, line)) == {"count": 0, "items": []}


def test_the_answer_to_a_query_is_a_stream(stash: Server) -> None:
    items = [{"session": {"id": str(n)}, "_m1": {"ip": "64.150.5.135"}} for n in range(200)]
    assert stash.call("session/update", store="stash", ops=json.dumps([{"upsert": items}])).status
    line = CURL["query"].replace("curl ", "curl -si ").replace("store=", "rows=200&store=")
    assert "transfer-encoding: chunked" in in_shell(stash, line)


@pytest.mark.parametrize("line", [CURL["list"], M1["list"]])
def test_the_line_for_list_shows_every_store_with_its_metadata(stash: Server, line: str) -> None:
    stash.call("session/add", store="Other", key="user.id", shards=1, replicas=1)
    assert json.loads(in_shell(stash, line)) == [
        {"name": "Other", "key": "user.id", "shards": 1, "replicas": 1},
        {"name": "stash", "key": "session.id", "shards": 1, "replicas": 1},
    ]


@pytest.mark.parametrize("line", [CURL["key"], M1["key"]])
def test_the_line_for_key_sets_the_key_of_a_store(stash: Server, line: str) -> None:
    stash.call("session/drop", store="stash")
    stash.call("session/add", store="stash", key="user.id", shards=1, replicas=1)
    put(stash, {"user": {"id": "u1"}, "session": {"id": "s1"}})
    put(stash, {"user": {"id": "u2"}, "session": {"id": "s2"}})
    assert in_shell(stash, line) == ""
    assert stash.call("session/list").json[0]["key"] == "session.id"
    put(stash, {"session": {"id": "s1"}, "new": True})
    items = found(stash, "*")["items"]
    assert [item["session"]["id"] for item in items] == ["s1", "s2"]
    assert [item.get("user") for item in items] == [None, {"id": "u2"}]


@pytest.mark.parametrize("line", [CURL["add"], M1["add"]])
def test_the_line_for_add_makes_a_store(stash: Server, line: str) -> None:
    stash.call("session/drop", store="stash")
    assert stores(stash) == []
    assert in_shell(stash, line) == ""
    assert stash.call("session/list").json == [
        {"name": "stash", "key": "session.id", "shards": 1, "replicas": 1}
    ]
    put(stash, {"session": {"id": "s1"}})
    assert found(stash, "*")["count"] == 1


def test_the_key_of_an_added_store_defaults_to_session_id(stash: Server) -> None:
    line = CURL["add"].replace("store=stash&key=session.id", "store=other")
    assert in_shell(stash, line) == ""
    assert {store["key"] for store in stash.call("session/list").json} == {"session.id"}


@pytest.mark.parametrize("line", [CURL["rename"], M1["rename"]])
def test_the_line_for_rename_changes_the_name_of_a_store(stash: Server, line: str) -> None:
    put(stash, {"session": {"id": "s1"}})
    assert in_shell(stash, line) == ""
    assert stores(stash) == ["newSessionStoreName"]
    assert stash.call("session/query", store="stash", q="*").status == 404
    answer = stash.call("session/query", store="newSessionStoreName", q="*").json
    assert answer["count"] == 1


@pytest.mark.parametrize("line", [CURL["drop"], M1["drop"]])
def test_the_line_for_drop_removes_a_store_for_good(stash: Server, line: str) -> None:
    put(stash, {"session": {"id": "s1"}})
    assert in_shell(stash, line) == ""
    assert stores(stash) == []
    in_shell(stash, M1["add"])
    assert found(stash, "*")["count"] == 0


@pytest.mark.parametrize("lines", [CURL, M1], ids=["curl", "m1"])
def test_the_lines_run_one_after_the_other_as_the_life_of_a_store(
    environment: Server, lines: dict[str, str]
) -> None:
    live(environment, lines)


def live(server: Server, lines: dict[str, str]) -> None:
    """Run all lines as the life of a store, beside those of other names."""
    own = {"stash", "newSessionStoreName"}
    for name in own & set(stores(server)):
        server.call("session/drop", store=name)
    others = stores(server)
    printed = {
        verb: in_shell(server, lines[verb])
        for verb in ("add", "key", "update", "query", "list", "rename")
    }
    assert json.loads(printed.pop("query"))["count"] == 0
    listed = [store["name"] for store in json.loads(printed.pop("list"))]
    assert listed == sorted([*others, "stash"])
    assert set(printed.values()) == {""}
    assert stores(server) == sorted([*others, "newSessionStoreName"])
    in_shell(server, lines["add"])
    in_shell(server, lines["drop"])
    assert stores(server) == sorted([*others, "newSessionStoreName"])


TABLE = [
    ("session/update", "POST", {"store": "stash", "ops": "[]"}, {"sessionUpdate"}),
    ("session/query", "POST", {"store": "stash", "q": "*"}, {"sessionQuery"}),
    ("session/list", "GET", {}, {"get", "admin"}),
    ("session/key", "POST", {"store": "stash", "key": "session.id"}, {"admin"}),
    ("session/add", "POST", {"store": "other", "shards": "1", "replicas": "1"}, {"admin"}),
    ("session/rename", "POST", {"store": "stash", "name": "stash"}, {"admin"}),
    ("session/drop", "POST", {"store": "stash"}, {"admin"}),
]


@pytest.fixture(scope="module")
def tokens(environment: Server) -> dict[str, str]:
    """A token for each right, of a user who has no other one."""
    given = {}
    for right in ("admin", "schema", "get", "publish", "sessionQuery", "sessionUpdate"):
        user: dict[str, Any] = {"username": f"has-{right}", "password": "a long password"}
        assert environment.call("user/add", rights=right, **user).status == 204
        given[right] = environment.call("auth", token="", **user).text
    return given


@pytest.mark.parametrize(("endpoint", "verb", "parameters", "rights"), TABLE)
def test_an_endpoint_asks_for_the_rights_that_the_page_states(
    stash: Server,
    tokens: dict[str, str],
    endpoint: str,
    verb: str,
    parameters: dict[str, Any],
    rights: set[str],
) -> None:
    for right, token in tokens.items():
        if right not in rights:
            reply = stash.call(endpoint, verb, token, **parameters)
            assert (right, reply.status) == (right, 403)
    for right in rights:
        reply = stash.call(endpoint, verb, tokens[right], **parameters)
        assert reply.status == (200 if endpoint in ("session/query", "session/list") else 204)


@pytest.mark.parametrize(("endpoint", "verb", "parameters", "rights"), TABLE)
def test_each_required_parameter_is_named_when_it_is_missing(
    stash: Server, endpoint: str, verb: str, parameters: dict[str, Any], rights: set[str]
) -> None:
    for name in parameters:
        others: dict[str, Any] = {each: value for each, value in parameters.items() if each != name}
        reply = stash.call(endpoint, verb, **others)
        assert reply.status == 400
        assert name in reply.json["message"]


@pytest.mark.parametrize(("endpoint", "verb", "parameters", "rights"), TABLE)
def test_another_verb_is_refused(
    stash: Server, endpoint: str, verb: str, parameters: dict[str, Any], rights: set[str]
) -> None:
    for other in ("DELETE", "PUT", "POST" if verb == "GET" else "PATCH"):
        reply = stash.call(endpoint, other, **parameters)
        assert (reply.status, reply.json["status"]) == (405, 405)


def test_sort_start_and_rows_choose_what_a_query_gives(stash: Server) -> None:
    put(stash, *({"session": {"id": f"s{number}"}, "n": -number} for number in range(15)))
    assert len(found(stash, "*")["items"]) == 10
    page = found(stash, "*", sort="n asc", start=2, rows=3)
    assert (page["count"], [item["n"] for item in page["items"]]) == (15, [-12, -11, -10])
