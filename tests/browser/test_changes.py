"""Changing: items and stores, and what is offered to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OPEN_VIEW, VISITS
from tests.browser.viewing import View
from tests.browser.visits import put
from tests.serving import Server

pytestmark = pytest.mark.xdist_group("browser")


def stored(server: Server, store: str, q: str = "*") -> list[dict[str, object]]:
    """Give the items of a store as the server has them."""
    found: list[dict[str, object]] = server.call("session/query", store=store, q=q).json["items"]
    return found


@pytest.fixture
def own(views: OPEN_VIEW, shop: Server) -> Iterator[View]:
    """A view of a store called own, with two items, for one test alone."""
    shop.call("session/add", store="own", shards=1, replicas=1)
    put(shop, "own", {"session": {"id": "a"}, "n": 1}, {"session": {"id": "b"}, "n": 2})
    view = views()
    view.enter(store="own")
    view.finds(2)
    yield view
    view.leave()
    shop.call("session/drop", store="own")


def save(view: View, text: str) -> None:
    """Write an item in the editor and save it."""
    view.dialog.get_by_label("The item as JSON").fill(text)
    view.page.keyboard.press("Control+Enter")


# --- items ---


def test_an_item_is_edited_and_its_metadata_stay(own: View, shop: Server) -> None:
    before = stored(shop, "own", "session.id:a")[0]["_m1"]
    own.page.get_by_role("button", name="Open a").click()
    own.item.get_by_role("button", name="Edit").click()
    editor = own.dialog.get_by_label("The item as JSON")
    expect(editor).to_have_value(re.compile('"n": 1'))
    expect(editor).not_to_have_value(re.compile("lastUpdated"))
    save(own, editor.input_value().replace('"n": 1', '"n": 9007199254740993'))
    expect(own.item.get_by_text("9007199254740993")).to_be_visible()
    expect(own.page.get_by_text("a was saved.")).to_be_visible()
    after = stored(shop, "own", "n:9007199254740993")[0]["_m1"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (after["ip"], after["receivedUTC"]) == (before["ip"], before["receivedUTC"])
    assert after["session"] != before["session"]


def test_what_is_no_item_is_told_at_its_line_and_not_saved(own: View, shop: Server) -> None:
    own.page.keyboard.press("n")
    said = own.dialog.get_by_role("status")
    for text, problem in (
        ('{\n  "session": {"id": "c"},\n  "n": 01\n}', "Line 3, column 8: a value was expected"),
        ('{"session": {"id": "c"}, "n": 1, "n": 2}', 'the key "n" is there twice'),
        ('{"n": 1}', "The item needs a text or a whole number at session.id, its key."),
        ("[]", "An item is a map: { … }."),
    ):
        own.dialog.get_by_label("The item as JSON").fill(text)
        expect(said).to_contain_text(problem)
    own.dialog.get_by_role("button", name="Save").click()
    expect(own.dialog.get_by_role("alert")).to_be_visible()
    save(own, '{"session": {"id": "c"}}')
    own.finds(3)
    assert len(stored(shop, "own")) == 3


def test_a_change_by_somebody_else_is_not_overwritten_unasked(own: View, shop: Server) -> None:
    own.page.get_by_role("button", name="Open b").click()
    own.item.get_by_role("button", name="Edit").click()
    put(shop, "own", {"session": {"id": "b"}, "n": "theirs"})
    save(own, '{"session": {"id": "b"}, "n": "mine"}')
    problem = own.dialog.get_by_role("alert")
    expect(problem).to_contain_text("changed by somebody else meanwhile")
    assert stored(shop, "own", "session.id:b")[0]["n"] == "theirs"
    own.dialog.get_by_role("button", name="Save").click()
    expect(own.item.get_by_text("mine")).to_be_visible()


def test_an_item_that_changes_keeps_what_was_opened_of_it(own: View, shop: Server) -> None:
    put(shop, "own", {"session": {"id": "b"}, "deep": {"er": {"still": {"n": 1}}}})
    own.page.get_by_role("button", name="Open b").click()
    nodes = own.item.get_by_role("treeitem")
    nodes.filter(has_text="still").last.click()
    expect(own.item.get_by_text("1", exact=True)).to_be_visible()
    put(shop, "own", {"session": {"id": "b"}, "deep": {"er": {"still": {"n": 2}}}})
    own.page.get_by_role("button", name="Run").click()
    expect(own.item.get_by_text("2", exact=True)).to_be_visible()
    expect(own.item.locator(".chosen code")).to_have_text("deep.er.still")


def test_an_item_is_deleted_when_asked_twice(own: View, shop: Server) -> None:
    own.page.get_by_role("button", name="Open a").click()
    own.item.get_by_role("button", name="Delete").click()
    own.dialog.get_by_role("button", name="Cancel").click()
    assert len(stored(shop, "own")) == 2
    own.item.get_by_role("button", name="Delete").click()
    own.dialog.get_by_role("button", name="Delete").click()
    own.finds(1)
    expect(own.item).to_be_hidden()
    assert [item["session"] for item in stored(shop, "own")] == [{"id": "b"}]


# --- stores ---


def test_a_store_is_added_rekeyed_renamed_and_dropped(views: OPEN_VIEW, shop: Server) -> None:
    view = views(refusals=(404, 409))  # counts of what was dropped may be under way
    view.enter()
    view.finds(VISITS)
    view.page.get_by_role("button", name="+ Store").click()
    view.dialog.get_by_label("Name").fill("stash")
    view.page.keyboard.press("Enter")
    expect(view.dialog.get_by_role("alert")).to_contain_text("stash")
    view.dialog.get_by_label("Name").fill("visits")
    view.dialog.get_by_role("textbox", name="Key").fill("visit.id")
    view.page.keyboard.press("Enter")
    view.finds(0)
    change = view.page.get_by_role("button", name="Administer visits")
    change.click()
    view.dialog.get_by_role("button", name="Change the key").click()
    view.dialog.get_by_role("textbox", name="Key").fill("session.id")
    view.page.keyboard.press("Enter")
    expect(view.page.get_by_text("The key of visits is session.id now.")).to_be_visible()
    change.click()
    view.dialog.get_by_role("button", name="Rename").click()
    view.dialog.get_by_label("New name").fill("tours")
    view.page.keyboard.press("Enter")
    expect(view.page.get_by_text("visits is called tours now.")).to_be_visible()
    assert [each["name"] for each in shop.call("session/list").json] == ["stash", "tours"]
    view.page.get_by_role("button", name="Administer tours").click()
    view.dialog.get_by_role("button", name="Drop").click()
    view.dialog.get_by_label("Type tours to drop it").fill("tour")
    view.dialog.get_by_role("button", name="Drop").click()
    expect(view.dialog.get_by_role("alert")).to_contain_text("nothing was dropped")
    view.dialog.get_by_label("Type tours to drop it").fill("tours")
    view.dialog.get_by_role("button", name="Drop").click()
    view.finds(VISITS)
    assert [each["name"] for each in shop.call("session/list").json] == ["stash"]


# --- rights ---


@pytest.mark.parametrize(
    ("rights", "offered"),
    [
        ("get,sessionQuery", set()),
        ("get,sessionQuery,sessionUpdate", {"+ Item", "Edit", "Delete"}),
        ("admin,sessionQuery", {"+ Store", "Administer stash"}),
    ],
)
def test_what_the_server_would_refuse_is_not_offered(
    views: OPEN_VIEW, shop: Server, rights: str, offered: set[str]
) -> None:
    name = f"user-{len(rights)}"
    shop.call("user/add", username=name, password="password", rights=rights)
    view = views(refusals=() if "admin" in rights else (403, 404))
    view.enter(name, shop.call("auth", username=name).text)
    view.finds(VISITS)
    view.page.get_by_role("button", name="Open v00000").click()
    view.item.get_by_role("tree").wait_for()
    for label in ("+ Item", "Edit", "Delete", "+ Store", "Administer stash"):
        shown = view.page.get_by_role("button", name=label, exact=True)
        expect(shown).to_have_count(1 if label in offered else 0)


def test_who_may_not_query_is_told_what_is_missing(views: OPEN_VIEW, shop: Server) -> None:
    shop.call("user/add", username="lister", password="password", rights="get")
    view = views(refusals=(403, 404))
    view.enter("lister", shop.call("auth", username="lister").text)
    alert = view.page.get_by_role("alert")
    expect(alert).to_contain_text("ask an administrator for the right sessionQuery")


def test_who_may_not_list_stores_is_told_how_to_name_one(views: OPEN_VIEW, shop: Server) -> None:
    shop.call("user/add", username="asker", password="password", rights="sessionQuery")
    view = views(refusals=(403, 404))
    view.enter("asker", shop.call("auth", username="asker").text, store="")
    expect(view.page.locator("#main .empty").first).to_contain_text(
        "put #store=NAME behind the address"
    )


# --- what is kept here is text ---

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


def test_markup_in_keys_and_values_stays_text(own: View, shop: Server) -> None:
    item = {
        "session": {"id": HOSTILE},
        HOSTILE: {"<svg onload=alert(3)>": "javascript:alert(4)"},
        "_m1": {"geo": {"position": "1,2", "city_name": HOSTILE, "country_name": HOSTILE}},
        "when": "2026-01-01T00:00:00Z",
        HOSTILE + "At": "2026-01-01T00:00:00Z",
    }
    put(shop, "own", item)
    own.run("*")
    own.finds(3)
    expect(own.rows.first).to_contain_text("<script>alert(2)")
    own.page.get_by_role("button", name="Open <img").click()
    expect(own.item.get_by_role("heading")).to_have_text(HOSTILE)
    for shown in (own.item.get_by_role("treeitem"), own.page.locator(".path")):
        expect(shown.filter(has_text=HOSTILE).first).to_be_visible()
    own.path("_m1.geo.city_name").click()
    own.page.locator(".facets .value").filter(has_text=HOSTILE).click()
    own.finds(1)
    own.page.keyboard.press("m")
    expect(own.page.locator(".places").get_by_text(HOSTILE).first).to_be_visible()
    own.query.fill("_m1.geo.city_name:<")
    own.query.fill("_m1.geo.city_name:")
    own.query.press_sequentially('"<')
    expect(own.offers).to_contain_text([HOSTILE])
    own.page.keyboard.press("Escape")
    own.open(store=HOSTILE, q=HOSTILE, sort=HOSTILE, time=HOSTILE, item=HOSTILE, tab="map")
    own.refusals = (400, 404)
    own.page.get_by_role("alert").wait_for()
    assert own.page.locator("main img, main script, aside img").count() == 0


def test_control_markup_that_were_none_would_be_noticed(own: View) -> None:
    own.page.evaluate(
        "html => document.getElementById('said').insertAdjacentHTML('beforeend', html)", HOSTILE
    )
    expect(own.page.locator("#said img")).to_have_count(1)
    own.page.wait_for_load_state("networkidle")
    assert any("Content Security Policy" in problem for problem in own.problems)
    own.problems.clear()
