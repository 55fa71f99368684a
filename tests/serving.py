"""A real server as a process of its own, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

START_SECONDS = 60


class Reply(NamedTuple):
    """An answer as it came over the socket."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.text)


class Server:
    """`m1 serve` on a free port, with its output at hand.

    In a process group of its own, Ctrl-C on the terminal is not for it, but for who started it.
    """

    def __init__(
        self,
        data: Path,
        *flags: str,
        home: Path,
        env: dict[str, str] | None = None,
        program: str = "m1",
        own_group: bool = False,
    ):
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("M1_")},
            "M1_HOME": str(home),
            **(env or {}),
        }
        self.log = (home.parent / f"server-{id(self)}.log").open("w+b")
        place = ["--data", str(data), "--port", "0"]
        command = [sys.executable, "-m", program, "serve", *place, *flags]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=self.environment,
            process_group=0 if own_group else None,
        )
        self.lines: list[str] = []
        self.token = ""
        self._heard: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.url = self._ready()

    def _listen(self) -> None:
        """Read what the server says, in a thread since a pipe has no time-out."""
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.decode().rstrip("\n"))
                self._heard.put(self.lines[-1])
        self._heard.put("")

    def _ready(self) -> str:
        line = self._heard.get(timeout=START_SECONDS)
        if not line.startswith("m1 listening on "):
            self.process.kill()
            logged = self.logged()
            self._ended()
            raise RuntimeError(f"the server did not start: {line!r} {logged}")
        return line.removeprefix("m1 listening on ")

    def logged(self) -> str:
        """Give the log so far."""
        self.log.flush()
        return Path(self.log.name).read_text()

    def call(
        self,
        endpoint: str,
        verb: str | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **parameters: Any,
    ) -> Reply:
        """Call an endpoint with a form; `token` is by default the one of `self.token`."""
        form = urllib.parse.urlencode(parameters).encode()
        verb = verb or ("POST" if parameters else "GET")
        token = self.token if token is None else token
        sent = {**({"m1-auth-token": token} if token else {}), **(headers or {})}
        url = f"{self.url}/{endpoint}"
        if verb == "GET" and form:
            url, form = f"{url}?{form.decode()}", b""
        request = urllib.request.Request(url, form or None, sent, method=verb)
        return _reply(request)

    def log_in(self, password: str = "password") -> None:
        """Make the first user, admin, and use its token from now on."""
        assert self.call("init", username="admin", password=password).status in (204, 409)
        self.token = self.call("auth", username="admin", password=password).text

    def add_stash(self, password: str = "password") -> None:
        """Log in, and make the store stash."""
        self.log_in(password)
        assert self.call("session/add", store="stash", shards=1, replicas=1).status == 204

    @property
    def port(self) -> int:
        """Where it listens."""
        port = urllib.parse.urlsplit(self.url).port
        assert port is not None
        return port

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """End it gracefully, if it did not end by itself; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(60)
        self._listener.join(60)
        self.log.close()
        return code


def _reply(request: urllib.request.Request) -> Reply:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Reply(answer.status, answer.read().decode(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read().decode(), dict(error.headers))


@contextlib.contextmanager
def serving(directory: Path, *flags: str, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Run a server on `directory`/data for as long as the block lasts."""
    server = Server(directory / "data", *flags, home=directory / "home", env=env)
    try:
        yield server
    finally:
        server.stop()
