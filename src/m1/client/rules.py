"""How a call is made: with a token that is got and renewed, again where that is safe.

    not answered, no connection made     again, whatever it is
    answered 503                         again, where it is a read or an update
    the answer was lost                  again, where it is a read
    answered 401                         once more, with a new token

Pauses grow from 0.1 s to 2 s, or are what the server asks for in Retry-After. No try begins
later than `retry_seconds` after the first; the last failure is raised then.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx
import msgspec

from m1.client.ask import Ask, Fate, T, text
from m1.errors import M1Error, Misuse, NoConnection, Unauthorized, Unavailable, refusal
from m1.wire import check_token, no_answer, not_ours, speaks_no_tls

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_OPENSSL = re.compile(r"\[SSL: (\w+)\] (.*?)(?: \(_ssl\.c:\d+\))?$")
_NO_TRUST, _NO_TLS = "CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER"
_DISCONNECTED = "Server disconnected without sending a response."
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Send:
    """To send a call with a token, or without one, and give the answer."""

    ask: Ask[object]
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogIn:
    """To get a new token, unless that was done since `stale` was the one."""

    stale: str = field(repr=False)


class Sleep(NamedTuple):
    """To let some time pass."""

    seconds: float


class Answer(NamedTuple):
    """What was answered: its body where that was read whole, else it is still to come."""

    response: httpx.Response
    body: bytes = b""


Effect = Send | LogIn | Sleep
Steps = Generator[Effect, Answer | None, Answer]


class Login:
    """Who calls, and the token of the moment."""

    def __init__(self, username: str | None, password: str | None, token: str | None) -> None:
        if (username is None) != (password is None):
            raise Misuse("a user name and a password are needed together")
        self.token = token or ""
        check_token(self.token)
        self._parameters = {"username": username, "password": password}

    @property
    def can_renew(self) -> bool:
        """Whether a token can be got by logging in."""
        return self._parameters["username"] is not None

    def ask(self) -> Ask[str]:
        """Give the call that gets a token."""
        return Ask("auth", self._parameters, text, needs_token=False, repeats_after=Fate.LOST)


class Failed(NamedTuple):
    """What became of a try, and the error that it is for the caller."""

    fate: Fate
    error: M1Error | NoConnection


def steps(ask: Ask[T], login: Login, url: str, retry_seconds: float) -> Steps:
    """Yield what is to be done until a call is answered; gives the good answer.

    Raises the server's own error, or NoConnection.
    """
    may_log_in = ask.needs_token and login.can_renew
    deadline, pause = time.monotonic() + retry_seconds, _FIRST_PAUSE
    if may_log_in and not login.token:
        yield LogIn("")
    while True:
        token = login.token if ask.needs_token else ""
        try:
            answer = yield Send(ask, token)
        except httpx.RequestError as error:
            failed = _not_answered(ask, error, url)
        else:
            assert answer is not None
            if answer.response.is_success:
                return answer
            failed = _refused(answer)
        if may_log_in and isinstance(failed.error, Unauthorized):
            may_log_in = False
            yield LogIn(token)
            continue
        wait = _wait(failed.error, pause)
        if failed.fate > ask.repeats_after or time.monotonic() + wait > deadline:
            raise failed.error
        yield Sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _wait(error: M1Error | NoConnection, pause: float) -> float:
    """Give how long to wait: many clients of one server must not come back at one moment."""
    asked = (error.retry_after or 0) if isinstance(error, M1Error) else 0
    return asked + pause * random.uniform(0.5, 1.0)


def _refused(answer: Answer) -> Failed:
    response = answer.response
    wait = response.headers.get("Retry-After", "")
    error = refusal(response.status_code, answer.body, response.reason_phrase, wait)
    return Failed(Fate.REFUSED if isinstance(error, Unavailable) else Fate.FINAL, error)


def _not_answered(ask: Ask[T], error: httpx.RequestError, url: str) -> Failed:
    """Tell a call that was never sent from one whose answer was lost."""
    reason = _reason(error, url)
    if isinstance(error, httpx.ConnectError) and _openssl(error)[0] in (_NO_TRUST, _NO_TLS):
        failed = Failed(Fate.FINAL, NoConnection(f"cannot reach {url}: {reason}"))
    elif isinstance(error, _UNSENT):
        failed = Failed(Fate.UNSENT, NoConnection(f"cannot reach {url}: {reason}"))
    elif ask.repeats_after is Fate.LOST:
        failed = Failed(Fate.LOST, NoConnection(f"{url} did not answer: {reason}"))
    else:
        message = (
            f"{ask.path} was sent to {url}, and its answer lost ({reason}): look if it was done"
        )
        failed = Failed(Fate.LOST, NoConnection(message))
    failed.error.__cause__ = error
    return failed


def _openssl(error: httpx.RequestError) -> tuple[str, str]:
    """Give OpenSSL's code and words for a failure; the cause is not kept on the way to us."""
    found = _OPENSSL.match(str(error))
    return (found[1], found[2]) if found else ("", "")


def _reason(error: httpx.RequestError, url: str) -> str:
    code, words = _openssl(error)
    if code == _NO_TRUST:
        why = words.removeprefix("certificate verify failed: ")
        return f"its certificate is not good: {why}; tls= can say which to trust"
    if code:
        return speaks_no_tls(url) if code == _NO_TLS else f"TLS failed: {words}"
    if isinstance(error, httpx.PoolTimeout):
        return "all connections of this client are in use: leave streams that you have read"
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    reason = " ".join(str(error).split()) or type(error).__name__
    return no_answer(url) if reason == _DISCONNECTED else reason


def read(ask: Ask[T], body: bytes, url: str) -> T:
    """Read a good answer; raises NoConnection where it is none of this server's."""
    try:
        return ask.read(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise not_ours(url, f"the answer of {ask.path} cannot be read: {error}") from None
