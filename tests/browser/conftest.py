"""A browser, and a shop whose visits the console shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.viewing import View
from tests.browser.visits import fill
from tests.serving import Server, serving

VISITS = 5_000
OPEN_VIEW = Callable[..., View]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's browser without a window; one a module, since its loop keeps out others."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("the console needs a browser: apt-get install chromium")
    # a small /dev/shm, as in a container, would end it in the middle
    flags = ["--disable-dev-shm-usage", "--disable-gpu"]
    if os.getuid() == 0:  # root has no sandbox to go to
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with 5,000 visits in the store stash."""
    with serving(tmp_path_factory.mktemp("shop")) as started:
        started.add_stash()
        fill(started, "stash", VISITS)
        yield started


@pytest.fixture
def views(chromium: Browser, shop: Server) -> Iterator[OPEN_VIEW]:
    """Open views, each a browser of its own; at the end none has seen anything odd."""
    with ExitStack() as stack:

        def open_view(**more: Any) -> View:
            return stack.enter_context(View(chromium, shop, **more))

        yield open_view


@pytest.fixture
def view(views: OPEN_VIEW) -> View:
    """A view of the store stash by its admin."""
    opened = views()
    opened.enter()
    return opened
