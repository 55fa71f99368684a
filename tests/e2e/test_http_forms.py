"""Every form in which parameters arrive, as the real curl and hostile clients send them."""

from __future__ import annotations

import json
import random

import pytest

from tests.e2e.curl import add_store, curl, found, ids, post, refused, session, upsert
from tests.e2e.harm import harmless
from tests.serving import Server

FORM = "application/x-www-form-urlencoded"

USERS_OWN_LINES = """store=seed&ops=[{"upsert":[
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
{"delete" : ["78ba3dac-3e45-4e17-940e-e66584882ce4"]}]"""


def query_by(server: Server, *arguments: str) -> list[str]:
    """Query by curl, and give the ids."""
    reply = curl(server, "session/query", *arguments)
    assert reply.status == 200, reply.text
    return [item["session"]["id"] for item in reply.json["items"]]


# --- what a user types ---


def test_the_update_of_the_users_own_manual_works_as_it_stands(server: Server) -> None:
    add_store(server, "seed")
    reply = curl(server, "session/update", "-d", USERS_OWN_LINES)
    assert (reply.status, reply.text) == (204, "")
    (item,) = found(server, "seed", "event.data.foo:epe")
    assert item == json.loads(USERS_OWN_LINES.partition("ops=")[2])[0]["upsert"][0]


def test_the_query_of_the_users_own_manual_works_as_it_stands(server: Server) -> None:
    add_store(server, "seedquery")
    upsert(server, "seedquery", session("s", _m1={"ip": "64.150.5.135"}), session("t"))
    assert query_by(server, "-d", "store=seedquery&q=_m1.ip:64.150.5.135") == ["s"]


def test_admin_calls_of_the_users_own_manual_work_as_they_stand(server: Server) -> None:
    for path, form in (
        ("session/add", "store=manual&key=session.id&shards=1&replicas=1"),
        ("session/key", "store=manual&key=session.id"),
        ("session/rename", "store=manual&name=newSessionStoreName"),
        ("session/drop", "store=newSessionStoreName"),
    ):
        reply = curl(server, path, "-d", form)
        assert (path, reply.status, reply.text) == (path, 204, "")


@pytest.mark.parametrize("verb", ["POST", "GET"])
def test_a_query_arrives_the_same_in_every_form(server: Server, verb: str) -> None:
    store = add_store(server, f"forms-{verb}")
    upsert(server, store, session("one", name="foo bar"), session("two", name="foo"))
    q = 'name:"foo bar"'
    way = ("-X", verb)
    for arguments in (
        ("-d", f"store={store}&q={q}"),
        ("-d", f"store={store}", "-d", f"q={q}"),
        ("-d", f"store={store}", "--data-urlencode", f"q={q}"),
        ("-d", f"store={store}&q=name:%22foo%20bar%22"),
        ("-d", f"store={store}&q=name:%22foo+bar%22"),
        ("--form", f"store={store}", "--form", f"q={q}"),
        ("-G", "-d", f"store={store}", "--data-urlencode", f"q={q}"),
        ("--json", json.dumps({"store": store, "q": q})),
    ):
        assert query_by(server, *way, *arguments) == ["one"], arguments


def test_the_query_string_alone_is_enough(server: Server) -> None:
    store = add_store(server, "inpath")
    upsert(server, store, session("one"))
    reply = curl(server, f"session/query?store={store}&q=session.id:one")
    assert reply.json["count"] == 1


def test_a_multipart_part_may_hold_anything(server: Server) -> None:
    store = add_store(server, "partfile")
    ops = json.dumps([{"upsert": [session("a&b + 100% ü", text='"; x\r\n--')]}])
    reply = curl(
        server, "session/update", "--form", f"store={store}", "--form-string", f"ops={ops}"
    )
    assert reply.status == 204, reply.text
    assert ids(server, store) == ["a&b + 100% ü"]


@pytest.mark.parametrize("as_text", [False, True])
def test_ops_in_a_json_body_are_json_or_text(server: Server, as_text: bool) -> None:
    store = add_store(server, f"jsonops-{as_text}")
    ops = [{"upsert": [session("a&b+c", x=1.5)]}]
    body = {"store": store, "ops": json.dumps(ops) if as_text else ops}
    assert curl(server, "session/update", "--json", json.dumps(body)).status == 204
    assert found(server, store) == [session("a&b+c", x=1.5)]


def test_numbers_in_a_json_body_are_numbers_or_texts(server: Server) -> None:
    store = add_store(server, "jsonnumbers")
    upsert(server, store, session("a"), session("b"))
    for one in (1, "1"):
        body = json.dumps({"store": store, "q": "*", "start": one, "rows": one, "sort": None})
        reply = post(server, "session/query", body.encode())
        assert [item["session"]["id"] for item in reply.json["items"]] == ["b"]


def test_content_types_may_have_parameters_and_capitals(server: Server) -> None:
    store = add_store(server, "kinds")
    upsert(server, store, session("a"))
    form = f"store={store}&q=*".encode()
    body = json.dumps({"store": store, "q": "*"}).encode()
    assert post(server, "session/query", form, f"{FORM}; charset=utf-8").status == 200
    assert post(server, "session/query", form, "Application/X-WWW-Form-URLencoded").status == 200
    assert post(server, "session/query", body, "application/json; charset=UTF-8").status == 200


