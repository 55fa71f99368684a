"""Where an address is, from MaxMind's City database for tests (see tests/data/README.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Server, serving

DATABASE = Path(__file__).parent.parent / "data" / "GeoLite2-City-Test.mmdb"

BOXFORD = {
    "continent_code": "EU",
    "continent_name": "Europe",
    "country_iso_code": "GB",
    "country_name": "United Kingdom",
    "subdivision_1_iso_code": "ENG",
    "subdivision_1_name": "England",
    "subdivision_2_iso_code": "WBK",
    "subdivision_2_name": "West Berkshire",
    "city_name": "Boxford",
    "postal_code": "OX1",
    "time_zone": "Europe/London",
    "latitude": 51.75,
    "longitude": -1.25,
    "accuracy_radius": 100,
    "position": "51.75,-1.25",
    "network": "2.125.160.216/29",
    "geoname_id": 2655045,
    "registered_country_geoname_id": 3017382,
    "locale_code": "en",
    "is_in_european_union": False,
    "is_anonymous_proxy": False,
    "is_satellite_provider": False,
}
FIELDS = {*BOXFORD, "metro_code"}
TEXTS = {name for name, value in BOXFORD.items() if isinstance(value, str)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the database, that believes a proxy on this machine."""
    flags = ("--geo", str(DATABASE), "--trusted-proxies", "127.0.0.0/8")
    with serving(tmp_path_factory.mktemp("geo"), *flags) as started:
        started.add_stash()
        yield started


def stored(server: Server, item: dict[str, Any], address: str | None = None) -> dict[str, Any]:
    """Upsert an item, from another address if one is given; gives it as it is stored."""
    token, headers = server.token, {}
    if address is not None:
        login: dict[str, Any] = {"username": "admin", "ip": "..."}
        token, headers = server.call("auth", **login).text, {"X-Forwarded-For": address}
    ops = json.dumps([{"upsert": [{**item, "session": {"id": "s1"}}]}])
    reply = server.call("session/update", None, token, headers, store="stash", ops=ops)
    assert reply.status == 204, reply.text
    (found,) = server.call("session/query", store="stash", q="session.id:s1").json["items"]
    assert isinstance(found, dict)
    return found


def geo(server: Server, address: str) -> Any:
    """Give what is added to an item that brings an address, None where nothing is."""
    return stored(server, {"_m1": {"ip": address}})["_m1"].get("geo")


def test_every_field_of_an_address_is_there(server: Server) -> None:
    assert geo(server, "2.125.160.216") == BOXFORD


def test_the_metro_code_is_there_where_there_is_one(server: Server) -> None:
    found = geo(server, "216.160.83.56")
    assert set(found) == FIELDS
    assert found["metro_code"] == 819
    assert found["city_name"] == "Milton"
    assert found["subdivision_2_name"] == found["subdivision_2_iso_code"] == ""


def test_a_name_outside_ascii_is_kept(server: Server) -> None:
    found = geo(server, "89.160.20.112")
    assert (found["city_name"], found["subdivision_1_name"]) == ("Linköping", "Östergötland County")
    assert found["is_in_european_union"] is True


def test_missing_texts_are_empty_and_missing_numbers_absent(server: Server) -> None:
    found = geo(server, "67.43.156.1")
    assert found["country_name"] == "Bhutan"
    assert FIELDS - set(found) == {"metro_code"}
    assert {name for name in TEXTS if found[name] == ""} == {
        "subdivision_1_iso_code",
        "subdivision_1_name",
        "subdivision_2_iso_code",
        "subdivision_2_name",
        "city_name",
        "postal_code",
    }
    assert None not in found.values()
    assert found["network"] == "67.43.156.0/24"


