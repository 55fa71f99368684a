"""From a plan to OpenSearch's query, and from an order to its sort.

All that a client wrote ends up as values, in terms and bounds; never in a query string, a
script or a URL. See `mapping` for the fields.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from m1.opensearch.mapping import field_of, head_of
from m1.query import plan as p

Dsl = dict[str, Any]

_TERMS_AT_ONCE = 65_536
_IN_WILDCARD = re.compile(r"[*?\\]")
_IN_REGEX = re.compile(r"[^\w\s\0]", re.ASCII)
_HOLES = {p.Hole.ONE: "?", p.Hole.MANY: "*"}


def query_of(plan: p.Plan) -> Dsl:
    """Give the query that finds what a plan does; it scores nothing."""
    match plan:
        case p.All():
            return {"match_all": {}}
        case p.And(plans):
            return {"bool": {"filter": [query_of(each) for each in plans]}}
        case p.Or(plans):
            return _any_of([query_of(each) for each in plans])
        case p.Not(inner):
            return {"bool": {"must_not": [query_of(inner)]}}
        case p.Exists(path):
            return {"term": {"p": path}}
        case p.Terms(terms):
            return _terms([head_of(path) + text for path, text in terms])
        case p.NumberRange(path):
            return {"range": {f"n.{field_of(path)}": _number_bounds(plan)}}
        case p.DateRange(path):
            field, bounds = field_of(path), _number_bounds(plan)
            return _any_of([{"range": {f"{tree}.{field}": bounds}} for tree in "nd"])
    return _on_text(plan)


def _on_text(plan: p.Leaf) -> Dsl:
    match plan:
        case p.Prefix(path, head):
            return {"prefix": {"t": {"value": head_of(path) + head}}}
        case p.Wildcard(path, parts):
            value = _plain_wildcard(head_of(path)) + "".join(map(_wildcard_part, parts))
            return {"wildcard": {"t": {"value": value}}}
        case p.Regex(path, regular):
            value = f"{plain_regex(head_of(path))}({regular.to_lucene()})"
            return {"regexp": {"t": {"value": value, "flags": "NONE"}}}
        case p.Fuzzy(path, text, edits):
            return {
                "fuzzy": {
                    "t": {
                        "value": head_of(path) + text,
                        "fuzziness": edits,
                        "prefix_length": len(head_of(path)),
                        "transpositions": True,
                        "rewrite": "constant_score",  # others take the 50 best texts alone
                    }
                }
            }
        case p.TextRange():
            return {"range": {"t": _text_bounds(plan)}}
    raise AssertionError(plan)


def _any_of(queries: Sequence[Dsl]) -> Dsl:
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}


def _terms(texts: Sequence[str]) -> Dsl:
    if not texts:
        return {"match_none": {}}
    chunks = [
        {"terms": {"t": texts[begin : begin + _TERMS_AT_ONCE]}}
        for begin in range(0, len(texts), _TERMS_AT_ONCE)
    ]
    return chunks[0] if len(chunks) == 1 else _any_of(chunks)


def _number_bounds(plan: p.NumberRange | p.DateRange) -> dict[str, float]:
    bounds: dict[str, float] = {}
    if plan.low is not None:
        bounds["gte" if plan.include_low else "gt"] = plan.low + 0.0  # never -0.0
    if plan.high is not None:
        bounds["lte" if plan.include_high else "lt"] = plan.high + 0.0
    return bounds


def _text_bounds(plan: p.TextRange) -> dict[str, str]:
    head, low, high = head_of(plan.path), plan.low, plan.high
    least = "gte" if low is None or plan.include_low else "gt"
    most = "lt" if high is None or not plan.include_high else "lte"
    return {
        least: head + (low or ""),
        most: _after(head) if high is None else head + high,
    }


def _after(head: str) -> str:
    """Give what comes after all terms that begin so."""
    return head[:-1] + chr(ord(head[-1]) + 1)


def _plain_wildcard(text: str) -> str:
    return _IN_WILDCARD.sub(r"\\\g<0>", text)


def _wildcard_part(part: str | p.Hole) -> str:
    return _plain_wildcard(part) if isinstance(part, str) else _HOLES[part]


def plain_regex(text: str) -> str:
    """Give the expression that matches a text and nothing else."""
    return _IN_REGEX.sub(r"\\\g<0>", text)


def sort_of(order: Sequence[p.SortKey]) -> list[Dsl]:
    """Give the sort of an order: numbers, then texts, then neither; at last by id."""
    sort: list[Dsl] = []
    for key in order:
        direction = "desc" if key.descending else "asc"
        mode = "max" if key.descending else "min"
        for tree, kind in (("n", "double"), ("s", "keyword")):
            how = {"order": direction, "mode": mode, "missing": "_last", "unmapped_type": kind}
            sort.append({f"{tree}.{field_of(key.path)}": how})
    return [*sort, {"id": "asc"}]
