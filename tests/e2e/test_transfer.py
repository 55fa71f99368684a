"""`m1 export` and `m1 import`: what goes out comes in, and nothing half done is left unsaid."""

from __future__ import annotations

import gzip
import json
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from m1.environments import Environment
from m1.errors import NoConnection
from m1.transfer.lines import Line
from m1.transfer.place import Place
from m1.transfer.sending import Sender
from tests.crash.places import resize, small_disk
from tests.e2e.curl import session, upsert
from tests.e2e.test_cli import COMMAND, LIMIT, M1, Recorder, recording
from tests.serving import Server, serving
from tests.waiting import until

TRICKY = (
    '{"session":{"id":"numbers"},"n":[9007199254740993,1.10,-0.0,1e-300,123456789012345678901]}',
    '{"session":{"id":"texts"},"t":["\\u2028","\\ud83d\\ude00","a\\nb","","\\\\"],"nul":"\\u0000"}',
    '{"session":{"id":"looks"},"a":"1","b":"true","c":"[1]","d":"","e":"=1+1","f":"\\"","g":"a,b"}',
    '{"session":{"id":"kinds"},"a":true,"b":null,"c":{},"d":[],"e":[{"f":[[]]}],"g":9007199254740993}',
    '{"session":{"id":2002},"a":1.10,"b":"two\\r\\nlines","_m1":{"ip":"10.1.2.3","mine":[1,{"x":2}]}}',
)
MANY = 20_000
BAD = (
    "rubbish",
    '{"name":"no id"}',
    "[1]",
    '{"session":{"id":"a"}}]},{"delete":["s1"]},{"upsert":[',
)


@pytest.fixture(scope="module")
def server_and_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server, and a home of the command that is logged in to it as the environment e."""
    place = tmp_path_factory.mktemp("server")
    with serving(place) as server:
        server.log_in()
        log_in(M1(place / "client"), server)
        yield server, place / "client"


@pytest.fixture
def stash(server_and_home: tuple[Server, Path]) -> Server:
    """The server, with the empty stores stash and other."""
    server, _ = server_and_home
    for store in ("stash", "other"):
        assert server.call("session/drop", store=store).status in (204, 404)
        assert server.call("session/add", store=store, shards=1, replicas=1).status == 204
    return server


@pytest.fixture
def m1(server_and_home: tuple[Server, Path], stash: Server) -> M1:
    """The command, for which the server is the environment e."""
    return M1(server_and_home[1])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose import takes some seconds."""
    file = tmp_path_factory.mktemp("many") / "many.ndjson"
    lines = [json.dumps(session(f"s{n}", pad="p" * 900)) + "\n" for n in range(MANY)]
    file.write_text("".join(lines))
    return file


def log_in(m1: M1, server: Server) -> None:
    """Have the environment e."""
    assert m1("environments", "add", "e", server.url).returncode == 0
    who = ("-username", "admin", "-password", "password")
    assert m1("auth", "e", *who).returncode == 0


def items(server: Server, store: str) -> list[str]:
    """Give all items as they are spelled but for spaces, without what each change makes new."""
    reply = server.call(
        "session/query",
        store=store,
        q="*",
        rows=2 * MANY,
        headers={"Accept": "application/x-ndjson"},
    )
    return [_spelled(line) for line in reply.text.split("\n")[:-1]]


def _spelled(line: str) -> str:
    item = json.loads(line, parse_int=_as_written, parse_float=_as_written)
    del item["_m1"]["session"]
    return json.dumps(item, sort_keys=True)


def _as_written(number: str) -> list[str]:
    return ["number", number]


def count(server: Server, store: str = "stash") -> int:
    """Count the items of a store."""
    return int(server.call("session/query", store=store, q="*", rows=0).json["count"])


