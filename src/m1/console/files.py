"""The files of the console and the reference, by their paths, read once.

Nothing of a request ever becomes the name of a file: what is served is this table.
"""

from __future__ import annotations

from importlib.resources import files as resources
from typing import NamedTuple

from m1.api.rooms import endpoints
from m1.console.reference import reference

_KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class File(NamedTuple):
    """Content type and content."""

    kind: str
    body: bytes


def files() -> dict[str, File]:
    """Give all files by their paths; the pages among them are `/console` and `/docs`."""
    web = resources("m1.console") / "web"
    found = {
        f"/console/{each.name}": File(_KINDS[each.name.rpartition(".")[2]], each.read_bytes())
        for each in web.iterdir()
    }
    return {"/console": found.pop("/console/index.html"), "/docs": _docs(), **found}


def _docs() -> File:
    return File(_KINDS["html"], reference(endpoints()).encode())
