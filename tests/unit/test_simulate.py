"""The made-up visitors: the seed decides, the day is followed, nobody is lost."""

from __future__ import annotations

import ipaddress
import json
import zoneinfo
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any

import pytest

from m1.errors import Misuse
from m1.simulate.addresses import place
from m1.simulate.cities import BUSIEST, CITIES, CONTINENTS, COUNTRIES, any_city, busy, is_awake
from m1.simulate.pace import Figures, Pace
from m1.simulate.site import Change, Site
from m1.simulate.wishes import Wishes, read_wishes

NOON = 1_790_000_000_000
MANY = 8_000
EVENTS = {"arrive", "home", "category", "search", "product", "add", "remove", "cart"} | {
    *("checkout", "buy", "play", "heartbeat", "idle", "back", "leave")
}


def happened(site: Site, events: int, rate: float = 50.0) -> list[Change]:
    """Give those who were there first, and what happened then."""
    first = list(site.opening(NOON))
    return first + [site.next(NOON + int(number / rate * 1_000)) for number in range(events)]


@pytest.fixture(scope="module")
def changes() -> list[Change]:
    """What happens on a site with 300 visitors."""
    return happened(Site(7, 300, 50.0), MANY)


@pytest.fixture(scope="module")
def items(changes: list[Change]) -> list[Any]:
    """The items that were put."""
    return [json.loads(change.item) for change in changes if change.item is not None]


def test_the_same_seed_makes_the_same_visitors_do_the_same_things(changes: list[Change]) -> None:
    assert happened(Site(7, 300, 50.0), 2_000) == changes[:2_300]
    assert happened(Site(8, 300, 50.0), 2_000) != changes[:2_300]


def test_when_it_was_started_changes_nothing_but_the_times() -> None:
    def acts(at: int) -> list[tuple[str, str]]:
        site = Site(7, 50, 50.0)
        there = [change[:2] for change in site.opening(at)]
        return there + [site.next(at)[:2] for _ in range(1_000)]

    assert acts(NOON) == acts(NOON + 40_000_000)


def test_everybody_who_came_has_left_or_is_there() -> None:
    site, there = Site(3, 100, 50.0), set[str]()
    for change in happened(site, 5_000):
        if change.item is None:
            there.remove(change.id)
        else:
            assert (change.id in there) == (change.event != "arrive")
            there.add(change.id)
    assert site.came - site.left == site.on_site == len(there)
    assert site.left > 100


def test_about_as_many_are_there_as_were_asked_for() -> None:
    site = Site(5, 300, 50.0)
    assert len(list(site.opening(NOON))) == 300
    for _ in range(100):
        for _ in range(100):
            site.next(NOON)
        assert 240 < site.on_site < 360


@pytest.mark.parametrize(("visitors", "rate"), [(1, 0.1), (1, 1_000.0), (1_000, 1.0)])
def test_any_size_and_rate_will_do(visitors: int, rate: float) -> None:
    site = Site(1, visitors, rate)
    happened(site, 500, rate)
    assert 0 < site.on_site < 2 * visitors + 10


def test_visitors_come_by_the_hour_where_they_live() -> None:
    """Over many days, of those who come from a city as many come at an hour as it is busy."""
    rng, came = Random(1), Counter[int]()
    for _ in range(100_000):
        city, utc = any_city(rng), rng.random() * 24
        if is_awake(city, utc, rng):
            came[int(city.local_hour(utc))] += 1
    for hour in range(24):
        share = came[hour] / came.total() * 24
        assert share == pytest.approx(busy(hour + 0.5), rel=0.15)
    assert sum(map(busy, range(24))) == pytest.approx(24)
    assert max(map(busy, range(24))) == pytest.approx(BUSIEST)


def test_when_a_day_passes_faster_each_city_has_its_evening_and_its_night() -> None:
    """So many more come between 18 and 23 hours where they live than between 1 and 6."""
    day, rate = 24 * 3_600 / 2_000, 250.0
    site, named = Site(2, 30, rate, speed=2_000.0), {city.name: city for city in CITIES}
    list(site.opening(NOON))
    came = Counter[int]()
    for number in range(int(rate * day * 2)):
        change = site.next(NOON)
        if change.event == "arrive" and change.item is not None:
            city = named[json.loads(change.item)["_m1"]["geo"]["city_name"]]
            came[int(city.local_hour(10.5 + number / rate / day * 24))] += 1
    evening = sum(came[hour] for hour in range(18, 23))
    night = sum(came[hour] for hour in range(1, 6))
    assert came.total() > 500
    assert evening > 4 * night


