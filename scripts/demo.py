"""A server with its console, and visitors on it: something to look at within a minute.

    python -m scripts.demo [--visitors 500] [--rate 50] [--speed 60]

Runs until Ctrl-C, which ends both. What it keeps is in ./demo-data, made anew at each start.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from m1.environments import Environment, Environments
from m1.errors import Failure, M1Error, Misuse
from m1.simulate import Wishes, simulate
from scripts.saying import command, say
from tests.serving import Server

_FOLDER = Path("demo-data")
_PORT = 8100
_STORE = "stash"
_ENVIRONMENT = "demo"
_TO_SHOW = """
The demo is ready, with nothing of the one before: its data is made anew at each start.

  the console   {url}/console
  user          admin
  password      {password}

In another terminal, in this folder (the m1 client is logged in as the environment demo):

  {m1} demo session/query -store stash -q 'session.state:active AND device.kind:phone'
  {m1} demo session/query -store stash -q 'cart.category:tea' -sort 'spend.cart desc'
  {m1} demo session/query -store stash -q 'page.kind:checkout' -rows 0
  {m1} demo session/query -store stash -q 'game.level:>=5' -sort 'game.score desc' -rows 3

More to ask: docs/simulate.md. Ctrl-C ends the visitors and the server.
"""


def _run(visitors: int, rate: float, speed: float) -> None:
    with _folder() as folder, contextlib.ExitStack() as stack:
        server = _started(folder)
        stack.callback(server.stop)
        password = secrets.token_urlsafe(12)
        server.add_stash(password)
        environment = Environment(server.url, server.token)
        stack.enter_context(_known(environment))
        say(_TO_SHOW.format(url=server.url, password=password, m1=command()))
        wishes = Wishes(_STORE, visitors, rate, seed=secrets.randbelow(2**32), speed=speed)
        say(simulate(_ENVIRONMENT, environment, wishes))
        say("ending the server ...")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Give a new folder for a server, which is ours alone."""
    _FOLDER.mkdir(exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misuse(f"another demo runs in {_FOLDER.absolute()}: end it first") from None
        server = _FOLDER / "server"
        shutil.rmtree(server, ignore_errors=True)
        yield server


@contextlib.contextmanager
def _known(environment: Environment) -> Iterator[None]:
    """Have the m1 client know the server for as long as it is there."""
    Environments().save(_ENVIRONMENT, environment.url, environment.token)
    try:
        yield
    finally:
        Environments().remove(_ENVIRONMENT)


def _started(folder: Path) -> Server:
    """Start a server at the usual port, or at any where somebody has it."""
    for port in (_PORT, 0):
        place = ("--port", str(port))
        try:
            return Server(folder / "data", *place, home=folder / "home", own_group=True)
        except RuntimeError as error:
            why = error
    raise Failure(str(why))


def main() -> int:
    """Read the flags, and run; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo", allow_abbrev=False)
    parser.add_argument("--visitors", type=int, default=500)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second")
    parser.add_argument("--speed", type=float, default=60.0, help="how much faster a day passes")
    given = parser.parse_args()
    for ends in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ends, signal.default_int_handler)  # as Ctrl-C does
    try:
        _run(given.visitors, given.rate, given.speed)
    except KeyboardInterrupt:
        return 0
    except (M1Error, Failure) as error:
        where = "" if isinstance(error, Misuse) else f"; the server's log is in {_FOLDER}/server"
        print(f"demo: {error}{where}", file=sys.stderr)  # noqa: T201
        return error.exit_code if isinstance(error, Failure) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
