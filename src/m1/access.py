"""Who may: passwords, tokens and rights.

A token is signed, not stored: `base64(JSON of [version, key, user, epoch, address, issued,
expires, nonce]).base64(HMAC-SHA256)`, times in epoch milliseconds. It is good as long as
its user has the epoch that it carries: a new password or a removed user end all tokens of
before, wherever they are, without a list of them. Rights are those of the moment.

Passwords are kept as argon2id hashes (19 MiB, 2 passes), made two at a time beside the
event loop, or one at a time where there are two processors: the loop needs one. Failed
logins are slowed down by address and user, never locked out.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import math
import os
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from m1.catalog import Catalog, User
from m1.counts import counted
from m1.errors import BadRequest, Forbidden, TooManyLogins, Unauthorized

ANY_ADDRESS = "..."
MAX_PASSWORD_BYTES = 1_024

_USER_NAME_LENGTH = 128
_USER_NAME = re.compile(rf"[A-Za-z0-9_.@+-]{{1,{_USER_NAME_LENGTH}}}")
_HASHING_AT_ONCE = max(1, min(2, (os.cpu_count() or 1) - 1))
_HASHING_WAITING = 32
_FREE_FAILURES = 10
_LONGEST_DELAY = 300.0
_FORGIVEN_AFTER = 3_600.0
_REMEMBERED = 10_000
_OWN_NETWORK_BITS = 64

T = TypeVar("T")
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Caller(msgspec.Struct, frozen=True):
    """Who makes a call: the user that the token names, and the rights of the moment."""

    user: str
    rights: tuple[str, ...]

    def require(self, rights: tuple[str, ...]) -> None:
        """Raise Forbidden unless the user has any one of these rights."""
        if rights and not set(rights) & set(self.rights):
            raise Forbidden(
                f"User {self.user} does not have requested right in set {', '.join(rights)}"
            )


class _Token(msgspec.Struct, frozen=True, array_like=True):
    version: int
    key: str
    user: str
    epoch: str
    address: str
    issued: int
    expires: int
    nonce: str


_read_token = msgspec.json.Decoder(_Token).decode


@lru_cache(maxsize=10_000)
def normal_address(address: str) -> str:
    """Give an IP address in its one usual form; raises BadRequest.

    IPv4 in IPv6 is IPv4, and the zone after a % is left out: it is of this machine's making.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise BadRequest(f"{address!r} is not an IP address") from None
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed)))
    return str(parsed)


def issue_token(
    catalog: Catalog, user: str, address: str, now: int, life: int | None = None
) -> str:
    """Sign a token for a user; `life` in ms, by default the setting `token-expire-ms`."""
    if life is None:
        life = int(catalog.setting("token-expire-ms"))
    token = _Token(
        1,
        _key_name(catalog.secret),
        user,
        catalog.user(user).epoch,
        address,
        now,
        now + life,
        secrets.token_urlsafe(9),
    )
    said = _base64(msgspec.json.encode(token))
    return f"{said}.{_signature(catalog.secret, said)}"


def caller_of(catalog: Catalog, token: str | None, address: str, now: int) -> Caller:
    """Tell who a token names; raises Unauthorized where it is not good here and now."""
    if not token or not catalog.secret:
        raise Unauthorized("a token is needed in the header m1-auth-token: get one from /auth")
    read = _verified(token, catalog.secret)
    user = catalog.users.get(read.user)
    if user is None or user.epoch != read.epoch:
        raise Unauthorized("the token was revoked: log in again")
    if now >= read.expires:
        raise Unauthorized("the token has expired: log in again")
    if read.address not in (ANY_ADDRESS, address):
        raise Unauthorized("the token was given to another address")
    return Caller(read.user, user.rights)


@lru_cache(maxsize=10_000)
def _verified(token: str, secret: str) -> _Token:
    """Read a token that this secret signed; what is refused is not kept."""
    said, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(secret, said).encode()):
        raise Unauthorized("the token is not one of this server's")
    try:
        return _read_token(_unbase64(said))
    except msgspec.MsgspecError as error:  # as of a version to come
        raise Unauthorized("the token is not one of this server's") from error


def _signature(secret: str, said: str) -> str:
    return _base64(hmac.digest(secret.encode(), said.encode(), hashlib.sha256))


def _key_name(secret: str) -> str:
    return hashlib.sha256(f"name of {secret}".encode()).hexdigest()[:8]


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:  # it was signed, so we made it: cannot happen
        raise Unauthorized("the token is not one of this server's") from error


