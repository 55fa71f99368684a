"""Getting a token: `/auth`."""

from __future__ import annotations

import time

from m1.access import ANY_ADDRESS, caller_of, issue_token, normal_address
from m1.api.endpoint import Call, Positive, Secret, Text, endpoint
from m1.api.services import Services
from m1.catalog import Catalog
from m1.errors import Forbidden, NotFound, TooManyLogins, Unauthorized
from m1.metrics import LOGINS_REFUSED


class AuthApi:
    """Log in."""

    def __init__(self, services: Services) -> None:
        self._passwords = services.passwords

    @endpoint(
        "auth",
        rights=None,
        raises=(Unauthorized, Forbidden, NotFound, TooManyLogins),
        example={"username": "ada", "password": "correct horse"},
    )
    async def auth(
        self,
        call: Call,
        username: str,
        password: Secret | None = None,
        ip: str | None = None,
        ttl: Positive | None = None,
    ) -> Text:
        """Get a token, to be sent as the header `m1-auth-token`.

        It works from the address that asked for it, for as long as the setting
        `token-expire-ms` says. With an admin's token in the header, `ip` names another
        address (`...` for any), `ttl` another life in ms, and no password is needed.
        """
        catalog = call.catalog
        privileged = ip is not None or ttl is not None or password is None
        if privileged:
            caller_of(catalog, call.token, call.address, call.now).require(("admin",))
        if password is None:
            catalog.user(username)
        else:
            await self._check(catalog, username, password, call.address)
        address = call.address if ip is None else _address(ip)
        return Text(issue_token(catalog, username, address, call.now, ttl))

    async def _check(self, catalog: Catalog, user: str, password: str, address: str) -> None:
        try:
            await self._passwords.check(catalog, user, password, address, time.monotonic())
        except (Unauthorized, TooManyLogins) as error:
            delayed = isinstance(error, TooManyLogins)
            LOGINS_REFUSED.labels("delayed" if delayed else "wrong").inc()
            raise


def _address(ip: str) -> str:
    return ANY_ADDRESS if ip == ANY_ADDRESS else normal_address(ip)
