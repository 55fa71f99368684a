"""The first five minutes: a user, a store, the client logged in, and lines to paste."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from m1.access import issue_token, normal_address
from m1.api.endpoint import Call
from m1.api.services import Services
from m1.api.session import SessionApi
from m1.api.system import with_first_user
from m1.catalog import KNOWN_RIGHTS, Catalog
from m1.environments import Environments

_USER = "admin"
_STORE = "stash"
_ENVIRONMENT = "local"


async def quickstart(services: Services, url: str, host: str) -> str:
    """Set up an empty environment, renew the client's login, and give the lines to print.

    The password is in them the first time, and never again.
    """
    Environments().save(_ENVIRONMENT, url)  # fails, if it does, before there is a password to lose
    catalog = await services.catalog.get()
    password = None
    if not catalog.initialized:
        password = secrets.token_urlsafe(12)
        user = await services.passwords.new_user(catalog, password, KNOWN_RIGHTS)
        step = partial(with_first_user, name=_USER, user=user)
        call = Call(await services.catalog.change(step), host, time.time_ns() // 1_000_000)
        await SessionApi(services).add(call, store=_STORE, shards=1, replicas=1)
        catalog = await services.catalog.get()
    user_name = _admin(catalog)
    token = issue_token(catalog, user_name, normal_address(host), time.time_ns() // 1_000_000)
    Environments().save(_ENVIRONMENT, url, token)
    return _lines(url, user_name, password)


def _admin(catalog: Catalog) -> str:
    """Choose the user that the client is logged in as: ours if still there, or any admin."""
    admins = [name for name, user in catalog.users.items() if "admin" in user.rights]
    return _USER if _USER in admins else min(admins)


def _lines(url: str, user: str, password: str | None) -> str:
    call = f"{_command()} {_ENVIRONMENT}"
    item = '{"session": {"id": "s1"}, "user": {"name": "Ada"}, "event": {"type": "login"}}'
    shown = [f"the password of the user {user} is {password} (shown this once)"] if password else []
    return "\n".join(
        [
            "",
            *shown,
            f"the console is at {url}/console",
            f"the m1 client is logged in as {user} in the environment {_ENVIRONMENT}. Try:",
            "",
            f"  {call} session/update -store {_STORE} -ops '[{{\"upsert\": [{item}]}}]'",
            f"  {call} session/query -store {_STORE} -q 'event.type:login'",
            "",
            "or by curl:",
            "",
            f"  export myToken=$({call} auth -username {user})",
            f"  curl -s {url}/session/update -d 'store={_STORE}&ops=[{{\"upsert\": [{item}]}}]' "
            '-H "m1-auth-token: $myToken"',
            f"  curl -s {url}/session/query -d 'store={_STORE}&q=user.name:Ada' "
            '-H "m1-auth-token: $myToken"',
            "",
        ]
    )


def _command() -> str:
    """Give what to type for `m1` here: the name where it is on the PATH, else the file."""
    file = Path(sys.argv[0]).absolute()
    if file.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m m1"
    found = shutil.which("m1")
    if found is not None and Path(found).absolute() == file:
        return "m1"
    try:
        return shlex.quote(os.path.relpath(file))
    except ValueError:
        return shlex.quote(str(file))