@pytest.mark.parametrize(
    ("address", "network", "country"),
    [("2001:218::1", "2001:218::/32", "JP"), ("2001:250:0:1::", "2001:250::/31", "CN")],
)
def test_an_ipv6_address_is_looked_up_too(
    server: Server, address: str, network: str, country: str
) -> None:
    found = geo(server, address)
    assert (found["network"], found["country_iso_code"]) == (network, country)
    assert found["time_zone"] == ("Asia/Tokyo" if country == "JP" else "")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "::1", "no address", "", "2.125.160.216/29", "999.1.1.1"]
)
def test_an_address_that_is_not_in_the_database_has_no_geo(server: Server, address: str) -> None:
    item = stored(server, {"_m1": {"ip": address}})
    assert set(item["_m1"]) == {"ip", "receivedUTC", "session"}
    assert item["_m1"]["ip"] == address


@pytest.mark.parametrize("address", [None, 7, ["2.125.160.216"], {"v4": "2.125.160.216"}])
def test_an_ip_that_is_no_text_is_kept_and_has_no_geo(server: Server, address: object) -> None:
    item = stored(server, {"_m1": {"ip": address}})
    assert item["_m1"]["ip"] == address
    assert "geo" not in item["_m1"]


def test_the_address_of_the_caller_is_looked_up(server: Server) -> None:
    item = stored(server, {}, address="2.125.160.217")
    assert item["_m1"]["ip"] == "2.125.160.217"
    assert item["_m1"]["geo"] == BOXFORD


def test_the_items_own_ip_goes_before_the_callers(server: Server) -> None:
    item = stored(server, {"_m1": {"ip": "216.160.83.57"}}, address="2.125.160.217")
    assert item["_m1"]["geo"]["city_name"] == "Milton"


@pytest.mark.parametrize("own", [{"city_name": "Atlantis"}, {}, "somewhere"])
def test_the_items_own_geo_is_kept(server: Server, own: object) -> None:
    item = stored(server, {"_m1": {"ip": "2.125.160.216", "geo": own}})
    assert item["_m1"]["geo"] == own


def test_geo_can_be_queried_and_sorted_by(server: Server) -> None:
    addresses = {"a": "2.125.160.216", "b": "216.160.83.56", "c": "89.160.20.112"}
    items = [{"session": {"id": id}, "_m1": {"ip": ip}} for id, ip in addresses.items()]
    server.call("session/update", store="stash", ops=json.dumps([{"upsert": items}]))

    def ids(q: str) -> list[str]:
        sort = "_m1.geo.longitude asc"
        found = server.call("session/query", store="stash", q=q, sort=sort).json["items"]
        return [item["session"]["id"] for item in found if item["session"]["id"] in addresses]

    assert ids("_m1.geo.city_name:Linköping") == ["c"]
    assert ids("_m1.geo.latitude:[50 TO 60]") == ["a", "c"]
    assert ids("_m1.geo:*") == ["b", "a", "c"]
    assert ids("_m1.geo.is_in_european_union:true") == ["c"]
    assert ids("_m1.geo.metro_code:*") == ["b"]


def test_the_setting_property_ip_says_where_the_address_is(server: Server) -> None:
    server.call("system/property-ip", value="client.address")
    try:
        item = stored(server, {"client": {"address": "2.125.160.216"}})
        assert item["_m1"]["geo"] == BOXFORD
        assert "ip" not in item["_m1"]
        assert stored(server, {})["client"] == {"address": "127.0.0.1"}
    finally:
        server.call("system/property-ip", value="_m1.ip")


def test_the_setting_geo_turns_it_off_and_on(server: Server) -> None:
    try:
        assert server.call("system/geo", value="false").status == 204
        assert geo(server, "2.125.160.216") is None
    finally:
        assert server.call("system/geo", value="true").status == 204
    assert geo(server, "2.125.160.216") == BOXFORD


def test_health_names_the_database(server: Server) -> None:
    part = server.call("health").json["geo"]
    assert part["status"] == "PASSED"
    assert "GeoLite2-City" in part["message"]


def test_without_a_database_there_is_no_geo(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.log_in()
        server.call("session/add", store="stash", shards=1, replicas=1)
        assert geo(server, "2.125.160.216") is None
