"""The command `m1 serve`: starting, refusing to start, ending, and starting again."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from m1.server.run import _bound
from tests.serving import Reply, Server, serving
from tests.waiting import until as until_true

COMMAND = str(Path(sys.executable).with_name("m1"))
LIMIT = 30
GEO = Path(__file__).parent.parent / "data" / "GeoLite2-City-Test.mmdb"


class Refusal(NamedTuple):
    """How a server that did not start ended."""

    code: int
    message: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """Give the environment variables without any M1_ but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("M1_")}
    return {**kept, "M1_HOME": str(home), **more}


def refusal(directory: Path, *flags: str, **variables: str) -> Refusal:
    """Start a server that should not; it must say why in one line and no more."""
    data = [] if "--data" in flags or "M1_DATA" in variables else ["--data", f"{directory}/data"]
    port = [] if "--port" in flags or "M1_PORT" in variables else ["--port", "0"]
    done = subprocess.run(
        [COMMAND, "serve", *data, *port, *flags],
        env=environment(directory / "home", **variables),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("m1: ")
    return Refusal(done.returncode, lines[0].removeprefix("m1: "))


class Started(NamedTuple):
    """A server that was started by its bare command."""

    process: subprocess.Popen[str]
    url: str
    printed: list[str]


@contextlib.contextmanager
def started(
    command: list[str],
    variables: dict[str, str],
    cwd: Path,
    until: str = "m1 listening on ",
    times: int = 1,
) -> Iterator[Started]:
    """Run a server and read what it prints, up to the line that is the last to begin so."""
    with subprocess.Popen(
        command, env=variables, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = _lines_until(process, until, times)
            yield Started(process, lines[0].removeprefix("m1 listening on "), lines)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()


def _lines_until(process: subprocess.Popen[str], until: str, times: int) -> list[str]:
    heard: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            heard.put(line.rstrip("\n"))
        heard.put("<the end>")

    threading.Thread(target=listen, daemon=True).start()
    lines = [heard.get(timeout=LIMIT)]
    while sum(line.strip().startswith(until) for line in lines) < times:
        assert lines[-1] != "<the end>", lines
        lines.append(heard.get(timeout=LIMIT))
    return lines


def put(server: Server, *items: dict[str, Any]) -> None:
    """Store items in stash."""
    ops = json.dumps([{"upsert": list(items)}])
    reply = server.call("session/update", store="stash", ops=ops)
    assert reply.status == 204, reply.text


# --- starting and ending --------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_ends_with_0_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(tmp_path) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", server.url)
        assert server.call("ping").json is True
        server.process.send_signal(number)
        assert server.process.wait(LIMIT) == 0
        assert server.stop() == 0
        assert server.lines == [f"m1 listening on {server.url}"]
        assert "Traceback" not in Path(server.log.name).read_text()


def test_an_idle_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - begun < 10


def test_a_restart_gives_everything_back(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        server.call("session/add", store="by-user", key="user.id", shards=1, replicas=1)
        server.call("session/add", store="dropped", shards=1, replicas=1)
        server.call("session/drop", store="dropped")
        server.call("session/add", store="old-name", shards=1, replicas=1)
        server.call("session/rename", store="old-name", name="new-name")
        put(server, {"session": {"id": "kept"}, "n": 1}, {"session": {"id": "deleted"}})
        put(server, {"session": {"id": "kept"}, "n": 2}, {"session": {"id": 2002}})
        server.call("session/update", store="stash", ops='[{"delete": ["deleted"]}]')
        server.call("user/add", username="bob", password="bobs password", rights="sessionQuery")
        server.call("user/add", username="gone", password="gones password", rights="get")
        server.call("user/remove", username="gone")
        server.call("system/cors", value="https://example.com")
        seen = _everything(server)
        assert server.stop() == 0
    assert seen["items"]["count"] == 2
    with serving(tmp_path) as server:
        server.log_in()
        assert _everything(server) == seen
        assert server.call("init").json is True
        bob = server.call("auth", username="bob", password="bobs password")
        assert bob.status == 200
        assert server.call("session/query", token=bob.text, store="stash", q="n:2").status == 200
        assert server.call("auth", username="gone", password="gones password").status == 401
        put(server, {"session": {"id": "kept"}, "n": 3})
        assert server.call("session/query", store="stash", q="n:(1 OR 2)").json["count"] == 0


def _everything(server: Server) -> dict[str, Any]:
    return {
        "items": server.call("session/query", store="stash", q="*", rows=100).json,
        "stores": server.call("session/list").json,
        "users": server.call("user/list").json,
        "settings": server.call("system").json,
    }


def test_a_token_outlives_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        token = server.token
    with serving(tmp_path) as server:
        assert server.call("session/list", token=token).status == 200


# --- the data directory ---------------------------------------------------------------------


def test_the_data_is_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    backup = tmp_path / "m1.backup"
    before = os.umask(0)
    try:
        with serving(tmp_path) as server:
            server.add_stash()
            for begin in range(0, 17_000, 8_500):
                put(server, *({"session": {"id": n}} for n in range(begin, begin + 8_500)))
            until_true(lambda: list(data.rglob("*.segment")), "no segment is made")
            running = {path.name: _mode(path) for path in data.rglob("*") if path.is_file()}
            folders = {_mode(path) for path in data.rglob("*") if path.is_dir()}
            _run("backup", "--data", str(data), "--to", str(backup))
        stopped = {path.name: _mode(path) for path in data.rglob("*") if path.is_file()}
        _run("restore", "--from", str(backup), "--data", str(tmp_path / "again"))
    finally:
        os.umask(before)
    assert folders | {_mode(data), _mode(tmp_path / "again")} == {0o700}
    assert {"items.db", "items.db-wal", "lock", "room"} <= running.keys()
    assert set(running.values()) | set(stopped.values()) == {0o600}, (running, stopped)
    restored = {path.name: _mode(path) for path in (tmp_path / "again").rglob("*")}
    assert {_mode(backup), *restored.values()} == {0o600}, restored


def _run(*arguments: str) -> None:
    """Run the command, which must succeed."""
    subprocess.run([COMMAND, *arguments], check=True, capture_output=True, timeout=LIMIT)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_data_directory_is_made_with_those_above_it(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    command = [COMMAND, "serve", "--data", str(deep), "--port", "0"]
    with started(command, environment(tmp_path / "home"), tmp_path):
        assert (deep / "items.db").is_file()
        assert _mode(deep) == 0o700


def test_a_second_server_on_the_same_data_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        begun = time.monotonic()
        code, message = refusal(tmp_path)
        assert time.monotonic() - begun < 10
        assert code == 2
        assert str(tmp_path / "data") in message
        assert server.call("session/list").status == 200


@pytest.mark.parametrize("name", ["items.db", "items.db-wal", "lock", "room"])
def test_a_file_that_is_a_link_is_named(tmp_path: Path, name: str) -> None:
    """Two servers on one file by two directories would each have a lock of their own."""
    with serving(tmp_path) as server:
        server.add_stash()
        other = tmp_path / "other" / "data"
        other.mkdir(parents=True)
        (other / name).symlink_to(tmp_path / "data" / name)
        code, message = refusal(other.parent)
        assert (code, "symbolic link" in message) == (2, True)
        assert (tmp_path / "data" / "room").stat().st_size > 0
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "data").symlink_to(tmp_path / "data")
    with serving(linked) as server:
        server.log_in()
        assert server.call("session/list").json


def test_after_a_crash_the_data_is_free_again(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.add_stash()
        put(server, {"session": {"id": "s1"}})
        server.kill()
    with serving(tmp_path) as server:
        server.log_in()
        assert server.call("session/query", store="stash", q="*").json["count"] == 1


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/1/nothing", "/dev/null"])
def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    code, message = refusal(tmp_path, "--data", str(tmp_path / place))
    assert code == 2
    assert str(tmp_path / place) in message


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data" / "items.db").mkdir(parents=True)
    code, message = refusal(tmp_path)
    assert code == 2
    assert "items.db" in message


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    file = _database(tmp_path, "CREATE TABLE other (a)", "INSERT INTO other VALUES (1)")
    before = file.read_bytes()
    code, message = refusal(tmp_path)
    assert code == 2
    assert str(file) in message
    assert file.read_bytes() == before


def test_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    with serving(tmp_path):
        pass
    file = _database(tmp_path, "PRAGMA user_version = 99")
    before = file.read_bytes()
    code, message = refusal(tmp_path)
    assert code == 2
    assert str(file) in message
    assert "99" in message
    assert file.read_bytes() == before


def _database(directory: Path, *statements: str) -> Path:
    file = directory / "data" / "items.db"
    file.parent.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return file


def test_a_file_of_garbage_is_damaged_data(tmp_path: Path) -> None:
    file = tmp_path / "data" / "items.db"
    file.parent.mkdir()
    file.write_bytes(bytes(range(256)) * 64)
    before = file.read_bytes()
    code, message = refusal(tmp_path)
    assert code == 3
    assert str(file) in message
    assert file.read_bytes() == before


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a server that was stopped, with some items."""
    directory = tmp_path_factory.mktemp("whole")
    with serving(directory) as server:
        server.add_stash()
        put(server, *({"session": {"id": f"s{n}"}, "t": f"marker-{n:04}"} for n in range(500)))
    return (directory / "data" / "items.db").read_bytes()


def _damage(directory: Path, damaged: bytes) -> Path:
    file = directory / "data" / "items.db"
    file.parent.mkdir()
    file.write_bytes(damaged)
    return file


@pytest.mark.parametrize("what", [b"marker-0007", b"marker-0493"])
def test_a_flipped_bit_in_an_item_is_found_at_start(
    tmp_path: Path, whole: bytes, what: bytes
) -> None:
    at = whole.index(what)
    damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    file = _damage(tmp_path, damaged)
    code, message = refusal(tmp_path)
    assert code == 3
    assert str(file) in message
    assert file.read_bytes() == damaged


def test_a_flipped_bit_in_the_catalog_is_found_at_start(tmp_path: Path, whole: bytes) -> None:
    at = whole.rindex(b"session.id")
    file = _damage(tmp_path, whole[:at] + b"S" + whole[at + 1 :])
    code, message = refusal(tmp_path)
    assert code == 3
    assert str(file) in message


@pytest.mark.parametrize("how", ["cut short", "zeros at the end", "zeros in the middle", "head"])
def test_a_torn_file_is_found_at_start(tmp_path: Path, whole: bytes, how: str) -> None:
    pages, page = len(whole) // 4_096, 4_096
    damaged = {
        "cut short": whole[: (pages - 2) * page],
        "zeros at the end": whole[: (pages - 3) * page] + bytes(3 * page),
        "zeros in the middle": whole[: 2 * page] + bytes(page) + whole[3 * page :],
        "head": b"\xff" * 16 + whole[16:],
    }[how]
    file = _damage(tmp_path, damaged)
    code, message = refusal(tmp_path)
    assert code == 3
    assert str(file) in message


def test_damaged_data_names_the_command_that_helps(tmp_path: Path, whole: bytes) -> None:
    _damage(tmp_path, whole.replace(b"marker-0007", b"marker-8007"))
    assert re.search(r"\bm1 [a-z]+", refusal(tmp_path).message)


# --- wrong settings -------------------------------------------------------------------------


def test_a_busy_port_is_named_and_changes_no_data(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, message = refusal(tmp_path, "--port", str(port))
    assert code == 2
    assert str(port) in message
    assert not (tmp_path / "data").exists()


def test_of_two_servers_that_start_at_once_one_alone_has_the_port() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        with (
            _bound("127.0.0.1", other.getsockname()[1]),
            pytest.raises(OSError, match="in use"),
        ):
            other.listen()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("--port 70000", "port"),
        ("--port -1", "port"),
        ("--port http", "port"),
        ("--host 999.1.1.1", "999.1.1.1"),
        ("--host nowhere.invalid --insecure", "nowhere.invalid"),
        ("--host 192.0.2.1 --insecure", "192.0.2.1"),
        ("--engine postgres", "engine"),
        ("--max-body 0", "max-body"),
        ("--max-body 1MB", "max-body"),
        ("--log-format xml", "log-format"),
        ("--trusted-proxies 300.1.1.1/8", "trusted-proxies"),
        ("--trusted-proxies 10.0.0.1/8", "trusted-proxies"),
        ("--geo /no/such.mmdb", "geo"),
        ("--geo {garbage}", "geo"),
        ("--geo /", "geo"),
        ("--tls-cert {garbage}", "tls-key"),
        ("--tls-key {garbage}", "tls-cert"),
        ("--tls-cert /no/such --tls-key /no/such", "tls-cert"),
        ("--tls-cert {garbage} --tls-key {garbage}", "tls-cert"),
        ("--tls-cert / --tls-key /", "tls-cert"),
        ("--init-secret-file /no/such", "init-secret-file"),
        ("--init-secret-file {empty}", "init-secret-file"),
        ("--init-secret-file {binary}", "init-secret-file"),
        ("--init-secret-file /", "init-secret-file"),
        ("--unknown", "--unknown"),
        ("--por 1", "--por"),
        ("word", "word"),
        ("--port", "port"),
        ("--quickstart --host 0.0.0.0 --insecure", "quickstart"),
        ("--opensearch ftp://host --engine opensearch", "opensearch"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, flags: str, named: str) -> None:
    (tmp_path / "garbage").write_text("garbage")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    places = {name: str(tmp_path / name) for name in ("garbage", "empty", "binary")}
    code, message = refusal(tmp_path, *flags.format(**places).split())
    assert code == 2
    assert named in message


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("M1_PORT", "http", "port"),
        ("M1_ENGINE", "postgres", "engine"),
        ("M1_MAX_BODY", "many", "max-body"),
        ("M1_LOG_FORMAT", "xml", "log-format"),
        ("M1_TRUSTED_PROXIES", "x", "trusted-proxies"),
        ("M1_GEO", "/no/such", "geo"),
        ("M1_TLS_CERT", "/no/such", "tls"),
        ("M1_TLS_KEY", "/no/such", "tls"),
        ("M1_INIT_SECRET_FILE", "/no/such", "init-secret-file"),
        ("M1_HOST", "0.0.0.0", "0.0.0.0"),
        ("M1_INSECURE", "perhaps", "insecure"),
        ("M1_QUICKSTART", "perhaps", "quickstart"),
        ("M1_DATA", "/proc/1/nothing", "/proc/1/nothing"),
    ],
)
def test_a_wrong_value_in_the_environment_is_named(
    tmp_path: Path, variable: str, value: str, named: str
) -> None:
    code, message = refusal(tmp_path, **{variable: value})
    assert code == 2
    assert named in message


def test_other_machines_need_tls_or_the_word_insecure(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "m1.example", ""):
        code, message = refusal(tmp_path, "--host", host)
        assert code == 2
        assert "--insecure" in message
        assert "--tls-cert" in message
    with serving(tmp_path, "--host", "0.0.0.0", "--insecure") as server:
        assert server.url.startswith("http://0.0.0.0:")
        assert server.call("ping").json is True


def test_help_shows_every_flag(tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "serve", "--help"], capture_output=True, text=True, check=True, timeout=LIMIT
    )
    flags = (
        "data host port engine geo tls-cert tls-key insecure "
        "trusted-proxies init-secret-file max-body slow-seconds local-metrics log-format quickstart"
    )
    for flag in flags.split():
        assert re.search(rf"--{flag}\b(?!-)", done.stdout), flag


# --- each flag in the environment -----------------------------------------------------------


def test_data_host_and_port_can_come_from_the_environment(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.2", 0))
        port = free.getsockname()[1]
    variables = {"M1_DATA": f"{tmp_path}/there", "M1_HOST": "127.0.0.2", "M1_PORT": str(port)}
    with started(
        [COMMAND, "serve"], environment(tmp_path / "home", **variables), tmp_path
    ) as server:
        assert server.url == f"http://127.0.0.2:{port}"
        assert (tmp_path / "there" / "items.db").is_file()
        assert not (tmp_path / "data").exists()


def test_without_flags_the_data_is_in_the_folder_data(tmp_path: Path) -> None:
    command = [COMMAND, "serve", "--port", "0"]
    with started(command, environment(tmp_path / "home"), tmp_path):
        assert (tmp_path / "data" / "items.db").is_file()


def test_a_flag_wins_over_the_environment(tmp_path: Path) -> None:
    variables = {"M1_MAX_BODY": "10", "M1_HOST": "127.0.0.2", "M1_LOG_FORMAT": "json"}
    with serving(tmp_path, "--max-body", "1000", "--host", "127.0.0.1", env=variables) as server:
        assert server.url.startswith("http://127.0.0.1:")
        server.log_in()


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_the_largest_body_can_be_chosen(tmp_path: Path, way: str) -> None:
    with _with_setting(tmp_path, way, "max-body", "300") as server:
        server.add_stash()
        ops = json.dumps([{"upsert": [{"session": {"id": "s1"}, "t": "x" * 300}]}])
        reply = server.call("session/update", store="stash", ops=ops)
        assert (reply.status, reply.json["status"]) == (413, 413)
        put(server, {"session": {"id": "s1"}})


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_trusted_proxies_name_the_address_of_the_caller(tmp_path: Path, way: str) -> None:
    with _with_setting(tmp_path, way, "trusted-proxies", "127.0.0.0/8,::1/128") as server:
        assert _remembered_address(server) == "65.29.29.190"


def test_without_trusted_proxies_nobody_can_name_another_address(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert _remembered_address(server) == "127.0.0.1"


def _remembered_address(server: Server) -> str:
    server.add_stash()
    forwarded = {"X-Forwarded-For": "65.29.29.190"}
    login = server.call("auth", token="", headers=forwarded, username="admin", password="password")
    ops = '[{"upsert": [{"session": {"id": "s1"}}]}]'
    server.call("session/update", None, login.text, forwarded, store="stash", ops=ops)
    (item,) = server.call("session/query", store="stash", q="*").json["items"]
    address: str = item["_m1"]["ip"]
    return address


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_the_log_can_be_json(tmp_path: Path, way: str) -> None:
    with _with_setting(tmp_path, way, "log-format", "json") as server:
        server.log_in()
        server.call("auth", username="admin", password="wrong")
        server.stop()
    for line in server.logged_after_the_end():
        assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_a_geo_database_can_be_chosen(tmp_path: Path, way: str) -> None:
    with _with_setting(tmp_path, way, "geo", str(GEO)) as server:
        server.add_stash()
        assert "GeoLite2-City" in server.call("health").json["geo"]["message"]


@pytest.mark.parametrize("value", ["1", "true", "yes", "TRUE"])
def test_insecure_can_come_from_the_environment(tmp_path: Path, value: str) -> None:
    with serving(tmp_path, env={"M1_INSECURE": value, "M1_HOST": "0.0.0.0"}) as server:
        assert server.call("ping").json is True


@contextlib.contextmanager
def _with_setting(directory: Path, way: str, name: str, value: str) -> Iterator[_Server]:
    variable = "M1_" + name.upper().replace("-", "_")
    flags = [f"--{name}", value] if way == "flag" else []
    variables = {variable: value} if way == "environment" else {}
    server = _Server(directory / "data", *flags, home=directory / "home", env=variables)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


class _Server(Server):
    def logged_after_the_end(self) -> list[str]:
        """Give the log of a server that was stopped."""
        return Path(self.log.name).read_text().splitlines()


# --- the init secret ------------------------------------------------------------------------

FIRST: dict[str, Any] = {"username": "root", "password": "a long password"}


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_with_an_init_secret_only_who_knows_it_makes_the_first_user(
    tmp_path: Path, way: str
) -> None:
    (tmp_path / "secret").write_text("  the secret é of init\n")
    with _with_setting(tmp_path, way, "init-secret-file", f"{tmp_path}/secret") as server:
        wrongs: list[dict[str, Any]] = [{}, {"secret": ""}, {"secret": "the"}]
        for wrong in wrongs:
            reply = server.call("init", **FIRST, **wrong)
            assert reply.status == 403
            assert "secret" in reply.json["message"]
        assert server.call("init").json is False
        assert server.call("init", secret="the secret é of init", **FIRST).status == 204
        assert server.call("init", secret="the secret é of init", **FIRST).status == 409
        assert server.call("auth", **FIRST).status == 200


def test_without_an_init_secret_another_machine_cannot_make_the_first_user(tmp_path: Path) -> None:
    with serving(tmp_path, "--trusted-proxies", "127.0.0.0/8") as server:
        elsewhere = {"X-Forwarded-For": "65.29.29.190"}
        assert server.call("init", headers=elsewhere, **FIRST).status == 403
        assert server.call("init").json is False
        assert server.call("init", **FIRST).status == 204


def test_with_an_init_secret_another_machine_can_make_the_first_user(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret of init")
    flags = ("--trusted-proxies", "127.0.0.0/8", "--init-secret-file", f"{tmp_path}/secret")
    with serving(tmp_path, *flags) as server:
        elsewhere = {"X-Forwarded-For": "65.29.29.190"}
        reply: Reply = server.call("init", headers=elsewhere, secret="the secret of init", **FIRST)
        assert reply.status == 204


# --- quickstart -----------------------------------------------------------------------------

WAYS = {
    "m1 on the PATH": ["m1", "serve"],
    "m1 by its file": [COMMAND, "serve"],
    "python -m m1": [sys.executable, "-m", "m1", "serve"],
}


@contextlib.contextmanager
def quickstarted(
    directory: Path, way: str = "m1 on the PATH", *flags: str, **variables: str
) -> Iterator[Started]:
    """Start with --quickstart and read up to the last line of those to paste."""
    command = [*WAYS[way], "--quickstart", "--port", "0", *flags]
    with started(
        command, _user(directory, way, **variables), directory, "curl -s http", 2
    ) as server:
        yield server


def _user(directory: Path, way: str = "m1 on the PATH", **variables: str) -> dict[str, str]:
    """Give the environment of a user, with `m1` on the PATH or not."""
    here = str(Path(COMMAND).parent)
    path = [each for each in os.environ["PATH"].split(os.pathsep) if each != here]
    if way == "m1 on the PATH":
        path.insert(0, here)
    return environment(directory / "home", PATH=os.pathsep.join(path), **variables)


def pasted(directory: Path, server: Started, way: str = "m1 on the PATH") -> list[str]:
    """Run the lines of a quickstart in a shell, as they stand; gives what they print."""
    lines = [line for line in server.printed if line.startswith("  ")]
    assert len(lines) == 5, server.printed
    assert f"the console is at {server.url}/console" in server.printed
    script = "\n".join(["set -e", *(f"{line}; echo" for line in lines)])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=_user(directory, way),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("way", WAYS)
def test_the_lines_of_a_quickstart_work_as_they_stand(tmp_path: Path, way: str) -> None:
    with quickstarted(tmp_path, way) as server:
        by_m1, by_curl = map(json.loads, pasted(tmp_path, server, way))
    for answer in (by_m1, by_curl):
        assert answer["count"] == 1
        assert answer["items"][0]["session"] == {"id": "s1"}
        assert answer["items"][0]["user"] == {"name": "Ada"}


def test_a_quickstart_shows_the_password_once(tmp_path: Path) -> None:
    with quickstarted(tmp_path) as server:
        printed = "\n".join(server.printed)
        found = re.search(r"password\D*? is (\S+)", printed)
        assert found is not None, printed
        done = _m1(tmp_path, "auth", server.url, "-username", "admin", "-password", found[1])
        assert done.returncode == 0, done.stderr
        kept = (tmp_path / "home" / "environments.json").read_text()
        assert found[1] not in kept
    with quickstarted(tmp_path) as server:
        assert "password" not in "\n".join(server.printed)
    files = [path for path in (tmp_path / "data").iterdir() if path.is_file()]
    assert not any(found[1].encode() in path.read_bytes() for path in files)


def _m1(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["m1", *arguments],
        env=_user(directory),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def test_a_quickstart_makes_the_store_stash_and_a_user_with_every_right(tmp_path: Path) -> None:
    with quickstarted(tmp_path):
        assert json.loads(_m1(tmp_path, "local", "session/list").stdout) == [
            {"name": "stash", "key": "session.id", "shards": 1, "replicas": 1}
        ]
        (user,) = json.loads(_m1(tmp_path, "local", "user/list").stdout)
        assert user["username"] == "admin"
        rights = {"admin", "schema", "get", "publish", "sessionQuery", "sessionUpdate"}
        assert set(user["rights"]) == rights


def test_a_second_quickstart_renews_the_login_and_keeps_the_data(tmp_path: Path) -> None:
    file = tmp_path / "home" / "environments.json"
    with quickstarted(tmp_path) as server:
        pasted(tmp_path, server)
        first = json.loads(file.read_text())["local"]
        assert first["url"] == server.url
    with (
        socket.create_server(("127.0.0.1", int(first["url"].rpartition(":")[2]))),
        quickstarted(tmp_path) as server,
    ):
        second = json.loads(file.read_text())["local"]
        assert second["url"] == server.url != first["url"]
        assert second["token"] != first["token"]
        done = _m1(tmp_path, "local", "session/query", "-store", "stash", "-q", "*")
        assert json.loads(done.stdout)["count"] == 1
        assert len(pasted(tmp_path, server)) == 2


def test_a_quickstart_keeps_the_other_environments(tmp_path: Path) -> None:
    _m1(tmp_path, "environments", "add", "test-m1", "https://test-m1.example")
    with quickstarted(tmp_path):
        assert "https://test-m1.example" in _m1(tmp_path, "environments").stdout


def test_a_quickstart_can_come_from_the_environment(tmp_path: Path) -> None:
    variables = {"M1_QUICKSTART": "true", "M1_PORT": "0"}
    with started(
        ["m1", "serve"], _user(tmp_path, **variables), tmp_path, until="curl -s http"
    ) as server:
        assert server.url.startswith("http://127.0.0.1:")


def test_a_quickstart_on_data_that_is_in_use_leaves_the_login_alone(tmp_path: Path) -> None:
    with quickstarted(tmp_path) as server:
        before = (tmp_path / "home" / "environments.json").read_text()
        code, _ = refusal(tmp_path, "--quickstart")
        assert code == 2
        assert (tmp_path / "home" / "environments.json").read_text() == before
        assert server.url in before


def test_a_quickstart_on_ipv6_works_as_well(tmp_path: Path) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with quickstarted(tmp_path, "m1 on the PATH", "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert json.loads(_m1(tmp_path, "local", "session/list").stdout)[0]["name"] == "stash"


def test_a_quickstart_whose_client_folder_cannot_be_written_fails_in_one_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "home").write_text("a file in place of the folder")
    code, message = refusal(tmp_path, "--quickstart")
    assert code == 2
    assert "home" in message
