"""The command `m1` as its users run it: a process, its streams, its exit code."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import tty
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from m1 import __version__
from m1.api.rooms import endpoints
from tests.serving import Server

COMMAND = str(Path(sys.executable).with_name("m1"))
LIMIT = 30
OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Seen(NamedTuple):
    """A request as the recorder got it."""

    verb: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        """The parameters, wherever they are."""
        text = self.body or self.path.partition("?")[2]
        return dict(urllib.parse.parse_qsl(text, keep_blank_values=True))


class Recorder(http.server.ThreadingHTTPServer):
    """Answers everything as `answer` says, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen: list[Seen] = []
        self.answer: Callable[[_Handler], None] = lambda handler: handler.say(200, b'{"a":  1}')


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.seen.append(Seen(self.command, self.path, dict(self.headers), body))
        self.close_connection = True
        self.server.answer(self)

    do_GET = do_POST = do_PUT = _any  # noqa: N815

    def say(self, status: int, body: bytes, **headers: str) -> None:
        """Answer with a length."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, **headers: str) -> None:
        """Begin an answer whose body is sent by hand."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """Send a chunk."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def _hear_interrupts() -> None:
    """Undo what a shell does to jobs in the background: they do not hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class M1:
    """Runs the command with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("M1_")}
        self.environment = {**kept, "M1_HOME": str(home)}

    def __call__(
        self, *arguments: str, stdin: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it with pipes."""
        return subprocess.run(
            [COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            env={**self.environment, **environment},
            timeout=LIMIT,
            check=False,
        )

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start it with pipes."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            preexec_fn=_hear_interrupts,
        )

    def on_terminal(self, *arguments: str, typed: str = "") -> tuple[int, str]:
        """Run it on a terminal of its own; types when it was asked."""
        ours, its = pty.openpty()
        tty.setraw(ours) if not typed else None
        process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, COMMAND, *arguments],
            stdin=its,
            stdout=its,
            stderr=its,
            env=self.environment,
            start_new_session=True,
        )
        os.close(its)
        shown = b""
        try:
            while piece := _read(ours):
                shown += piece
                if typed and shown.rstrip().endswith(b":"):
                    os.write(ours, typed.encode() + b"\n")
                    typed = ""
            return process.wait(LIMIT), shown.decode().replace("\r\n", "\n")
        finally:
            os.close(ours)
            process.kill()
            process.wait()


def _read(terminal: int) -> bytes:
    """Read what is there, nothing when the other side is closed."""
    ready, _, _ = select.select([terminal], [], [], LIMIT)
    assert ready, "nothing came for too long"
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


@contextlib.contextmanager
def recording() -> Iterator[Recorder]:
    """Run a server that remembers what it was asked."""
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server that remembers what it was asked."""
    with recording() as server:
        yield server


@pytest.fixture
def m1(tmp_path: Path) -> M1:
    """The command, with no environment yet."""
    return M1(tmp_path / "home")


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def refused(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    """Check that a command failed as it should; gives its one line."""
    error = done.stderr.decode()
    assert (done.returncode, done.stdout, error.count("\n")) == (code, b"", 1), error
    assert error.startswith("m1: ")
    return error.removeprefix("m1: ").rstrip("\n")


# --- what is sent ---------------------------------------------------------------------------


def test_a_call_without_parameters_is_a_get(m1: M1, recorder: Recorder) -> None:
    assert m1(recorder.url, "session/list").returncode == 0
    assert [(each.verb, each.path, each.body) for each in recorder.seen] == [
        ("GET", "/session/list", "")
    ]


def test_a_call_with_parameters_is_a_post(m1: M1, recorder: Recorder) -> None:
    assert m1(recorder.url, "session/query", "-store", "stash", "-q", "a:1 + 2&3%").returncode == 0
    (seen,) = recorder.seen
    assert (seen.verb, seen.path) == ("POST", "/session/query")
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert seen.form == {"store": "stash", "q": "a:1 + 2&3%"}


def test_endpoints_and_parameters_that_it_does_not_know_are_passed_on(
    m1: M1, recorder: Recorder
) -> None:
    assert m1(recorder.url, "/publish/to/x", "-someThing", "é", "--other", "").returncode == 0
    (seen,) = recorder.seen
    assert (seen.verb, seen.path) == ("POST", "/publish/to/x")
    assert seen.form == {"someThing": "é", "other": ""}


def test_a_url_with_a_path_is_kept(m1: M1, recorder: Recorder) -> None:
    assert m1(f"{recorder.url}/behind/", "ping").returncode == 0
    assert recorder.seen[0].path == "/behind/ping"


def test_the_verb_is_the_one_that_the_server_names(m1: M1, recorder: Recorder) -> None:
    def get_only(handler: _Handler) -> None:
        if handler.command == "GET":
            handler.say(200, b"[]")
        else:
            handler.say(405, b'{"message":"GET","status":405}', Allow="GET")

    recorder.answer = get_only
    done = m1(recorder.url, "some/reading", "-username", "a b&c")
    assert (done.returncode, done.stdout) == (0, b"[]")
    assert recorder.seen[-1].verb == "GET"
    assert recorder.seen[-1].form == {"username": "a b&c"}


def test_each_endpoint_is_called_with_a_verb_that_it_has(m1: M1, server: Server) -> None:
    for endpoint in endpoints():
        given = [f"-{each.name}={each.name}" for each in endpoint.parameters if each.required]
        arguments = [part for each in given for part in each.split("=")]
        path = endpoint.path.replace("{name}", "cors")
        done = m1(server.url, path, *arguments, M1_TOKEN="no token")
        assert not done.stderr.startswith(b"m1: 405 "), endpoint.path
        assert done.returncode in (0, 1), endpoint.path


def test_a_reading_endpoint_with_parameters_works(m1: M1, server: Server) -> None:
    done = m1(server.url, "user/get", "-username", "admin", M1_TOKEN=server.token)
    assert json.loads(done.stdout)["username"] == "admin"


def test_a_setting_is_read_and_set_by_the_same_path(m1: M1, server: Server) -> None:
    def system(*arguments: str) -> bytes:
        done = m1(server.url, *arguments, M1_TOKEN=server.token)
        assert done.returncode == 0, done.stderr
        return done.stdout

    before = system("system/password-min-length")
    assert system("system/password-min-length", "-value", "7") == b""
    assert system("system/password-min-length") == b"7"
    assert system("system", "-password-min-length", before.decode()) == b""
    assert json.loads(system("system"))["password-min-length"] == before.decode() == "8"


def test_a_dash_reads_standard_input(m1: M1, recorder: Recorder) -> None:
    ops = '[{"upsert": [{"session": {"id": "é & +"}}]}]\n'
    m1(recorder.url, "session/update", "-store", "stash", "-ops", "-", stdin=ops.encode())
    assert recorder.seen[0].form == {"store": "stash", "ops": ops}


def test_an_at_sign_reads_a_file(m1: M1, recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "ops.json").write_text('[{"delete": ["a & b"]}]')
    m1(recorder.url, "session/update", "-store", "stash", "-ops", f"@{tmp_path}/ops.json")
    assert recorder.seen[0].form["ops"] == '[{"delete": ["a & b"]}]'


def test_a_value_may_begin_with_a_dash(m1: M1, recorder: Recorder) -> None:
    m1(recorder.url, "session/query", "-q", "-session.id:x", "-store", "--", "-start", "-1")
    assert recorder.seen[0].form == {"q": "-session.id:x", "store": "--", "start": "-1"}


# --- what comes back ------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b'{ "a" :[1,\n2 ] }', b"no json", b"\xff\x00\r\n", b""])
def test_in_a_pipe_the_answer_is_untouched(m1: M1, recorder: Recorder, body: bytes) -> None:
    recorder.answer = lambda handler: handler.say(200, body)
    done = m1(recorder.url, "session/list")
    assert (done.returncode, done.stdout, done.stderr) == (0, body, b"")


def test_on_a_terminal_json_is_pretty(m1: M1, recorder: Recorder) -> None:
    text = '{"count":1,"items":[{"session":{"id":"é\\"{"},"n":[1.50,null],"none":[]}]}'
    recorder.answer = lambda handler: handler.say(200, text.encode())
    code, shown = m1.on_terminal(recorder.url, "session/list")
    assert (code, shown) == (
        0,
        '{\n  "count": 1,\n  "items": [\n    {\n      "session": {\n        "id": "é\\"{"\n'
        '      },\n      "n": [\n        1.50,\n        null\n      ],\n      "none": []\n'
        "    }\n  ]\n}\n",
    )


def test_on_a_terminal_a_character_cut_in_two_is_shown_whole(m1: M1, recorder: Recorder) -> None:
    def answer(handler: _Handler) -> None:
        handler.begin(Transfer_Encoding="chunked")
        for piece in ('["é'.encode()[:3], '["é'.encode()[3:], b'","x', b'"]', b""):
            handler.chunk(piece)

    recorder.answer = answer
    assert m1.on_terminal(recorder.url, "session/list") == (0, '[\n  "é",\n  "x"\n]\n')


def test_on_a_terminal_a_text_ends_with_a_line_break(m1: M1, recorder: Recorder) -> None:
    recorder.answer = lambda handler: handler.say(200, b"token", **{"Content-Type": "text/plain"})
    assert m1.on_terminal(recorder.url, "system/geo") == (0, "token\n")


def test_on_a_terminal_no_content_shows_nothing(m1: M1, recorder: Recorder) -> None:
    def no_content(handler: _Handler) -> None:
        handler.send_response(204)
        handler.end_headers()

    recorder.answer = no_content
    code, shown = m1.on_terminal(recorder.url, "session/update", "-store", "x")
    assert (code, shown.strip()) == (0, "")


def test_the_answer_goes_out_as_it_comes_in(m1: M1, recorder: Recorder) -> None:
    first_was_read = threading.Event()

    def answer(handler: _Handler) -> None:
        handler.begin(Transfer_Encoding="chunked")
        handler.chunk(b'{"count": 2, "items": [')
        assert first_was_read.wait(LIMIT)
        handler.chunk(b"]}")
        handler.chunk(b"")

    recorder.answer = answer
    with m1.start(recorder.url, "session/query", "-q", "*") as process:
        assert process.stdout is not None
        try:
            assert os.read(process.stdout.fileno(), 100) == b'{"count": 2, "items": ['
        finally:
            first_was_read.set()
        assert process.stdout.read() == b"]}"
        assert process.wait(LIMIT) == 0


def test_a_reader_that_leaves_early_sees_no_error(m1: M1, recorder: Recorder) -> None:
    recorder.answer = lambda handler: handler.say(200, b"x" * 2_000_000)
    with m1.start(recorder.url, "session/list") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert os.read(process.stdout.fileno(), 10) == b"x" * 10
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(LIMIT)


# --- errors and exit codes ------------------------------------------------------------------


def test_a_refusal_is_one_line_and_exit_code_1(m1: M1, server: Server) -> None:
    done = m1(server.url, "session/query", "-store", "stash", "-q", "(", M1_TOKEN=server.token)
    reply = server.call("session/query", store="stash", q="(")
    assert refused(done, 1) == f"400 {reply.json['message']}"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 429, 500, 503])