def one_line(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    """Check how a command ended; gives the last line that it told."""
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("m1: ")
    return said.splitlines()[-1]


def copied(file: Path, folder: Path) -> Path:
    """Give a file of its own."""
    folder.mkdir(exist_ok=True)
    (folder / file.name).symlink_to(file)
    return folder / file.name


def known(file: Path) -> int:
    """Give the lines that an import under way has noted."""
    state = file.with_name(f"{file.name}.m1-import")
    return int(json.loads(state.read_text())["lines"]) if state.exists() else 0


# --- there and back -------------------------------------------------------------------------


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", ["ndjson", "json", "csv"])
def test_what_goes_out_comes_in(
    stash: Server, m1: M1, tmp_path: Path, form: str, packing: str
) -> None:
    upsert(stash, "stash", *map(json.loads, TRICKY[1:4]))
    source = tmp_path / "tricky.ndjson"
    source.write_text("\n".join(TRICKY))
    assert m1("import", "e", "-store", "stash", "-file", str(source)).returncode == 0
    file = tmp_path / f"items.{form}{packing}"
    file.with_name(f"{file.name}.part").write_text("what a killed export left")
    out = m1("export", "e", "-store", "stash", "-file", str(file))
    assert f"{len(TRICKY)} items of stash of e written to {file}" in one_line(out, 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    back = m1("import", "e", "-store", "other", "-file", str(file))
    assert f"{len(TRICKY)} items are in other of e" in one_line(back, 0)
    assert items(stash, "other") == items(stash, "stash")
    assert "9007199254740993" in "".join(items(stash, "other"))
    assert set(tmp_path.iterdir()) == {source, file}


def test_a_query_and_an_order_say_what_goes_out(stash: Server, m1: M1, tmp_path: Path) -> None:
    upsert(stash, "stash", *[session(f"s{n}", n=n) for n in range(30)])
    file = tmp_path / "some.ndjson"
    asked = ("-q", "n:[10 TO *]", "-sort", "n desc")
    assert m1("export", "e", "-store", "stash", "-file", str(file), *asked).returncode == 0
    assert [json.loads(line)["n"] for line in file.read_text().splitlines()] == list(
        range(29, 9, -1)
    )


@pytest.mark.parametrize("form", ["ndjson", "json", "csv"])
def test_an_empty_store_goes_out_and_comes_in(m1: M1, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"none.{form}"
    assert "m1: 0 items " in one_line(m1("export", "e", "-store", "stash", "-file", str(file)), 0)
    assert "m1: 0 items " in one_line(m1("import", "e", "-store", "other", "-file", str(file)), 0)


def test_one_item_is_not_told_as_many(stash: Server, m1: M1, tmp_path: Path) -> None:
    upsert(stash, "stash", session("alone"))
    file = tmp_path / "one.ndjson"
    out = m1("export", "e", "-store", "stash", "-file", str(file))
    assert f"m1: 1 item of stash of e written to {file}" in one_line(out, 0)
    with file.open("a") as more:
        more.write("rubbish\n")
    back = m1("import", "e", "-store", "other", "-file", str(file))
    assert "m1: 1 item is in other of e, 1 was refused: " in one_line(back, 1)


@pytest.mark.parametrize("form", ["ndjson", "json", "csv"])
def test_pipe_to_pipe(stash: Server, m1: M1, form: str) -> None:
    upsert(stash, "stash", *map(json.loads, TRICKY))
    told = ("-format", form) if form == "csv" else ()
    line = [f"{COMMAND} export e -store stash -file - -format {form}"]
    line += [f"{COMMAND} import e -store other -file - {' '.join(told)}"]
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {' | '.join(line)}"],
        env=m1.environment,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    one_line(done, 0)
    assert b"\r" not in done.stderr
    assert items(stash, "other") == items(stash, "stash")


def test_a_pipe_may_be_packed(stash: Server, m1: M1) -> None:
    packed = gzip.compress(TRICKY[0].encode()) + gzip.compress(b"\n" + TRICKY[1].encode())
    one_line(m1("import", "e", "-store", "stash", "-file", "-", stdin=packed), 0)
    assert count(stash) == 2


def test_items_come_from_another_store(stash: Server, m1: M1) -> None:
    upsert(stash, "stash", *[session(f"s{n}", n=n) for n in range(30)])
    upsert(stash, "other", session("s1", n="old"), session("mine"))
    asked = ("-from", "e", "-from-store", "stash", "-q", "n:<10")
    assert "10 items are in other of e" in one_line(m1("import", "e", "-store", "other", *asked), 0)
    assert count(stash, "other") == 11


def test_of_two_items_of_one_id_the_later_one_stays(stash: Server, m1: M1, tmp_path: Path) -> None:
    file = tmp_path / "twice.ndjson"
    with file.open("w") as out:
        for n in range(6_000):
            out.write(json.dumps(session(f"s{n % 1_500}", n=n, pad="p" * 400)) + "\n")
    one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 0)
    reply = stash.call("session/query", store="stash", q="n:[4500 TO *]", rows=0)
    assert reply.json["count"] == count(stash) == 1_500


# --- what is no item ------------------------------------------------------------------------


def test_bad_lines_are_kept_with_their_reasons_and_the_rest_goes_in(
    stash: Server, m1: M1, tmp_path: Path
) -> None:
    upsert(stash, "stash", session("s1"))
    file = tmp_path / "some.ndjson"
    refused_by_the_server = json.dumps({"session": {"id": "p"}, "x" * 2_001: 1})
    lines = [*TRICKY, *BAD, refused_by_the_server, "", json.dumps(session("last"))]
    file.write_bytes("\n".join(lines).encode() + b'\n{"session":{"id":"\xff"}}\n')
    said = one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 1)
    rejected = tmp_path / "some.ndjson.rejected"
    assert f"6 items are in stash of e, 6 were refused: {rejected}" in said
    rows = [row.split(b"\t", 2) for row in rejected.read_bytes().splitlines()]
    assert [int(number) for number, _, _ in rows] == [6, 7, 8, 9, 10, 13]
    assert [line.decode() for _, _, line in rows[:5]] == [*BAD, refused_by_the_server]
    assert b"there is no value at the key session.id" in rows[1][1]
    assert b"is longer than 2000 bytes" in rows[4][1]
    assert count(stash) == 7
    assert stash.call("session/query", store="stash", q="session.id:s1").json["count"] == 1
    again = one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 2)
    assert f"{rejected} is there from an earlier import" in again


