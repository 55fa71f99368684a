"""Calling an environment over HTTP, with what every Python has: quick to start.

The server knows its verbs, so no table of them is needed here: a call with parameters is a
POST, one without a GET, and where the answer is 405 the verb that it names is used. Thus
endpoints that this version does not know can be called too.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from m1.environments import Environment
from m1.errors import M1Error, NoConnection, refusal
from m1.wire import Whole, check_token, count_of, no_answer, server_url, speaks_no_tls

_CONNECT_SECONDS = 10
_MOST_OF_A_REFUSAL = 64 * 1024
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its type, how many items it says there are, its body as it arrives."""

    content_type: str
    count: int
    body: Iterator[bytes]

    def whole(self) -> bytes:
        """Read all of the body; raises NoConnection where it breaks off, or has no end."""
        whole = Whole()
        for piece in self.body:
            whole.add(piece)
        return whole.joined()


def call(
    environment: Environment,
    endpoint: str,
    parameters: Mapping[str, str] | bytes,
    accept: str = "*/*",
    seconds: float | None = None,
) -> Answer:
    """Call an endpoint with parameters by name, or with a JSON text that holds them.

    An answer may take its time, or `seconds` where they are given.
    Raises the server's own error where it refuses, NoConnection where it cannot be reached
    or the answer breaks off, also while `body` is read.
    """
    verb = "POST" if parameters else "GET"
    try:
        response = _send(environment, verb, endpoint, parameters, accept, seconds)
        allowed = response.getheader("Allow", "")
        if response.status == 405 and allowed and verb not in allowed:
            response.close()
            verb = allowed.split(",")[0]
            response = _send(environment, verb, endpoint, parameters, accept, seconds)
        if response.status >= 300:
            with response:
                raise _refusal(response)
    except (OSError, http.client.HTTPException) as error:
        raise NoConnection(
            f"cannot reach {environment.url}: {_reason(error, environment.url)}"
        ) from None
    count = count_of(response.getheader("m1-count", "0"), environment.url)
    return Answer(response.getheader("Content-Type", ""), count, _body(response))


def _send(
    environment: Environment,
    verb: str,
    endpoint: str,
    parameters: Mapping[str, str] | bytes,
    accept: str,
    seconds: float | None,
) -> http.client.HTTPResponse:
    connection, base = _connected(environment.url)
    connection.sock.settimeout(seconds)
    body, kind = (
        (parameters, "json")
        if isinstance(parameters, bytes)
        else (urlencode(parameters), "x-www-form-urlencoded")
    )
    target = f"{base}/{quote(endpoint.strip('/'))}"
    headers = {"Accept": accept, "Connection": "close"}
    check_token(environment.token)
    if environment.token:
        headers["m1-auth-token"] = environment.token
    try:
        if verb == "GET":
            connection.request(verb, f"{target}?{body!s}" if body else target, headers=headers)
        else:
            headers["Content-Type"] = f"application/{kind}"
            connection.request(verb, target, body=body, headers=headers)
        return connection.getresponse()
    except (OSError, http.client.HTTPException):
        connection.close()
        raise


def _connected(address: str) -> tuple[http.client.HTTPConnection, str]:
    """Connect to a URL; gives the path that all endpoints there begin with."""
    url = server_url(address)
    is_secure = url.scheme == "https"
    kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=_CONNECT_SECONDS)
    connection.connect()
    return connection, url.path


def _refusal(response: http.client.HTTPResponse) -> M1Error:
    body, wait = response.read(_MOST_OF_A_REFUSAL), response.getheader("Retry-After", "")
    return refusal(response.status, body, response.reason, wait)


def _body(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body, then let go: a Ctrl-C while Python does that by itself would be lost."""
    try:
        while chunk := response.read1(_READ_BYTES):
            yield chunk
        if response.length:  # the standard library takes an early end for the end
            raise http.client.IncompleteRead(b"", response.length)
    except (OSError, http.client.HTTPException):
        raise NoConnection("the answer broke off: what came of it is not all") from None
    finally:
        response.close()


def _reason(error: Exception, address: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        trusted = "SSL_CERT_FILE can name a file of those to trust"
        return f"its certificate is not good: {error.verify_message}; {trusted}"
    if isinstance(error, ssl.SSLError):
        if error.reason == "WRONG_VERSION_NUMBER":
            return speaks_no_tls(address)
        return f"TLS failed: {error.reason.replace('_', ' ').lower()}"
    if isinstance(error, http.client.RemoteDisconnected):
        return no_answer(address)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(reason.split())
