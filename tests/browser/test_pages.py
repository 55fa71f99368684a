"""The pages as such: their headers, who can use them, and the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from m1.api.rooms import endpoints
from m1.console import files
from tests.browser.conftest import OPEN_VIEW, VISITS
from tests.browser.viewing import View
from tests.serving import Server

pytestmark = pytest.mark.xdist_group("browser")
ROOT = Path(__file__).parents[2]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


# --- over HTTP ---


@pytest.mark.parametrize("path", sorted(files()))
def test_every_file_is_served_with_the_headers_that_keep_others_out(
    shop: Server, path: str
) -> None:
    reply = shop.call(path[1:], token="")
    assert reply.status == 200
    headers = {name.lower(): value for name, value in reply.headers.items()}
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-cache"
    assert headers["content-type"] == files()[path].kind
    again = shop.call(path[1:], token="", headers={"If-None-Match": headers["etag"]})
    assert (again.status, again.text) == (304, "")


def test_no_page_has_a_script_or_a_style_of_its_own_or_another_address() -> None:
    for path, file in files().items():
        text = file.body.decode()
        assert "innerHTML" not in text, path
        if file.kind.startswith("text/html"):
            assert " style=" not in text
            assert "<style" not in text
            assert text.count("<script") == text.count('<script src="console/')
            assert 'src="http' not in text
            assert 'href="http' not in text


@pytest.mark.parametrize(
    "path",
    [
        "console/",
        "console/../main.js",
        "console/%2e%2e/server/app.py",
        "console/files.py",
        "docs/",
        "console/index.html",
    ],
)
def test_no_other_file_is_served(shop: Server, path: str) -> None:
    assert shop.call(path, token="").status == 404


def test_a_page_is_read_only(shop: Server) -> None:
    reply = shop.call("console", "POST", a="b")
    assert (reply.status, reply.headers["allow"]) == (405, "GET")


def test_a_browser_at_the_root_is_led_to_the_console_and_a_call_is_not(
    views: OPEN_VIEW, shop: Server
) -> None:
    view = views()
    view.open("")
    expect(view.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert view.page.url == f"{shop.url}/console"
    assert shop.call("").status == 404


def test_another_site_cannot_frame_the_console(views: OPEN_VIEW, shop: Server) -> None:
    view = views(refusals=(404,))
    view.page.goto(f"{shop.url}/ping")
    view.page.evaluate(
        "url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))",
        f"{shop.url}/console",
    )
    view.page.wait_for_load_state("networkidle")
    assert any("frame-ancestors" in problem for problem in view.problems)
    view.problems.clear()


def test_control_a_call_to_another_origin_would_be_noticed(view: View) -> None:
    view.finds(VISITS)
    view.page.evaluate("fetch('http://127.0.0.2:9/').catch(() => null)")
    assert any("127.0.0.2" in problem for problem in view.problems)
    view.problems.clear()


# --- for everybody ---


def looks_fine(view: View) -> list[str]:
    """Give what axe has to say about the page."""
    violations: list[dict[str, Any]] = Axe().run(view.page).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in violations for node in each["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(views: OPEN_VIEW, theme: str) -> None:
    view = views(theme=theme, bypass_csp=True, refusals=(400,))
    view.open()
    expect(view.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert looks_fine(view) == []
    view.enter(q="user.name:Ada", item="v00023")
    view.item.get_by_role("tree").wait_for()
    view.path("page").click()
    view.page.get_by_role("list", name="Values of page").wait_for()
    assert looks_fine(view) == []
    view.query.fill("user.n")
    view.offers.first.wait_for()
    assert looks_fine(view) == []
    view.run("page:(")
    view.page.get_by_role("alert").wait_for()
    view.page.get_by_role("button", name="+ Store").click()
    assert looks_fine(view) == []
    view.page.keyboard.press("Escape")
    view.open(store="stash", tab="map")
    view.page.locator(".places .value").first.wait_for()
    assert looks_fine(view) == []
    for key in ("n", "?"):
        view.page.keyboard.press("Escape")
        view.page.keyboard.press(key)
        view.dialog.wait_for()
        assert looks_fine(view) == []
    view.open("docs")
    assert looks_fine(view) == []


def test_control_axe_finds_what_is_wrong(views: OPEN_VIEW) -> None:
    view = views(bypass_csp=True)
    view.open()
    view.page.evaluate(
        "document.querySelector('#sign-in').append(document.createElement('button'))"
    )
    assert any(found.startswith("button-name") for found in looks_fine(view))


def test_400_pixels_are_wide_enough(views: OPEN_VIEW) -> None:
    view = views(width=400)
    view.open()
    view.is_within_its_width()
    view.enter()
    view.finds(VISITS)
    view.is_within_its_width()
    view.page.get_by_role("button", name="Stores and paths").click()
    view.path("_m1.geo.country_name").click()
    view.page.get_by_role("button", name="Brazil").first.click()
    expect(view.page.locator("#side")).to_be_hidden()
    view.asks("_m1.geo.country_name:Brazil")
    view.page.keyboard.press("m")
    view.page.locator(".point").first.wait_for()
    view.is_within_its_width()
    view.page.keyboard.press("m")
    view.rows.first.get_by_role("button").click()
    view.item.get_by_role("tree").wait_for()
    view.is_within_its_width()
    view.page.keyboard.press("Escape")
    view.page.get_by_role("button", name="Help").click()
    view.dialog.wait_for()
    view.is_within_its_width()
    view.page.keyboard.press("Escape")
    view.page.keyboard.press("n")
    view.dialog.wait_for()
    view.is_within_its_width()
    view.open("docs")
    view.is_within_its_width()


def test_light_and_dark_follow_the_system_until_one_is_chosen(views: OPEN_VIEW) -> None:
    view = views(theme="dark")
    view.open()

    def back() -> str:
        color: str = view.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return color

    dark = back()
    theme = view.page.get_by_role("button", name="Theme")
    theme.click()
    expect(theme).to_have_text("◐ Light")
    light = back()
    assert light != dark
    view.page.reload()
    assert back() == light
    view.page.emulate_media(color_scheme="light")
    theme.click()
    assert back() == dark


def test_everything_can_be_done_without_a_mouse(views: OPEN_VIEW, shop: Server) -> None:
    view = views()
    view.open(store="stash")
    view.page.keyboard.type("admin")
    view.page.keyboard.press("Tab")
    view.page.keyboard.type("password")
    view.page.keyboard.press("Enter")
    view.finds(VISITS)
    view.page.keyboard.press("?")
    expect(view.dialog.get_by_role("heading")).to_have_text(["Help", "Queries", "Keys"])
    page = (ROOT / "docs" / "console.md").read_text()
    for keys in view.dialog.locator("kbd").all_inner_texts():
        for key in keys.replace("−", "-").split():
            assert f"`{key}`" in page, f"docs/console.md does not tell of {key}"
    for example in view.dialog.locator("code").all_inner_texts():
        assert shop.call("session/query", store="stash", q=example).status == 200, example
    view.page.keyboard.press("Escape")
    view.page.keyboard.press("n")
    view.dialog.wait_for()
    view.page.keyboard.press("Control+A")
    view.page.keyboard.type('{"session": {"id": "keys"}, "page": "/by-keys"}')
    view.page.keyboard.press("Control+Enter")
    expect(view.item.get_by_role("heading")).to_have_text("keys")
    view.page.keyboard.press("Escape")
    view.page.keyboard.press("/")
    view.page.keyboard.type('page:"/by-')
    expect(view.offers).to_have_text(["/by-keys1"])
    view.page.keyboard.press("Tab")
    view.page.keyboard.press("Enter")
    view.finds(1)
    view.page.keyboard.press("Escape")
    view.page.keyboard.press("r")
    view.page.keyboard.press("Enter")
    expect(view.item.get_by_role("treeitem").first).to_be_focused()
    view.page.keyboard.press("Shift+Tab")
    for _ in range(2):
        view.page.keyboard.press("Shift+Tab")
    expect(view.item.get_by_role("button", name="Delete")).to_be_focused()
    view.page.keyboard.press("Enter")
    view.dialog.wait_for()
    view.dialog.get_by_role("button", name="Delete").focus()
    view.page.keyboard.press("Enter")
    view.finds(0)


# --- the reference ---


def test_the_reference_has_every_endpoint_with_its_parameters_and_statuses(
    views: OPEN_VIEW,
) -> None:
    view = views()
    view.open("docs")
    sections = {
        section.locator("h2").inner_text().split("\n")[-1]: section.inner_text()
        for section in view.page.locator("main > section").all()
    }
    for endpoint in endpoints():
        text = sections[f"/{endpoint.path}"]
        for word in [each.name for each in endpoint.parameters]:
            assert word in text
        for error in endpoint.refusals:
            assert f"{error.status}\t" in text


def test_the_reference_is_searched_by_typing(views: OPEN_VIEW) -> None:
    view = views()
    view.open("docs")
    view.page.keyboard.press("/")
    view.page.keyboard.type("most items rename")
    expect(view.page.get_by_text("Nothing here has these words.")).to_be_visible()
    view.page.keyboard.press("Escape")
    view.page.get_by_label("Search").fill("ops upsert delete")
    expect(view.page.locator("main > section:visible")).to_have_count(1)
    expect(view.page.locator("main > section:visible h2")).to_contain_text("/session/update")
    view.page.get_by_role("link", name="Console").click()
    expect(view.page.get_by_role("heading", name="Sign in")).to_be_visible()
