"""Looking: signing in, querying, narrowing, scrolling, over time and on the map."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OPEN_VIEW, VISITS
from tests.browser.viewing import View
from tests.serving import Server

pytestmark = pytest.mark.xdist_group("browser")


def count(server: Server, q: str) -> int:
    """Ask the server itself."""
    counted: int = server.call("session/query", store="stash", q=q, rows=0).json["count"]
    return counted


# --- signing in ---


def test_a_wrong_password_is_told_and_the_right_one_lets_in(views: OPEN_VIEW) -> None:
    view = views(refusals=(401,))
    view.open()
    view.fill_in("admin", "guessed it")
    expect(view.page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    view.fill_in("admin", "password")
    view.finds(VISITS)
    view.page.get_by_role("button", name="Sign out").click()
    expect(view.page.get_by_role("alert")).to_have_text("You are signed out.")
    assert view.page.evaluate("sessionStorage.length") == 0


def test_a_token_that_has_ended_leads_back_to_signing_in(views: OPEN_VIEW, shop: Server) -> None:
    shop.call("user/add", username="brief", password="password", rights="get,sessionQuery")
    view = views(refusals=(401, 403, 404))
    view.sign_in("brief")
    view.finds(VISITS)
    shop.call("user/remove", username="brief")  # the next look at the stores is refused
    expect(view.page.get_by_role("alert")).to_have_text("Your sign-in has ended: sign in again.")


def test_the_token_is_kept_until_the_tab_is_closed_and_no_longer(views: OPEN_VIEW) -> None:
    view = views()
    view.sign_in()
    view.page.reload()
    view.finds(VISITS)
    assert "m1.token" not in view.page.evaluate("Object.keys(localStorage)")
    other = view.context.new_page()
    other.goto(f"{view.server.url}/console")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


# --- the query ---


def test_a_query_is_run_linked_and_gone_back_from(view: View, shop: Server) -> None:
    view.run("user.name:Ada AND page:\\/tea")
    view.finds(count(shop, "user.name:Ada AND page:\\/tea"))
    link = view.page.url
    view.run("user.name:Ken")
    view.finds(count(shop, "user.name:Ken"))
    view.page.go_back()
    view.asks("user.name:Ada AND page:\\/tea")
    assert view.page.url == link
    view.page.reload()
    view.finds(count(shop, "user.name:Ada AND page:\\/tea"))


def test_an_error_is_marked_at_its_character(views: OPEN_VIEW) -> None:
    view = views(refusals=(400,))
    view.enter()
    view.finds(VISITS)
    view.run("user.name:😀 AND (page:a OR page:b")
    problem = view.page.get_by_role("alert")
    expect(problem).to_contain_text("Character 17: '(' is not closed")
    expect(view.page.locator(".mirror mark")).to_have_text("(")
    assert view.page.evaluate("document.activeElement.selectionStart") == 17  # 😀 is two units
    view.run("user.name:Ada")
    expect(problem).to_be_hidden()


def test_paths_and_values_are_completed_by_keyboard(view: View, shop: Server) -> None:
    view.finds(VISITS)
    view.page.keyboard.press("/")
    view.query.press_sequentially("device.b")
    expect(view.offers).to_have_text([f"device.browser{VISITS:,}"])
    view.page.keyboard.press("Tab")
    view.asks("device.browser:")
    expect(view.offers).to_have_count(3)
    view.page.keyboard.press("ArrowDown")
    view.page.keyboard.press("ArrowDown")
    expect(view.offers.nth(1)).to_have_attribute("aria-selected", "true")
    view.page.keyboard.press("ArrowUp")
    view.page.keyboard.press("Enter")
    view.asks("device.browser:Chrome")
    view.page.keyboard.press("Enter")
    view.finds(count(shop, "device.browser:Chrome"))
    view.query.fill("user.name:Ad")
    view.offers.filter(has_text="Ada").wait_for()
    view.page.keyboard.press("Escape")
    expect(view.page.get_by_role("listbox")).to_be_hidden()


def test_queries_that_were_run_are_offered_again(view: View, shop: Server) -> None:
    for name in ("Ada", "Ken"):
        view.run(f"user.name:{name}")
        view.finds(count(shop, f"user.name:{name}"))
    view.page.get_by_role("button", name="History").click()
    options = view.offers
    expect(options).to_have_text(["user.name:Ken", "user.name:Ada"])
    options.nth(1).click()
    view.finds(count(shop, "user.name:Ada"))


def test_queries_that_were_run_are_forgotten_at_the_end_of_a_visit(view: View) -> None:
    view.run("user.name:Ada")
    assert "m1.queries" in view.page.evaluate("Object.keys(sessionStorage)")
    assert "m1.queries" not in view.page.evaluate("Object.keys(localStorage)")
    view.page.get_by_role("button", name="Sign out").click()
    expect(view.page.get_by_role("alert")).to_have_text("You are signed out.")
    assert "m1.queries" not in view.page.evaluate("Object.keys(sessionStorage)")


# --- the table ---


def test_a_click_on_a_head_sorts(view: View) -> None:
    view.finds(VISITS)
    head = view.page.get_by_role("columnheader", name="user.name")
    for said, names in (("ascending", "Ada"), ("descending", "Radia"), ("none", None)):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", said)
        if names is not None:
            expect(view.rows.first).to_contain_text(names)
    expect(view.rows.first).to_contain_text("v00000")


def test_all_rows_can_be_scrolled_to_and_few_are_there(view: View) -> None:
    view.finds(VISITS)
    scroll = view.page.locator(".scroll")
    for at, expected in ((0.5, "v02500"), (1.0, "v04999"), (0.0, "v00000")):
        scroll.evaluate("(box, at) => box.scrollTop = at * box.scrollHeight", at)
        expect(view.rows.filter(has_text=expected)).to_be_visible()
        assert view.rows.count() < 60
    assert view.page.locator(".results").get_attribute("aria-rowcount") == str(VISITS + 1)


def test_columns_are_picked_and_remembered_for_each_store(view: View) -> None:
    view.finds(VISITS)
    view.page.get_by_role("button", name="Columns").click()
    view.dialog.get_by_label("Find a path").fill("city")
    view.dialog.get_by_label("_m1.geo.city_name", exact=True).check()
    view.dialog.get_by_label("Find a path").fill("user.member")
    view.dialog.get_by_label("user.member", exact=True).uncheck()
    view.page.keyboard.press("Escape")
    view.page.reload()
    view.finds(VISITS)
    heads = view.page.get_by_role("columnheader").all_inner_texts()
    assert heads[0] == "session.id"
    assert "_m1.geo.city_name" in heads
    assert "user.member" not in heads


def test_numbers_end_at_the_right_and_so_do_their_heads(view: View) -> None:
    view.finds(VISITS)
    expect(view.page.locator(".results th.number")).not_to_have_count(0)
    script = """() => [...document.querySelectorAll(".results th")].map((head, at) => {
        const cells = [...document.querySelectorAll(`.results td:nth-child(${at + 1})`)];
        const told = cells.filter((cell) => cell.innerText && cell.innerText !== "–");
        const aligned = (element) => getComputedStyle(element).textAlign === "right";
        return [
            told.every((cell) => /^-?[\\d.]+(, -?[\\d.]+)*$/.test(cell.innerText)),
            aligned(head.querySelector("button")),
            told.length > 0 && told.every(aligned),
        ];
    })"""
    columns = view.page.evaluate(script)
    assert {tuple(column) for column in columns} == {(True,) * 3, (False,) * 3}


def test_a_view_that_is_live_shows_what_comes(views: OPEN_VIEW, shop: Server) -> None:
    shop.call("session/add", store="live", shards=1, replicas=1)
    view = views()
    view.enter(store="live")
    view.finds(0)
    expect(view.page.get_by_text("This store is empty.")).to_be_visible()
    view.page.get_by_label("Live", exact=True).check()
    shop.call("session/update", store="live", ops='[{"upsert": [{"session": {"id": "now"}}]}]')
    view.finds(1)
    expect(view.rows).to_contain_text(["now"])
    view.leave()
    shop.call("session/drop", store="live")


def test_a_view_that_is_live_goes_on_when_the_server_is_back(view: View) -> None:
    view.page.clock.install()
    view.page.reload()
    view.finds(VISITS)
    view.page.get_by_label("Live", exact=True).check()
    view.page.route("**/session/query", lambda route: route.abort())
    view.page.clock.fast_forward(5_000)
    expect(view.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    view.page.unroute("**/session/query")
    view.page.clock.fast_forward(5_000)
    view.finds(VISITS)
    expect(view.page.get_by_role("alert")).to_be_hidden()
    assert any("ERR_FAILED" in problem for problem in view.problems)
    view.problems.clear()


# --- one item ---


def test_a_value_of_an_item_narrows_the_query_or_is_excluded(view: View, shop: Server) -> None:
    view.finds(VISITS)
    name = view.column("user.name")[3]
    view.page.get_by_role("button", name="Open v00003").click()
    node = view.item.get_by_role("treeitem").filter(has_text=re.compile(f"^name{name}$"))
    node.click()
    view.item.get_by_role("button", name="Exclude").click()
    view.finds(count(shop, f"NOT user.name:{name}"))
    view.asks(f"NOT user.name:{name}")
    view.page.keyboard.press("Escape")
    expect(view.item).to_be_hidden()


def test_a_tree_is_walked_by_keyboard(view: View, shop: Server) -> None:
    view.finds(VISITS)
    view.page.keyboard.press("r")
    view.page.keyboard.press("ArrowDown")
    view.page.keyboard.press("Enter")
    expect(view.item.get_by_role("heading")).to_have_text("v00001")
    first = view.item.get_by_role("treeitem").first
    expect(first).to_be_focused()
    view.page.keyboard.press("ArrowLeft")
    expect(first).to_have_attribute("aria-expanded", "false")
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("ArrowRight")
    expect(view.item.locator(".chosen code")).to_have_text("session.id")
    view.page.keyboard.press("+")
    view.asks("session.id:v00001")
    view.finds(1)


def test_numbers_are_shown_by_their_digits(view: View, shop: Server) -> None:
    item = '{"session": {"id": "digits"}, "big": 9007199254740993, "exact": 1.50}'
    shop.call("session/update", store="stash", ops=f'[{{"upsert": [{item}]}}]')
    view.open(store="stash", q="session.id:digits", item="digits")
    expect(view.item.get_by_text("9007199254740993")).to_be_visible()
    view.item.get_by_role("button", name="JSON").click()
    expect(view.item.locator("pre")).to_contain_text('"exact": 1.50')
    shop.call("session/update", store="stash", ops='[{"delete": ["digits"]}]')


# --- paths, time, places ---


def test_facets_narrow_and_exclude(view: View, shop: Server) -> None:
    view.finds(VISITS)
    view.path("_m1.geo.country_name").click()
    values = view.page.get_by_role("list", name="Values of _m1.geo.country_name")
    expect(values.get_by_role("listitem").first).to_contain_text("Germany")
    values.get_by_role("button", name="South Africa").first.click()
    view.asks('_m1.geo.country_name:"South Africa"')
    view.finds(count(shop, '_m1.geo.country_name:"South Africa"'))
    expect(values.get_by_role("listitem")).to_have_count(1)
    view.path("device.kind").click()
    view.page.get_by_role("button", name="Exclude phone").click()
    narrowed = '_m1.geo.country_name:"South Africa" AND NOT device.kind:phone'
    view.asks(narrowed)
    view.finds(count(shop, narrowed))
    view.page.get_by_role("button", name="History", exact=True).click()
    expect(view.offers.first).to_have_text(narrowed)


def test_paths_of_ones_own_come_before_those_that_the_server_adds(view: View) -> None:
    view.path("user.name").wait_for()
    shown: list[str] = view.page.locator("[data-path]").evaluate_all(
        "lines => lines.map((line) => line.dataset.path)"
    )
    assert shown == sorted(shown, key=lambda path: (path.startswith("_m1."), path))
    assert "_m1.ip" in shown


def test_a_stretch_of_the_histogram_narrows_the_query(view: View) -> None:
    view.open(store="stash", time="startedUTC", window="all")
    view.finds(VISITS)
    chart = view.page.get_by_role("slider", name="Items over time")
    expect(view.page.get_by_text(f"{VISITS:,} in the window")).to_be_visible()
    box: Any = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    view.page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=4)
    expect(chart.locator(".chosen")).not_to_have_count(1)
    view.page.mouse.up()
    expect(view.query).to_have_value(re.compile(r"^startedUTC:\[\S+Z TO \S+Z\}$"))
    expect(view.page.locator("#count")).not_to_have_text(f"{VISITS:,} items")
    expect(view.page.locator("#count")).to_have_text(re.compile(r"^[\d,]+ items$"))
    found = view.page.locator("#count").inner_text().removesuffix(" items")
    expect(view.page.get_by_text(f"{found} in the window")).to_be_visible()


def test_a_bar_is_chosen_by_keyboard_in_place_of_the_stretch_before(view: View) -> None:
    view.open(store="stash", time="startedUTC", window="1h")
    view.finds(VISITS)
    chart = view.page.get_by_role("slider", name="Items over time")
    for _ in range(2):
        expect(chart.locator("[data-bar]").nth(9)).to_be_attached()
        chart.focus()
        for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowLeft", "Enter"):
            view.page.keyboard.press(key)
        expect(view.query).to_have_value(re.compile(r"^startedUTC:\[\S+Z TO \S+Z\}$"))


def test_a_point_of_the_map_narrows_the_query(view: View, shop: Server) -> None:
    view.finds(VISITS)
    view.page.keyboard.press("m")
    point = view.page.locator(".point").filter(has_text=re.compile("^-33.87,151.21:"))
    point.click()
    view.asks('_m1.geo.position:"-33.87,151.21"')
    view.finds(count(shop, "_m1.geo.city_name:Sydney"))
    view.page.get_by_role("list", name="Values of _m1.geo.city_name").get_by_text(
        "Sydney"
    ).wait_for()


def test_nothing_found_says_what_to_do_next(view: View) -> None:
    view.run("user.name:Nobody")
    view.finds(0)
    view.page.get_by_role("button", name="Show all items").click()
    view.finds(VISITS)


def test_stores_are_shown_with_counts_speed_and_health(view: View) -> None:
    store = view.page.get_by_role("list", name="Stores").get_by_role("listitem")
    expect(store.filter(has_text="stash")).to_contain_text(f"{VISITS:,}")
    view.page.get_by_role("button", name="All parts are well").click()
    expect(view.dialog).to_contain_text("Node stash shard 0 replica 0")
