"""How items lie in an index: the item as it came, and beside it what it is found by.

    id    the id; ties are ordered by it
    body  the item's JSON text, not looked into
    t     every `path text`: terms, prefixes, patterns and text ranges
    p     every path at or below which there is a value
    n     by path, the numbers: number ranges, and orders
    d     by path, the instants that texts name, in epoch ms: date ranges
    s     by path, the texts, cut short: orders, and facets

OpenSearch never sees a type of the client's: nothing is mapped by what it happens to hold.
A path in t, n, d and s is one field name without a dot, so that `a` and `a.b` never clash, and
without a space, which therefore ends it in t.
Only `body` is stored, and the document as it was sent is not: it is four times the item.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from m1.engine import Put
from m1.terms import SORTED_CHARACTERS, Shape, leaf_of

MAX_FIELD_PATHS = 5_000
"""So many paths with numbers, dates or texts a space may have."""
MAX_REGEX = 16_000
FORMAT = 4
META = {"m1": {"format": FORMAT}}

_PATHS_KEPT = 1_000
_SHAPES_KEPT = 1_000
_SPECIAL = re.compile(r"[%/*\\\x00-\x20\x7f]")


@lru_cache(maxsize=_PATHS_KEPT)
def field_of(path: str) -> str:
    """Give a path as one field name: `a.b` is `a/b`."""
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", path).replace(".", "/") or "%"


def path_of(field: str) -> str:
    """Give the path that a field name is made of."""
    return unquote(field.replace("/", ".")) if field != "%" else ""


def head_of(path: str) -> str:
    """Give how all terms of a path begin."""
    return f"{field_of(path)} "


def document_of(put: Put) -> dict[str, Any]:
    """Give what an index keeps of an item."""
    terms: list[str] = []
    numbers: defaultdict[str, list[float]] = defaultdict(list)
    dates: defaultdict[str, list[int]] = defaultdict(list)
    texts: defaultdict[str, list[str]] = defaultdict(list)
    names, existing = _names_of(put.flat.shape)
    for (head, field), (text, number, instant) in zip(
        names, map(leaf_of, put.flat.values), strict=True
    ):
        if text is None:
            continue
        terms.append(head + text)
        texts[field].append(text[:SORTED_CHARACTERS])
        if number is not None:
            numbers[field].append(number)
        elif instant is not None:
            dates[field].append(instant)
    return {
        "id": put.id,
        "body": put.body.decode(),
        "t": terms,
        "p": existing,
        "n": numbers,
        "d": dates,
        "s": texts,
    }


@lru_cache(maxsize=_SHAPES_KEPT)
def _names_of(shape: Shape) -> tuple[Sequence[tuple[str, str]], Sequence[str]]:
    """Give what each place of a shape is called in terms and as a field, and all its paths."""
    names = [(head_of(path), field_of(path)) for path in shape.paths]
    return names, list(shape.existing)


def index_of(shards: int, replicas: int, alias: str) -> dict[str, Any]:
    """Give what an index of items is made with; `replicas` counts all copies of a shard."""
    keyword = {"type": "keyword", "norms": False, "doc_values": False}
    by_path = {"type": "object", "dynamic": True}
    return {
        "aliases": {alias: {}},
        "settings": {
            "index.number_of_shards": shards,
            "index.number_of_replicas": replicas - 1,
            "index.refresh_interval": "30s",
            "index.gc_deletes": "5m",  # so long a removal outweighs an older put
            "index.max_regex_length": MAX_REGEX,
            "index.mapping.total_fields.limit": 3 * MAX_FIELD_PATHS + 1_000,
        },
        "mappings": {
            "_meta": META,
            "dynamic": "strict",
            "_source": {"enabled": False},
            "date_detection": False,
            "dynamic_templates": [
                _by_path("n", {"type": "double"}),
                _by_path("d", {"type": "double", "doc_values": False}),
                _by_path("s", {"type": "keyword", "index": False}),
            ],
            "properties": {
                "id": {"type": "keyword", "index": False},
                "body": {"type": "text", "index": False, "store": True},
                "t": keyword,
                "p": keyword,
                "n": by_path,
                "d": by_path,
                "s": by_path,
            },
        },
    }


def _by_path(name: str, mapping: dict[str, Any]) -> dict[str, Any]:
    return {name: {"path_match": f"{name}.*", "mapping": mapping}}
