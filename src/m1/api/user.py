"""Users and their rights: `/user/*`."""

from __future__ import annotations

from m1.access import check_user_name, new_epoch
from m1.answers import UserInfo
from m1.api.endpoint import Call, NameList, Secret, endpoint
from m1.api.services import Services
from m1.catalog import User
from m1.errors import Conflict, NotFound, TooManyLogins


class UserApi:
    """Add, change, list and remove users."""

    def __init__(self, services: Services) -> None:
        self._passwords = services.passwords
        self._catalog = services.catalog

    @endpoint(
        "user/add",
        rights=("admin",),
        raises=(Conflict, TooManyLogins),
        example={
            "username": "grace",
            "password": "correct horse",
            "rights": ["get", "sessionQuery"],
        },
    )
    async def add(self, call: Call, username: str, password: Secret, rights: NameList) -> None:
        """Add a user.

        `rights` is a list with commas, or a JSON list; known ones are admin, schema, get,
        publish, sessionQuery and sessionUpdate. A right includes no other one.
        """
        check_user_name(username)
        user = await self._passwords.new_user(call.catalog, password, rights)
        await self._catalog.change(
            call.guarded(lambda catalog: catalog.with_new_user(username, user))
        )

    @endpoint(
        "user/update",
        rights=("admin",),
        raises=(NotFound, Conflict),
        example={"username": "ada", "rights": ["get", "sessionQuery", "sessionUpdate"]},
    )
    async def update(self, call: Call, username: str, rights: NameList) -> None:
        """Set the rights of a user, in place of those of before."""
        await self._catalog.change(
            call.guarded(lambda catalog: catalog.with_user(username, rights=rights))
        )

    @endpoint(
        "user/password",
        rights=(),
        raises=(NotFound, TooManyLogins),
        example={"username": "ada", "password": "battery staple"},
    )
    async def password(self, call: Call, password: Secret, username: str | None = None) -> None:
        """Set one's own password, or with the right admin another user's.

        Every token of that user ends.
        """
        assert call.caller is not None
        name = call.caller.user if username is None else username
        if name != call.caller.user:
            call.caller.require(("admin",))
        call.catalog.user(name)
        hashed = await self._passwords.hashed(call.catalog, password)
        await self._catalog.change(
            call.guarded(
                lambda catalog: catalog.with_user(name, password=hashed, epoch=new_epoch())
            )
        )

    @endpoint(
        "user/remove",
        rights=("admin",),
        raises=(NotFound, Conflict),
        example={"username": "ada"},
    )
    async def remove(self, call: Call, username: str) -> None:
        """Remove a user; every token of theirs ends."""
        await self._catalog.change(call.guarded(lambda catalog: catalog.without_user(username)))

    @endpoint("user/list", verbs=("GET",), rights=("admin",))
    async def list(self, call: Call) -> list[UserInfo]:
        """List the users by name, with their rights."""
        return [_info(name, user) for name, user in sorted(call.catalog.users.items())]

    @endpoint(
        "user/get",
        verbs=("GET",),
        rights=("admin",),
        raises=(NotFound,),
        example={"username": "ada"},
    )
    async def get(self, call: Call, username: str) -> UserInfo:
        """Show one user."""
        return _info(username, call.catalog.user(username))


def _info(name: str, user: User) -> UserInfo:
    return UserInfo(name, user.rights)
