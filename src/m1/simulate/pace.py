"""How fast a simulation goes: what is due, and what was done, in figures."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from m1.counts import counted

_MOST_BEHIND_SECONDS = 1.0
_LATENCIES = 6_000


class _Seen(NamedTuple):
    """What there was at a time."""

    elapsed: float
    events: int
    updates: int
    given_up: int


class Pace:
    """Says how many events are due at a time; what is more than a second late is given up.

    So a server that is too slow, or away for a while, is not flooded afterwards, and what
    was not done is known. `elapsed` is the time in seconds at which it was asked last.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.elapsed = 0.0
        self.done = self.given_up = 0
        self._most = max(1, int(rate * _MOST_BEHIND_SECONDS))

    def due(self, elapsed: float) -> int:
        """Give how many events are to be done, so many seconds after the start."""
        self.elapsed = elapsed
        due = int(self.rate * elapsed) - self.done - self.given_up
        self.given_up += max(0, due - self._most)
        return min(due, self._most)


class Figures:
    """What was sent and how long the server took; a line of it for whoever watches."""

    def __init__(self, pace: Pace) -> None:
        self.errors = 0
        self._pace = pace
        self._updates = 0
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._before = _Seen(0.0, 0, 0, 0)

    def answered(self, events: int, seconds: float) -> None:
        """Take note of an update with so many events, answered after so many seconds."""
        self._pace.done += events
        self._updates += 1
        self._latencies.append(seconds)

    def newest(self) -> str:
        """Give the figures of the time since they were asked for last."""
        before, self._before = self._before, self._seen()
        return self._line(before)

    def whole(self) -> str:
        """Give the figures of all of it."""
        seen = self._seen()
        return (
            f"{counted(seen.events, 'event')} and {counted(seen.updates, 'update')} "
            f"in {seen.elapsed:,.1f} s: "
            f"{self._line(_Seen(0.0, 0, 0, 0))}"
        )

    def _seen(self) -> _Seen:
        pace = self._pace
        return _Seen(pace.elapsed, pace.done, self._updates, pace.given_up)

    def _line(self, since: _Seen) -> str:
        seen = self._seen()
        took = max(seen.elapsed - since.elapsed, 0.001)
        given_up = seen.given_up - since.given_up
        late = f" (CANNOT KEEP UP: {counted(given_up, 'event')} left out)" if given_up else ""
        ordered = sorted(self._latencies) or [0.0]
        middle, slow = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        return (
            f"{_number((seen.events - since.events) / took)} of {_number(self._pace.rate)} "
            f"events/s{late}, {counted(self.errors, 'error')}, "
            f"median {middle * 1e3:.1f} ms, p99 {slow * 1e3:.1f} ms, "
            f"{_number((seen.updates - since.updates) / took)} updates/s"
        )


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.1f}"
