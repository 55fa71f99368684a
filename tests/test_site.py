"""The site that `make docs` builds: whole, with every page, and nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OFTEN = {"href": {"a", "area"}, "cite": {"blockquote", "q"}}
"""Where an address is one to go to, and not one that is loaded."""


class Loaded(HTMLParser):
    """Gathers the addresses that a page loads something from."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a tag loads."""
        for name, value in attrs:
            loads = name in ("src", "srcset", "href", "data", "action", "poster")
            if loads and value and tag not in OFTEN.get(name, ()):
                self.addresses.append(value)


def loaded(text: str) -> Iterator[str]:
    """Yield the addresses of other places that a page loads something from."""
    reader = Loaded()
    reader.feed(text)
    yield from (each for each in reader.addresses if urlsplit(each).netloc)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does; a warning is an error."""
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", place],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place


def test_every_page_is_in_the_navigation() -> None:
    lines = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1].splitlines()
    named = {line.split()[-1] for line in lines if ".md" in line and "#" not in line}
    assert {page.name for page in DOCS.glob("*.md")} == named


def test_every_page_is_built(site: Path) -> None:
    assert {page.stem for page in DOCS.glob("*.md")} <= {page.stem for page in site.glob("*.html")}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        assert not list(loaded(page.read_text())), page
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text()), style
    for picture in site.rglob("*.svg"):
        text = picture.read_text()
        assert not re.search(r"(href|src)=|url\((?!#)|@import", text), picture


def test_control_something_from_elsewhere_is_found() -> None:
    page = '<a href="https://a.b/">x</a><img src="//a.b/x.png"><link href="https://a.b/x.css">'
    assert list(loaded(page)) == ["//a.b/x.png", "https://a.b/x.css"]


def test_search_has_its_index_and_its_worker_at_hand(site: Path) -> None:
    assert (site / "search" / "search_index.js").read_text().startswith("var __index = ")
    assert "assets/iframe-worker.js" in (site / "index.html").read_text()
    assert list((site / "assets" / "javascripts" / "workers").glob("search.*.js"))
