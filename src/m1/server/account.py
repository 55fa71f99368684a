"""What is kept of a request when it has ended: its count, its time, and a line if it was slow.

The line is of the level WARNING: {"call", "user", "address", "store", "status",
"slow_seconds"}. What was asked for is not in it, since queries hold what is known of people.
"""

from __future__ import annotations

import logging

from m1.metrics import GONE, request_seconds_of, requests_of
from m1.server.exchange import Exchange

_log = logging.getLogger("m1")


def account_for(exchange: Exchange, slow_seconds: float) -> None:
    """Count a request that has ended, and write it down if its answer was slow to begin."""
    status = GONE if exchange.status is None else exchange.status
    requests_of(exchange.endpoint, status).inc()
    seconds = exchange.seconds
    request_seconds_of(exchange.endpoint).observe(seconds)
    if seconds >= slow_seconds:
        said = {
            "call": exchange.endpoint,
            **exchange.about,
            "status": status,
            "slow_seconds": round(seconds, 3),
        }
        _log.warning("a slow request", extra={"said": said, "request": exchange.id})