def test_items_are_deep_and_of_half_a_kilobyte_to_two(changes: list[Change]) -> None:
    sizes = [len(change.item) for change in changes if change.item is not None]
    assert min(sizes) > 500
    assert max(sizes) < 2_048


def test_every_item_has_the_key_of_its_change(changes: list[Change]) -> None:
    for change in changes:
        if change.item is not None:
            assert json.loads(change.item)["session"]["id"] == change.id


def test_every_kind_of_event_happens_and_is_what_the_item_says(changes: list[Change]) -> None:
    kinds = Counter(change.event for change in changes)
    assert set(kinds) == EVENTS
    for change in changes[300:2_000]:
        if change.item is not None:
            assert json.loads(change.item)["event"]["type"] == change.event


def test_lists_in_items_are_bounded_and_sums_are_right(items: list[Any]) -> None:
    for item in items:
        cart = item.get("cart", [])
        assert len(cart) <= 4
        assert len(item["history"]) <= 4
        shown = round(sum(line["qty"] * line["price"] for line in cart), 2)
        assert item["spend"]["cart"] == shown


def test_idle_visitors_were_seen_before_they_went_idle(items: list[Any]) -> None:
    assert {item["session"]["state"] for item in items} == {"active", "idle"}
    seen: dict[str, str] = {}
    for item in items:
        id, state = item["session"]["id"], item["session"]["state"]
        if state == "idle":
            assert item["seen"] == seen[id]
        seen[id] = item["seen"]


def test_addresses_look_public_and_say_where_they_are() -> None:
    rng, versions = Random(1), Counter[int]()
    for city in CITIES:
        for _ in range(50):
            there = place(city, rng)
            address = ipaddress.ip_address(there["ip"])
            versions[address.version] += 1
            assert address.is_global, address
            assert address in ipaddress.ip_network(there["geo"]["network"])
            assert there["geo"]["city_name"] == city.name
            assert there["geo"]["position"] == f"{city.latitude},{city.longitude}"
    assert versions[4] > versions[6] > 0


def test_a_city_lies_where_its_time_zone_and_continent_are() -> None:
    assert len(CITIES) >= 60
    assert len({city.name for city in CITIES}) == len(CITIES)
    summer = datetime(2026, 7, 1, tzinfo=UTC)
    for city in CITIES:
        offset = zoneinfo.ZoneInfo(city.time_zone).utcoffset(summer)
        assert offset is not None
        assert abs(offset.total_seconds() / 3_600 - city.longitude / 15) < 3, city
        assert COUNTRIES[city.country][1] in CONTINENTS
        assert -40 < city.latitude < 61


def test_the_same_user_has_the_same_name_each_time(items: list[Any]) -> None:
    signed_in = [item["user"] for item in items if item["user"]["signedIn"]]
    assert len({user["id"] for user in signed_in}) == len(
        {json.dumps(user, sort_keys=True) for user in signed_in}
    )


def test_what_is_more_than_a_second_late_is_given_up_and_said() -> None:
    pace = Pace(100.0)
    figures = Figures(pace)
    assert pace.due(0.5) == 50
    figures.answered(50, 0.004)
    assert "CANNOT KEEP UP" not in figures.newest()
    assert pace.due(4.5) == 100
    figures.answered(100, 0.012)
    assert pace.due(4.75) == 25
    line = figures.newest()
    assert "24 of 100 events/s (CANNOT KEEP UP: 300 events left out)" in line
    assert "p99 12.0 ms" in line
    assert "CANNOT KEEP UP" in figures.whole()


def test_a_slow_rate_is_kept_too() -> None:
    pace = Pace(0.5)
    assert [pace.due(second) for second in (1, 2)] == [0, 1]


def test_what_is_asked_for_is_read_and_the_seed_is_drawn() -> None:
    asked = {"visitors": "9", "rate": "2.5", "seconds": "3", "seed": "1", "speed": "60"}
    assert read_wishes({"store": "s", **asked}) == Wishes("s", 9, 2.5, 3.0, 1, 60.0)
    assert len({read_wishes({}).seed for _ in range(5)}) > 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("visitors", "0"),
        ("visitors", "ten"),
        ("visitors", "1.5"),
        ("rate", "0"),
        ("rate", "nan"),
        ("rate", "fast"),
        ("seconds", "-1"),
        ("seed", "-1"),
        ("speed", "inf"),
        ("colour", "red"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(Misuse, match=f"-{name}"):
        read_wishes({name: value})


def test_the_opening_is_made_as_it_is_sent() -> None:
    """A million visitors are not made before the first of them is sent."""
    site = Site(1, 1_000_000, 50.0)
    assert len(list(islice(site.opening(NOON), 10))) == 10
    assert site.came == 10