def check_user_name(name: str) -> None:
    """Raise BadRequest for a name that no user can have."""
    if not _USER_NAME.fullmatch(name):
        raise BadRequest(
            "username: a user's name is 1 to 128 of the characters A-Z a-z 0-9 _ . @ + and -"
        )


class Passwords:
    """Hashes and checks passwords, and slows down who guesses."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_HASHING_AT_ONCE, thread_name_prefix="m1-hash")
        self._waiting = 0
        self._failures: dict[tuple[str, str], _Failures] = {}
        self._unknown: str | None = None

    async def new_user(self, catalog: Catalog, password: str, rights: tuple[str, ...]) -> User:
        """Make a user with a password, or raise BadRequest where it is no fit one."""
        return User(await self.hashed(catalog, password), rights, new_epoch())

    async def hashed(self, catalog: Catalog, password: str) -> str:
        """Hash a password; raises BadRequest where it is too short or too long."""
        least = int(catalog.setting("password-min-length"))
        if len(password) < least:
            raise BadRequest(
                f"password: at least {counted(least, 'character is', 'characters are')} needed"
            )
        if len(password.encode()) > MAX_PASSWORD_BYTES:
            raise BadRequest(f"password: at most {MAX_PASSWORD_BYTES} bytes are possible")
        return await self._beside(_hasher.hash, password)

    async def check(
        self, catalog: Catalog, user: str, password: str, address: str, now: float
    ) -> None:
        """Check a login at `now` (seconds, monotonic).

        Raises Unauthorized, the same for an unknown user as for a wrong password, and
        TooManyLogins where too many failed before.
        """
        user = user[: _USER_NAME_LENGTH + 1]  # a longer one is nobody's, and not worth remembering
        mine, ours = (user, _source(address)), ("", _source(address))
        self._slow_down(mine, now)
        self._slow_down(ours, now)
        self._check_room()  # who is sent away unheard has not guessed
        for who in (mine, ours):  # before we wait: many at once are as many as one by one
            self._remember_failure(who, now)
        known = catalog.users.get(user)
        kept = await self._hash_of_nobody() if known is None else known.password
        if await self._beside(_matches, kept, password) and known is not None:
            self._failures.pop(mine, None)
            self._forgive(ours, now)
            return
        raise Unauthorized("the user name or the password is wrong")

    async def _hash_of_nobody(self) -> str:
        """Give a hash to check in vain, so that an unknown user takes as long as a known one."""
        if self._unknown is None:
            self._unknown = await self._beside(_hasher.hash, secrets.token_urlsafe())
        return self._unknown

    async def _beside(self, work: Callable[..., T], *arguments: str) -> T:
        self._check_room()
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1

    def _check_room(self) -> None:
        if self._waiting >= _HASHING_WAITING:
            raise TooManyLogins("too many logins are waiting: try again", retry_after=1)

    def _slow_down(self, who: tuple[str, str], now: float) -> None:
        failures = self._failures.get(who)
        if failures is not None and now < failures.free_at:
            raise TooManyLogins(
                "too many logins failed: wait before the next",
                retry_after=math.ceil(failures.free_at - now),
            )

    def _remember_failure(self, who: tuple[str, str], now: float) -> None:
        before = self._failures.pop(who, _Failures(0, now))
        if now - before.free_at > _FORGIVEN_AFTER:
            before = _Failures(0, now)
        count = before.count + 1
        over = count - _FREE_FAILURES
        delay = min(2.0 ** min(over, 10), _LONGEST_DELAY) if over >= 0 else 0.0
        self._failures[who] = _Failures(count, now + delay)
        while len(self._failures) > _REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def _forgive(self, who: tuple[str, str], now: float) -> None:
        """Take back what was remembered of a login that then succeeded."""
        failures = self._failures.get(who)
        if failures is not None:
            count = failures.count - 1
            free_at = failures.free_at if count >= _FREE_FAILURES else now
            self._failures[who] = _Failures(count, free_at)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Failures(msgspec.Struct, frozen=True):
    count: int
    free_at: float


def _source(address: str) -> str:
    """Tell to whom an address is given: of IPv6, everybody has a whole network."""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _OWN_NETWORK_BITS), strict=False))


def _matches(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def new_epoch() -> str:
    """Give an epoch that no user ever had: tokens of before are good no longer."""
    return secrets.token_urlsafe(9)


def new_secret() -> str:
    """Give a key to sign tokens with."""
    return secrets.token_urlsafe(32)