def test_the_status_and_the_message_are_the_servers(
    m1: M1, recorder: Recorder, status: int
) -> None:
    body = json.dumps({"message": "a reason: é", "status": status}).encode()
    recorder.answer = lambda handler: handler.say(status, body)
    assert refused(m1(recorder.url, "session/list"), 1) == f"{status} a reason: é"


def test_an_error_that_is_not_json_is_shown_too(m1: M1, recorder: Recorder) -> None:
    html = {"Content-Type": "text/html"}
    recorder.answer = lambda handler: handler.say(502, b"<h1>Bad Gateway</h1>", **html)
    assert refused(m1(recorder.url, "session/list"), 1) == "502 <h1>Bad Gateway</h1>"


def test_after_a_401_the_message_says_how_to_log_in(m1: M1, server: Server) -> None:
    m1("environments", "add", "here", server.url)
    message = refused(m1("here", "session/list"), 1)
    assert message.startswith("401 ")
    assert "to log in: m1 auth here" in message
    message = refused(m1("here", "session/list", M1_TOKEN="wrong"), 1)
    assert "to log in: unset M1_TOKEN, whose token was sent, then m1 auth here" in message


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://127.0.0.1:1"],
        ["http://127.0.0.1:1", "session/query", "-q"],
        ["http://127.0.0.1:1", "session/query", "q", "*"],
        ["http://127.0.0.1:1", "session/query", "-", "*"],
        ["http://127.0.0.1:1", "session/update", "-ops", "@/no/such/file"],
        ["http://127.0.0.1:1", "session/update", "-ops", "@/"],
        ["http://", "ping"],
        ["http://127.0.0.1:no-port", "ping"],
        ["http://[half", "ping"],
        ["nowhere", "ping"],
        ["auth"],
        ["auth", "nowhere"],
        ["auth", "nowhere", "-username", "a", "-password", "b"],
        ["environments", "remove", "nowhere"],
        ["environments", "add", "name"],
        ["environments", "add", "name", "ftp://host"],
        ["environments", "add", "serve", "http://host"],
        ["environments", "add", "-name", "http://host"],
        ["environments", "add", "http://name", "http://host"],
        ["environments", "what"],
        ["help", "no/such/endpoint"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_misuse_is_one_line_and_exit_code_2(m1: M1, arguments: list[str]) -> None:
    refused(m1(*arguments), 2)


def test_an_environment_that_cannot_be_written_leaves_no_token_behind(m1: M1) -> None:
    done = subprocess.run(
        [COMMAND, "environments", "add", "here", "http://127.0.0.1:1"],
        capture_output=True,
        env=m1.environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        timeout=LIMIT,
        check=False,
    )
    assert "environments.json cannot be written" in refused(done, 2)
    assert list(m1.home.iterdir()) == []


def test_a_line_break_in_a_parameter_is_no_header(m1: M1, recorder: Recorder) -> None:
    done = m1(recorder.url, "session/list\r\nevil: 1", "-a", "b")
    assert b"Traceback" not in done.stderr
    assert not any("evil" in name for seen in recorder.seen for name in seen.headers)


def test_an_endpoint_outside_ascii_fails_in_one_line(m1: M1, server: Server) -> None:
    refused(m1(server.url, "sessión/list"), 1)


def test_a_token_that_no_header_can_hold_fails_in_one_line(m1: M1, recorder: Recorder) -> None:
    for token in ("a\nb", "é€"):
        done = m1(recorder.url, "ping", M1_TOKEN=token)
        assert b"Traceback" not in done.stderr, token


def test_alone_it_shows_how_it_is_used(m1: M1) -> None:
    done = m1()
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"m1 <environment> <endpoint>" in done.stderr


def test_no_connection_is_exit_code_3(m1: M1, dead_url: str) -> None:
    assert dead_url in refused(m1(dead_url, "ping"), 3)


def test_a_name_that_does_not_resolve_is_exit_code_3(m1: M1) -> None:
    assert "nowhere.invalid" in refused(m1("http://nowhere.invalid", "ping"), 3)


@contextlib.contextmanager
def saying(said: bytes) -> Iterator[str]:
    """Give the URL of what answers one call by these bytes and leaves."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_an_answer_that_is_no_http_is_exit_code_3(m1: M1) -> None:
    with saying(b"220 smtp.example.com ESMTP\r\n") as url:
        refused(m1(url, "ping"), 3)


def test_a_server_without_tls_that_is_called_by_https_is_told_as_that(
    m1: M1, server: Server
) -> None:
    url = server.url.replace("http:", "https:")
    assert f"it speaks no TLS: try {server.url}" in refused(m1(url, "ping"), 3)


@pytest.mark.parametrize("arguments", [["help"], ["environments"], ["URL", "session/list"]])
def test_an_output_that_is_full_is_said_in_one_line(
    m1: M1, recorder: Recorder, arguments: list[str]
) -> None:
    m1("environments", "add", "here", recorder.url)
    called = [recorder.url if each == "URL" else each for each in arguments]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, *called],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**m1.environment, "PYTHONUNBUFFERED": ""},
            timeout=LIMIT,
            check=False,
        )
    said = b"m1: standard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_a_server_that_hangs_up_is_exit_code_3(m1: M1, recorder: Recorder) -> None:
    recorder.answer = lambda handler: None
    refused(m1(recorder.url, "ping"), 3)


@pytest.mark.parametrize("how", ["between chunks", "within a chunk", "length"])
def test_an_answer_that_breaks_off_is_exit_code_3(m1: M1, recorder: Recorder, how: str) -> None:
    def answer(handler: _Handler) -> None:
        if how == "length":
            handler.begin(Content_Length="100")
            handler.wfile.write(b'{"count"')
            return
        handler.begin(Transfer_Encoding="chunked")
        handler.chunk(b'{"count"')
        if how == "within a chunk":
            handler.wfile.write(b"40\r\n: 2")

    recorder.answer = answer
    done = m1(recorder.url, "session/query", "-q", "*")
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith(b'{"count"')
    assert re.fullmatch(rb"m1: .*broke off.*\n", done.stderr)


def test_a_refusal_that_breaks_off_fails_in_one_line(m1: M1, recorder: Recorder) -> None:
    def answer(handler: _Handler) -> None:
        handler.send_response(503)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")

    recorder.answer = answer
    done = m1(recorder.url, "session/list")
    assert done.returncode in (1, 3)
    assert done.stderr.count(b"\n") == 1


def test_on_a_terminal_a_broken_answer_is_said_too(m1: M1, recorder: Recorder) -> None:
    def answer(handler: _Handler) -> None:
        handler.begin(Transfer_Encoding="chunked")
        handler.chunk(b'{"count": 2, "items": [{"a": "b')

    recorder.answer = answer
    code, shown = m1.on_terminal(recorder.url, "session/list")
    assert code == 3
    assert shown.splitlines()[-1].startswith("m1: ")


def test_an_interrupt_ends_it_without_a_traceback(m1: M1, recorder: Recorder) -> None:
    asked, over = threading.Event(), threading.Event()

    def answer(handler: _Handler) -> None:
        asked.set()
        over.wait(LIMIT)

    recorder.answer = answer
    with m1.start(recorder.url, "session/list") as process:
        assert process.stderr is not None
        assert asked.wait(LIMIT)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"m1: ended by Ctrl-C\n"
        assert process.wait(LIMIT) == 130
        over.set()


# --- environments ---------------------------------------------------------------------------


def test_environments_are_added_listed_and_removed(m1: M1) -> None:
    assert m1("environments").stdout == b""
    for name, url in (("test-m1", "https://test-m1.example"), ("local", "http://127.0.0.1:8100")):
        done = m1("environments", "add", name, url)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    listed = [line.split() for line in m1("environments").stdout.decode().splitlines()]
    assert listed == [["local", "http://127.0.0.1:8100"], ["test-m1", "https://test-m1.example"]]
    assert m1("environments", "remove", "local").returncode == 0
    assert m1("environments").stdout.split() == [b"test-m1", b"https://test-m1.example"]


def test_an_unknown_environment_says_how_to_add_it(m1: M1) -> None:
    assert "m1 environments add staging" in refused(m1("staging", "session/list"), 2)


def test_the_file_of_environments_is_for_its_owner_whatever_the_umask(m1: M1) -> None:
    subprocess.run(
        ["bash", "-c", f"umask 000; {COMMAND} environments add local http://127.0.0.1:8100"],
        env=m1.environment,
        check=True,
    )
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (m1.home, *m1.home.iterdir())]
    assert modes == [0o700, 0o600]


def test_without_m1_home_environments_are_in_the_home_folder(m1: M1, tmp_path: Path) -> None:
    m1("environments", "add", "x", "http://x", HOME=str(tmp_path), M1_HOME="")
    assert (tmp_path / ".m1" / "environments.json").is_file()


def test_a_broken_file_of_environments_is_named(m1: M1) -> None:
    m1.home.mkdir()
    (m1.home / "environments.json").write_text("{")
    assert "environments.json" in refused(m1("local", "ping"), 2)


# --- logging in -----------------------------------------------------------------------------


def test_after_logging_in_calls_need_no_token(m1: M1, server: Server) -> None:
    m1("environments", "add", "here", server.url)
    done = m1("auth", "here", "-username", "admin", "-password", "password")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"stash" in m1("here", "session/list").stdout
    assert m1("environments").stdout.split() == [b"here", server.url.encode()]


def test_the_password_is_asked_for_without_echo(m1: M1, server: Server) -> None:
    m1("environments", "add", "here", server.url)
    code, shown = m1.on_terminal("auth", "here", "-username", "admin", typed="password")
    assert code == 0, shown
    assert "admin" in shown
    assert "password\n" not in shown.replace("password of admin: ", "")
    assert b"stash" in m1("here", "session/list").stdout


def test_a_wrong_password_is_refused_and_the_old_token_stays(m1: M1, server: Server) -> None:
    m1("environments", "add", "here", server.url)
    m1("auth", "here", "-username", "admin", "-password", "password")
    message = refused(m1("auth", "here", "-username", "admin", "-password", "wrong"), 1)
    assert message.startswith("401 ")
    assert b"stash" in m1("here", "session/list").stdout


def test_it_can_log_in_by_url(m1: M1, server: Server) -> None:
    m1("environments", "add", "added-but-never-logged-in", server.url)
    done = m1("auth", server.url, "-username", "admin", "-password", "password")
    assert done.returncode == 0
    assert b"stash" in m1(server.url, "session/list").stdout


def test_an_admin_gets_a_token_for_another_user(m1: M1, server: Server) -> None:
    m1("environments", "add", "here", server.url)
    m1("auth", "here", "-username", "admin", "-password", "password")
    before = (m1.home / "environments.json").read_text()
    done = m1("here", "auth", "-username", "admin", "-ip", "...", "-ttl", "60000")
    assert done.returncode == 0, done.stderr
    assert b"stash" in m1(server.url, "session/list", M1_TOKEN=done.stdout.decode()).stdout
    assert (m1.home / "environments.json").read_text() == before


def test_the_token_in_m1_token_goes_first(m1: M1, recorder: Recorder) -> None:
    recorder.answer = lambda handler: handler.say(200, b"kept")
    m1("environments", "add", "here", recorder.url)
    m1("auth", "here", "-username", "a", "-password", "b")
    m1("here", "session/list")
    m1("here", "session/list", M1_TOKEN="given")
    tokens = [seen.headers.get("m1-auth-token") for seen in recorder.seen]
    assert tokens == [None, "kept", "given"]


def test_a_token_goes_to_its_own_environment_alone(m1: M1, recorder: Recorder) -> None:
    recorder.answer = lambda handler: handler.say(200, b"kept")
    m1("environments", "add", "here", recorder.url)
    m1("environments", "add", "other", f"{recorder.url}/other")
    m1("auth", "here", "-username", "a", "-password", "b")
    m1("other", "session/list")
    m1(f"{recorder.url}/another", "session/list")
    assert [seen.headers.get("m1-auth-token") for seen in recorder.seen] == [None, None, None]


def test_a_url_changed_by_add_forgets_the_token_of_the_old_one(m1: M1, recorder: Recorder) -> None:
    recorder.answer = lambda handler: handler.say(200, b"kept")
    m1("environments", "add", "here", recorder.url)
    m1("auth", "here", "-username", "a", "-password", "b")
    m1("environments", "add", "here", f"{recorder.url}/moved")
    m1("here", "session/list")
    assert recorder.seen[-1].headers.get("m1-auth-token") is None


# --- help, and starting ---------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["help", "--help", "-h"])
def test_help_lists_every_endpoint(m1: M1, flag: str) -> None:
    done = m1(flag)
    assert done.returncode == 0
    for endpoint in endpoints():
        assert endpoint.path in done.stdout.decode()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("nowhere", "m1 <environment> <endpoint>"),
        ("auth", "m1 auth <environment>"),
        ("environments", "m1 environments [add"),
        ("nowhere session/query", "session/query"),
        *((command, f"m1 {command} <") for command in ("export", "import", "copy", "simulate")),
        *((f"{command} here", f"m1 {command} <") for command in ("export", "import", "simulate")),
    ],
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_given_wherever_it_is_asked_for(m1: M1, asked: str, told: str, flag: str) -> None:
    done = m1(*asked.split(), flag)
    assert (done.returncode, done.stderr) == (0, b"")
    assert told in done.stdout.decode()


@pytest.mark.parametrize("path", sorted({endpoint.path for endpoint in endpoints()}))
def test_help_of_an_endpoint_says_its_verbs_rights_and_parameters(m1: M1, path: str) -> None:
    shown = m1("help", f"/{path}").stdout.decode()
    for endpoint in endpoints():
        if endpoint.path == path:
            names = [parameter.name for parameter in endpoint.parameters]
            for word in (*endpoint.verbs, *(endpoint.rights or ()), *names):
                assert re.search(rf"\b{word}\b", shown), word


def test_the_version_is_the_packages(m1: M1) -> None:
    assert m1("--version").stdout.decode() == f"m1 {__version__}\n"


def test_a_call_imports_nothing_of_the_server(m1: M1, recorder: Recorder) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "m1", recorder.url, "ping"],
        env=m1.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "m1.caller" in imported
    heavy = ("falcon", "uvicorn", "uvloop", "numpy", "msgspec", "asyncio", "sqlite3", "maxminddb")
    ours = ("m1.server", "m1.api", "m1.embedded", "m1.query", "m1.engine", "m1.catalog")
    for name in (*heavy, *ours):
        found = {each for each in imported if each == name or each.startswith(f"{name}.")}
        assert not found, found


def test_a_call_starts_in_a_moment(m1: M1, recorder: Recorder) -> None:
    m1("environments", "add", "here", recorder.url)
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        assert m1("here", "ping").returncode == 0
        seconds.append(time.perf_counter() - begun)
    print(f"a call takes {min(seconds) * 1_000:.0f} ms at best of five")  # noqa: T201
