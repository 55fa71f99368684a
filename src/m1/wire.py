"""What both callers, the command and the Python client, make sure of: URL, TLS, token, sizes."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from m1.errors import Misuse, NoConnection

_COUNT_DIGITS = 18
_MOST_AT_ONCE = 64 * 2**20
"""As large as a body that our server takes, and so as an item."""
_TOKEN_CHARACTERS = 4_096


class Whole:
    """Bytes that are read whole as they come, which a hostile server would never end."""

    def __init__(self, what: str = "the answer") -> None:
        self._what = what
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take the next bytes; raises NoConnection for more than fit into memory."""
        self._size += len(piece)
        if self._size > _MOST_AT_ONCE:
            raise NoConnection(f"{self._what} is longer than {_MOST_AT_ONCE >> 20} MiB")
        self._pieces.append(piece)

    def joined(self) -> bytes:
        """Give what came."""
        return b"".join(self._pieces)


def server_url(address: str) -> SplitResult:
    """Read the URL of a server; raises Misuse for what is none."""
    try:
        url = urlsplit(address)
        is_good = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise Misuse(f"{address} is not a URL of a server, as in http://127.0.0.1:8100")
    return url


def check_token(token: str) -> None:
    """Raise Misuse for what cannot be a token, so that no header is made of it."""
    if not token.isascii() or not token.isprintable():
        raise Misuse("the token has characters that no token has: log in again")


def token_of(said: bytes, address: str) -> str:
    """Read the answer of a login; raises NoConnection for what no server of ours says."""
    token = said.decode(errors="replace")
    if not (0 < len(token) <= _TOKEN_CHARACTERS and token.isascii() and token.isprintable()):
        raise not_ours(address, "what it gave is no token")
    return token


def count_of(said: str, address: str) -> int:
    """Read the header m1-count; raises NoConnection for what no server of ours says."""
    if not (said.isascii() and said.isdigit() and len(said) <= _COUNT_DIGITS):
        raise not_ours(address, f"m1-count is {said[:40]!r}")
    return int(said)


def not_ours(address: str, problem: str) -> NoConnection:
    """Give the error for an answer that no server of ours gives."""
    return NoConnection(f"{address} is no server of ours: {problem}")


def speaks_no_tls(address: str) -> str:
    """Say what is the matter where TLS was spoken to a server that has none."""
    return f"it speaks no TLS: try http{address.removeprefix('https')}"


def no_answer(address: str) -> str:
    """Say what may be the matter where a server ended a connection without a word."""
    said = "it closed the connection without an answer"
    if address.startswith("https:"):
        return said
    return f"{said}: if it speaks TLS, try https{address.removeprefix('http')}"
