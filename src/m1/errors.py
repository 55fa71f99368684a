"""Every error of the product, and the HTTP status each one has.

The server raises these classes and turns them into `{"message", "status"}`; the
client reads such an answer and raises the same class again.

    M1Error                   500
      BadRequest              400  a parameter, op or item cannot be read or makes no sense
        BadQuery              400  `q` or `sort` cannot be parsed: says at which character
        NotJson               400  a text that should be JSON is not
      Unauthorized            401  no token, or one that is wrong, expired, revoked, elsewhere's
      Forbidden               403  the user lacks each of the rights that would do
      NotFound                404  no such store, user, setting or path
      MethodNotAllowed        405  the path exists, the verb does not
      TooSlow                 408  the request came too slowly
      Conflict                409  a name is taken, a key is not unique, a state forbids it
      TooLarge                413  the body is over the limit
      UrlTooLong              414  the URL is over the limit
      TooManyLogins           429  too many failed logins: wait `retry_after` seconds
      HeadersTooLarge         431  the headers are over the limit
      Unavailable             503  the same call may succeed after `retry_after` seconds
    Failure                          ends a command with one line and an exit code; where the
                                     Python client raises one, its message says what to do
      Misuse                       2 the command line, or a file it needs, is wrong
      NoConnection                 3 no connection to the server, or a broken stream
      Stopped                      - work ended before it was whole; it says how to go on
      StartError                   2 `m1 serve` cannot start
        DamagedData                3 the data directory is damaged
"""

from __future__ import annotations

import json


class M1Error(Exception):
    """The base of all errors that a client sees; on its own it is a bug (500)."""

    status = 500

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class BadRequest(M1Error):
    """The call cannot be read or makes no sense; nothing was applied."""

    status = 400


class BadQuery(BadRequest):
    """`q` or `sort` cannot be parsed; `at` is the offending character, counted from 0."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


class NotJson(BadRequest):
    """A text that should be JSON is not, or cannot be kept as it is."""


class Unauthorized(M1Error):
    """The caller did not show who they are."""

    status = 401


class Forbidden(M1Error):
    """The caller is known and has none of the rights that would do."""

    status = 403


class NotFound(M1Error):
    """There is no store, user, setting or path of this name."""

    status = 404


class MethodNotAllowed(M1Error):
    """The path exists but not with this verb."""

    status = 405


class Conflict(M1Error):
    """What is stored does not allow it: a name is taken, a key is not unique."""

    status = 409


class TooSlow(M1Error):
    """The request did not come as fast as it must."""

    status = 408


class TooLarge(M1Error):
    """The body of the request is over the limit."""

    status = 413


class UrlTooLong(M1Error):
    """The URL of the request is over the limit."""

    status = 414


class TooManyLogins(M1Error):
    """Too many logins failed from one address, or too many are waiting."""

    status = 429


class HeadersTooLarge(M1Error):
    """The headers of the request are over the limit, or too many."""

    status = 431


class Unavailable(M1Error):
    """The same call may succeed later; `retry_after` says when, in seconds."""

    status = 503

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message, retry_after=retry_after)


class Failure(Exception):
    """A command ends; the message is one line that says what to do."""

    exit_code = 2


class Misuse(Failure):
    """The command line, or a file that it needs, is wrong."""


class NoConnection(Failure):
    """The server cannot be reached, or its answer broke off."""

    exit_code = 3


class Stopped(Failure):
    """Work ended before it was whole; the message says what is done and how to go on."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StartError(Failure):
    """The server cannot start."""


class DamagedData(StartError):
    """The stored data fails its checks; the message names the file and the way on."""

    exit_code = 3


_BY_STATUS: dict[int, type[M1Error]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        TooSlow,
        TooLarge,
        UrlTooLong,
        TooManyLogins,
        HeadersTooLarge,
        Unavailable,
    )
}


_MOST_OF_A_MESSAGE = 500


def refusal(status: int, body: bytes, reason: str, wait: str) -> M1Error:
    """Give the error that an answer means: `reason` is HTTP's word, `wait` its Retry-After."""
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        message = body.decode(errors="replace").strip()[:_MOST_OF_A_MESSAGE] or reason
    is_short = wait.isdecimal() and len(wait) < 10
    return from_status(status, message, int(wait) if is_short else None)


def from_status(status: int, message: str, retry_after: int | None = None) -> M1Error:
    """Give the error that a server meant by `status`, to be raised again by a client."""
    kind = _BY_STATUS.get(status, M1Error)
    error = kind(message)
    error.status = status
    if retry_after is not None:
        error.retry_after = retry_after
    return error
