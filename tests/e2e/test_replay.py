"""26,828 events of a real shop replayed as sessions, and queries counted by a plain loop.

The events are not part of the product: without `../shared/data/ubi-events.zip` this is
skipped. What is expected is computed here from the events alone, by other code than ours.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.serving import Server, serving

ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "ubi-events.zip"
KEY = "event_attributes.session_id"
CONNECTIONS = 16

Item = dict[str, Any]

pytestmark = pytest.mark.skipif(
    not ARCHIVE.is_file(), reason=f"the events to replay are not there: {ARCHIVE}"
)


class Replayed(NamedTuple):
    """The server after the last event, and the last event of every session."""

    server: Server
    sessions: dict[str, Item]


def events() -> Iterator[tuple[str, str]]:
    """Yield the session and the JSON text of each event, in order."""
    with zipfile.ZipFile(ARCHIVE) as archive, archive.open(archive.namelist()[0]) as lines:
        for line in lines:
            index, _, text = line.decode().rstrip("\r\n").partition("\t")
            if index == "ubi_events":
                yield json.loads(text)["event_attributes"]["session_id"], text


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """Send one update an event; those of a session one after the other."""
    parts: list[list[str]] = [[] for _ in range(CONNECTIONS)]
    part_of: dict[str, list[str]] = {}
    last: dict[str, str] = {}
    for session, text in events():
        part_of.setdefault(session, parts[len(part_of) % CONNECTIONS]).append(text)
        last[session] = text
    assert sum(map(len, parts)) == 26_828
    with serving(tmp_path_factory.mktemp("replay")) as server:
        server.log_in()
        added = server.call("session/add", store="ubi", key=KEY, shards=1, replicas=1)
        assert added.status == 204
        refused: list[object] = []
        threads = [threading.Thread(target=_send, args=(server, part, refused)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert refused == []
        yield Replayed(server, {session: json.loads(text) for session, text in last.items()})


def _send(server: Server, texts: list[str], refused: list[object]) -> None:
    url = urlsplit(server.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    headers = {"m1-auth-token": server.token, "Content-Type": "application/json"}
    try:
        for text in texts:
            body = f'{{"store": "ubi", "ops": [{{"upsert": [{text}]}}]}}'.encode()
            connection.request("POST", "/session/update", body, headers)
            answer = connection.getresponse()
            answered = answer.read()
            if answer.status != 204:
                refused.append((answer.status, answered, text))
                return
    except (OSError, http.client.HTTPException) as error:
        refused.append(error)
    finally:
        connection.close()


# --- what a plain loop finds ----------------------------------------------------------------


def values(item: Any, path: str) -> list[Any]:
    """Give all values at a path that are not null, lists entered, keys with dots as well."""
    if isinstance(item, list):
        return [value for member in item for value in values(member, path)]
    if path == "":
        return [] if item is None or isinstance(item, dict) else [item]
    if not isinstance(item, dict):
        return []
    found = []
    for key, below in item.items():
        if path == key:
            found += values(below, "")
        elif path.startswith(f"{key}."):
            found += values(below, path[len(key) + 1 :])
    return found


def text(value: Any) -> str:
    """Give a value as text; no event has a number whose text would need more care."""
    return value if isinstance(value, str) else json.dumps(value)


def some(path: str, fits: Callable[[Any], bool]) -> Callable[[Item], bool]:
    """Tell whether one of the values at a path fits."""
    return lambda item: any(fits(value) for value in values(item, path))


def equal(path: str, *wanted: str) -> Callable[[Item], bool]:
    """Tell whether one of the values at a path is one of these texts."""
    return some(path, lambda value: text(value) in wanted)


def number(path: str, fits: Callable[[float], bool]) -> Callable[[Item], bool]:
    """Tell whether one of the numbers at a path fits."""
    return some(path, lambda value: type(value) in (int, float) and fits(value))


def matching(path: str, pattern: str) -> Callable[[Item], bool]:
    """Tell whether the text of one of the values at a path matches wholly."""
    return some(path, lambda value: re.fullmatch(pattern, text(value), re.DOTALL) is not None)


def distance(left: str, right: str) -> int:
    """Count the changes between two texts, where swapping neighbours is one."""
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            row.append(min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (a != b)))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                row[j] = min(row[j], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]


def ms(moment: str) -> int:
    """Give an instant in epoch milliseconds."""
    return round(dt.datetime.fromisoformat(moment).timestamp() * 1_000)


def ordered(items: list[Item], sort: str | None) -> list[Item]:
    """Sort as the contract says: numbers, texts, nothing; then by identity."""
    items = sorted(items, key=lambda item: values(item, KEY)[0])
    for key in reversed(sort.split(",") if sort else []):
        path, direction = key.split()
        items = _ordered_by(items, path, direction == "desc")
    return items


def _ordered_by(items: list[Item], path: str, turned: bool) -> list[Item]:
    best: Callable[[list[Any]], Any] = max if turned else min
    numbers, texts, without = [], [], []
    for item in items:
        found = values(item, path)
        as_numbers = [value for value in found if type(value) in (int, float)]
        if as_numbers:
            numbers.append((best(as_numbers), item))
        elif found:
            texts.append((best([text(value)[:256] for value in found]), item))
        else:
            without.append(item)
    for group in (numbers, texts):
        group.sort(key=lambda pair: pair[0], reverse=turned)  # stays stable when reversed
    return [*[item for _, item in numbers], *[item for _, item in texts], *without]


A = "event_attributes"
DETAIL = f"{A}.object.object_detail"
STOPS = f"{A}.object.startStopTimes"
URL = "http://137.184.176.129:4000/docs/latest/"
PURCHASE = equal("action_name", "purchase")


class Case(NamedTuple):
    """A query, what it should find, and which page of it in which order."""

    q: str
    fits: Callable[[Item], bool]
    sort: str | None = None
    start: int = 0
    rows: int = 1_000


CASES = [
    Case("*", lambda item: True),
    Case("action_name:purchase", PURCHASE),
    Case(f"{A}.position.ordinal:7", equal(f"{A}.position.ordinal", "7")),
    Case(f'{DETAIL}.supplier:"Case Logic"', equal(f"{DETAIL}.supplier", "Case Logic")),
    Case(
        f"{DETAIL}.supplier:(HP OR Philips OR 3M) AND action_name:purchase",
        lambda item: equal(f"{DETAIL}.supplier", "HP", "Philips", "3M")(item) and PURCHASE(item),
    ),
    Case(f"{DETAIL}.isTrusted:true", equal(f"{DETAIL}.isTrusted", "true")),
    Case(
        "timestamp:[1717527800000 TO 1717527850000}",
        number("timestamp", lambda n: 1717527800000 <= n < 1717527850000),
    ),
    Case(
        "timestamp:[2024-06-04T19:03:00Z TO 2024-06-04T19:04:30.5Z]",
        number(
            "timestamp",
            lambda n: ms("2024-06-04T19:03:00+00:00") <= n <= ms("2024-06-04T19:04:30.500+00:00"),
        ),
        "timestamp desc",
    ),
    Case(
        'timestamp:>"2024-06-04T19:00:00Z/HOUR+6MINUTES"',
        number("timestamp", lambda n: n > ms("2024-06-04T19:06:00+00:00")),
    ),
    Case(
        f"{DETAIL}.date_released:[2005-01-01 TO 2007-12-31]",
        some(f"{DETAIL}.date_released", lambda value: "2005" <= str(value) < "2008"),
        f"{DETAIL}.date_released asc",
    ),
    Case(f"{DETAIL}.price:[1000 TO *]", number(f"{DETAIL}.price", lambda n: n >= 1_000)),
    Case(f"{DETAIL}.price:(>=1000 AND <5000)", number(f"{DETAIL}.price", lambda n: 1e3 <= n < 5e3)),
    Case(f"{A}.position.x:{{-100 TO 100}}", number(f"{A}.position.x", lambda n: -100 < n < 100)),
    Case(f"{A}.position.x:-103", equal(f"{A}.position.x", "-103")),
    Case(f"{A}.dwell_time:[20.5 TO 30]", number(f"{A}.dwell_time", lambda n: 20.5 <= n <= 30)),
    Case(f"{A}.ip:[1 TO 2}}", number(f"{A}.ip", lambda n: False)),
    Case(f"{A}.ip:[10.a TO 2}}", some(f"{A}.ip", lambda value: "10.a" <= value < "2")),
    Case("message:Sorting*", matching("message", "Sorting.*")),
    Case(r"message:Sorting\ on\ *price*", matching("message", "Sorting on .*price.*")),
    Case(f"{A}.ip:1??.*.1?", matching(f"{A}.ip", r"1..\..*\.1.")),
    Case(f"{A}.browser:*Linux*", matching(f"{A}.browser", ".*Linux.*")),
    Case(
        rf"{A}.page_id:/\/[a-m][a-z]+\/[^.]*\.(mp3|wav|css)/",
        matching(f"{A}.page_id", r"/[a-m][a-z]+/[^.]*\.(mp3|wav|css)"),
    ),
    Case(f"{A}.ip:/[0-9]{{1,2}}(\\.[0-9]{{2}}){{3}}/", matching(f"{A}.ip", r"\d{1,2}(\.\d\d){3}")),
    Case(
        f"{DETAIL}.supplier:Philpis~1",
        some(f"{DETAIL}.supplier", lambda value: distance("Philpis", value) <= 1),
    ),
    Case("action_name:on_seerch~", some("action_name", lambda v: distance("on_seerch", v) <= 2)),
    Case("NOT action_name:purchase", lambda item: not PURCHASE(item)),
    Case(
        "message_type:CONVERSION -action_name:purchase",
        lambda item: equal("message_type", "CONVERSION")(item) and not PURCHASE(item),
    ),
    Case(f"{A}.result_count:*", some(f"{A}.result_count", lambda value: True)),
    Case(f"{A}.object:*", lambda item: "object" in item[A]),
    Case(
        f"{A}.object:* AND NOT {DETAIL}:*",
        lambda item: "object" in item[A] and "object_detail" not in item[A]["object"],
    ),
    Case(f"{A}.object.timeElapsedCallbacks:*", lambda item: False),
    Case(f"{A}.position.trail:*.mp3", matching(f"{A}.position.trail", r".*\.mp3")),
    Case(
        f"{A}.position.trail:*.mp3 AND {A}.position.trail:*.wav",
        lambda item: (
            matching(f"{A}.position.trail", r".*\.mp3")(item)
            and matching(f"{A}.position.trail", r".*\.wav")(item)
        ),
    ),
    Case(f'{A}.object.ancestors:"k-NN search"', equal(f"{A}.object.ancestors", "k-NN search")),
    Case(
        STOPS + r".http\:\/\/137.184.176.129\:4000\/docs\/latest\/.startTime:*",
        some(f"{STOPS}.{URL}.startTime", lambda value: True),
    ),
    Case(
        STOPS + r"./docs/latest/.stopTime:[2024-06-03T16:22:40Z TO 2024-06-03T16:22:41Z]",
        some(f"{STOPS}./docs/latest/.stopTime", lambda value: "16:22:40" in value),
    ),
    Case(f"{STOPS}:*", some(f"{STOPS}./docs/latest/.stopTime", lambda value: True)),
    Case("*", lambda item: True, "timestamp asc"),
    Case("*", lambda item: True, "timestamp desc"),
    Case("*", lambda item: True, f"{A}.position.ordinal asc"),
    Case("*", lambda item: True, f"{A}.position.ordinal desc"),
    Case("*", lambda item: True, f"{A}.position.trail asc"),
    Case("*", lambda item: True, f"{A}.position.trail desc"),
    Case("*", lambda item: True, f"action_name asc, {A}.position.ordinal desc, timestamp asc"),
    Case("*", lambda item: True, f"{DETAIL}.supplier desc, {DETAIL}.price asc"),
    Case("message_type:INFO", equal("message_type", "INFO"), "message desc", start=13, rows=29),
    Case("message_type:INFO", equal("message_type", "INFO"), None, start=420, rows=100),
    Case("message_type:INFO", equal("message_type", "INFO"), None, start=5_000),
]


def found(server: Server, **parameters: Any) -> Any:
    """Query the events."""
    reply = server.call("session/query", store="ubi", **parameters)
    assert reply.status == 200, reply.text
    return reply.json


def test_the_store_holds_the_last_event_of_each_session(replayed: Replayed) -> None:
    answer = found(replayed.server, q="*", rows=1_000_000)
    assert answer["count"] == len(answer["items"]) == 996
    for item in answer["items"]:
        added = item.pop("_m1")
        assert set(added) == {"ip", "receivedUTC", "session"}
        assert added["ip"] == "127.0.0.1"
        assert added["receivedUTC"] <= added["session"]["lastUpdated"]
    assert {item[A]["session_id"]: item for item in answer["items"]} == replayed.sessions


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.q} by {case.sort}")
def test_a_query_finds_what_a_plain_loop_finds(replayed: Replayed, case: Case) -> None:
    expected = [item for item in replayed.sessions.values() if case.fits(item)]
    page = ordered(expected, case.sort)[case.start : case.start + case.rows]
    sort = {} if case.sort is None else {"sort": case.sort}
    answer = found(replayed.server, q=case.q, start=case.start, rows=case.rows, **sort)
    assert answer["count"] == len(expected)
    assert [item[A]["session_id"] for item in answer["items"]] == [
        item[A]["session_id"] for item in page
    ]


def test_few_of_the_queries_find_nothing(replayed: Replayed) -> None:
    empty = [case.q for case in CASES if not any(map(case.fits, replayed.sessions.values()))]
    assert empty == [f"{A}.ip:[1 TO 2}}", f"{A}.object.timeElapsedCallbacks:*"]


def test_pages_neither_overlap_nor_skip(replayed: Replayed) -> None:
    for sort in ("action_name desc", "message_type asc"):
        whole = found(replayed.server, q="*", sort=sort, rows=1_000)["items"]
        pages = [
            found(replayed.server, q="*", sort=sort, start=start, rows=70)["items"]
            for start in range(0, 1_000, 70)
        ]
        assert [item for page in pages for item in page] == whole


def test_updates_are_timed_in_the_order_in_which_they_were_applied(replayed: Replayed) -> None:
    path = "_m1.session.lastUpdated"
    items = found(replayed.server, q="*", sort=f"{path} asc", rows=1_000)["items"]
    times = [item["_m1"]["session"]["lastUpdated"] for item in items]
    assert times == sorted(times)
