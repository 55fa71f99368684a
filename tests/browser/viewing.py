"""The console as somebody at a screen has it, with an eye on what the browser thinks of it."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, ConsoleMessage, Locator, Request, expect

from tests.serving import Server

_REFUSED = re.compile(r"Failed to load resource: .* status of (\d+)")
SECONDS = 10


class View:
    """One page of the console; whatever the browser complains of is a problem when it is closed."""

    def __init__(
        self,
        browser: Browser,
        server: Server,
        width: int = 1280,
        height: int = 800,
        theme: Any = "light",
        refusals: tuple[int, ...] = (),
        **more: Any,
    ) -> None:
        """Open nothing yet; `refusals` are the statuses that the story asks for."""
        size: Any = {"width": width, "height": height}
        self.context = browser.new_context(viewport=size, color_scheme=theme, **more)
        self.context.set_default_timeout(SECONDS * 1_000)
        expect.set_options(timeout=SECONDS * 1_000)
        self.page = self.context.new_page()
        self.server = server
        self.refusals = refusals
        self.problems: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: self.problems.append(f"alert {dialog.message}"))
        self.page.on("request", self._requested)

    def __enter__(self) -> View:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert not self.problems, self.problems

    def leave(self) -> None:
        """Close the page, so that nothing is asked any more of a store that is then dropped."""
        self.page.close()

    def _heard(self, message: ConsoleMessage) -> None:
        refused = _REFUSED.match(message.text)
        if refused is not None and int(refused[1]) in self.refusals:
            return
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.text} ({message.location})")

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.server.url, "data:", "about:")):
            self.problems.append(f"asked {request.url}")

    def open(self, path: str = "console", **at: str) -> None:
        """Go to a page; `at` is what the console shows there."""
        self.page.goto(f"{self.server.url}/{path}" + (f"#{urlencode(at)}" if at else ""))

    def fill_in(self, user: str, password: str) -> None:
        """Fill in the form and send it."""
        self.page.get_by_label("User").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")

    def sign_in(self, user: str = "admin", password: str = "password", **at: str) -> None:
        """Open the console and sign in, to the store stash by default."""
        self.open(**({"store": "stash"} | at))
        self.fill_in(user, password)
        expect(self.page.locator("#who")).to_have_text(user)

    def enter(self, user: str = "admin", token: str = "", **at: str) -> None:
        """Open the console with a token that was asked for before, which is soon done."""
        kept = json.dumps({"m1.user": user, "m1.token": token or self.server.token})
        if self.page.url != "about:blank":  # else the page that is open stays
            self.page.goto("about:blank")
        self.context.add_init_script(f"Object.assign(sessionStorage, {kept})")
        self.open(**({"store": "stash"} | at))

    @property
    def query(self) -> Locator:
        """The box for the query."""
        return self.page.get_by_label("Query", exact=True)

    @property
    def rows(self) -> Locator:
        """The rows of the table that are there."""
        return self.page.locator(".results tbody tr:not(.space)")

    def path(self, name: str) -> Locator:
        """The line of a path in the side."""
        return self.page.get_by_role("list", name="Paths").locator(f"[data-path='{name}']")

    @property
    def offers(self) -> Locator:
        """What is offered while a query is written."""
        return self.page.get_by_role("listbox").get_by_role("option")

    @property
    def item(self) -> Locator:
        """The panel of one item."""
        return self.page.locator("#item")

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.locator("dialog[open]")

    def run(self, q: str) -> None:
        """Write a query and run it."""
        self.query.fill(q)
        self.query.press("Enter")

    def finds(self, count: int) -> None:
        """Wait until so many items are found."""
        items = "item" if count == 1 else "items"
        expect(self.page.locator("#count")).to_have_text(f"{count:,} {items}")

    def asks(self, q: str) -> None:
        """Wait until this is the query."""
        expect(self.query).to_have_value(q)

    def column(self, path: str) -> list[str]:
        """Give the texts of a column in the rows that are there."""
        heads = self.page.locator(".results th").all_inner_texts()
        at = next(i for i, head in enumerate(heads) if head.split()[0] == path)
        return [row.locator("td").nth(at).inner_text() for row in self.rows.all()]

    def is_within_its_width(self) -> None:
        """Fail where the page can be scrolled sideways."""
        wide, room = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= room
