"""What must hold for any bytes whatever: a refusal of ours, or the right result."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from m1.api.endpoint import Json
from m1.api.metadata import ROOT, Stamp
from m1.api.ops import changes_of
from m1.embedded.matching import matcher
from m1.engine import Put
from m1.errors import BadQuery, BadRequest
from m1.opensearch.dsl import query_of, sort_of
from m1.paths import id_of
from m1.query import parse, parse_sort, resolve, to_text
from m1.query.plan import Fuzzy, Regex, Wildcard, leaves
from m1.server.forms import read_form

NOW = 1_700_000_000_000
STAMP = Stamp(f"{ROOT}.ip", "127.0.0.1", f"{ROOT}.receivedUTC", NOW, NOW, None)

sys.set_int_max_str_digits(0)


def query(data: bytes) -> None:
    """Query text is a tree that its own text reads back as, and a plan that can be carried out."""
    text = data.decode(errors="ignore")
    with contextlib.suppress(BadQuery):
        sort_of(parse_sort(text))
    try:
        tree = parse(text)
        assert parse(to_text(tree)) == tree
        plan = resolve(tree, NOW)
    except BadQuery:
        return
    msgspec.json.encode(query_of(plan))
    for leaf in leaves(plan):
        if isinstance(leaf, Wildcard | Regex | Fuzzy):
            matcher(leaf)("a text")


def ops(data: bytes) -> None:
    """Ops are kept as another reader of JSON reads them, to the last digit."""
    try:
        changes = changes_of(Json.of(data), "id", STAMP)
    except BadRequest:
        return
    wanted: dict[str, Any] = {}
    for op in json.loads(data):
        wanted |= {id_of(item["id"]): item for item in op.get("upsert", ())}
        wanted |= {id_of(value): None for value in op.get("delete", ())}
    kept = {c.id: json.loads(c.body) if isinstance(c, Put) else None for c in changes}
    assert kept.keys() == wanted.keys()
    for id, item in wanted.items():
        assert _brought(kept[id]) == _brought(item), id


def _brought(item: dict[str, Any] | None) -> str:
    """Give what the client's part of an item is, the kinds of its numbers included."""
    return repr(item and {k: v for k, v in item.items() if k.partition(".")[0] != ROOT})


def form(data: bytes) -> None:
    """A form (content type and query string, a line each, then the body) is texts by name."""
    kind, _, rest = data.partition(b"\n")
    query_string, _, body = rest.partition(b"\n")
    try:
        values = read_form(query_string, kind.decode("latin-1"), body)
    except BadRequest:
        return
    for name, value in values.items():
        name.encode()
        if isinstance(value, str):
            value.encode()


def planted(data: bytes) -> None:
    """A target with a fault, which must be found."""
    if len(data) > 2 and data[0] == ord("[") and data[1] == ord("{"):
        raise ValueError(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (query, ops, form, planted)
}
