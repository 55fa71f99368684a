"""Whose call it is: the address at the other end, or the one a trusted proxy vouches for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from m1.access import normal_address
from m1.errors import BadRequest
from m1.server.exchange import Exchange

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Peers:
    """Finds the caller's address; `proxies` are the networks whose word counts."""

    def __init__(self, proxies: Sequence[Network] = ()) -> None:
        self._proxies = proxies

    def address_of(self, exchange: Exchange) -> str:
        """Give the address of the caller, in its usual form.

        That is the peer of the socket. Where the peer is a trusted proxy, it is the last
        address in `X-Forwarded-For` that is no trusted proxy itself.
        """
        address = normal_address(exchange.peer)
        if not self._proxies or not self._trusted(address):
            return address
        forwarded = exchange.header("x-forwarded-for") or ""
        for hop in reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()]):
            try:
                address = normal_address(hop)
            except BadRequest:
                return address
            if not self._trusted(address):
                return address
        return address

    def _trusted(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._proxies)
