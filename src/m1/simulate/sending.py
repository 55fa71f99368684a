"""Bringing changes to a store, and not giving up a server at once that is away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from time import monotonic

from m1.caller import call
from m1.environments import Environment
from m1.errors import NoConnection
from m1.patience import patiently
from m1.pretty import visible
from m1.progress import Live
from m1.simulate.site import Change


class Sender:
    """Sends updates to one store, one after another; once it was there, waits for its server."""

    def __init__(self, environment: Environment, store: str, live: Live, patience: float) -> None:
        self.errors = 0
        self._environment = environment
        self._store = json.dumps(store).encode()
        self._live = live
        self._patience = patience
        self._was_there = False

    def send(self, changes: Sequence[Change]) -> float:
        """Send one update, again where it fails; gives the seconds that the last call took.

        A second time does no harm, since whole items are put. Raises what the server refuses
        with, NoConnection where it is not there, or was not for as long as we are patient.
        """
        body = self._body(changes)

        def attempt() -> float:
            called = monotonic()
            call(self._environment, "session/update", body, seconds=self._patience).whole()
            return monotonic() - called

        took = patiently(attempt, self._patience, self._say)
        self._was_there = True
        return took

    def _say(self, error: Exception, wait: float) -> None:
        self.errors += 1
        if isinstance(error, NoConnection) and not self._was_there:
            raise error
        self._live.tell(f"m1: {visible(str(error))}; again in {wait:g} s")

    def _body(self, changes: Sequence[Change]) -> bytes:
        """Give an update as JSON; ids that leave never come again, so their order is kept."""
        upserts = b",".join(change.item for change in changes if change.item is not None)
        gone = json.dumps([change.id for change in changes if change.item is None]).encode()
        op = b'{"upsert":[%b],"delete":%b}' % (upserts, gone)
        return b'{"store":%b,"ops":[%b]}' % (self._store, op)