def test_bad_rows_of_a_table_are_kept_as_they_stood(stash: Server, m1: M1, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    rows = ["session.id,a,a.b", "s1,,x", "s2,1", "s3,1,2", '"s4"x,1,2', ",1,", 's5,"two\nlines",']
    file.write_bytes("\r\n".join(rows).encode())
    one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 1)
    rejected = (tmp_path / "t.csv.rejected").read_text().splitlines()
    assert [row.split("\t")[0] for row in rejected] == ["3", "4", "5", "6"]
    assert [row.split("\t")[2] for row in rejected] == rows[2:6]
    stored = stash.call("session/query", store="stash", q="*").json["items"]
    assert [item["a"] for item in stored] == [{"b": "x"}, "two\nlines"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b'[{"session":{"id":"s1"}}, oops', "item 2 of the JSON array cannot be read"),
        ("a.json", b'[{"session":{"id":"s1"}}', "behind item 1 the JSON array"),
        ("a.csv", b'session.id\ns1\n"s2\ns3\n', "line 3: a quote that is opened here never ends"),
        ("a.gz", gzip.compress(b'{"session":{"id":"s1"}}\n' * 2, mtime=0)[:-9], "it was cut off"),
    ],
)
def test_what_stands_before_a_broken_place_goes_in(
    stash: Server, m1: M1, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    said = one_line(m1("import", "e", "-store", "stash", "-file", str(tmp_path / name)), 2)
    assert reason in said
    assert "was not read" in said
    assert count(stash) == 1


def test_rubbish_is_refused_line_by_line(m1: M1, tmp_path: Path) -> None:
    file = tmp_path / "rubbish"
    file.write_bytes(bytes(range(256)) * 40)
    assert "0 items are in stash of e, 41 were refused" in one_line(
        m1("import", "e", "-store", "stash", "-file", str(file)), 1
    )


# --- interrupted, and gone on with ----------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_was_ended_goes_on_where_it_stood(
    stash: Server, m1: M1, tmp_path: Path, many: Path, how: signal.Signals
) -> None:
    file = copied(many, tmp_path / "in")
    with m1.start("import", "e", "-store", "stash", "-file", str(file)) as importing:
        until(lambda: known(file), "nothing is noted")
        importing.send_signal(how)
        _, said = importing.communicate(timeout=LIMIT)
    assert importing.returncode == (130 if how is signal.SIGINT else -9)
    assert (b"m1: ended by Ctrl-C; " in said) == (how is signal.SIGINT)
    assert (b"the same command goes on from there" in said) == (how is signal.SIGINT)
    stood = known(file)
    assert 0 < stood < MANY
    done = m1("import", "e", "-store", "stash", "-file", str(file))
    assert f"{MANY:,} items are in stash of e" in one_line(done, 0)
    assert f"on behind the first {stood:,} items".encode() in done.stderr
    assert count(stash) == MANY
    assert not known(file)


