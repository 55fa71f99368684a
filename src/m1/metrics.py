"""What is measured: every metric of the server, for Prometheus to gather.

Counters and histograms are declared here, and counted where things happen. What is looked up
when somebody asks is declared in `readings`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from m1 import __version__
from m1.readings import READINGS, Measure, Reading

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""What `exposition` is written in."""

NO_ENDPOINT = "none"
"""The endpoint of requests that found none."""
GONE = "gone"
"""The status of requests whose client left before the answer began."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series each that nobody asks for

_registry = CollectorRegistry()  # ours alone: libraries register what they like in the usual one
ProcessCollector(registry=_registry)
Info("m1_build", "The version that runs.", registry=_registry).info({"version": __version__})

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_GROUPS = tuple(2**power for power in range(10))

# --- counted where it happens ---

_REQUESTS = Counter(
    "m1_requests",
    "Requests by endpoint and status; `none` is what found no endpoint, `gone` a client that was "
    "not there any more when its answer should have begun.",
    ["endpoint", "status"],
    registry=_registry,
)
_REQUEST_SECONDS = Histogram(
    "m1_request_seconds",
    "How long a request took from when all of it was there until its answer began.",
    ["endpoint"],
    buckets=(*_QUICK, 30.0),
    registry=_registry,
)
CONNECTIONS_OPEN = Gauge(
    "m1_connections_open", "Connections, as of the last second.", registry=_registry
)
STREAMS_OPEN = Gauge("m1_streams_open", "Answers that are being streamed.", registry=_registry)
STREAMS_BROKEN = Counter(
    "m1_streams_broken", "Streams that broke because of an error on our side.", registry=_registry
)
LOGINS_REFUSED = Counter(
    "m1_logins_refused",
    "Logins that were refused: `wrong` for the name or password, `delayed` as one of too many.",
    ["reason"],
    registry=_registry,
)
COMMIT_UPDATES = Histogram(
    "m1_commit_updates",
    "How many updates were made durable together, in one commit or one bulk of the cluster.",
    buckets=_GROUPS,
    registry=_registry,
)
COMMIT_SECONDS = Histogram(
    "m1_commit_seconds",
    "How long a commit took, or a bulk of the cluster.",
    buckets=_QUICK,
    registry=_registry,
)
REFRESH_WAIT_SECONDS = Histogram(
    "m1_refresh_wait_seconds",
    "How long a query waited for the cluster's refresh.",
    buckets=_QUICK,
    registry=_registry,
)


@cache
def requests_of(endpoint: str, status: int | str) -> Counter:
    """Give the counter of an endpoint's requests with a status."""
    return _REQUESTS.labels(endpoint, str(status))


@cache
def request_seconds_of(endpoint: str) -> Histogram:
    """Give the times of an endpoint's requests."""
    return _REQUEST_SECONDS.labels(endpoint)


# --- read when somebody asks ---


class _Read(Collector):
    """Measures as Prometheus' client wants them; what was not measured is left out."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self._measures: defaultdict[Reading, list[Measure]] = defaultdict(list)
        for measure in measures:
            self._measures[measure.reading].append(measure)

    def collect(self) -> Iterator[Metric]:
        for reading, measures in self._measures.items():
            family = GaugeMetricFamily(reading.name, reading.help, labels=reading.labels)
            for measure in measures:
                family.add_metric([] if measure.store is None else [measure.store], measure.value)
            yield family


def exposition(measures: Iterable[Measure]) -> str:
    """Give all there is in Prometheus' text format; takes some milliseconds, in any thread."""
    return (generate_latest(_registry) + generate_latest(_Read(measures))).decode()


class Declared(NamedTuple):
    """What is known of a metric before anything is measured."""

    name: str
    kind: str
    help: str


def declared() -> list[Declared]:
    """Give every metric there is, as it is called in a query."""
    kept = [
        Declared(metric.name + _SUFFIXES.get(metric.type, ""), metric.type, metric.documentation)
        for metric in _registry.collect()
    ]
    return kept + [Declared(reading.name, "gauge", reading.help) for reading in READINGS]


_SUFFIXES = {"counter": "_total", "info": "_info"}
