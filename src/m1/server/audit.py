"""The audit log: who did what, from where, and whether it was let.

One line for each call that an endpoint declares to be audited, in the server's log at the
level AUDIT: {"call", "user", "address", "parameters", "status"}. Secrets are left out. What
nobody is known to have done is not in it either, that is calls without a good token, logins
apart.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from m1.access import caller_of
from m1.api.endpoint import Call, Endpoint
from m1.errors import M1Error, TooManyLogins, Unauthorized
from m1.server.exchange import NO_CONTENT
from m1.server.log import AUDIT

_LONGEST = 1_000
_STRANGERS_A_SECOND = 10
_log = logging.getLogger("m1.audit")


@dataclass(slots=True)
class Entry:
    """What is to be written of a call; the parameters once they are read."""

    parameters: Mapping[str, Any] = field(default_factory=dict)


class _Strangers:
    """Refusals of those whom we do not know: some are written, more are counted."""

    def __init__(self) -> None:
        self._second = 0.0
        self._count = 0

    def may_be_written(self, now: float) -> bool:
        """Tell whether there is room for one more in this second."""
        if now - self._second >= 1:
            over = self._count - _STRANGERS_A_SECOND
            if over > 0:
                _log.log(AUDIT, "%d more refusals of strangers were not written", over)
            self._second, self._count = now, 0
        self._count += 1
        return self._count <= _STRANGERS_A_SECOND


_strangers = _Strangers()


@contextmanager
def audited(endpoint: Endpoint, call: Call, request: str) -> Iterator[Entry]:
    """Write down how the block that carries out a call ends, where its endpoint asks for it.

    A login that is put off is left out: who floods us is not to fill the log too.
    """
    entry = Entry()
    try:
        yield entry
    except TooManyLogins:
        raise
    except M1Error as error:
        _write(endpoint, call, request, entry, error.status)
        raise
    _write(endpoint, call, request, entry, NO_CONTENT if endpoint.answer is type(None) else 200)


def _write(endpoint: Endpoint, call: Call, request: str, entry: Entry, status: int) -> None:
    if not endpoint.audited:
        return
    user = _user(call)
    if user is None and status >= 400 and not _strangers.may_be_written(monotonic()):
        return
    parameters = endpoint.sayable(entry.parameters, was_taken=status < 400)
    said = {
        "call": endpoint.path,
        "user": user,
        "address": call.address,
        "parameters": {name: _shortened(value) for name, value in parameters.items()},
        "status": status,
    }
    _log.log(AUDIT, "%s", endpoint.path, extra={"said": said, "request": request})


def _shortened(value: object) -> object:
    text = json.dumps(value)
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _user(call: Call) -> str | None:
    """Tell who calls; where no token is asked for, whom the one names that is there."""
    if call.caller is not None:
        return call.caller.user
    try:
        return caller_of(call.catalog, call.token, call.address, call.now).user
    except Unauthorized:
        return None