def test_an_import_that_is_told_a_wrong_place_to_go_on_is_found_out(
    stash: Server, m1: M1, tmp_path: Path, many: Path
) -> None:
    file = copied(many, tmp_path / "in")
    with m1.start("import", "e", "-store", "stash", "-file", str(file)) as importing:
        until(lambda: known(file), "nothing is noted")
        importing.kill()
    state = file.with_name(f"{file.name}.m1-import")
    state.write_text(json.dumps({**json.loads(state.read_text()), "lines": MANY - 10}))
    one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 0)
    assert count(stash) < MANY


@pytest.mark.parametrize("ending", [".m1-import.new", ".rejected"])
@pytest.mark.parametrize("is_there", [True, False])
def test_an_import_follows_no_link(m1: M1, tmp_path: Path, ending: str, is_there: bool) -> None:
    """Where others may write into the folder of the input, too."""
    file, others = tmp_path / "a.ndjson", tmp_path / "others"
    file.write_text("\n".join([*TRICKY, *BAD]))
    if is_there:
        others.write_text("theirs")
    file.with_name(f"{file.name}{ending}").symlink_to(others)
    one_line(
        m1("import", "e", "-store", "stash", "-file", str(file)), 2 if ending == ".rejected" else 1
    )
    assert not is_there or others.read_text() == "theirs"
    assert others.exists() == is_there


def test_the_note_of_an_import_counts_for_its_file_and_store_alone(
    stash: Server, m1: M1, tmp_path: Path
) -> None:
    file, state = tmp_path / "a.ndjson", tmp_path / "a.ndjson.m1-import"
    file.write_text("\n".join(TRICKY))
    noted = {"into": f"stash of {stash.url}", "size": 1, "mtime_ns": 2, "head": ""}
    state.write_text(json.dumps({**noted, "lines": 3, "refused": 0, "refused_bytes": 0}))
    command = ("import", "e", "-file", str(file), "-store")
    assert "finish that, or remove the file" in one_line(m1(*command, "other"), 2)
    done = m1(*command, "stash")
    assert b"has changed" in done.stderr
    assert "5 items are in stash" in one_line(done, 0)
    state.write_text("{")
    assert "is damaged: remove it" in one_line(m1(*command, "stash"), 2)


def test_a_server_that_goes_away_and_comes_back_is_waited_for(tmp_path: Path, many: Path) -> None:
    file, m1 = copied(many, tmp_path / "in"), M1(tmp_path / "client")
    with serving(tmp_path / "one") as server:
        server.add_stash()
        log_in(m1, server)
        with m1.start("import", "e", "-store", "stash", "-file", str(file)) as importing:
            until(lambda: known(file), "nothing is noted")
            server.kill()
            with serving(tmp_path / "one", "--port", str(server.port)) as back:
                _, said = importing.communicate(timeout=LIMIT)
                back.log_in()
                assert count(back) == MANY
    assert importing.returncode == 0
    assert said.count(b"tried again for up to 60 s") >= 1


def test_a_server_that_stays_away_is_given_up() -> None:
    told: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = Environment(f"http://127.0.0.1:{taken.getsockname()[1]}")
        sender = Sender(Place("e", away, "stash"), told.append, patience=0.5)
        with pytest.raises(NoConnection, match=r"cannot reach .*; given up after 0.5 s"):
            sender.send([Line(1, b"{}", b"{}")])
    assert len(told) == 1


