"""The site: who comes, acts and leaves, in an order that the seed decides.

There is one event every 1/rate seconds. It is a visitor's leaving or coming where one is due,
and otherwise the next act of those who are there, in turn. How long visitors stay follows
from the rate, so that a visit has some 25 events at any size.

The day begins at 10:30 UTC, whenever the simulation is started: so the seed alone decides, and
the first hours are about as busy as the average of the day.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from m1.simulate.cities import BUSIEST, City, any_city, is_awake
from m1.simulate.visitors import Visitor

_EVENTS_OF_A_VISIT = 25
_FIRST_HOUR = 10.5
_IDLE_SHARE = 0.15  # of the mean stay: who is idle has done nothing for about so long when leaving
_COME_BACK = 0.2
_WITHOUT_RETURNS = 0.87  # of the mean stay: what coming back adds is left out
_ACTS_BEFORE = 12  # of those who are there at the start, at most


class Change(NamedTuple):
    """What an event does to the store: `item` is put under the id, or None: the id removed."""

    event: str
    id: str
    item: bytes | None


@dataclass(slots=True)
class _Stay:
    """A visitor who is there until a time, in seconds since the start."""

    visitor: Visitor
    until: float
    is_over: bool = False


class Site:
    """Visitors over simulated time; the same seed, size, rate and speed give the same ones.

    `visitors` are there on the average of a day, which passes `speed` times as fast as it
    should. Times that are passed in are epoch milliseconds, and go nowhere but into items.
    """

    def __init__(self, seed: int, visitors: int, rate: float, speed: float = 1.0) -> None:
        self.came = self.left = 0
        self._rng = Random(seed)
        self._visitors = visitors
        self._rate = rate
        self._speed = speed
        self._mean_stay = _EVENTS_OF_A_VISIT * visitors / rate
        self._happened = 0
        self._pushed = 0
        self._turn = 0.0
        self._acting: list[tuple[float, int, _Stay]] = []  # by whose turn it is
        self._staying: list[tuple[float, int, _Stay]] = []  # by who leaves next
        self._arrival, self._arrives_from = self._after(0.0)

    @property
    def on_site(self) -> int:
        """How many are there."""
        return self.came - self.left

    def opening(self, at: int) -> Iterator[Change]:
        """Have those come who are there when the simulation starts; some have been for long."""
        seconds_an_act = self._visitors / self._rate
        for _ in range(self._visitors):
            age = self._rng.expovariate(1 / self._mean_stay)
            acts = min(int(age / seconds_an_act), _ACTS_BEFORE)
            stay = self._arrive(at - int(age * 1_000), 0.0, self._awake())
            for left in range(acts, 0, -1):
                stay.visitor.act(at - int((left - self._rng.random()) * seconds_an_act * 1_000))
            yield Change("arrive", stay.visitor.id, stay.visitor.item())

    def next(self, at: int) -> Change:
        """Let the next event happen."""
        time = self._happened / self._rate
        self._happened += 1
        if self._staying and self._staying[0][0] <= time:
            return self._end(heapq.heappop(self._staying)[2], time, at)
        if self._arrival <= time:
            stay = self._arrive(at, time, self._arrives_from)
            self._arrival, self._arrives_from = self._after(self._arrival)
            return Change("arrive", stay.visitor.id, stay.visitor.item())
        return self._act(time, at)

    def _after(self, time: float) -> tuple[float, City]:
        """Draw when the next one comes after a time, and from where: cities that sleep send few."""
        candidates = BUSIEST * self._visitors / self._mean_stay
        while True:
            time += self._rng.expovariate(candidates)
            city = any_city(self._rng)
            if is_awake(city, self._hour(time), self._rng):
                return time, city

    def _awake(self) -> City:
        while True:
            city = any_city(self._rng)
            if is_awake(city, _FIRST_HOUR, self._rng):
                return city

    def _hour(self, time: float) -> float:
        return _FIRST_HOUR + time * self._speed / 3_600

    def _arrive(self, at: int, time: float, city: City) -> _Stay:
        self.came += 1
        length = self._rng.expovariate(1 / (_WITHOUT_RETURNS * self._mean_stay))
        stay = _Stay(Visitor(self._rng, city, at), time + length)
        self._push(stay)
        self._take_turn(stay)
        return stay

    def _push(self, stay: _Stay) -> None:
        self._pushed += 1
        heapq.heappush(self._staying, (stay.until, self._pushed, stay))

    def _take_turn(self, stay: _Stay) -> None:
        self._pushed += 1
        turn = self._turn + self._rng.expovariate(1)
        heapq.heappush(self._acting, (turn, self._pushed, stay))

    def _act(self, time: float, at: int) -> Change:
        while self._acting:
            self._turn, _, stay = heapq.heappop(self._acting)
            if stay.is_over:
                continue
            visitor = stay.visitor
            if time >= stay.until - _IDLE_SHARE * self._mean_stay:
                return Change(visitor.go_idle(at), visitor.id, visitor.item())
            self._take_turn(stay)
            return Change(visitor.act(at), visitor.id, visitor.item())
        stay = self._arrive(at, time, self._awake())
        return Change("arrive", stay.visitor.id, stay.visitor.item())

    def _end(self, stay: _Stay, time: float, at: int) -> Change:
        """Let somebody go whose time is over; some who were idle come back instead."""
        visitor = stay.visitor
        if visitor.is_idle and self._rng.random() < _COME_BACK:
            stay.until = time + self._rng.expovariate(2 / self._mean_stay)
            self._push(stay)
            self._take_turn(stay)
            return Change(visitor.come_back(at), visitor.id, visitor.item())
        stay.is_over = True
        self.left += 1
        return Change("leave", visitor.id, None)
