"""The environment: first start, settings, health."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from m1.access import check_user_name, new_secret
from m1.answers import Health
from m1.api.endpoint import Call, Names, Rest, Secret, Setting, Text, endpoint
from m1.api.metadata import check_paths
from m1.api.services import Services
from m1.catalog import DEFAULTS, KNOWN_RIGHTS, Catalog, User
from m1.counts import counted
from m1.engine import Check
from m1.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyLogins
from m1.metrics import CONTENT_TYPE, exposition
from m1.paths import MAX_PATH_BYTES
from m1.readings import Measure

_ORIGIN = re.compile(r"https?://[\w.:\[\]-]+")


class SystemApi:
    """Ping, init, settings, health."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._catalog = services.catalog

    @endpoint("ping", verbs=("GET",), rights=None)
    async def ping(self, call: Call) -> bool:
        """Answer `true`."""
        return True

    @endpoint("init", verbs=("GET",), rights=None)
    async def initialized(self, call: Call) -> bool:
        """Tell whether the environment has its first user."""
        return call.catalog.initialized

    @endpoint(
        "init",
        rights=None,
        raises=(Forbidden, Conflict, TooManyLogins),
        example={"username": "admin", "password": "correct horse"},
    )
    async def init(
        self,
        call: Call,
        username: str,
        password: Secret,
        bucket: str | None = None,
        secret: Secret | None = None,
    ) -> None:
        """Make the first user, who gets every known right; possible once.

        Only from this machine, unless the server was started with an init secret, which
        must then be given as `secret`. `bucket` is taken for compatibility and not used.
        """
        self._check_may_init(call, secret)
        _check_uninitialized(call.catalog)
        check_user_name(username)
        user = await self._services.passwords.new_user(call.catalog, password, KNOWN_RIGHTS)
        await self._catalog.change(lambda catalog: with_first_user(catalog, username, user))

    def _check_may_init(self, call: Call, secret: str | None) -> None:
        wanted = self._services.init_secret
        if wanted is None:
            if not call.is_local:
                raise Forbidden(
                    "/init is possible from this machine alone, by its address as in "
                    "http://127.0.0.1:8100, or with the secret of --init-secret-file"
                )
        elif not hmac.compare_digest((secret or "").encode(), wanted.encode()):
            raise Forbidden("secret: the init secret of this server is needed")

    @endpoint("health", verbs=("GET",), rights=("admin",))
    async def health(self, call: Call) -> dict[str, Health]:
        """Tell how each part fares, PASSED or FAILED, the copies of each store included."""
        checks = await self._services.engine.check()
        geo = self._services.geo
        parts = {
            "system": Health("PASSED"),
            "users": Health("PASSED", counted(len(call.catalog.users), "user")),
            "db": _summary(check for check in checks if check.part == "db"),
            "geo": Health("PASSED", geo.description if geo else "no database is configured"),
            "sessions": _sessions(call.catalog, checks),
        }
        passed = all(part.status == "PASSED" for part in parts.values())
        return {"overall": Health("PASSED" if passed else "FAILED"), **parts}

    @endpoint("metrics", verbs=("GET",), rights=("admin",), media=CONTENT_TYPE, local=True)
    async def metrics(self, call: Call) -> Text:
        """Give the figures of this server as Prometheus gathers them, see docs/metrics.md."""
        measures = await self._services.engine.measure()
        return Text(await asyncio.to_thread(exposition, list(_of_stores(call.catalog, measures))))

    @endpoint("system", verbs=("GET",), rights=("admin",))
    async def settings(self, call: Call) -> dict[str, str]:
        """Show all settings."""
        return {name: call.catalog.setting(name) for name in ("init", *DEFAULTS)}

    @endpoint(
        "system/{name}",
        verbs=("GET",),
        rights=("admin",),
        raises=(NotFound,),
        example={"name": "token-expire-ms"},
    )
    async def setting(self, call: Call, name: str) -> Text:
        """Show one setting."""
        return Text(call.catalog.setting(name))

    @endpoint(
        "system/{name}",
        rights=("admin",),
        raises=(NotFound,),
        example={"name": "token-expire-ms", "value": "3600000"},
    )
    async def set(self, call: Call, name: str, value: Setting) -> None:
        """Set one setting."""
        await self._set(call, {name: value})

    @endpoint(
        "system",
        rights=("admin",),
        raises=(NotFound,),
        example={"geo": "true", "password-min-length": "12"},
    )
    async def set_several(self, call: Call, settings: Rest) -> None:
        """Set the settings that are given as parameters, by their names; all or none."""
        await self._set(call, settings)

    async def _set(self, call: Call, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            _check_setting(name, value)

        def step(catalog: Catalog) -> Catalog:
            changed = catalog.with_settings(settings)
            check_paths(changed.setting("property-ip"), changed.setting("property-received"))
            return changed

        await self._catalog.change(call.guarded(step))


def with_first_user(catalog: Catalog, name: str, user: User) -> Catalog:
    """Give the step that initialises a catalog; raises Conflict where it was done before."""
    _check_uninitialized(catalog)
    return msgspec.structs.replace(
        catalog, initialized=True, secret=new_secret(), users={name: user}
    )


def _check_uninitialized(catalog: Catalog) -> None:
    if catalog.initialized:
        raise Conflict("the environment is initialised already: log in with /auth")


def _summary(checks: Iterable[Check]) -> Health:
    found = list(checks)
    passed = all(check.passed for check in found)
    return Health("PASSED" if passed else "FAILED", "; ".join(check.message for check in found))


def _names(catalog: Catalog) -> dict[str, str]:
    """Give the names of the stores by the uids of their spaces."""
    return {store.uid: name for name, store in catalog.stores.items()}


def _of_stores(catalog: Catalog, measures: Iterable[Measure]) -> Iterator[Measure]:
    """Say of which store a measure is; those of spaces without one are left out."""
    names = _names(catalog)
    for measure in measures:
        if measure.store is None:
            yield measure
        elif measure.store in names:
            yield measure._replace(store=names[measure.store])


def _sessions(catalog: Catalog, checks: list[Check]) -> Health:
    names = _names(catalog)
    details = {}
    for check in checks:
        uid, _, copy = check.part.partition(" ")
        if uid in names:
            details[f"Node {names[uid]} {copy}"] = Health(
                "PASSED" if check.passed else "FAILED", check.message
            )
    passed = all(detail.status == "PASSED" for detail in details.values())
    return Health("PASSED" if passed else "FAILED", details=details)


# --- what a setting may be ---------------------------------------------------------------


def _check_setting(name: str, value: str) -> None:
    """Raise NotFound for a setting there is not, BadRequest for a value it cannot have."""
    if name == "init":
        raise BadRequest("init: this cannot be set")
    if name not in DEFAULTS:
        raise NotFound(f"there is no setting {name}")
    problem = _CHECKS[name](value)
    if problem:
        raise BadRequest(f"{name}: {problem}")


def _whole(least: int, most: int) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        fits = value.isascii() and value.isdigit() and len(value) < 17
        if fits and least <= int(value) <= most:
            return None
        return f"a whole number from {least} to {most} is needed"

    return check


def _path(value: str) -> str | None:
    if value and "\0" not in value and len(value.encode()) <= MAX_PATH_BYTES:
        return None
    return "a path is needed"


def _switch(value: str) -> str | None:
    return None if value in ("true", "false") else "true or false is needed"


def origins(value: str) -> tuple[str, ...]:
    """Read the setting `cors`: a list with commas or a JSON list; raises BadRequest."""
    return Names().read(value)


def _origins(value: str) -> str | None:
    try:
        listed = origins(value)
    except BadRequest as error:
        return error.message
    for origin in listed:
        if not _ORIGIN.fullmatch(origin):
            return f"{origin} is not an origin, as in https://example.com"
    return None


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "geo": _switch,
    "cors": _origins,
    "token-expire-ms": _whole(1, 10**15),
    "password-min-length": _whole(1, 1_024),
    "property-ip": _path,
    "property-received": _path,
    "property-session-id": _path,
}
