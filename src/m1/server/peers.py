"""Whose call it is: the address at the other end, or the one a trusted proxy vouches for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from m1.access import normal_address
from m1.errors import BadRequest
from m1.server.exchange import Exchange

_HOP = re.compile(r'"?(?:\[(?P<six>[^\]]+)\]|(?P<four>[0-9.]+))(?::[0-9]+)?"?')

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Peers:
    """Finds the caller's address; `proxies` are the networks whose word counts."""

    def __init__(self, proxies: Sequence[Network] = ()) -> None:
        self._proxies = proxies

    def address_of(self, exchange: Exchange) -> str:
        """Give the address of the caller, in its usual form.

        That is the peer of the socket. Where the peer is a trusted proxy, it is the last
        address in `X-Forwarded-For` that is no trusted proxy itself. Raises BadRequest where a
        proxy vouches for what is no address: whose call it is would be guessed.
        """
        address = normal_address(exchange.peer)
        if not self._proxies or not self._trusted(address):
            return address
        forwarded = exchange.header("x-forwarded-for") or ""
        for hop in reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()]):
            address = _address_in(hop)
            if not self._trusted(address):
                return address
        return address

    def _trusted(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._proxies)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_local(exchange: Exchange, address: str) -> bool:
    """Tell whether a program on this machine calls, and no page that a browser here shows.

    Any page can send a form to this machine, but not without its Origin; and any name can lead
    here, but then the Host is that name.
    """
    try:
        host = urlsplit(f"//{exchange.header('host') or 'localhost'}").hostname or ""
    except ValueError:
        return False
    return is_loopback(address) and is_loopback(host) and exchange.header("origin") is None


def _address_in(hop: str) -> str:
    """Give the address in a hop, which some proxies quote, or write with a port behind it."""
    found = _HOP.fullmatch(hop)
    try:
        return normal_address(found["six"] or found["four"] if found else hop)
    except BadRequest:
        raise BadRequest(f"X-Forwarded-For: {hop[:60]!r} is not an address") from None
