"""Trying again what a server cannot do just now, for a time that is named."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from m1.errors import NoConnection, Unavailable
from m1.pretty import visible

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 5.0

T = TypeVar("T")


def patiently(work: Callable[[], T], seconds: float, say: Callable[[Exception, float], None]) -> T:
    """Do work that calls a server, again where the server is away or cannot just now.

    `say` is told what went wrong and after how many seconds it is tried again; what it
    raises ends the trying. Raises NoConnection once it would last longer than `seconds`.
    """
    wait, begun = _FIRST_WAIT, monotonic()
    while True:
        try:
            return work()
        except (Unavailable, NoConnection) as error:
            if monotonic() - begun + wait > seconds:
                reason = visible(str(error))
                raise NoConnection(f"{reason}; given up after {seconds:g} s") from error
            say(error, wait)
        sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