def test_an_export_from_where_nobody_is_says_so_at_once(m1: M1, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = m1("export", away, "-store", "stash", "-file", str(tmp_path / "a.ndjson"))
    said = one_line(done, 3)
    assert f"cannot reach {away}" in said
    assert "a.ndjson was not made" in said


# --- refused --------------------------------------------------------------------------------


def test_a_wrong_token_says_how_to_log_in(m1: M1, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text(TRICKY[0])
    for command in ("import", "export"):
        path = str(file if command == "import" else tmp_path / "b.ndjson")
        done = m1(command, "e", "-store", "stash", "-file", path, M1_TOKEN="wrong")
        said = one_line(done, 1)
        assert "401 " in said
        assert "m1 auth e -username" in said
    assert not (tmp_path / "b.ndjson").exists()


def test_a_store_that_is_not_there_says_how_to_add_it(m1: M1, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text(TRICKY[0])
    said = one_line(m1("import", "e", "-store", "none", "-file", str(file)), 1)
    assert "m1 e session/add -store none -shards 1 -replicas 1" in said
    assert set(tmp_path.iterdir()) == {file}


@pytest.mark.parametrize(
    ("name", "text", "code"), [("a.json", "[1, 2", 2), ("a.csv", "a,a\n1,2\n", 2), ("a", "x", 1)]
)
def test_an_input_that_is_none_leaves_no_note_behind(
    m1: M1, tmp_path: Path, name: str, text: str, code: int
) -> None:
    file = tmp_path / name
    file.write_text(text)
    one_line(m1("import", "e", "-store", "stash", "-file", str(file)), code)
    rejected = file.with_name(f"{name}.rejected")
    assert set(tmp_path.iterdir()) <= {file, rejected}


def test_a_packed_file_that_cannot_be_begun_is_named(m1: M1, tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(b"\x1f\x8bno")
    said = one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 2)
    assert said.startswith(f"m1: {file}: what is packed is damaged")
    assert set(tmp_path.iterdir()) == {file}


def test_an_import_that_is_ended_before_anything_is_in_leaves_no_note_behind(
    m1: M1, tmp_path: Path
) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text(TRICKY[0])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = ("import", away, "-store", "stash", "-file", str(file))
        with m1.start(*command) as importing, silent.accept()[0]:
            importing.send_signal(signal.SIGINT)
            _, said = importing.communicate(timeout=LIMIT)
    assert importing.returncode == 130
    assert said == b"m1: ended by Ctrl-C; the same command begins anew, which does no harm\n"
    assert set(tmp_path.iterdir()) == {file}


def test_who_may_not_see_the_key_imports_one_update_at_a_time(
    stash: Server, m1: M1, tmp_path: Path
) -> None:
    stash.call("user/add", username="writer", password="password", rights="sessionUpdate")
    token = stash.call("auth", username="writer", password="password").text
    file = tmp_path / "a.ndjson"
    file.write_text("\n".join([*TRICKY, *BAD]))
    done = m1("import", "e", "-store", "stash", "-file", str(file), M1_TOKEN=token)
    assert f"5 items are in stash of e, {len(BAD)} were refused" in one_line(done, 1)
    assert b"one update at a time" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["import"],
        ["import", "e"],
        ["import", "e", "-store", "stash"],
        ["import", "e", "-store", "stash", "-file", "/no/such/file"],
        ["import", "e", "-store", "stash", "-file", "/"],
        ["import", "e", "-store", "stash", "-file", "-", "-from", "e"],
        ["import", "e", "-store", "stash", "-file", "-", "-format", "xml"],
        ["export", "e", "-store", "stash"],
        ["export", "e", "-store", "stash", "-file", "/tmp/items.txt"],
        ["export", "e", "-store", "stash", "-file", "/no/such/folder/a.json"],
        ["export", "e", "-store", "stash", "-file", "-", "-format", "xml"],
        ["export", "nowhere", "-store", "stash", "-file", "-"],
    ],
    ids=" ".join,
)
def test_misuse_is_one_line_and_exit_code_2(m1: M1, arguments: list[str]) -> None:
    done = m1(*arguments)
    one_line(done, 2)
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["copy", "export", "import"])
def test_help_says_what_each_parameter_does(m1: M1, command: str) -> None:
    shown = m1(command, "--help").stdout.decode()
    assert shown.startswith(f"m1 {command} <environment> -store S ")
    assert "right" in shown


# --- an export is whole or not there --------------------------------------------------------