# --- what an encoding keeps ---


def test_plus_is_a_space_and_percent_is_decoded(server: Server) -> None:
    store = add_store(server, "plus")
    ops = '[{"upsert":[{"session":{"id":"a+b%26%2B%25"}}]}]'
    assert curl(server, "session/update", "-d", f"store={store}&ops={ops}").status == 204
    assert ids(server, store) == ["a b&+%"]


def test_any_text_survives_every_form(server: Server, rand: random.Random) -> None:
    store = add_store(server, "anytext")
    characters = [chr(rand.randrange(1, 0x250)) for _ in range(40)] + list(
        '&+%=;"\\{}[]用😀\r\n\t '
    )
    text = "".join(rand.sample(characters, len(characters)))
    ops = json.dumps([{"upsert": [session("x", text=text)]}], ensure_ascii=rand.random() < 0.5)
    encoded = ("-d", f"store={store}", "--data-urlencode", f"ops={ops}")
    multipart = ("--form", f"store={store}", "--form-string", f"ops={ops}")
    as_json = ("--json", json.dumps({"store": store, "ops": ops}))
    for arguments in (encoded, multipart, as_json):
        assert server.call("session/update", store=store, ops='[{"delete":["x"]}]').status == 204
        assert curl(server, "session/update", *arguments).status == 204
        assert found(server, store) == [session("x", text=text)], arguments


@pytest.mark.parametrize(
    "value", ["a & b", "fish&chips", "A&B=C&D"], ids=["spaces", "plain", "more"]
)
def test_an_ampersand_in_raw_ops_is_a_400_that_names_the_way_out(
    server: Server, value: str
) -> None:
    ops = json.dumps([{"upsert": [session("s", name=value)]}])
    message = refused(curl(server, "session/update", "-d", f"store=stash&ops={ops}"), 400)
    assert "ops" in message
    assert "--data-urlencode" in message


def test_ops_that_do_not_parse_name_no_way_out_where_they_came_encoded(server: Server) -> None:
    arguments = ("-d", "store=stash", "--data-urlencode", 'ops=[{"upsert": [}]')
    message = refused(curl(server, "session/update", *arguments), 400)
    assert "ops" in message
    assert "--data-urlencode" not in message


def test_unknown_parameters_are_ignored(server: Server) -> None:
    store = add_store(server, "unknown")
    upsert(server, store, session("a"))
    more = ("--form", "nonsense=1", "--form", "items=[")
    assert query_by(server, "--form", f"store={store}", "--form", "q=*", *more) == ["a"]
    assert query_by(server, "-d", f"store={store}&q=*&x&y=&=z&&") == ["a"]
    body = json.dumps({"store": store, "q": "*", "x": {"y": [None]}})
    assert query_by(server, "--json", body) == ["a"]


def test_an_endpoint_without_parameters_takes_any(server: Server) -> None:
    for arguments in (("-G", "-d", "a=b"), ("-X", "GET", "--form", "a=b"), ("-X", "GET")):
        assert curl(server, "session/list", *arguments).status == 200


# --- query string and body together ---


def test_the_query_string_and_the_body_add_up(server: Server) -> None:
    store = add_store(server, "both")
    upsert(server, store, session("a"))
    reply = post(server, f"session/query?store={store}", b"q=*", FORM)
    assert reply.json["count"] == 1
    reply = post(server, f"session/query?store={store}", b'{"q":"*"}')
    assert reply.json["count"] == 1


def test_a_field_given_twice_is_a_400_that_names_it(server: Server) -> None:
    multipart = (
        b'--X\r\nContent-Disposition: form-data; name="q"\r\n\r\n*\r\n'
        b'--X\r\nContent-Disposition: form-data; name="q"\r\n\r\n*\r\n--X--\r\n'
    )
    for path, body, kind in (
        ("session/query", b"store=stash&q=*&q=*", FORM),
        ("session/query", b"store=stash&q=a&%71=b", FORM),
        ("session/query?q=*", b"store=stash&q=*", FORM),
        ("session/query?q=*", b'{"store":"stash","q":"*"}', "application/json"),
        ("session/query?store=stash", multipart, "multipart/form-data; boundary=X"),
        ("session/query", b'{"store":"stash","q":"a","q":"b"}', "application/json"),
    ):
        with harmless(server):
            message = refused(post(server, path, body, kind), 400)
        assert message.startswith("q:") or 'the key "q"' in message, (path, body, message)


# --- what cannot be read ---


