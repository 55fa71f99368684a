"""Updates over HTTP: identity, order, all or nothing, `_m1`, and JSON that others bend."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.e2e.curl import add_store, found, fresh, ids, post, refused, session, update, upsert
from tests.e2e.harm import harmless
from tests.serving import Reply, Server, serving

FORM = "application/x-www-form-urlencoded"


def send(server: Server, store: str, item: str | bytes) -> Reply:
    """Upsert one item by its very bytes."""
    item = item.encode() if isinstance(item, str) else item
    ops = b'[{"upsert":[' + item + b"]}]"
    form = f"store={store}&ops=".encode() + quote_plus(ops).encode()
    return post(server, "session/update", form, FORM)


def text_of(server: Server, store: str, q: str = "*") -> str:
    """Give a whole answer as text."""
    reply = server.call("session/query", store=store, q=q)
    assert reply.status == 200, reply.text
    return reply.text


def raw(server: Server, store: str, q: str = "*") -> list[Any]:
    """Query, and give the items with what the server added."""
    items: list[Any] = json.loads(text_of(server, store, q))["items"]
    return items


# --- identity ---


def test_the_number_2002_and_the_text_2002_are_one_session(server: Server) -> None:
    store = add_store(server, "identity")
    upsert(server, store, session(2002, a=1))
    upsert(server, store, session("2002", a=2))
    assert found(server, store) == [session("2002", a=2)]
    upsert(server, store, session(2002, a=3))
    assert found(server, store) == [session(2002, a=3)]
    assert update(server, store, {"delete": ["2002"]}).status == 204
    upsert(server, store, session("7"))
    assert update(server, store, {"delete": [7]}).status == 204
    assert found(server, store) == []


def test_texts_that_only_look_like_a_number_are_others(server: Server) -> None:
    store = add_store(server, "lookalikes")
    names: list[Any] = [
        "2002.0",
        "2.002e3",
        "02002",
        " 2002",
        "+2002",
        2002,
        "２００２",
        "É",
        "E\u0301",
    ]
    upsert(server, store, *[session(name) for name in names])
    assert sorted(map(str, ids(server, store))) == sorted(map(str, names))


def test_identities_are_exact_to_the_last_digit(server: Server) -> None:
    store = add_store(server, "digits")
    upsert(server, store, session(10**30), session(10**30 + 1), session(-5), session(0))
    upsert(server, store, session("18446744073709551616"), session(2**64, x=1))
    assert ids(server, store) == [-5, 0, 10**30, 10**30 + 1, 2**64]
    assert update(server, store, {"delete": [10**30 + 1, str(2**64), -5, "0"]}).status == 204
    assert ids(server, store) == [10**30]


@pytest.mark.parametrize(
    "value",
    ["null", "{}", '{"a":1}', "[]", '["x"]', "1.5", "2002.0", "2e3", "1E0", "true", "false", '""']
    + [f'"{"x" * 513}"', f'"{"ü" * 257}"', "1e400", "-0.0"],
    ids=lambda value: value[:12],
)
def test_a_value_that_is_no_identity_is_a_400_naming_op_and_item(
    server: Server, value: str
) -> None:
    good = '{"session":{"id":"g"}}'
    store = "stash"
    ops = f'[{{}},{{"upsert":[{good},{{"session":{{"id":{value}}}}}]}}]'
    message = refused(server.call("session/update", store=store, ops=ops), 400)
    if value != "1e400":
        assert "op 1, item 1" in message
    ops = f'[{{"delete":["a"]}},{{"delete":["g","h",{value}]}}]'
    message = refused(server.call("session/update", store=store, ops=ops), 400)
    if value != "1e400":
        assert "op 1" in message
        assert "2" in message.partition("op 1")[2]
    assert ids(server, store, "session.id:g") == []


@pytest.mark.parametrize(
    "item", ["{}", '{"session":{}}', '{"session":"x"}', '{"id":"x"}', '{"session":[{"id":"x"}]}']
)
def test_an_item_without_an_identity_is_a_400(server: Server, item: str) -> None:
    assert "op 0, item 0" in refused(send(server, "stash", item), 400)


def test_an_identity_may_have_512_bytes(server: Server) -> None:
    store = add_store(server, "longids")
    names = ["x" * 512, "ü" * 256, "😀" * 128, "\0", " ", "\u2028", "a\nb"]
    upsert(server, store, *[session(name) for name in names])
    assert sorted(ids(server, store)) == sorted(names)
    assert update(server, store, {"delete": names}).status == 204
    assert found(server, store) == []


def test_dotted_and_nested_spellings_are_one_path(server: Server) -> None:
    store = add_store(server, "spellings")
    upsert(server, store, {"session.id": "x", "a": 1})
    upsert(server, store, {"session": {"id": "x"}, "a": 2})
    assert found(server, store) == [{"session": {"id": "x"}, "a": 2}]
    upsert(server, store, {"session.id": "x", "session": {"other": 1}, "a": 3})
    assert found(server, store, "session.id:x") == [
        {"session.id": "x", "session": {"other": 1}, "a": 3}
    ]
    both = {"session.id": "x", "session": {"id": "x"}}
    assert "item 0" in refused(update(server, store, {"upsert": [both]}), 400)


def test_a_store_may_have_a_key_of_many_levels_or_one(server: Server) -> None:
    deep = add_store(server, "deepkey", key="a.b.c.d")
    upsert(server, deep, {"a": {"b": {"c": {"d": 1}}}}, {"a.b": {"c.d": 2}}, {"a.b.c.d": 3})
    assert len(found(server, deep)) == 3
    flat = add_store(server, "flatkey", key="id")
    upsert(server, flat, {"id": 1}, {"id": "1", "x": 1})
    assert found(server, flat) == [{"id": "1", "x": 1}]


# --- ops ---


def test_an_upsert_puts_the_whole_item_in_place_of_the_old_one(server: Server) -> None:
    store = add_store(server, "whole")
    upsert(server, store, session("x", a=1, b={"c": 2}))
    upsert(server, store, session("x", b={"d": 3}))
    assert found(server, store) == [session("x", b={"d": 3})]
    assert ids(server, store, "a:1") == ids(server, store, "b.c:*") == []


def test_ops_apply_in_order_and_the_last_change_stands(server: Server) -> None:
    store = add_store(server, "order")
    reply = update(
        server,
        store,
        {"upsert": [session("a", n=1), session("a", n=2), session("b", n=1)]},
        {"delete": ["b", "c"]},
        {"upsert": [session("c", n=3), session("d", n=1)]},
        {"upsert": [session("d", n=2)]},
    )
    assert reply.status == 204
    assert found(server, store) == [session("a", n=2), session("c", n=3), session("d", n=2)]


def test_within_one_op_upserts_come_before_deletes_however_written(server: Server) -> None:
    store = add_store(server, "within")
    item = '{"session":{"id":"a"}}'
    for ops in (
        f'[{{"upsert":[{item}],"delete":["a"]}}]',
        f'[{{"delete":["a"],"upsert":[{item}]}}]',
    ):
        assert server.call("session/update", store=store, ops=ops).status == 204
        assert found(server, store) == []
    assert update(server, store, {"delete": ["a"]}, {"upsert": [session("a")]}).status == 204
    assert ids(server, store) == ["a"]


def test_updates_in_any_order_leave_what_a_dict_would_hold(
    server: Server, rand: random.Random
) -> None:
    store = add_store(server, "dict")
    expected: dict[str, Any] = {}
    for n in range(40):
        ops = []
        for _ in range(rand.randrange(4)):
            upserts = [session(rand.randrange(8), n=n, r=rand.random()) for _ in range(3)]
            deletes = [str(rand.randrange(8)) for _ in range(rand.randrange(3))]
            ops.append({"upsert": upserts, "delete": deletes})
            expected |= {str(item["session"]["id"]): item for item in upserts}
            for id in deletes:
                expected.pop(id, None)
        assert update(server, store, *ops).status == 204
        assert found(server, store) == [expected[id] for id in sorted(expected)]


def test_deleting_what_is_not_there_is_harmless(server: Server) -> None:
    store = add_store(server, "harmless")
    upsert(server, store, session("a"))
    assert update(server, store, {"delete": ["b", "b", 5]}, {"delete": []}).status == 204
    assert ids(server, store) == ["a"]


@pytest.mark.parametrize("ops", ["[]", "[{}]", '[{"upsert":[]}]', '[{"delete":[],"upsert":[]},{}]'])
def test_empty_ops_do_nothing(server: Server, ops: str) -> None:
    reply = server.call("session/update", store="stash", ops=ops)
    assert (reply.status, reply.text) == (204, "")


def test_nothing_is_applied_when_one_op_is_bad(server: Server) -> None:
    store = add_store(server, "nothing")
    upsert(server, store, session("kept", n=1))
    before = text_of(server, store)
    bads: list[Any] = [{"upsert": [{}]}, {"delete": [None]}, {"put": []}, 5]
    for bad in bads:
        good = {"upsert": [session("kept", n=2), session("new")], "delete": ["kept"]}
        refused(update(server, store, good, bad), 400)
        refused(update(server, store, bad, good), 400)
        assert text_of(server, store) == before


def test_an_update_is_visible_to_the_next_query_of_anybody(server: Server) -> None:
    store = add_store(server, "visible")
    for n in range(50):
        upsert(server, store, session("x", n=n))
        assert server.call("session/query", store=store, q=f"n:{n}").json["count"] == 1


# --- _m1 ---


def test_the_server_adds_ip_received_and_last_updated(server: Server) -> None:
    store = add_store(server, "stamp")
    before = time.time_ns() // 1_000_000
    upsert(server, store, session("x"))
    after = time.time_ns() // 1_000_000
    (item,) = raw(server, store)
    assert item.keys() == {"session", "_m1"}
    m1 = item["_m1"]
    assert m1.keys() == {"ip", "receivedUTC", "session"}
    assert m1["ip"] == "127.0.0.1"
    assert before <= m1["receivedUTC"] <= m1["session"]["lastUpdated"] <= after
    assert ids(server, store, f"_m1.session.lastUpdated:[{before} TO {after}]") == ["x"]
    assert ids(server, store, "_m1.ip:127.0.0.1 AND _m1.receivedUTC:[NOW-1HOUR TO NOW]") == ["x"]


def test_what_an_item_brings_in_m1_is_kept_but_for_last_updated(server: Server) -> None:
    store = add_store(server, "brings")
    brought = {
        "ip": "64.150.5.135",
        "receivedUTC": 5,
        "session": {"lastUpdated": 1, "mine": [1]},
        "geo": {"city_name": "Ulm"},
        "other": None,
    }
    upsert(server, store, session("x", _m1=brought))
    (item,) = raw(server, store)
    updated = item["_m1"]["session"].pop("lastUpdated")
    assert abs(updated - time.time() * 1_000) < 60_000
    brought["session"] = {"mine": [1]}
    assert item == session("x", _m1=brought)


def test_an_item_that_was_read_can_be_put_back(server: Server) -> None:
    store = add_store(server, "putback")
    upsert(server, store, session("x"))
    (item,) = raw(server, store)
    upsert(server, store, item)
    (again,) = raw(server, store)
    assert again["_m1"]["receivedUTC"] == item["_m1"]["receivedUTC"]
    assert again["_m1"]["session"]["lastUpdated"] >= item["_m1"]["session"]["lastUpdated"]


@pytest.mark.parametrize("value", ["null", "5", '"x"', "[]", "[{}]", "true"])
def test_an_item_whose_m1_is_not_a_map_is_a_400(server: Server, value: str) -> None:
    message = refused(send(server, "stash", f'{{"session":{{"id":"m"}},"_m1":{value}}}'), 400)
    assert "op 0, item 0" in message
    assert "_m1" in message


def test_no_store_has_a_key_under_m1(server: Server) -> None:
    store = add_store(server, "nokey")
    for key in ("_m1", "_m1.ip", "_m1.session.lastUpdated", "_m1."):
        refused(server.call("session/key", store=store, key=key), 400)
        refused(server.call("session/add", store="m1key", key=key, shards=1, replicas=1), 400)
    assert add_store(server, "m1keylike", key="_m1x.id") == "m1keylike"
    assert "m1key" not in [info["name"] for info in server.call("session/list").json]


# --- JSON that others bend ---


@pytest.mark.parametrize(
    "number",
    ["18446744073709551616", "1" + "0" * 30, "-" + "9" * 40, "9007199254740993", "1.10", "1.0",
     "-0.0", "-0", "1e5", "1E+2", "0.1000", "123456789.123456789123456789", "5e-324", "1e308"],
)  # fmt: skip
def test_numbers_come_back_as_they_were_sent(server: Server, number: str) -> None:
    store = fresh(server)
    assert send(server, store, f'{{"session":{{"id":"x"}},"v":{number}}}').status == 204
    assert f'"v":{number}' in text_of(server, store)
    assert ids(server, store, "v:*") == ["x"]


def test_item_bytes_come_back_as_sent(server: Server) -> None:
    """Inside of what the server did not touch: values are never written anew."""
    store = add_store(server, "bytes")
    values = r'"a" : [ 1.10 ,2e0, "\u00e9é\/\n\ud83d\ude00" ] , "b":{ "c" :null,"" : {} }'
    assert send(server, store, f'{{"session":{{"id":"x"}},{values}}}').status == 204
    assert values in text_of(server, store)
    inner = '"x.y":{ "z" : 1.10 }, "u":"\\u0041"'
    item = f'{{"session":{{"id":"x"}},"_m1":{{"mine":{{ {inner} }}}}}}'
    assert send(server, store, item).status == 204
    assert inner in text_of(server, store)


@pytest.mark.parametrize("digits", [400, 4_300, 4_301, 5_000, 50_000])
@pytest.mark.parametrize("more", ["", ',"e":"\\u0041"'], ids=["plain", "escaped"])
def test_a_whole_number_of_any_length_is_kept_or_refused_plainly(
    server: Server, digits: int, more: str
) -> None:
    store = add_store(server, f"digits-{digits}-{len(more)}")
    number = "7" * digits
    reply = send(server, store, f'{{"session":{{"id":"x"}},"v":{number}{more}}}')
    assert reply.status in (204, 400), reply.text
    if reply.status == 400:
        assert "op" in refused(reply, 400)
        return
    assert f'"v":{number}' in text_of(server, store)
    assert server.call("session/query", store=store, q=f"v:{number}").json["count"] == 1
    assert ids(server, store, "v:[1 TO *]", sort="v desc") in ([], ["x"])
    assert server.call("session/key", store=store, key="v").status in (204, 409)


@pytest.mark.parametrize("digits", [600, 5_000])
def test_an_identity_of_very_many_digits_is_taken_or_refused_plainly(
    server: Server, digits: int
) -> None:
    store = add_store(server, f"iddigits-{digits}")
    for ops in (
        f'[{{"upsert":[{{"session":{{"id":{"7" * digits}}}}}]}}]',
        f'[{{"delete":[{"7" * digits}]}}]',
    ):
        reply = server.call("session/update", store=store, ops=ops)
        assert reply.status in (204, 400), reply.text


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "+1", ".5", "1.", "0x1",
     "'x'", "True",
     '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83dx"', '"\t"', '"\n"', '"\\x41"', '"\\u12"', "{}}",
     "[1,]",
     '{"a":1,}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"x":{"b":null,"b":null}}', "// c\n1",
     '[{"k":1},{"k":1,"k":1}]', '{"\\ud800":1}', "", "undefined"],
)  # fmt: skip
def test_what_is_not_strict_json_is_a_400(server: Server, value: str) -> None:
    item = f'{{"session":{{"id":"x"}},"v":{value}}}'
    with harmless(server):
        assert "op" in refused(send(server, "stash", item), 400)
        body = f'{{"store":"stash","ops":[{{"upsert":[{item}]}}]}}'.encode()
        refused(post(server, "session/update", body), 400)


def test_a_key_given_twice_anywhere_is_a_400(server: Server) -> None:
    for ops in (
        '[{"upsert":[],"upsert":[]}]',
        '[{"delete":["a"],"delete":["b"]}]',
        '[{"upsert":[{"session":{"id":"x"},"session":{"id":"y"}}]}]',
        '[{"upsert":[{"session":{"id":"x","id":"y"}}]}]',
        '[{"upsert":[{"session":{"id":"x"},"t":"a:b","u":1,"u":2}]}]',
        '[{"upsert":[{"session":{"id":"x"},"":1,"":2}]}]',
    ):
        with harmless(server):
            assert "op" in refused(server.call("session/update", store="stash", ops=ops), 400)


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"]
)
@pytest.mark.parametrize("place", [b'"v":"%b"', b'"%b":1'], ids=["value", "key"])
def test_bad_utf8_in_an_item_is_a_400(server: Server, bad: bytes, place: bytes) -> None:
    item = b'{"session":{"id":"x"},' + place.replace(b"%b", bad) + b"}"
    body = b'{"store":"stash","ops":[{"upsert":[' + item + b"]}]}"
    with harmless(server):
        refused(send(server, "stash", item), 400)
        refused(post(server, "session/update", body), 400)


def test_a_byte_order_mark_before_ops_is_taken_off_or_refused(server: Server) -> None:
    reply = server.call("session/update", store="stash", ops="\ufeff[]")
    assert reply.status in (204, 400)
    if reply.status == 400:
        assert "ops" in refused(reply, 400)
    store = add_store(server, "bom")
    upsert(server, store, session("\ufeffx", **{"\ufeffk": "\ufeff"}))
    assert found(server, store) == [session("\ufeffx", **{"\ufeffk": "\ufeff"})]


def test_nul_is_refused_in_keys_and_kept_in_values(server: Server) -> None:
    store = add_store(server, "nul")
    for item in (session("x", **{"a\0b": 1}), session("x", a=[{"b": {"\0": None}}])):
        with harmless(server):
            assert "op 0, item 0" in refused(update(server, "stash", {"upsert": [item]}), 400)
    upsert(server, store, session("a\0b", v="\0", w=["x\0y"]))
    assert found(server, store) == [session("a\0b", v="\0", w=["x\0y"])]
    assert ids(server, store, "w:x*") == ["a\0b"]
    assert ids(server, store, 'v:"\0"') == ["a\0b"]
    assert update(server, store, {"delete": ["a\0b"]}).status == 204
    assert found(server, store) == []


def test_odd_keys_and_control_characters_come_back_equal(server: Server) -> None:
    store = add_store(server, "odd")
    controls = "".join(map(chr, (*range(1, 32), *range(127, 160))))
    odd = ["", ".", "..", "a.", ".a", "a..b", " ", "\ufeff", "\u2028", "\u200b", controls]
    item = session("x", **{f"{key}": key for key in odd}, under={key: [{key: key}] for key in odd})
    upsert(server, store, item)
    assert found(server, store) == [item]
    assert send(server, store, json.dumps(item)).status == 204  # escaped, as others write it
    assert found(server, store) == [item]


def test_paths_may_have_2000_bytes(server: Server) -> None:
    store = add_store(server, "paths")
    upsert(server, store, session("x", a={"b" * 1998: 1}), session("y", **{"ü" * 1000: 1}))
    assert len(found(server, store)) == 2
    for item in (session("z", a={"b" * 1999: 1}), session("z", **{"ü" * 1000 + "b": 1})):
        assert "op 0, item 0" in refused(update(server, store, {"upsert": [item]}), 400)


def nested(levels: int, opening: str, closing: str, escaped: bool) -> str:
    """Write an item of so many levels, itself being the first."""
    inside = opening * (levels - 1) + ('"\\u0041"' if escaped else "1") + closing * (levels - 1)
    return f'{{"session":{{"id":"d"}},"v":{inside}}}'


@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "escaped"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"":', "}]")])
def test_200_levels_are_fine_and_201_are_a_400(
    server: Server, opening: str, closing: str, escaped: bool
) -> None:
    store = fresh(server)
    if len(closing) == 1:
        assert send(server, store, nested(200, opening, closing, escaped)).status == 204
        (item,) = raw(server, store)
        assert item["session"]["id"] == "d"
    before = text_of(server, store)
    for levels in (201, 202, 400, 600, 900, 990, 1_000, 1_100, 3_000, 100_000):
        with harmless(server):
            message = refused(send(server, store, nested(levels, opening, closing, escaped)), 400)
        assert "200" in message, levels
    assert text_of(server, store) == before


@pytest.mark.parametrize(
    "ops",
    [
        *("[" * 100_000, "[" * 100_000 + "]" * 100_000, "[" * 1_000_000, "[" * 99 + "\\u"),
        *('[{"upsert":' * 100_000, '{"a":' * 100_000, '[{"":' * 250_000),
    ],
    ids=lambda ops: f"{ops[:3]}-{len(ops)}",
)
def test_ops_far_too_deep_or_never_closed_are_a_400(server: Server, ops: str) -> None:
    with harmless(server):
        assert "ops" in refused(server.call("session/update", store="stash", ops=ops), 400)
    body = f'{{"store":"stash","ops":{ops}}}'.encode()
    with harmless(server):
        refused(post(server, "session/update", body), 400)


def test_control_what_does_harm_is_noticed(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        with harmless(server):
            pass
        with pytest.raises(AssertionError, match="was stored"), harmless(server):
            upsert(server, "stash", session("harm"))
        with pytest.raises(AssertionError, match="it took the server"), harmless(server, 0.01):
            server.call("session/update", store="stash", ops="[" * 1_000_000)
        with pytest.raises(AssertionError, match="a traceback"), harmless(server):
            server.log.write(b"Traceback")


def test_an_item_may_be_very_wide_and_hold_long_texts(server: Server) -> None:
    store = add_store(server, "wide")
    item = session("x", many={f"k{n}": n for n in range(5_000)}, text="y" * 300_000)
    upsert(server, store, item)
    assert found(server, store) == [item]
    assert ids(server, store, "many.k4999:4999 AND text:*") == ["x"]


def test_any_json_comes_back_equal(server: Server, rand: random.Random) -> None:
    store = add_store(server, "anyjson")

    def value(depth: int) -> Any:
        kind = rand.randrange(9 if depth < 4 else 7)
        if kind == 7:
            return [value(depth + 1) for _ in range(rand.randrange(4))]
        if kind == 8:
            return {text() or "k": value(depth + 1) for _ in range(rand.randrange(4))}
        wild = [None, True, False, text(), rand.randint(-(2**70), 2**70), rand.uniform(-1e9, 1e9)]
        return [*wild, sys.float_info.max * rand.random()][kind]

    def text() -> str:
        codes = (rand.choice([32, 58, 46, 0x5C, 0xE9, 0x4E2D, 0x1F600, 97]) for _ in range(5))
        return "".join(map(chr, codes))[: rand.randrange(6)]

    items = [session(f"{n:03}", v=value(0)) for n in range(150)]
    body = json.dumps(
        {"store": store, "ops": [{"upsert": items}]}, ensure_ascii=rand.random() < 0.5
    )
    assert post(server, "session/update", body.encode()).status == 204
    assert found(server, store) == items