def test_a_file_that_is_there_stays(m1: M1, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text("mine")
    said = one_line(m1("export", "e", "-store", "stash", "-file", str(file)), 2)
    assert f"{file} is there already" in said
    assert file.read_text() == "mine"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server whose answers the test makes."""
    with recording() as server:
        yield server


def begun(then: Callable[[Any], None]) -> Callable[[Any], None]:
    """Answer with two of three items, and then otherwise."""

    def answer(handler: Any) -> None:
        handler.begin(Transfer_Encoding="chunked", m1_count="3")
        handler.chunk(b'{"session":{"id":"a"}}\n{"session":{"id":"b"}}\n')
        then(handler)

    return answer


@pytest.mark.parametrize("form", ["ndjson", "json", "csv"])
@pytest.mark.parametrize("how", ["cut", "fewer"])
def test_an_answer_that_is_not_whole_leaves_no_file(
    m1: M1, recorder: Recorder, tmp_path: Path, form: str, how: str
) -> None:
    recorder.answer = begun(lambda handler: handler.chunk(b"") if how == "fewer" else None)
    file = tmp_path / f"a.{form}"
    said = one_line(m1("export", recorder.url, "-store", "stash", "-file", str(file)), 3)
    assert f"{file} was not made: the same command begins anew" in said
    assert not list(tmp_path.glob("a.*"))
    piped = m1("export", recorder.url, "-store", "stash", "-file", "-", "-format", form)
    assert "what was written is not all of it" in one_line(piped, 3)
    assert b"]" not in piped.stdout


def test_ctrl_c_leaves_no_file(m1: M1, recorder: Recorder, tmp_path: Path) -> None:
    over = threading.Event()
    recorder.answer = begun(lambda handler: None if over.wait(LIMIT) else None)
    file = tmp_path / "a.ndjson"
    part = tmp_path / "a.ndjson.part"
    with m1.start("export", recorder.url, "-store", "stash", "-file", str(file)) as exporting:
        until(part.exists, "nothing is written")
        exporting.send_signal(signal.SIGINT)
        _, said = exporting.communicate(timeout=LIMIT)
        over.set()
    assert exporting.returncode == 130
    assert said.decode() == (
        f"m1: ended by Ctrl-C; {file} was not made: the same command begins anew\n"
    )
    assert not list(tmp_path.glob("a.*"))


def test_a_full_disk_leaves_no_file_and_says_so(stash: Server, m1: M1, tmp_path: Path) -> None:
    upsert(stash, "stash", *[session(f"s{n}", pad="p" * 900) for n in range(2_000)])
    with small_disk(tmp_path / "disk", "1m") as disk:
        file = disk / "a.ndjson"
        said = one_line(m1("export", "e", "-store", "stash", "-file", str(file)), 2)
        assert "No space left on device" in said
        assert not list(disk.iterdir())
        resize(disk, "8m")
        one_line(m1("export", "e", "-store", "stash", "-file", str(file)), 0)
        assert len(file.read_bytes().splitlines()) == 2_000


def test_where_the_disk_is_full_of_refused_lines_none_is_lost(m1: M1, tmp_path: Path) -> None:
    bad = [json.dumps({"n": n, "pad": "p" * 900}) for n in range(2_000)]
    with small_disk(tmp_path / "disk", "3m") as disk:
        file = disk / "a.ndjson"
        file.write_text("\n".join(bad))
        said = one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 2)
        assert "a.ndjson.rejected cannot be written: No space left on device" in said
        resize(disk, "8m")
        one_line(m1("import", "e", "-store", "stash", "-file", str(file)), 1)
        kept = (disk / "a.ndjson.rejected").read_text().splitlines()
        assert [row.split("\t")[2] for row in kept] == bad


# --- what is shown --------------------------------------------------------------------------


def test_a_terminal_has_a_bar_and_a_pipe_has_lines(
    stash: Server, m1: M1, tmp_path: Path, many: Path
) -> None:
    m1.environment["TERM"] = "xterm"
    file = copied(many, tmp_path / "in")
    code, shown = m1.on_terminal("import", "e", "-store", "stash", "-file", str(file))
    assert code == 0
    assert re.search(
        r"\r\[[#-]{20}\] [\d,]+ items imported \(\d+ %\), .* a second, .* s left", shown
    )
    assert shown.splitlines()[-1] == f"m1: {MANY:,} items are in stash of e"
    command = ("import", "e", "-store", "stash", "-file", "-")
    with m1.start(*command, stdin=subprocess.PIPE) as importing:
        assert importing.stdin is not None
        for part in file.read_bytes().partition(b'{"session": {"id": "s9000"}'):
            importing.stdin.write(part)
            importing.stdin.flush()
            time.sleep(0.6)  # there is a line a second
        _, said = importing.communicate(timeout=LIMIT)
    *lines, last = said.decode().splitlines()
    assert lines
    assert all(re.fullmatch(r"[\d,]+ items imported, [\d,]+ a second", line) for line in lines)
    assert last == f"m1: {MANY:,} items are in stash of e"
