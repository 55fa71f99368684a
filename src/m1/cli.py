"""The command `m1`: calls any endpoint of any environment, and serves one.

Only what a call needs is imported at the top, so that a call starts in a moment.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from m1 import __version__
from m1.advice import advised
from m1.caller import Answer, call
from m1.environments import Environment, Environments
from m1.errors import Failure, M1Error, Misuse, Unauthorized
from m1.pretty import Pretty, visible
from m1.wire import token_of

USAGE = """\
m1 <environment> <endpoint> [-parameter value ...]   call an endpoint
m1 auth <environment> -username U [-password P]      log in; later calls use the token
m1 environments [add NAME URL | remove NAME]         list, add and remove environments
m1 serve [--quickstart] [--data DIR] ...             run a server (m1 serve --help)
m1 export <environment> -store S -file F             write items to a file (m1 export --help)
m1 import <environment> -store S -file F             read items from a file (m1 import --help)
m1 copy <environment> -store S -to <environment>     copy a store, and compare (m1 copy --help)
m1 simulate <environment> [-visitors N] ...          write live sessions (m1 simulate --help)
m1 backup --to FILE | restore --from FILE            copy a server's data, bring it back
m1 check | repair --accept-loss                      look for damage, save what is intact
m1 help [endpoint]                                   say more
m1 --version

An environment is a name from `m1 environments`, or a URL. A value of - is read from standard
input, @FILE from a file. M1_TOKEN in the environment goes before the token that is kept.
Exit codes: 0 answered, 1 the server refused, 2 misuse, 3 no connection or a broken one, 130
Ctrl-C."""
"""How all of it is used."""

_DATA_COMMANDS = ("backup", "restore", "check", "repair")
_TRANSFERS = ("copy", "export", "import")
_TOLD_BY_USAGE = ("auth", "environments")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def main() -> int:
    """Run the command; gives the exit code."""
    try:
        code = _run(sys.argv[1:])
        print(end="", flush=True)  # what cannot be printed is told below, and not by Python
        return code
    except M1Error as error:
        print(f"m1: {error.status} {visible(error.message)}", file=sys.stderr)
        return 1
    except Failure as error:
        print(f"m1: {visible(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # who read our output has seen enough
        _give_up_output()
        return 0
    except OSError as error:  # of files the commands themselves say it
        _give_up_output()
        print(f"m1: standard output cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("m1: ended by Ctrl-C", file=sys.stderr)
        return 130


def _give_up_output() -> None:
    """Let what is still to be printed go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str]) -> int:
    if not arguments:
        print(USAGE, file=sys.stderr)
        return 2
    name, *rest = arguments
    if name in _TOLD_BY_USAGE and rest in (["--help"], ["-h"]):
        print(USAGE)
        return 0
    if name in _COMMANDS:
        return _COMMANDS[name](rest) or 0
    match rest:
        case ["--help" | "-h"]:
            _help([])
        case [endpoint, "--help" | "-h"]:
            _help([endpoint])
        case [endpoint, *given]:
            _call(name, endpoint, _parameters(given))
        case _:
            raise Misuse(f"{name}: what is to be called there? m1 help lists the endpoints")
    return 0


def _version(arguments: Sequence[str]) -> None:
    print(f"m1 {__version__}")


def _serve(arguments: Sequence[str]) -> int:
    from m1.server.settings import read_settings

    settings = read_settings(arguments, os.environ)  # what is wrong is said at once
    from m1.server.run import serve

    return serve(settings)


def _parameters(arguments: Sequence[str], as_it_is: str = "") -> dict[str, str]:
    """Read `-name value` pairs; a value may begin with a dash, that of `as_it_is` is kept."""
    parameters: dict[str, str] = {}
    left = iter(arguments)
    for flag in left:
        name = flag.lstrip("-")
        if not flag.startswith("-") or not name:
            raise Misuse(f"{flag!r}: a parameter is written -name value")
        value = next(left, None)
        if value is None:
            raise Misuse(f"{flag}: its value is missing")
        if name in parameters:
            raise Misuse(f"{flag}: given twice")
        parameters[name] = value if name == as_it_is else _value(value)
    return parameters