def test_a_missing_parameter_is_a_400_that_names_it(server: Server) -> None:
    for path, form, missing in (
        ("session/query", {"store": "stash"}, "q"),
        ("session/query", {"q": "*"}, "store"),
        ("session/update", {"store": "stash"}, "ops"),
        ("session/add", {"store": "x", "replicas": 1}, "shards"),
        ("session/rename", {"store": "stash"}, "name"),
        ("session/key", {"store": "stash"}, "key"),
        ("user/add", {"username": "x", "password": "password"}, "rights"),
    ):
        with harmless(server):
            assert refused(server.call(path, **form), 400).startswith(f"{missing}:")
    assert "store" in refused(server.call("session/drop", "POST"), 400)
    body = b'{"store":"stash","q":null}'
    assert "q" in refused(post(server, "session/query", body), 400).split(":")[0]


@pytest.mark.parametrize("bad", ["q=%", "q=%4", "q=%zz", "q=a%u0041", "q=100%"])
def test_a_bad_escape_is_a_400_that_names_the_parameter(server: Server, bad: str) -> None:
    with harmless(server):
        reply = curl(server, "session/query", "-d", f"store=stash&{bad}")
        assert refused(reply, 400).startswith("q:")
        reply = post(server, f"session/query?store=stash&{bad}", b"", None)
        assert refused(reply, 400).startswith("q:")


def test_a_bad_escape_in_raw_ops_names_ops(server: Server) -> None:
    ops = '[{"upsert":[{"session":{"id":"x"},"off":"50% "}]}]'
    message = refused(curl(server, "session/update", "-d", f"store=stash&ops={ops}"), 400)
    assert message.startswith("ops:")
    assert "%25" in message or "--data-urlencode" in message


@pytest.mark.parametrize(
    "bad", [b"%ff", b"\xff", b"%c3", b"\xc3(", b"%ed%a0%80", b"\xed\xa0\x80", b"%c0%80"]
)
def test_bad_utf8_is_a_400_that_names_the_parameter(server: Server, bad: bytes) -> None:
    path = "session/query?store=stash"
    with harmless(server):
        form = post(server, path, b"q=" + bad, FORM)
        assert refused(form, 400).startswith("q:")
        if b"%" in bad:
            in_path = post(server, f"{path}&q={bad.decode()}", b"", None)
            assert refused(in_path, 400).startswith("q:")
            return
        part = b'--X\r\nContent-Disposition: form-data; name="q"\r\n\r\n' + bad + b"\r\n--X--\r\n"
        multipart = post(server, path, part, "multipart/form-data; boundary=X")
        assert refused(multipart, 400).startswith("q:")
        as_json = post(server, "session/query", b'{"store":"stash","q":"' + bad + b'"}')
        assert "JSON" in refused(as_json, 400)


def test_real_replacement_characters_are_no_bad_utf8(server: Server) -> None:
    store = add_store(server, "fffd")
    upsert(server, store, session("a", x="\ufffd"))
    for arguments in (
        ("-d", f"store={store}&q=x:\ufffd"),
        ("-d", f"store={store}&q=x:%EF%BF%BD"),
        ("-d", f"store={store}", "--data-urlencode", "q=x:\ufffd"),
    ):
        assert query_by(server, *arguments) == ["a"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--X\r\n"),
        ("multipart/form-data; boundary=", b"--X\r\n"),
        ("multipart/form-data; boundary=X", b"q=*"),
        ("multipart/form-data; boundary=X", b"--X"),
        ("multipart/form-data; boundary=X", b"--X\r\n"),
        (
            "multipart/form-data; boundary=X",
            b'--X\r\nContent-Disposition: form-data; name="q"\r\n\r\n*',
        ),
        (
            "multipart/form-data; boundary=X",
            b'--X\r\nContent-Disposition: form-data; name="q"\r\n\r\n*\r\n--X\r\n',
        ),
        (
            "multipart/form-data; boundary=X",
            b'--X\r\nContent-Disposition: form-data; name="q"\r\n\r\n*\r\n--Y--\r\n',
        ),
        ("multipart/form-data; boundary=X", b"--X\r\n\r\n*\r\n--X--\r\n"),
        (
            "multipart/form-data; boundary=X",
            b'--X\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n*\r\n--X--\r\n',
        ),
    ],
)
def test_a_broken_multipart_form_is_a_400(server: Server, kind: str, body: bytes) -> None:
    with harmless(server):
        assert "multipart" in refused(post(server, "session/query?store=stash", body, kind), 400)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"{", b"{}x", b"nul", b"\xef\xbb\xbf{}", b"{1:2}"])
def test_a_json_body_that_is_no_object_is_a_400(server: Server, body: bytes) -> None:
    refused(post(server, "session/query?store=stash&q=*", body), 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "text/json", "x", "*/*"])
def test_an_unknown_content_type_is_a_400_that_names_it(server: Server, kind: str) -> None:
    assert kind in refused(post(server, "session/query", b"store=stash&q=*", kind), 400)


def test_a_body_without_a_content_type_is_a_form(server: Server) -> None:
    assert post(server, "session/query", b"store=stash&q=*", None).status == 200


def test_a_list_where_a_text_is_needed_is_a_400_that_names_it(server: Server) -> None:
    for value in ("[]", "{}", '["stash"]'):
        body = f'{{"store":{value},"q":"*"}}'.encode()
        assert refused(post(server, "session/query", body), 400).startswith("store:")
