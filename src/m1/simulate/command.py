"""`m1 simulate`: the visitors of a site, act by act, written to a store of a real server."""

from __future__ import annotations

import contextlib
import itertools
from time import monotonic, sleep, time_ns

from m1.advice import advised
from m1.counts import counted
from m1.environments import Environment
from m1.errors import Forbidden, M1Error, NotFound
from m1.progress import Live, Progress
from m1.simulate.pace import Figures, Pace
from m1.simulate.sending import Sender
from m1.simulate.site import Site
from m1.simulate.wishes import Wishes

USAGE = """\
m1 simulate <environment> [-store stash] [-visitors 300] [-rate 50] [-seconds S] ...

Writes the live sessions of made-up visitors to a store: they come by the hour of the day where
they live, look around, play, fill carts, buy, go idle and leave, when their session is deleted.

  -visitors  are on the site on the average of a day, and so many when it starts
  -rate      events a second, each an upsert or a delete, sent ten times a second
  -seconds   how long; without it until Ctrl-C
  -seed      the same seed, visitors, rate and speed make the same visitors do the same things
  -speed     how much faster a day passes for those who come

The right needed: sessionUpdate. The store has to be there: m1 <environment> session/add."""

_TICK_SECONDS = 0.1
_TOLD_SECONDS = 1.0
_MOST_AT_ONCE = 1_000
_PATIENCE_SECONDS = 30.0


def simulate(
    name: str, environment: Environment, wishes: Wishes, patience: float = _PATIENCE_SECONDS
) -> str:
    """Simulate until the time is over or Ctrl-C; gives one line that sums it up.

    Raises the server's own refusals with the way on, and NoConnection where the server is
    not there, or was away for `patience` seconds.
    """
    live = Live()
    run = _Run(wishes, Sender(environment, wishes.store, live, patience), live)
    live.tell(
        f"seed {wishes.seed}: {counted(wishes.visitors, 'visitor')} and {wishes.rate:,g} events/s "
        f"for the store {wishes.store} of {name}; Ctrl-C ends it"
    )
    try:
        with contextlib.suppress(KeyboardInterrupt):
            run.open()
            run.go()
    except M1Error as error:
        raise advised(error, name, _ways_on(name, wishes.store)) from None
    finally:
        live.end()
    return run.summary()


class _Run:
    """One simulation on its way: what is due is made to happen and sent, tick by tick."""

    def __init__(self, wishes: Wishes, sender: Sender, live: Live) -> None:
        self._wishes = wishes
        self._sender = sender
        self._live = live
        self._site = Site(wishes.seed, wishes.visitors, wishes.rate, wishes.speed)
        self._pace = Pace(wishes.rate)
        self._figures = Figures(self._pace)
        self._begun: float | None = None
        self._told = 0.0

    def open(self) -> None:
        """Send those who are there at the start."""
        wanted = self._wishes.visitors
        progress = Progress(self._live.tell, wanted, "visitor", "on site")
        opening = self._site.opening(_now())
        for low in range(0, wanted, _MOST_AT_ONCE):
            self._sender.send(list(itertools.islice(opening, _MOST_AT_ONCE)))
            progress.at(min(low + _MOST_AT_ONCE, wanted))

    def go(self) -> None:
        """Have events happen at the rate, until the time is over."""
        self._begun = tick = monotonic()
        is_over = False
        while not is_over:
            due = self._pace.due(self._elapsed())
            events = min(due, _MOST_AT_ONCE)
            self._step(events)
            if events < due:  # late already: no rest, and no end before it is done
                continue
            is_over = self._pace.elapsed == self._wishes.seconds
            tick = max(tick + _TICK_SECONDS, monotonic())
            sleep(max(0, tick - monotonic()))

    def summary(self) -> str:
        """Say in one line what it came to."""
        self._pace.due(self._elapsed())
        self._figures.errors = self._sender.errors
        came = counted(self._site.came, "visitor")
        stay = counted(self._site.on_site, "session stays", "sessions stay")
        return (
            f"{self._figures.whole()}; {came} came, {self._site.left:,} left, {stay} in the "
            f"store {self._wishes.store}"
        )

    def _step(self, events: int) -> None:
        now = _now()
        if changes := [self._site.next(now) for _ in range(events)]:
            self._figures.answered(events, self._sender.send(changes))
        if self._pace.elapsed - self._told >= _TOLD_SECONDS:
            self._told = self._pace.elapsed
            self._figures.errors = self._sender.errors
            on_site = counted(self._site.on_site, "visitor")
            self._live.show(f"{on_site} on site, {self._figures.newest()}")

    def _elapsed(self) -> float:
        passed = 0.0 if self._begun is None else monotonic() - self._begun
        return min(passed, self._wishes.seconds)


def _now() -> int:
    return time_ns() // 1_000_000


def _ways_on(name: str, store: str) -> dict[type[M1Error], str]:
    return {
        Forbidden: f"log in as a user with the right sessionUpdate: m1 auth {name} -username ...",
        NotFound: f"to add it: m1 {name} session/add -store {store} -shards 1 -replicas 1",
    }