def _value(value: str) -> str:
    try:
        if value == "-":
            return sys.stdin.buffer.read().decode()
        if value.startswith("@"):
            return Path(value[1:]).read_text(encoding="utf-8")
    except OSError as error:
        raise Misuse(f"{value}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misuse(f"{value}: not a text in UTF-8") from None
    return value


def _call(name: str, endpoint: str, parameters: dict[str, str]) -> None:
    try:
        _print(call(_environment(name), endpoint, parameters))
    except Unauthorized as error:
        raise advised(error, name) from None


def _environment(name: str) -> Environment:
    environment = Environments().find(name)
    return replace(environment, token=os.environ.get("M1_TOKEN", environment.token))


def _print(answer: Answer) -> None:
    if sys.stdout.isatty() and answer.content_type.startswith("application/json"):
        return _print_pretty(answer)
    if sys.stdout.isatty():
        print(visible(answer.whole().decode(errors="replace")))
        return None
    for chunk in answer.body:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    return None


def _print_pretty(answer: Answer) -> None:
    import codecs

    decoder, pretty = codecs.getincrementaldecoder("utf-8")("replace"), Pretty()
    try:
        for chunk in answer.body:
            print(visible(pretty.feed(decoder.decode(chunk))), end="", flush=True)
    finally:
        print(pretty.end(), end="", flush=True)


def _auth(arguments: Sequence[str]) -> None:
    if not arguments:
        raise Misuse("where? m1 auth <environment> -username U")
    name, parameters = arguments[0], _parameters(arguments[1:])
    if "username" not in parameters:
        raise Misuse(f"who? m1 auth {name} -username U")
    environments = Environments()
    environment = environments.find(name)
    if "password" not in parameters:
        import getpass

        parameters["password"] = getpass.getpass(f"password of {parameters['username']}: ")
    answer = call(replace(environment, token=""), "auth", parameters)
    environments.save(name, environment.url, token_of(answer.whole(), environment.url))
    print(f"m1: logged in to {name} as {parameters['username']}", file=sys.stderr)


def _simulate(arguments: Sequence[str]) -> None:
    from m1.simulate import USAGE, read_wishes, simulate

    if told := _told("simulate", USAGE, arguments):
        name, given = told
        print(simulate(name, _environment(name), read_wishes(_parameters(given))))


def _transfer(command: str, arguments: Sequence[str]) -> None:
    from m1.transfer.command import USAGES, run

    if told := _told(command, USAGES[command], arguments):
        name, given = told
        run(command, name, _environment(name), _parameters(given, as_it_is="file"))


def _told(command: str, usage: str, arguments: Sequence[str]) -> tuple[str, Sequence[str]] | None:
    """Give the environment and what follows, or say how the command is used, where asked."""
    match arguments:
        case ["--help" | "-h"] | [_, "--help" | "-h"]:
            print(usage)
            return None
        case [name, *given] if not name.startswith("-"):
            return name, given
        case _:
            raise Misuse("where? " + usage.splitlines()[0])


def _data(command: str, arguments: Sequence[str]) -> int:
    from m1.server.data import run

    return run(command, arguments)


def _environments(arguments: Sequence[str]) -> None:
    environments = Environments()
    match arguments:
        case []:
            for name, environment in sorted(environments.all().items()):
                print(f"{name}\t{environment.url}")
        case ["add", name, url]:
            if not _NAME.fullmatch(name) or name in _COMMANDS:
                raise Misuse(f"{name!r} cannot be the name of an environment")
            if not url.startswith(("http://", "https://")):
                raise Misuse(f"{url} is not a URL of a server, as in http://127.0.0.1:8100")
            environments.save(name, url)
        case ["remove", name]:
            environments.remove(name)
        case _:
            raise Misuse("m1 environments, m1 environments add NAME URL or remove NAME")


def _help(arguments: Sequence[str]) -> None:
    from m1.api.rooms import describe, overview

    if not arguments:
        print(f"{USAGE}\n\nEndpoints (m1 help <endpoint> says more):\n\n{overview()}")
        return
    text = describe(arguments[0].strip("/"))
    if text is None:
        raise Misuse(f"there is no endpoint {arguments[0]}: m1 help lists them")
    print(text)


_COMMANDS: dict[str, Callable[[Sequence[str]], int | None]] = {
    "--version": _version,
    **dict.fromkeys(("help", "--help", "-h"), _help),
    "auth": _auth,
    "environments": _environments,
    "serve": _serve,
    "simulate": _simulate,
    **{name: partial(_transfer, name) for name in _TRANSFERS},
    **{name: partial(_data, name) for name in _DATA_COMMANDS},
}
"""What is no environment; each gives an exit code, or nothing for 0."""
